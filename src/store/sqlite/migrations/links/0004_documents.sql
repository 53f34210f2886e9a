-- What staff change while it runs. kind: 'setting', 'channel'; value: JSON, NULL for one that was removed, whose
-- version goes on from there.
CREATE TABLE documents (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT,
    version INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID, STRICT;
