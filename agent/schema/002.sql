-- Telemetry and alerts. Samples give way to events when the disk is full; alerts are written with their events.

-- What was measured, kept for 14 days. Numbers and indexes only.
CREATE TABLE samples (
  n    INTEGER PRIMARY KEY AUTOINCREMENT,   -- order of measuring; never used twice, so that a cursor can name it
  at   INTEGER NOT NULL,                    -- the agent's wall clock
  body TEXT    NOT NULL                     -- the sample's numbers in a fixed order, as JSON
) STRICT;

-- How far samples are known to have reached the collector.
CREATE TABLE samples_sent (
  one     INTEGER PRIMARY KEY CHECK (one = 1), -- one row
  through INTEGER NOT NULL                     -- samples.n
) STRICT;

-- Mount points by the index that samples use for them; what they are called lies sealed in host.named.
CREATE TABLE disks (
  idx     INTEGER PRIMARY KEY CHECK (idx BETWEEN 0 AND 4095),
  mount   BLOB    NOT NULL UNIQUE,          -- keyed digest of the mount point
  seen_at INTEGER NOT NULL                  -- when a process of the agent first saw it mounted, last time
) STRICT;

-- Alerts that are not at rest: pending, open, or told of within the hour.
CREATE TABLE alerts (
  name      TEXT    PRIMARY KEY,            -- what is watched: `cpu`, `disk-space/3`
  state     TEXT    NOT NULL,               -- the machine's state, as JSON
  alert     BLOB,                           -- id of the open alert, 16 bytes; null: none is open
  raised_at INTEGER                         -- when it was raised
) STRICT, WITHOUT ROWID;
