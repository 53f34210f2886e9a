-- Sessions, sign-in links, tokens of screens and shared views. id: SHA-256 of the secret; value: JSON.
CREATE TABLE tokens (
    kind TEXT NOT NULL,
    id BLOB NOT NULL,
    owner TEXT NOT NULL,
    value TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX tokens_ending ON tokens (kind, expires_at);
