-- links.db: links, articles, history, the change feed, accounts.
-- Times are milliseconds since 1970, UTC. Links are never deleted, so max(id) is how many there are.
PRAGMA application_id = 1399613260;

CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;

CREATE TABLE articles (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    cms_id TEXT,
    url TEXT NOT NULL,
    site TEXT NOT NULL,
    title TEXT,
    section TEXT,
    authors TEXT NOT NULL,
    published_at INTEGER,
    image TEXT,
    language TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;

CREATE TABLE article_authors (
    author TEXT NOT NULL,
    article INTEGER NOT NULL,
    PRIMARY KEY (author, article)
) WITHOUT ROWID, STRICT;

-- kind: 0 url (site is ''), 1 cms_id. The site comes last so that a CMS id can be asked for without one.
CREATE TABLE aliases (
    kind INTEGER NOT NULL,
    value TEXT NOT NULL,
    site TEXT NOT NULL,
    article INTEGER NOT NULL,
    PRIMARY KEY (kind, value, site)
) WITHOUT ROWID, STRICT;

-- key is the folded code; shown_title and section are copies of what a list sorts and filters by.
CREATE TABLE links (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL,
    target TEXT,
    target_version INTEGER NOT NULL,
    article INTEGER,
    follows_article INTEGER NOT NULL,
    title TEXT,
    channel TEXT,
    campaign TEXT,
    tags TEXT NOT NULL,
    note TEXT,
    not_before INTEGER,
    expires_at INTEGER,
    expired_url TEXT,
    message TEXT,
    redirect_status INTEGER NOT NULL,
    forward_query INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    retired_at INTEGER,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    via TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    version INTEGER NOT NULL,
    created_tag INTEGER,
    write_tags BLOB NOT NULL,
    shown_title TEXT NOT NULL,
    section TEXT
) STRICT;

CREATE INDEX links_key ON links (key) WHERE key <> code;
CREATE INDEX links_article ON links (article, created_at, code) WHERE article IS NOT NULL;
CREATE INDEX links_created ON links (created_at, code);
CREATE INDEX links_updated ON links (updated_at, code);
CREATE INDEX links_title ON links (shown_title, code);
CREATE INDEX links_creator ON links (created_by, created_at, code);
CREATE INDEX links_via ON links (via, created_at, code);
CREATE INDEX links_section ON links (section, created_at, code) WHERE section IS NOT NULL;
CREATE INDEX links_channel ON links (channel, created_at, code) WHERE channel IS NOT NULL;
CREATE INDEX links_campaign ON links (campaign, created_at, code) WHERE campaign IS NOT NULL;
-- Rare statuses: an ordinary link is in none of these.
CREATE INDEX links_retired ON links (created_at, code) WHERE retired_at IS NOT NULL;
CREATE INDEX links_disabled ON links (created_at, code) WHERE disabled = 1;
CREATE INDEX links_expiring ON links (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX links_reserved ON links (created_at, code) WHERE target IS NULL;
CREATE INDEX links_scheduled ON links (not_before) WHERE not_before IS NOT NULL;

CREATE TABLE link_tags (
    tag TEXT NOT NULL,
    link INTEGER NOT NULL,
    PRIMARY KEY (tag, link)
) WITHOUT ROWID, STRICT;

-- channel, campaign, target: '' for none (own), else '=' and the text.
CREATE TABLE slots (
    article INTEGER NOT NULL,
    channel TEXT NOT NULL,
    campaign TEXT NOT NULL,
    target TEXT NOT NULL,
    link INTEGER NOT NULL,
    PRIMARY KEY (article, channel, campaign, target)
) WITHOUT ROWID, STRICT;

CREATE TABLE history (
    link INTEGER NOT NULL,
    version INTEGER NOT NULL,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    action TEXT NOT NULL,
    changes TEXT NOT NULL,
    PRIMARY KEY (link, version)
) WITHOUT ROWID, STRICT;

-- kind: 0 a link, 1 an account, 2 the beginning. The first row keeps the version above 0 for ever.
CREATE TABLE feed (version INTEGER PRIMARY KEY, kind INTEGER NOT NULL, key TEXT NOT NULL) STRICT;
INSERT INTO feed (version, kind, key) VALUES (1, 2, '');

-- Substrings of three characters and more. Links are indexed when the writer is idle; until then they are in
-- search_pending and are looked through one by one.
CREATE VIRTUAL TABLE search USING fts5
    (words, content = '', contentless_delete = 1, detail = 'none', tokenize = 'trigram');
CREATE TABLE search_pending (link INTEGER PRIMARY KEY) STRICT;

CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

-- key is the name in lower case.
CREATE TABLE users (
    key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    password TEXT,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    disabled_at INTEGER
) STRICT;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at);

-- status is NULL while the request is running.
CREATE TABLE idempotency (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    body BLOB NOT NULL,
    began_at INTEGER NOT NULL,
    status INTEGER,
    answer BLOB,
    PRIMARY KEY (owner, key)
) WITHOUT ROWID, STRICT;
CREATE INDEX idempotency_began ON idempotency (began_at);
