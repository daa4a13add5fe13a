-- One-off sessions: a group of the agent's own making for each, whose key lies in memory only.

-- 1: the group of one one-off session. Dead, it keeps the session's row in session_groups until the session ends, so
-- that no later event of that session falls under another group.
ALTER TABLE groups ADD COLUMN oneoff INTEGER NOT NULL DEFAULT 0;

-- What was erased here and is not confirmed yet is looked for after each append.
CREATE INDEX groups_lane ON groups (id) WHERE erase_lane = 1;
