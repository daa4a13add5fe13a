-- Legal holds: ids, states, times and scopes; case, legal basis and reason lie sealed in `hold.placed`.

ALTER TABLE holds ADD COLUMN customer TEXT;
ALTER TABLE holds ADD COLUMN placed_by TEXT;
ALTER TABLE holds ADD COLUMN review_at INTEGER;
ALTER TABLE holds ADD COLUMN restricted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE holds ADD COLUMN notified_at INTEGER;       -- the notice duty was met, or cannot be; null: open
ALTER TABLE holds ADD COLUMN notified_pos INTEGER;
ALTER TABLE holds ADD COLUMN released_at INTEGER;
ALTER TABLE holds ADD COLUMN released_by TEXT;
ALTER TABLE holds ADD COLUMN released_pos INTEGER;

-- What each host was ordered, and what it said of it.
CREATE TABLE hold_hosts (
  place       TEXT PRIMARY KEY,           -- hold and host, joined by a dot
  hold        TEXT NOT NULL,
  agent       TEXT NOT NULL,
  orders      TEXT NOT NULL,              -- body of the command, as JSON
  state       TEXT NOT NULL,              -- pending | in-force | released
  applied_at  INTEGER,                    -- received by this collector
  report      TEXT,                       -- newest `hold.reported`, as JSON
  reported_at INTEGER,
  confirmed_pos INTEGER,                  -- a person saw to it by hand
  violated    INTEGER NOT NULL DEFAULT 0, -- held recordings that somebody else removed, cut off or replaced
  violated_at INTEGER                     -- when that was last told of
) STRICT;
CREATE INDEX hold_hosts_hold ON hold_hosts (hold);
CREATE INDEX hold_hosts_agent ON hold_hosts (agent);
CREATE INDEX hold_hosts_state ON hold_hosts (state);
