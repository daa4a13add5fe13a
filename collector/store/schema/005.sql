-- Copies of keys that are, or were, outside of this state directory: how long an erased group's key may live on.
-- Ids and times only.

CREATE TABLE key_copies (
  copy     TEXT PRIMARY KEY,             -- id of the backup that it goes with, or its own
  kind     TEXT NOT NULL,                -- escrow | second: an age file, or a second copy of keys.slots that was left
  pos      INTEGER NOT NULL,             -- last leaf of the collector when it was made or left
  made_at  INTEGER NOT NULL,             -- keys that were live then are in it
  until_at INTEGER                       -- declared end of the copy; null: nobody has said, it may be there for ever
) STRICT;
