-- Self-audits. What was found stands in the events; here is only what tells whether a run that was due took place.

CREATE TABLE audit_state (
  one     INTEGER PRIMARY KEY CHECK (one = 1), -- one row
  through INTEGER NOT NULL,                 -- wall clock: of every run that was due by then it was said whether it took place
  run     BLOB,                             -- the last run that was completed, 16 bytes; null: none was
  ran_at  INTEGER                           -- when it began
) STRICT;
