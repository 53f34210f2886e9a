-- Who wants to be told of what, and what is on its way to them. A secret is kept readable: it is needed to sign.
-- events: JSON. failing_since: no part of the version.
CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    secret TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    disabled_at INTEGER,
    disabled_why TEXT,
    version INTEGER NOT NULL,
    failing_since INTEGER
) WITHOUT ROWID, STRICT;

-- stage: 0 waiting (until: when it is tried), 1 delivered, 2 failed (until: when that was).
CREATE TABLE deliveries (
    webhook TEXT NOT NULL,
    id TEXT NOT NULL,
    event TEXT NOT NULL,
    code TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    until INTEGER NOT NULL,
    tried_at INTEGER,
    status INTEGER,
    error TEXT,
    latency_ms INTEGER NOT NULL,
    PRIMARY KEY (webhook, id)
) STRICT;
CREATE INDEX deliveries_waiting ON deliveries (webhook, until) WHERE stage = 0;
CREATE INDEX deliveries_ended ON deliveries (webhook, until) WHERE stage > 0;
CREATE INDEX deliveries_newest ON deliveries (webhook, created_at, id);
