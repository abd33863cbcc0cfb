"""Rules: what servers say, as rows. A row without its specimen reply can't be written."""
