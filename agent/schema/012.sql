-- What was told of each camera's finished days and gaps, so that each is told once and corrected, never repeated.

-- One row per camera and day of the site that had a recording. Times are UTC milliseconds.
CREATE TABLE rec_days (
  camera    INTEGER NOT NULL,               -- rec_cameras.id
  starts    INTEGER NOT NULL,               -- the day in the site's zone when it was first told, half open
  ends      INTEGER NOT NULL,
  count     INTEGER NOT NULL,               -- every recording that is known to have begun in it, whatever became of it
  bytes     INTEGER NOT NULL,
  first     INTEGER NOT NULL,               -- earliest start
  last      INTEGER NOT NULL,               -- latest end; of one without an end its latest start
  present   INTEGER NOT NULL,
  erased    INTEGER NOT NULL,
  missing   INTEGER NOT NULL,
  gaps      INTEGER NOT NULL,               -- holes longer than `bound_s` that ended in it
  gap_s     INTEGER NOT NULL,
  longest_s INTEGER NOT NULL,               -- the longest hole, a gap or not
  bound_s   INTEGER NOT NULL,               -- what was a gap on that day
  PRIMARY KEY (camera, starts)
) STRICT, WITHOUT ROWID;

-- Gaps of cameras that were told.
CREATE TABLE rec_gaps (
  camera INTEGER NOT NULL,
  starts INTEGER NOT NULL,                  -- latest end of the recording before
  ends   INTEGER,                           -- start of the next one; null: open
  PRIMARY KEY (camera, starts)
) STRICT, WITHOUT ROWID;
