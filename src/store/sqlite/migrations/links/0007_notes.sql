-- What staff noted of a story, and when that was: JSON, [{at, text, by}], in the order of its times; NULL for none.
ALTER TABLE articles ADD COLUMN notes TEXT;
