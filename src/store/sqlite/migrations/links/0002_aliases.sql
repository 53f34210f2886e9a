-- How many aliases an article has besides its own address and its own CMS id: they are bounded.
ALTER TABLE articles ADD COLUMN aliases INTEGER NOT NULL DEFAULT 0;
UPDATE articles SET aliases = more.n FROM
    (SELECT x.article, count(*) AS n FROM aliases x JOIN articles a ON a.id = x.article
     WHERE NOT (x.kind = 0 AND x.value = a.url)
       AND NOT (x.kind = 1 AND x.value IS a.cms_id AND x.site = a.site)
     GROUP BY x.article) more
    WHERE more.article = articles.id;
