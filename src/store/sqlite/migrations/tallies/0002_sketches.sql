-- Estimates of different readers and of shares, beside what is counted.
ALTER TABLE scopes ADD COLUMN uniques INTEGER NOT NULL DEFAULT 0;
ALTER TABLE scopes ADD COLUMN unfurls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rows ADD COLUMN uniques INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rows ADD COLUMN unfurls INTEGER NOT NULL DEFAULT 0;

-- What a scope's hits of a day are told apart by: (series, value, counts) packed as in src/store/pack.rs. What is by day and
-- has values went into `rows` before; it stays there.
-- place: the day's number times 2^40, and the scope's added to it, so that a day's lie together. Rows are large, which only
-- tables with row ids keep in one piece.
CREATE TABLE dimensions (
    place INTEGER PRIMARY KEY,
    scope INTEGER NOT NULL,
    day INTEGER NOT NULL,
    packed BLOB NOT NULL
) STRICT;
CREATE INDEX dimensions_by_scope ON dimensions (scope, day);

-- Which different ones a scope had on a day: what of (0 readers, 1 shares), and the sketch as bytes. What it estimates is
-- in the scope's row of that day and in its sum.
CREATE TABLE sketches (
    day INTEGER NOT NULL,
    scope INTEGER NOT NULL,
    of INTEGER NOT NULL,
    sketch BLOB NOT NULL,
    PRIMARY KEY (day, scope, of)
) WITHOUT ROWID, STRICT;
CREATE INDEX sketches_by_scope ON sketches (scope, day);
