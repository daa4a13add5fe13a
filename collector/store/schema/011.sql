-- Self-audits of hosts: that they took place, what was looked at, who read of it. Ids, words, numbers and times.

CREATE TABLE audits (                   -- projection
  run        TEXT PRIMARY KEY,
  agent      TEXT NOT NULL,
  customer   TEXT NOT NULL,
  site       TEXT NOT NULL,
  agreement  TEXT NOT NULL,
  trigger    TEXT NOT NULL,             -- schedule | late | asked
  started_at INTEGER NOT NULL,          -- the agent's clock, as the next
  ended_at   INTEGER NOT NULL,
  every_s    INTEGER,                   -- longest time to its next ones, seconds; null: none is near
  findings   INTEGER NOT NULL,          -- so many leaves before its own are its findings
  pos        INTEGER NOT NULL           -- its leaf: the order of lists
) STRICT;
CREATE INDEX audits_order ON audits (pos);
CREATE INDEX audits_host ON audits (agent, pos);

CREATE TABLE audit_hosts (              -- projection: the newest audit of each host
  agent TEXT PRIMARY KEY,
  pos   INTEGER NOT NULL,               -- its leaf
  every_s INTEGER
) STRICT;

CREATE TABLE audit_signatures (         -- projection
  signature TEXT PRIMARY KEY,           -- run and person
  run    TEXT NOT NULL,
  person TEXT NOT NULL,
  at     INTEGER NOT NULL,
  pos    INTEGER NOT NULL               -- leaf whose sealed part holds their note
) STRICT;
CREATE INDEX audit_signatures_run ON audit_signatures (run);

CREATE TABLE audit_watch (              -- hosts whose audits are late, or were not long ago; all others have no row
  agent TEXT PRIMARY KEY,
  alert TEXT,                           -- the open episode; null: none
  state TEXT NOT NULL                   -- JSON: AlertState of protocol/alert-machine.ts
) STRICT;
