-- A session that outlives its connection: a remote desktop goes on when nobody looks at it. Words and times.

ALTER TABLE sessions ADD COLUMN connection TEXT;       -- projection: connected | disconnected; null: nothing was said
ALTER TABLE sessions ADD COLUMN connection_at INTEGER; -- projection: since when, by the source's clock
