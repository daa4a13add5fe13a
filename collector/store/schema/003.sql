-- Alerts, hosts that fell silent, and webhooks. Nothing personal stands in any column: ids, words, numbers, times.

CREATE TABLE alerts (                   -- projection: rebuilt from leaves and registry at any time
  alert      TEXT PRIMARY KEY,          -- one episode, from raised to cleared
  agent      TEXT NOT NULL,             -- the host that it is about
  customer   TEXT NOT NULL,
  site       TEXT NOT NULL,
  agreement  TEXT NOT NULL,
  own        INTEGER NOT NULL,          -- 1: the collector says so, 0: the host itself
  check_name TEXT NOT NULL,             -- disk-space | cpu | agent-silent …
  disk       INTEGER,                   -- index of a disk as samples number it; null: the machine
  level      TEXT NOT NULL,             -- warn | crit; of a cleared one the highest
  state      TEXT NOT NULL,             -- open | cleared
  notify     TEXT NOT NULL,             -- audit | all | none
  value      INTEGER,                   -- in the unit of the check
  threshold  INTEGER,
  for_s      INTEGER NOT NULL,          -- how long the threshold was passed when it was last told
  raised_at  INTEGER NOT NULL,          -- the teller's clock, as all times here
  changed_at INTEGER NOT NULL,          -- last told of
  cleared_at INTEGER,
  acked_at   INTEGER,
  acked_by   TEXT,                      -- person
  raised_pos INTEGER NOT NULL           -- the leaf that it begins with: the order of lists
) STRICT;
CREATE INDEX alerts_order ON alerts (raised_pos);
CREATE INDEX alerts_open ON alerts (agent) WHERE state = 'open';

CREATE TABLE silences (                 -- hosts that are silent or were not long ago; a host that never was has no row
  agent  TEXT PRIMARY KEY,
  alert  TEXT,                          -- the open episode; null: none
  state  TEXT NOT NULL                  -- JSON: AlertState of protocol/alert-machine.ts
) STRICT;

CREATE TABLE webhooks (                 -- address and secret lie in a file of their own, not here
  webhook    TEXT PRIMARY KEY,
  customer   TEXT,                      -- alerts of this customer only; null: of all
  state      TEXT NOT NULL,             -- active | removed
  cursor     INTEGER NOT NULL,          -- pos: everything up to here was answered with 2xx, or is not for it
  delivered  INTEGER NOT NULL,          -- how many were
  delivered_at INTEGER,                 -- the last one
  tried_at   INTEGER,                   -- last attempt
  failing_since INTEGER,                -- first failed attempt since the last success; null: none failed
  failures   INTEGER NOT NULL,          -- failed attempts since then
  status     INTEGER,                   -- HTTP status of the last attempt; null: there was no answer
  reason     TEXT,                      -- a word: why there was none
  told       INTEGER NOT NULL,          -- 1: an event says that it fails
  created_by TEXT,
  created_at INTEGER NOT NULL,
  removed_at INTEGER
) STRICT;
