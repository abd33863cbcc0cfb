"""One event, one line; secrets masked by type."""
