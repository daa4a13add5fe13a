-- Why somebody was there. Ids, words, numbers and times; tickets, purposes and what people are known by lie sealed.

ALTER TABLE sessions ADD COLUMN explained_pos INTEGER; -- projection: newest session.explained leaf; null: nobody has

CREATE INDEX sessions_running ON sessions (started_at, session) WHERE state = 'active';

CREATE TABLE identities (               -- the roster: what tools know a person by
  identity   TEXT PRIMARY KEY,
  person     TEXT NOT NULL,
  kind       TEXT NOT NULL,             -- teamviewer | anydesk | rustdesk | ssh-key | account | network
  from_at    INTEGER,                   -- half open; null: open on that side
  to_at      INTEGER,
  state      TEXT NOT NULL,             -- active | removed
  value_pos  INTEGER NOT NULL,          -- leaf whose sealed part holds the value (person.identified)
  created_by TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE tickets (                  -- imported; looked at again as sessions come
  ticket      TEXT PRIMARY KEY,         -- an id of ours: the ticket's own reference lies sealed
  agent       TEXT NOT NULL,
  from_at     INTEGER NOT NULL,
  to_at       INTEGER NOT NULL,
  pos         INTEGER NOT NULL,         -- leaf whose sealed part holds reference, purpose and technician
  imported_by TEXT NOT NULL,
  imported_at INTEGER NOT NULL
) STRICT;
CREATE INDEX tickets_agent ON tickets (agent, from_at);

CREATE TABLE session_watch (            -- alerts from sessions that are open or were not long ago
  watch  TEXT PRIMARY KEY,              -- host and check
  alert  TEXT,                          -- the open episode; null: none
  state  TEXT NOT NULL                  -- JSON: AlertState of protocol/alert-machine.ts
) STRICT;
