"""What happened: events, the journal that holds them, the fold that reads them, the shelf of sessions."""
