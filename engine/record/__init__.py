"""The record of a session: events, the journal that stores them, the fold that reads them, the shelf."""
