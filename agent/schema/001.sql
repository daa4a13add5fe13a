-- The agent's own state. Migrations only add: the previous version must run on this version's state.
-- Times are UTC milliseconds; ids, hashes and digests are raw bytes; logs, groups, sources and wraps have small
-- integer ids inside, because 16-byte keys halve the rate of writing. Nothing personal stands here in clear.

-- One journal each. One is open; closed ones are kept so that a restored collector can be refilled.
CREATE TABLE logs (
  id         INTEGER PRIMARY KEY,           -- inner id, in order of birth
  log        BLOB    NOT NULL UNIQUE,       -- log id, 16 bytes
  birth      TEXT    NOT NULL,              -- signed birth record, as JSON
  birth_hash BLOB    NOT NULL,              -- leaf hash of the birth: prev of seq 1
  next       INTEGER NOT NULL,              -- next seq to write
  head       BLOB    NOT NULL,              -- leaf hash of next - 1, of the birth where next is 1
  acked      INTEGER NOT NULL DEFAULT 0,    -- the collector has stored everything through this seq
  open       INTEGER NOT NULL DEFAULT 1,    -- 1: events are appended here; 0: closed for ever
  last       INTEGER,                       -- closed only: nothing after this seq is sent any more
  last_head  BLOB,                          -- closed only: leaf hash at last
  closed_at  INTEGER                        -- closed only: when
) STRICT;
CREATE UNIQUE INDEX logs_open ON logs (open) WHERE open = 1;

-- Events, append-only; what lies after logs.acked is the outbox.
CREATE TABLE leaves (
  pos         INTEGER PRIMARY KEY,          -- order of commit over all logs
  log         INTEGER NOT NULL REFERENCES logs (id),
  seq         INTEGER NOT NULL,             -- from 1 without holes (L1)
  bytes       TEXT    NOT NULL,             -- canonical text, stored and shipped as made (L3)
  hash        BLOB    NOT NULL,             -- leaf hash of bytes
  at          INTEGER NOT NULL,             -- the agent's wall clock when it was made
  source      INTEGER REFERENCES sources (id), -- the source whose bytes led to it; null: none
  from_offset INTEGER,                      -- offset of these bytes in that source's file
  UNIQUE (log, seq)
) STRICT;

-- Personal data, sealed. One row per (event, group); deleted with its group.
CREATE TABLE parts (
  log  INTEGER NOT NULL,
  seq  INTEGER NOT NULL,
  grp  INTEGER NOT NULL REFERENCES groups (id),
  wrap INTEGER,                             -- wraps.id of the content key (no REFERENCES: deleting a wrap would
                                            -- scan this table); null: one-off group, key in RAM only
  body BLOB    NOT NULL,                    -- nonce, ciphertext, tag
  PRIMARY KEY (log, seq, grp)
) STRICT, WITHOUT ROWID;
CREATE INDEX parts_group ON parts (grp, log, seq);

-- Content keys, closed to a group's public key. This side cannot open them.
CREATE TABLE wraps (
  id        INTEGER PRIMARY KEY,
  wrap      BLOB    NOT NULL UNIQUE,        -- wrap id, 16 bytes
  grp       INTEGER NOT NULL REFERENCES groups (id),
  log       INTEGER NOT NULL REFERENCES logs (id),
  first_seq INTEGER NOT NULL,               -- seq of the first part that names it: acked with that
  last_seq  INTEGER NOT NULL,               -- seq of the last part that names it: kept as long as that
  body      BLOB    NOT NULL
) STRICT;
CREATE INDEX wraps_group ON wraps (grp);

-- Key groups as the collector signed them; a dead one keeps its id, so that it never comes back (S5).
CREATE TABLE groups (
  id         INTEGER PRIMARY KEY,           -- in order of arrival: the newest late group is the one in use
  grp        BLOB    NOT NULL UNIQUE,       -- group id, 16 bytes
  state      TEXT    NOT NULL CHECK (state IN ('live', 'dead')),
  signed     TEXT,                          -- signed record, as JSON; null: only heard of as dead
  erase_lane INTEGER NOT NULL DEFAULT 0,    -- 1: erased here, the collector has not confirmed it yet
  changed_at INTEGER NOT NULL               -- when it came, or died
) STRICT;

-- The group of a session's first event, while the session lives: later events use the same one.
CREATE TABLE session_groups (
  session BLOB    PRIMARY KEY,              -- session id, 16 bytes
  grp     INTEGER NOT NULL REFERENCES groups (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_groups_group ON session_groups (grp);

-- Where the agent reads.
CREATE TABLE sources (
  id          INTEGER PRIMARY KEY,
  source      BLOB    NOT NULL UNIQUE,      -- random source id, 16 bytes: what events name
  label       BLOB    UNIQUE,               -- keyed digest of the label (a path may hold a name); null: unknown
  cursor      TEXT,                         -- reading position, a follower's state as JSON; null: never read
  first_sight TEXT                          -- what stood in the file when it was first seen, and how
                                            -- much of it was passed over, as JSON; null: not seen yet
) STRICT;

-- Reading position of a source before each transaction that led to events: where to read again if they are lost.
CREATE TABLE cursor_marks (
  source    INTEGER NOT NULL REFERENCES sources (id),
  log       INTEGER NOT NULL REFERENCES logs (id),
  first_seq INTEGER NOT NULL,               -- first and last event of that transaction
  last_seq  INTEGER NOT NULL,
  cursor    TEXT,                           -- null: never read before
  PRIMARY KEY (source, log, first_seq)
) STRICT, WITHOUT ROWID;

-- Lines that could not be read: where they lie, never what they say.
CREATE TABLE quarantine (
  id     INTEGER PRIMARY KEY,
  source INTEGER NOT NULL REFERENCES sources (id),
  offset INTEGER NOT NULL,
  length INTEGER NOT NULL,
  digest BLOB    NOT NULL,                  -- HMAC under the key of this state directory
  reason TEXT    NOT NULL,                  -- a word of the code base
  at     INTEGER NOT NULL
) STRICT;

-- How far each log was acked in each hour: leaves are kept for keepAcked after their ack, not after their making.
CREATE TABLE ack_marks (
  log     INTEGER NOT NULL REFERENCES logs (id),
  hour    INTEGER NOT NULL,                 -- hours since 1970
  through INTEGER NOT NULL,
  PRIMARY KEY (log, hour)
) STRICT, WITHOUT ROWID;

-- Commands applied per generation of the collector's state; older generations stay, so that none is replayed.
CREATE TABLE generations (
  generation BLOB    PRIMARY KEY,           -- generation id, 16 bytes
  applied    INTEGER NOT NULL DEFAULT 0,    -- commands through this number took effect
  current    INTEGER NOT NULL DEFAULT 0     -- 1: the one last adopted
) STRICT, WITHOUT ROWID;

-- Counts of what was dropped or not stored (secrets, cut fields, skipped rows): numbers, never text.
CREATE TABLE counters (
  name TEXT    PRIMARY KEY,
  n    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
