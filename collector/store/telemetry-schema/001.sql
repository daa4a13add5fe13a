-- Samples of one agreement: ids and numbers only. One such file per agreement, and it goes with it.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,               -- thinned_through: samples before it were folded into spans
  value INTEGER NOT NULL                -- UTC milliseconds
) STRICT;

CREATE TABLE agents (
  id     INTEGER PRIMARY KEY,           -- used in the tables below
  agent  TEXT NOT NULL UNIQUE,          -- 32 hex
  newest INTEGER NOT NULL               -- latest `at` that was taken of it
) STRICT;

CREATE TABLE samples (
  agent     INTEGER NOT NULL,
  at        INTEGER NOT NULL,           -- UTC milliseconds by the agent's clock
  cpu       INTEGER,                    -- permille of all cores; null in the first one of a process
  mem       INTEGER NOT NULL,           -- permille of the memory that is used
  mem_total INTEGER NOT NULL,           -- MiB
  uptime    INTEGER NOT NULL,           -- of the machine, seconds
  disks     TEXT NOT NULL,              -- JSON [[index, used permille, free MiB, total MiB, inodes permille|null], …]
  PRIMARY KEY (agent, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE spans (                    -- many samples as one row
  agent     INTEGER NOT NULL,
  at        INTEGER NOT NULL,           -- start of the span, a multiple of its length
  seconds   INTEGER NOT NULL,           -- its length: 900 | 3600
  n         INTEGER NOT NULL,           -- samples in it
  cpu_n     INTEGER NOT NULL,           -- of these, with a value for the processor
  cpu_sum   INTEGER NOT NULL,
  cpu_min   INTEGER,                    -- null where cpu_n is 0
  cpu_max   INTEGER,
  mem_sum   INTEGER NOT NULL,
  mem_min   INTEGER NOT NULL,
  mem_max   INTEGER NOT NULL,
  mem_total INTEGER NOT NULL,           -- the greatest, MiB
  uptime    INTEGER NOT NULL,           -- the least, so that a restart of the machine is seen
  disks     TEXT NOT NULL,              -- JSON [[index, n, sum, min, max, least free, greatest total, inodes n, sum, min, max], …]
  PRIMARY KEY (agent, at, seconds)
) STRICT, WITHOUT ROWID;
