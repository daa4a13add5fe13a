-- The collector's first schema. Nothing personal stands in clear in any column: what is personal are sealed
-- parts in `sealed`. Ids are 32 hex characters in the registry, integers in the hot tables. Times are UTC
-- milliseconds. Migrations only add.

CREATE TABLE meta (
  key   TEXT PRIMARY KEY,               -- name, generation, policy, own_log
  value TEXT NOT NULL
) STRICT;

CREATE TABLE customers (
  customer   TEXT PRIMARY KEY,
  name_pos   INTEGER,                   -- leaf whose sealed part holds the name (customer.named)
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE sites (
  site       TEXT PRIMARY KEY,
  customer   TEXT NOT NULL,
  name_pos   INTEGER,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE agreements (
  agreement  TEXT PRIMARY KEY,
  customer   TEXT NOT NULL,
  mode       TEXT NOT NULL,             -- managed | one-off
  state      TEXT NOT NULL,             -- open | ended
  is_default INTEGER NOT NULL,          -- 1: made by `token create` without --agreement
  starts_at  INTEGER NOT NULL,
  ends_at    INTEGER,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX agreements_customer ON agreements (customer);

CREATE TABLE agents (
  agent        TEXT PRIMARY KEY,
  key          TEXT NOT NULL UNIQUE,    -- Ed25519 public key, base64url
  customer     TEXT NOT NULL,
  site         TEXT NOT NULL,
  agreement    TEXT NOT NULL,
  mode         TEXT NOT NULL,
  state        TEXT NOT NULL,           -- waiting | approved | revoked
  token        TEXT,                    -- the enrolment token that was used
  enrolled_at  INTEGER NOT NULL,
  revoked_at   INTEGER,
  conflict_at  INTEGER,                 -- two live processes were seen; refused until `host resolve`
  first_seen_at INTEGER,                -- first proven connection
  generation   TEXT,                    -- of this collector's state, when the agent was last let in
  last_seen_at INTEGER,                 -- last frame of a proven connection
  read_through INTEGER,                 -- evidence: sources read, sent and acked up to here
  skew_ms      INTEGER,                 -- agent's clock minus ours, as measured at the last hello
  backlog      INTEGER,                 -- leaves that the agent still holds unacked
  software     TEXT,                    -- JSON {version, platform, node}
  name_pos     INTEGER                  -- newest host.named leaf
) STRICT;
CREATE INDEX agents_customer ON agents (customer);

CREATE TABLE tokens (
  token       TEXT PRIMARY KEY,
  secret_hash TEXT NOT NULL,            -- base64url SHA-256 of the secret
  customer    TEXT NOT NULL,
  site        TEXT NOT NULL,
  agreement   TEXT NOT NULL,
  mode        TEXT NOT NULL,
  uses        INTEGER NOT NULL,         -- how often it may be used
  used        INTEGER NOT NULL,
  cidr_pos    INTEGER,                  -- leaf whose sealed part says from where (token.created); null: anywhere
  require_approval INTEGER NOT NULL,
  state       TEXT NOT NULL,            -- open | revoked
  created_by  TEXT,
  created_at  INTEGER NOT NULL,
  expires_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE people (
  person     TEXT PRIMARY KEY,
  role       TEXT NOT NULL,
  customers  TEXT,                      -- JSON list of customer ids; null: all
  state      TEXT NOT NULL,             -- active | revoked
  name_pos   INTEGER,                   -- leaf whose sealed part holds the name (person.added)
  created_by TEXT,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE signins (
  signin       TEXT PRIMARY KEY,
  person       TEXT NOT NULL,
  token_hash   TEXT NOT NULL UNIQUE,    -- base64url SHA-256 of the sign-in token
  state        TEXT NOT NULL,           -- active | revoked
  created_at   INTEGER NOT NULL,
  expires_at   INTEGER NOT NULL,
  last_used_at INTEGER
) STRICT;

CREATE TABLE key_groups (
  id         INTEGER PRIMARY KEY,       -- used in the hot tables
  grp        TEXT NOT NULL UNIQUE,
  kind       TEXT NOT NULL,             -- oneoff | span | whole | late | single | house
  agreement  TEXT,
  class      TEXT NOT NULL,
  subject    TEXT,                      -- person or customer whose it is, where a class goes by those
  from_at    INTEGER,                   -- span, half open
  to_at      INTEGER,
  key        TEXT,                      -- X25519 public half, base64url
  record     TEXT NOT NULL,             -- the signed group as JSON
  slot       INTEGER,                   -- index in keys.slots
  state      TEXT NOT NULL,             -- live | erasing | erased; the row is for ever
  due_at     INTEGER,
  erased_at  INTEGER,
  erased_by  TEXT,                      -- policy | agreement | tombstone | lane …
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX key_groups_find ON key_groups (agreement, class, kind, from_at);

CREATE TABLE orphans (                  -- live slots that no row of key_groups names
  grp        TEXT PRIMARY KEY,
  first_seen INTEGER NOT NULL
) STRICT;

CREATE TABLE logs (
  id         INTEGER PRIMARY KEY,       -- used in the hot tables
  log        TEXT NOT NULL UNIQUE,
  agent      TEXT,                      -- null: the collector's own log
  birth      TEXT NOT NULL,             -- the birth record as it came
  agreement  TEXT,                      -- as the birth says, so that it need not be read
  site       TEXT,
  through    INTEGER NOT NULL,          -- cursor: seq of the last stored leaf
  head       BLOB NOT NULL,             -- its leaf hash (of the birth at 0)
  state      TEXT NOT NULL,             -- open | closed | frozen | quarantined
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX logs_agent ON logs (agent);

CREATE TABLE leaves (
  pos         INTEGER PRIMARY KEY,      -- order of commit and everybody's cursor
  log         INTEGER NOT NULL,
  seq         INTEGER NOT NULL,
  bytes       TEXT NOT NULL,            -- canonical JSON exactly as it came
  hash        BLOB NOT NULL,            -- RFC 6962 leaf hash
  type        TEXT NOT NULL,
  at          INTEGER NOT NULL,         -- the writer's claim
  received_at INTEGER NOT NULL,
  UNIQUE (log, seq)
) STRICT;
CREATE INDEX leaves_type ON leaves (type, pos);
CREATE INDEX leaves_received ON leaves (received_at);

CREATE TABLE wraps (
  id   INTEGER PRIMARY KEY,
  wrap TEXT NOT NULL UNIQUE,
  log  INTEGER NOT NULL,                -- enters the wrap's AAD
  grp  INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE INDEX wraps_grp ON wraps (grp);

CREATE TABLE sealed (
  pos      INTEGER NOT NULL,            -- the leaf
  leaf_grp INTEGER NOT NULL,            -- the group that the leaf names, for ever
  grp      INTEGER NOT NULL,            -- the group that the part lies under now
  wrap     INTEGER,                     -- null: one-off, key in RAM
  body     BLOB NOT NULL,
  PRIMARY KEY (pos, leaf_grp)
) STRICT, WITHOUT ROWID;
CREATE INDEX sealed_grp ON sealed (grp);

CREATE TABLE tombstones (               -- parts that were erased alone: a resent event does not bring them back
  pos      INTEGER NOT NULL,
  leaf_grp INTEGER NOT NULL,
  PRIMARY KEY (pos, leaf_grp)
) STRICT, WITHOUT ROWID;

CREATE TABLE origins (
  grp     INTEGER NOT NULL,             -- the span's group; the row goes with it
  origin  BLOB NOT NULL,                -- keyed hash of the natural key: the one keyed hash that is kept
  session TEXT NOT NULL,
  PRIMARY KEY (grp, origin)
) STRICT, WITHOUT ROWID;
CREATE INDEX origins_session ON origins (session);

CREATE TABLE forks (
  log         INTEGER NOT NULL,
  seq         INTEGER NOT NULL,
  hash        BLOB NOT NULL,
  bytes       TEXT NOT NULL,            -- the other bytes at a seq that is taken
  received_at INTEGER NOT NULL,
  PRIMARY KEY (log, seq, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE commands (
  command    TEXT PRIMARY KEY,
  agent      TEXT NOT NULL,
  generation TEXT NOT NULL,
  n          INTEGER NOT NULL,          -- from 1 without holes per (agent, generation)
  verb       TEXT NOT NULL,
  body       TEXT NOT NULL,
  sig        TEXT NOT NULL,
  created_by TEXT,
  created_at INTEGER NOT NULL,
  result_at  INTEGER,
  ok         INTEGER,
  result     TEXT,
  UNIQUE (agent, generation, n)
) STRICT;

CREATE TABLE approvals (                -- reserved: filled by the issue that brings approvals
  approval   TEXT PRIMARY KEY,
  verb       TEXT NOT NULL,
  body       TEXT NOT NULL,
  state      TEXT NOT NULL,
  asked_by   TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE holds (                    -- reserved: filled by the issue that brings holds
  hold       TEXT PRIMARY KEY,
  kind       TEXT NOT NULL,
  scope      TEXT NOT NULL,
  state      TEXT NOT NULL,
  placed_pos INTEGER,
  created_at INTEGER NOT NULL
) STRICT;

-- Projections: rebuilt from leaves and registry at any time.

CREATE TABLE sessions (
  session     TEXT PRIMARY KEY,
  agent       TEXT NOT NULL,
  customer    TEXT NOT NULL,
  site        TEXT NOT NULL,
  agreement   TEXT NOT NULL,
  source      TEXT NOT NULL,
  tool        TEXT NOT NULL,
  direction   TEXT NOT NULL,
  kind        TEXT NOT NULL,
  mode        TEXT NOT NULL,
  state       TEXT NOT NULL,            -- attempted | rejected | active | ended | unknown-end
  started_at  INTEGER NOT NULL,
  start_basis TEXT NOT NULL,
  occurrence  INTEGER NOT NULL,
  ended_at    INTEGER,
  end_basis   TEXT,
  end_reason  TEXT,
  duration_s  INTEGER,
  auth        TEXT,
  failed_attempts INTEGER,
  files       INTEGER,
  confirmed_by TEXT NOT NULL,           -- JSON list of words
  log         TEXT NOT NULL,
  first_seq   INTEGER NOT NULL,
  last_seq    INTEGER NOT NULL,
  started_pos INTEGER NOT NULL,
  part_pos    TEXT NOT NULL,            -- JSON list of leaves of this session that have sealed parts
  merged_into TEXT                      -- the session that this one is the same as
) STRICT;
CREATE INDEX sessions_time ON sessions (started_at, session);
CREATE INDEX sessions_twin ON sessions (agent, started_at);
CREATE INDEX sessions_merged ON sessions (merged_into, agent, started_pos) WHERE merged_into IS NOT NULL;
CREATE INDEX sessions_moved ON sessions (agent, merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE sources (
  source    TEXT PRIMARY KEY,
  agent     TEXT NOT NULL,
  tool      TEXT NOT NULL,
  state     TEXT NOT NULL,              -- reading | unreadable | lost
  since     INTEGER NOT NULL,
  skipped   INTEGER NOT NULL,
  unreadable INTEGER NOT NULL
) STRICT;
CREATE INDEX sources_agent ON sources (agent);

CREATE TABLE gaps (
  pos     INTEGER PRIMARY KEY,          -- the leaf that says so
  agent   TEXT NOT NULL,
  source  TEXT,
  from_at INTEGER NOT NULL,
  to_at   INTEGER NOT NULL,
  reason  TEXT NOT NULL,
  count   INTEGER
) STRICT;
CREATE INDEX gaps_agent ON gaps (agent, from_at);

CREATE TABLE waiting (                  -- leaves of sessions whose start has not come yet (successor logs)
  session TEXT NOT NULL,
  pos     INTEGER NOT NULL,
  PRIMARY KEY (session, pos)
) STRICT, WITHOUT ROWID;
