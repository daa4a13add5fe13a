-- Erasing, and the end of an agreement. Ids, words, numbers and times only.

-- What is known of each erasure beside its events; a row from its first transaction on, for ever.
CREATE TABLE erasures (
  grp       TEXT PRIMARY KEY,           -- key group: what was erased together
  by_what   TEXT NOT NULL,              -- policy | agreement | tombstone | lane …
  policy    TEXT,                       -- pack in force when it began; null: none decided this
  version   INTEGER,                    -- of that pack
  due_at    INTEGER,                    -- when it ought to have been done; null: nothing says so
  begun_at  INTEGER NOT NULL,           -- point of no return
  done_at   INTEGER,                    -- keys overwritten and read back, rows gone; null: not yet
  parts     INTEGER,                    -- how many sealed parts went; null: not counted yet
  list_root TEXT,                       -- RFC 6962 root over (log, seq, group) of them, base64url
  method    TEXT,                       -- slot-overwritten | key-dropped | tombstone
  done_pos  INTEGER                     -- leaf erasure.done: the order in which hosts confirm
) STRICT;

-- How far each host is known to hold nothing of what was erased.
CREATE TABLE confirmations (
  agent TEXT PRIMARY KEY,
  pos   INTEGER NOT NULL,               -- everything erased up to this leaf is dead there too
  at    INTEGER NOT NULL                -- when that was known last
) STRICT;

-- An order to end an agreement; a cancelled one leaves no trace here, only in the log. `agreements.ends_at` is the
-- effective date, and `state` stays `open` until erasing begins: a version of before does not drop what can still be
-- cancelled.
ALTER TABLE agreements ADD COLUMN cooling_until INTEGER; -- until then it can be cancelled; null: no order
ALTER TABLE agreements ADD COLUMN ordered_at    INTEGER; -- when it was ordered
ALTER TABLE agreements ADD COLUMN ordered_by    TEXT;    -- person
ALTER TABLE agreements ADD COLUMN ended_at      INTEGER; -- every host and the collector are done; null: not yet
