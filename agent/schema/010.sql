-- The catalogue of recordings: compact, because a host may hold four million of them. Names of files and folders are
-- byte strings as the file system gives them (invalid UTF-8 survives); they never leave this host unasked.

-- Roots that recordings lie under.
CREATE TABLE rec_sources (
  id         INTEGER PRIMARY KEY,
  source     BLOB    NOT NULL UNIQUE,       -- id of the source, 16 bytes, as events name it
  root       BLOB    NOT NULL,              -- path as configured
  layout     TEXT    NOT NULL,              -- name of the layout, or its declared pattern
  zone       TEXT    NOT NULL,              -- zone of the tz database that local paths are read in
  marker     TEXT,                          -- UUID in the root's marker file; null: none was written yet
  fs         TEXT,                          -- identity of the file system under the root, as JSON; null: not accepted yet
  state      TEXT    NOT NULL DEFAULT 'first-scan' CHECK (state IN ('first-scan', 'watched', 'suspect', 'retired')),
  approved   INTEGER NOT NULL DEFAULT 0,    -- 1: a person approved the first erasing sweep of this catalogue (R6)
  swept_at   INTEGER,                       -- when the last sweep was completed, trusted time; null: never
  first_at   INTEGER,                       -- when the first whole pass ended; null: never
  scanned_at INTEGER,                       -- when the last one did
  full_at    INTEGER                        -- when every file was last looked at with stat; null: never
) STRICT;

-- Cameras by the name that the layout takes from the path.
CREATE TABLE rec_cameras (
  id     INTEGER PRIMARY KEY,
  source INTEGER NOT NULL REFERENCES rec_sources (id),
  camera BLOB    NOT NULL UNIQUE,           -- random id, 16 bytes: what events name
  name   BLOB    NOT NULL,
  told   INTEGER NOT NULL DEFAULT 0,        -- 1: camera.found was appended
  UNIQUE (source, name)
) STRICT;

CREATE TABLE rec_folders (
  id         INTEGER PRIMARY KEY,
  source     INTEGER NOT NULL REFERENCES rec_sources (id),
  parent     INTEGER REFERENCES rec_folders (id), -- null: the root itself
  name       BLOB    NOT NULL,              -- empty for the root
  mtime      INTEGER,                       -- milliseconds, as the scan saw it that read the folder; null: read again
  inode      INTEGER,
  scanned_at INTEGER,                       -- wall clock of that scan: cold only where mtime is over 10 s older
  gone       INTEGER NOT NULL DEFAULT 0     -- 1: was not there any more
) STRICT;
CREATE UNIQUE INDEX rec_folders_place ON rec_folders (source, coalesce(parent, 0), name);

-- One row per recording. Rows of erased and missing ones stay for a time, so that answers stay true.
CREATE TABLE recordings (
  folder   INTEGER NOT NULL,                -- rec_folders.id
  name     BLOB    NOT NULL,
  camera   INTEGER NOT NULL,                -- rec_cameras.id
  start    INTEGER NOT NULL,                -- earliest start, UTC milliseconds
  spread   INTEGER NOT NULL DEFAULT 0,      -- latest start minus earliest, milliseconds
  ends     INTEGER,                         -- latest end, UTC milliseconds; null: nobody can say (D2)
  size     INTEGER,                         -- bytes; null: not looked at since it was finished
  inode    INTEGER,
  state    INTEGER NOT NULL DEFAULT 0,      -- 0 present, 1 erasing, 2 erased, 3 missing
  slice    INTEGER,                         -- rec_slices.id that marked it
  PRIMARY KEY (folder, name)
) STRICT, WITHOUT ROWID;
-- What may have expired, oldest end first; and lists, in the same order.
CREATE INDEX recordings_due ON recordings (camera, state, coalesce(ends, -1), folder, name);
CREATE INDEX recordings_marked ON recordings (slice) WHERE slice IS NOT NULL;

-- Slices of a sweep: what one pair of events stands for.
CREATE TABLE rec_slices (
  id        INTEGER PRIMARY KEY,
  source    INTEGER NOT NULL REFERENCES rec_sources (id),
  camera    INTEGER NOT NULL REFERENCES rec_cameras (id),
  policy    TEXT    NOT NULL,
  version   INTEGER NOT NULL,
  due       INTEGER NOT NULL,               -- earliest due time in it
  starts    INTEGER NOT NULL,               -- earliest start and latest end in it
  ends      INTEGER NOT NULL,
  count     INTEGER NOT NULL,
  bytes     INTEGER NOT NULL,
  root      BLOB    NOT NULL,               -- root of the list, 32 bytes
  begun_at  INTEGER NOT NULL,
  done_at   INTEGER                         -- null: a crash came between, or it runs
) STRICT;

-- Files that no layout knows, or that state no time, and copies that no policy reaches: reported, never erased.
CREATE TABLE rec_unknown (
  folder INTEGER NOT NULL,
  name   BLOB    NOT NULL,
  kind   TEXT    NOT NULL CHECK (kind IN ('unknown', 'untimed', 'stray', 'refused')),
  reason TEXT,                              -- refused: why it was left alone past its due time
  seen_at INTEGER NOT NULL,
  PRIMARY KEY (folder, name)
) STRICT, WITHOUT ROWID;

-- Legal holds as the agent knows them: ids, cameras, intervals (H8). Filled by the holds issue; the sweep reads it.
CREATE TABLE holds (
  hold        BLOB    PRIMARY KEY,          -- id, 16 bytes
  kind        TEXT    NOT NULL,
  scope       TEXT    NOT NULL,             -- as JSON: from, to, cameras, hosts, sites, sessions
  released_at INTEGER                       -- null: in force
) STRICT, WITHOUT ROWID;

-- The retention rules that the collector ordered for things on this host; the newest version is in force.
CREATE TABLE policies (
  class   TEXT    NOT NULL PRIMARY KEY,
  policy  TEXT    NOT NULL,                 -- name, version, zone, rules: as JSON
  since   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Plans that wait for a person's word (R6).
CREATE TABLE rec_plans (
  plan        BLOB    PRIMARY KEY,          -- id, 16 bytes
  source      INTEGER NOT NULL REFERENCES rec_sources (id),
  made_at     INTEGER NOT NULL,
  count       INTEGER NOT NULL,
  bytes       INTEGER NOT NULL,
  oldest      INTEGER NOT NULL,             -- earliest start in it
  due_by      INTEGER NOT NULL,             -- it holds what was due by then
  root        BLOB    NOT NULL,             -- root of the list, 32 bytes
  approved_at INTEGER                       -- null: waits
) STRICT, WITHOUT ROWID;
