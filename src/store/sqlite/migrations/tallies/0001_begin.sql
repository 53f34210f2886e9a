-- tallies.db: numbers and the ordinals they stand for.
PRAGMA application_id = 1399613268;

CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE zones (since INTEGER PRIMARY KEY, zone TEXT NOT NULL) STRICT;

-- One row a lane, the site lane last.
CREATE TABLE lanes (lane INTEGER PRIMARY KEY, base INTEGER NOT NULL, lost INTEGER NOT NULL) STRICT;

-- Ids of links are positive, all others negative, so that a day's links are one range of `rows`.
-- lane: in which lane's audit the sums count; NULL for none. The sums are the series Total.
CREATE TABLE scopes (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    name TEXT NOT NULL,
    lane INTEGER,
    clicks INTEGER NOT NULL,
    previews INTEGER NOT NULL,
    bots INTEGER NOT NULL,
    missed INTEGER NOT NULL,
    UNIQUE (kind, name)
) STRICT;

-- Names of values; 0 is ''.
CREATE TABLE words (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE) STRICT;
INSERT INTO words (id, word) VALUES (0, '');

-- In the order of time: what is being counted now lies together, so a batch touches few pages, and a day's
-- links are read in one go. `rows_by_scope` finds the rows of one scope; adding to a row does not touch it.
CREATE TABLE rows (
    series INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    scope INTEGER NOT NULL,
    value INTEGER NOT NULL,
    clicks INTEGER NOT NULL,
    previews INTEGER NOT NULL,
    bots INTEGER NOT NULL,
    missed INTEGER NOT NULL,
    PRIMARY KEY (series, bucket, scope, value)
) WITHOUT ROWID, STRICT;
CREATE INDEX rows_by_scope ON rows (scope, series, bucket);

CREATE TABLE streams (stream INTEGER PRIMARY KEY, began_ms INTEGER NOT NULL, finished_at INTEGER) STRICT;
CREATE TABLE ordinals (
    stream INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    PRIMARY KEY (stream, lane)
) WITHOUT ROWID, STRICT;
