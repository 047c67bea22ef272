"""Diagnoses: rules that explain or cast doubt on a session's figures, each with its evidence in numbers."""
