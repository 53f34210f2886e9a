-- The life of an article: what is known of it and who said it, that it was taken back or merged into another (by its
-- name), and when its page is to be looked at again. said: bits; read_outcome: 0 never .. 4 broken.
-- address: the spelling of url that readers are led to; NULL: url itself.
ALTER TABLE articles ADD COLUMN address TEXT;
ALTER TABLE articles ADD COLUMN description TEXT;
ALTER TABLE articles ADD COLUMN modified_at INTEGER;
ALTER TABLE articles ADD COLUMN said INTEGER NOT NULL DEFAULT 0;
ALTER TABLE articles ADD COLUMN withdrawn INTEGER NOT NULL DEFAULT 0;
ALTER TABLE articles ADD COLUMN replacement_url TEXT;
ALTER TABLE articles ADD COLUMN message TEXT;
ALTER TABLE articles ADD COLUMN merged_into TEXT;
ALTER TABLE articles ADD COLUMN read_outcome INTEGER NOT NULL DEFAULT 0;
ALTER TABLE articles ADD COLUMN read_at INTEGER;
ALTER TABLE articles ADD COLUMN read_failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE articles ADD COLUMN read_due INTEGER;
ALTER TABLE articles ADD COLUMN write_tags BLOB NOT NULL DEFAULT x'';
-- Until now only the CMS and staff said anything.
UPDATE articles SET said = (title IS NOT NULL) + 4 * (section IS NOT NULL) + 8 * (authors <> '[]')
    + 16 * (published_at IS NOT NULL) + 64 * (image IS NOT NULL) + 128 * (language IS NOT NULL);
CREATE INDEX articles_withdrawn ON articles (id) WHERE withdrawn = 1;
CREATE INDEX articles_merged ON articles (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX articles_due ON articles (read_due) WHERE read_due IS NOT NULL;

-- added: what the link's channel adds to its target's query.
-- broken: JSON; of the target that the link had when it was looked at.
ALTER TABLE links ADD COLUMN added TEXT;
ALTER TABLE links ADD COLUMN confidential INTEGER NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN broken TEXT;
CREATE INDEX links_broken ON links (created_at, code) WHERE broken IS NOT NULL;

-- article: its name, because a mirror may hear of a line before its article.
CREATE TABLE article_history (
    article TEXT NOT NULL,
    version INTEGER NOT NULL,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    action TEXT NOT NULL,
    changes TEXT NOT NULL,
    PRIMARY KEY (article, version)
) WITHOUT ROWID, STRICT;
