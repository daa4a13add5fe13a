-- The twin of a session that was erased may be another host's: that of a machine which was enrolled anew.

CREATE INDEX sessions_site_twin ON sessions (site, started_at);
