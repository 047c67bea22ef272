"""Why a session's figures are what they are: small rules over them, each with its evidence in numbers."""
