-- The vault: copies of held recordings whose recorder deletes by itself. Rows stand by themselves, by random ids, so that a
-- copy keeps its bounds and its camera whatever becomes of the catalogue's rows.

-- Folders that copies lie in; another path in agent.yaml is another vault, and the copies of the old one stay known.
CREATE TABLE vaults (
  id    INTEGER PRIMARY KEY,
  vault BLOB    NOT NULL UNIQUE,            -- random id, 16 bytes: what the marker in the folder names
  path  BLOB    NOT NULL UNIQUE,            -- real path, without links
  fs    TEXT    NOT NULL                    -- identity of the file system under it, as JSON, when it was made
) STRICT;

-- One row per copy, and per held recording that was lost before it was copied.
CREATE TABLE vault_copies (
  id        INTEGER PRIMARY KEY,
  file      BLOB    NOT NULL UNIQUE,        -- 16 random bytes: the copy's name, in hexadecimal
  vault     INTEGER NOT NULL REFERENCES vaults (id),
  folder    INTEGER NOT NULL,               -- rec_folders.id and name of the original, as the catalogue has them
  name      BLOB    NOT NULL,
  path      BLOB    NOT NULL,               -- whole path below the root; empty once names were erased with an agreement
  source    BLOB    NOT NULL,               -- random ids of source and camera, 16 bytes each, as events name them
  camera    BLOB    NOT NULL,
  start     INTEGER NOT NULL,               -- the original's bounds: earliest start, UTC milliseconds
  spread    INTEGER NOT NULL,               -- latest start minus earliest
  ends      INTEGER,                        -- latest end; null: nobody can say
  size      INTEGER NOT NULL,               -- bytes of the original as it was read
  inode     INTEGER,                        -- of the original; null where inode numbers do not last
  sha256    BLOB,                           -- of the copy, 32 bytes; null: not read to its end yet
  kept      INTEGER,                        -- inode of the copy itself
  state     INTEGER NOT NULL,               -- 0 copying, 1 whole on the disk, 2 copied and told, 3 lost, 4 erasing, 5 erased
  said      TEXT,                           -- what was told of the original: truncated, changed; null: nothing
  batch     INTEGER,                        -- number of the vault.copied that told it
  slice     INTEGER,                        -- vault_slices.id that erased it
  copied_at INTEGER                         -- wall clock
) STRICT;
CREATE INDEX vault_copies_original ON vault_copies (folder, name);
CREATE INDEX vault_copies_held ON vault_copies (camera, state, coalesce(ends, -1));
CREATE INDEX vault_copies_state ON vault_copies (state, id);

-- Slices of copies that were erased: what one vault.erasing and its vault.erased stand for.
CREATE TABLE vault_slices (
  id       INTEGER PRIMARY KEY,
  source   BLOB    NOT NULL,
  camera   BLOB    NOT NULL,
  policy   TEXT    NOT NULL,
  version  INTEGER NOT NULL,
  due      INTEGER NOT NULL,                -- earliest due time in it
  starts   INTEGER NOT NULL,                -- earliest start and latest end in it
  ends     INTEGER NOT NULL,
  count    INTEGER NOT NULL,
  bytes    INTEGER NOT NULL,
  root     BLOB    NOT NULL,                -- root of the list, 32 bytes
  done_at  INTEGER                          -- null: a crash came between, or it runs
) STRICT;
