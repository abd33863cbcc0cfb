-- Senders that were added at run time. Those of the config file are not here.

CREATE TABLE sender (
  id       TEXT PRIMARY KEY,
  settings TEXT NOT NULL,   -- JSON: as in the config file, without secrets
  sealed   TEXT NOT NULL    -- JSON: what the vault sealed, by key ("upstream.password")
) WITHOUT ROWID;
