-- Cameras and roots of recordings, as far as hosts told of them: projections, made anew from leaves. Ids, words, numbers and
-- times only; names of cameras, and what the register says of them, lie sealed beside the leaves that are named here.

CREATE TABLE rec_roots (
  source      TEXT PRIMARY KEY,
  agent       TEXT    NOT NULL,
  state       TEXT    NOT NULL,             -- watched | suspect | retired
  reason      TEXT,                         -- of one that is suspect or retired; null: watched
  waits       TEXT,                         -- why its sweep waits; null: it does not
  waits_since INTEGER,                      -- since when, whatever the reason
  plan        TEXT,                         -- that a person has to approve; null: none
  left_over   TEXT,                         -- expired and still there, JSON [{reason, count}]; null: never told
  left_at     INTEGER,                      -- when that was told
  copies      TEXT,                         -- in and beside it, JSON [{kind, place, count, more}]; null: never told
  swept_at    INTEGER,                      -- end of the last sweep; null: none was told
  missing     INTEGER NOT NULL,             -- recordings that vanished, in all
  told_at     INTEGER NOT NULL              -- last told of, by the host's clock
) STRICT;
CREATE INDEX rec_roots_agent ON rec_roots (agent);

CREATE TABLE cameras (
  camera        TEXT PRIMARY KEY,
  agent         TEXT    NOT NULL,
  source        TEXT    NOT NULL,
  customer      TEXT    NOT NULL,
  site          TEXT    NOT NULL,
  found_pos     INTEGER NOT NULL,           -- leaf with its sealed name
  found_at      INTEGER NOT NULL,
  sound         TEXT,                       -- audio | none | unknown; null: never looked into
  gap_from      INTEGER,                    -- of the gap that is open; null: none is
  registered_pos INTEGER,                   -- leaf with what the register says of it; null: it is not in the register
  registered_at INTEGER,
  registered_by TEXT,                       -- person
  retain_months INTEGER,                    -- how long its footage is to be kept, as the register has it; null: not said
  retain_ms     INTEGER,
  signage_at    INTEGER                     -- since when a sign says that there is a camera; null: not said
) STRICT;
CREATE INDEX cameras_agent ON cameras (agent);

-- Finished days of cameras; the newest of each are kept.
CREATE TABLE camera_days (
  day      TEXT PRIMARY KEY,                -- camera and begin, with a space between
  camera   TEXT    NOT NULL,
  agent    TEXT    NOT NULL,
  from_at  INTEGER NOT NULL,                -- half open
  to_at    INTEGER NOT NULL,
  count    INTEGER NOT NULL,
  bytes    INTEGER NOT NULL,
  present  INTEGER NOT NULL,
  erased   INTEGER NOT NULL,
  missing  INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  gaps     INTEGER NOT NULL,
  gap_s    INTEGER NOT NULL,
  told_at  INTEGER NOT NULL                 -- last told of, by the host's clock
) STRICT;
CREATE INDEX camera_days_camera ON camera_days (camera, from_at);
CREATE INDEX camera_days_agent ON camera_days (agent, from_at);

-- When the clock of a host stepped last.
CREATE TABLE clock_steps (
  agent TEXT PRIMARY KEY,
  at    INTEGER NOT NULL,
  by_ms INTEGER NOT NULL
) STRICT;
