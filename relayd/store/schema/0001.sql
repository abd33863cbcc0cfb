-- Keys: message.n counts up in the order of arrival. recipient.id = n << 16 | index within the message.
-- content.id = n << 16 | part, with part 0 the submitted header block, 1 the dressed one, 2 and up the body.
-- So one integer key serves each table, what belongs together lies together, and no index is needed for it.
-- Times are microseconds since 1970 UTC. State: 0 queued, 1 held, 2 sent, 3 failed.

CREATE TABLE message (
  n        INTEGER PRIMARY KEY,
  id       TEXT NOT NULL UNIQUE,
  sender   TEXT NOT NULL,
  ref      TEXT,
  received INTEGER NOT NULL,
  held     TEXT,            -- the reason it was put as held
  facts    TEXT NOT NULL,   -- JSON: the submission without its header block, meta, test
  dressing TEXT NOT NULL    -- JSON: the dressing without its header block
);
CREATE INDEX message_ref ON message (ref) WHERE ref IS NOT NULL;

CREATE TABLE content (
  id   INTEGER PRIMARY KEY,
  crc  INTEGER NOT NULL,    -- CRC-32 of data: SQLite doesn't notice a flipped bit in a blob
  data BLOB NOT NULL
);

CREATE TABLE receiving (    -- bodies on their way in; whatever is left here was never put
  n INTEGER PRIMARY KEY
);

CREATE TABLE recipient (
  id          INTEGER PRIMARY KEY,
  hop         TEXT NOT NULL,
  sender      TEXT NOT NULL,
  address     TEXT NOT NULL,
  return_path TEXT NOT NULL,
  state       INTEGER NOT NULL,
  due         INTEGER,                      -- NULL while held, final, or in memory since it was put
  wait        REAL NOT NULL DEFAULT 0,      -- seconds that were planned from settling to due
  held        TEXT,
  attempts    INTEGER NOT NULL DEFAULT 0,
  waited      REAL NOT NULL DEFAULT 0,
  uncertain   INTEGER NOT NULL DEFAULT 0,
  warned      INTEGER NOT NULL DEFAULT 0,
  released    INTEGER NOT NULL DEFAULT 0,
  pending     TEXT,                         -- "hold" or "cancel", and ":reason": takes effect when settled
  ended       INTEGER,                      -- when it became final
  last        INTEGER                       -- seq of its newest event
);
CREATE INDEX recipient_open ON recipient (state) WHERE state < 2;
CREATE INDEX recipient_due ON recipient (hop, sender, due) WHERE due IS NOT NULL;

CREATE TABLE event (
  seq     INTEGER PRIMARY KEY,
  message INTEGER,          -- message.n
  time    INTEGER NOT NULL,
  facts   TEXT NOT NULL     -- JSON: the fields that are set
);

CREATE TABLE fact (
  kind  TEXT NOT NULL,
  key   TEXT NOT NULL,
  value TEXT NOT NULL,      -- JSON
  PRIMARY KEY (kind, key)
) WITHOUT ROWID;
