-- mirror.db: the tables of links.db, and what they are a copy of.
-- Records come lane by lane, so a slot may be known before its link and an address before its story: those tables
-- hold names instead of rows here, and what is read are views of them.
PRAGMA application_id = 1399613261;

CREATE TABLE zones (since INTEGER PRIMARY KEY, zone TEXT NOT NULL) STRICT;

-- How far each lane is followed.
CREATE TABLE lanes (
    lane INTEGER PRIMARY KEY,
    version INTEGER NOT NULL,
    tag INTEGER NOT NULL,
    complete INTEGER NOT NULL
) STRICT;

-- The store's records as they were last seen; bases: what is left of up to 8 earlier values, 8 bytes each, oldest
-- first.
CREATE TABLE records (
    lane INTEGER NOT NULL,
    field BLOB NOT NULL,
    raw BLOB NOT NULL,
    bases BLOB NOT NULL,
    PRIMARY KEY (lane, field)
) WITHOUT ROWID, STRICT;

-- Links whose story is not known yet.
CREATE TABLE waiting (article TEXT NOT NULL, link INTEGER NOT NULL, PRIMARY KEY (article, link))
    WITHOUT ROWID, STRICT;

DROP TABLE slots;
CREATE TABLE slot_codes (
    article INTEGER NOT NULL,
    channel TEXT NOT NULL,
    campaign TEXT NOT NULL,
    target TEXT NOT NULL,
    code TEXT NOT NULL,
    PRIMARY KEY (article, channel, campaign, target)
) WITHOUT ROWID, STRICT;
CREATE VIEW slots (article, channel, campaign, target, link) AS
    SELECT s.article, s.channel, s.campaign, s.target, l.id FROM slot_codes s JOIN links l ON l.code = s.code;

DROP TABLE aliases;
CREATE TABLE alias_names (
    kind INTEGER NOT NULL,
    value TEXT NOT NULL,
    site TEXT NOT NULL,
    article TEXT NOT NULL,
    PRIMARY KEY (kind, value, site)
) WITHOUT ROWID, STRICT;
CREATE VIEW aliases (kind, value, site, article) AS
    SELECT x.kind, x.value, x.site, a.id FROM alias_names x JOIN articles a ON a.name = x.article;
