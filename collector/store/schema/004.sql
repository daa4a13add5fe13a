-- People and approvals. Nothing personal stands in clear: a date of non-disclosure and every reason lie sealed.

ALTER TABLE people ADD COLUMN reading INTEGER NOT NULL DEFAULT 1; -- 0: personal data that the role shows was taken away
ALTER TABLE people ADD COLUMN nda_pos INTEGER; -- leaf whose sealed part holds the date of the NDA; null: none was given

-- `body` holds ids, numbers and words only: what is to be done, exactly as it will run.
-- `state`: open | given | refused; an open one whose time is over has expired, without another write.
ALTER TABLE approvals ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0; -- from then on it never runs
ALTER TABLE approvals ADD COLUMN asked_pos  INTEGER; -- leaf approval.asked: what was asked for, and sealed why
ALTER TABLE approvals ADD COLUMN about      TEXT;    -- the person that it is about, who has no say; null: none
ALTER TABLE approvals ADD COLUMN customers  TEXT;    -- JSON list of the customers that it touches; null: all
ALTER TABLE approvals ADD COLUMN alone_at   INTEGER; -- asked for without a second person: runs from then on; null: not
ALTER TABLE approvals ADD COLUMN decided_by TEXT;    -- who gave or refused it
ALTER TABLE approvals ADD COLUMN decided_at INTEGER; -- when
