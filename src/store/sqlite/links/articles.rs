//! Articles: how a claim finds its story, how one is made, how facts fill in.
//!
//! Guarantees that an address or CMS id, once known, leads to the same article until staff say otherwise, and that
//! what was said is never overwritten by a claim. Knows links only as what shows an article's title and section.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{self, articles, found};
use super::trail;
use crate::domain::article::{Article, ArticleId, MAX_ALIASES, MAX_MERGED};
use crate::domain::link::Link;
use crate::store::Result;
use crate::store::links::{ArticleClaim, ArticleKey};
use crate::store::sqlite::failure::{corrupt, ms, signed};

/// `aliases.kind` of an address.
pub(in crate::store::sqlite) const URL: i64 = 0;
/// `aliases.kind` of a CMS id.
pub(in crate::store::sqlite) const CMS_ID: i64 = 1;

/// The row that an alias leads to.
pub(super) fn alias(conn: &Connection, kind: i64, value: &str, site: &str) -> Result<Option<i64>> {
    let mut find =
        conn.prepare_cached("SELECT article FROM aliases WHERE kind = ? AND value = ? AND site = ?")?;
    Ok(find.query_row(params![kind, value, site], |row| row.get(0)).optional()?)
}

/// Makes an alias unless there is one: the first to claim an address keeps it.
pub(super) fn add_alias(conn: &Connection, kind: i64, value: &str, site: &str, article: i64) -> Result<()> {
    conn.prepare_cached("INSERT OR IGNORE INTO aliases (kind, value, site, article) VALUES (?, ?, ?, ?)")?
        .execute(params![kind, value, site, article])?;
    Ok(())
}

/// The same for an alias that is neither the article's own address nor its own CMS id: if there is room for it.
pub(super) fn add_more(conn: &Connection, kind: i64, value: &str, site: &str, article: i64) -> Result<()> {
    if alias(conn, kind, value, site)?.is_some() {
        return Ok(());
    }
    let most = i64::try_from(MAX_ALIASES).unwrap_or(i64::MAX);
    let fits = conn
        .prepare_cached("UPDATE articles SET aliases = aliases + 1 WHERE id = ? AND aliases < ?")?
        .execute([article, most])?;
    if fits > 0 { add_alias(conn, kind, value, site, article) } else { Ok(()) }
}

/// The same, whether there is room or not: what was kept before, or what staff give it.
pub(super) fn add_kept(conn: &Connection, kind: i64, value: &str, site: &str, article: i64) -> Result<()> {
    if alias(conn, kind, value, site)?.is_some() {
        return Ok(());
    }
    conn.prepare_cached("UPDATE articles SET aliases = aliases + 1 WHERE id = ?")?.execute([article])?;
    add_alias(conn, kind, value, site, article)
}

/// The article of a row.
pub(in crate::store::sqlite) fn by_row(conn: &Connection, row: i64) -> Result<Article> {
    let mut statement = conn.prepare_cached(articles!("WHERE a.id = ?"))?;
    let mut found = statement.query([row])?;
    match found.next()? {
        Some(row) => Ok(rows::article(row)?.1),
        None => Err(corrupt("a reference to an article", row)),
    }
}

/// The article at the end of those that were merged one into the other. A mirror may not have it yet.
pub(super) fn merged(conn: &Connection, mut row: i64) -> Result<(i64, Article)> {
    let mut article = by_row(conn, row)?;
    for _ in 0..MAX_MERGED {
        let Some(into) = &article.merged_into else { break };
        let Some(next) = rows::article_row(conn, into)? else { break };
        (row, article) = (next, by_row(conn, next)?);
    }
    Ok((row, article))
}

/// An article and all that were merged into it, itself first.
pub(in crate::store::sqlite) fn with_merged(conn: &Connection, id: &ArticleId) -> Result<Vec<ArticleId>> {
    let mut find = conn.prepare_cached(
        "WITH RECURSIVE one (name) AS (SELECT name FROM articles WHERE name = ? \
         UNION SELECT a.name FROM one JOIN articles a ON a.merged_into = one.name) SELECT name FROM one",
    )?;
    let names = find.query_map([&id.0], |row| row.get::<_, Box<str>>(0))?;
    Ok(names.map(|name| name.map(ArticleId)).collect::<rusqlite::Result<_>>()?)
}

/// The article that is asked for.
pub(super) fn by_key(conn: &Connection, key: &ArticleKey) -> Result<Option<Article>> {
    let row = match key {
        ArticleKey::Id(id) => {
            return rows::article_row(conn, id)?.map(|row| by_row(conn, row)).transpose();
        }
        ArticleKey::Url(url) => alias(conn, URL, url, "")?,
        ArticleKey::CmsIdIn { site, id } => alias(conn, CMS_ID, id, site)?,
        // By age and not by row: a mirror's rows are in the order in which it heard of them.
        ArticleKey::CmsId(id) => conn
            .prepare_cached(
                "SELECT a.id FROM aliases x JOIN articles a ON a.id = x.article WHERE x.kind = ? AND x.value = ? \
                 ORDER BY a.created_at, a.id LIMIT 1",
            )?
            .query_row(params![CMS_ID, id], |row| row.get(0))
            .optional()?,
    };
    Ok(row.map(|row| merged(conn, row)).transpose()?.map(|(_, article)| article))
}

/// Articles whose page is to be looked at by `now`, the longest due first.
pub(super) fn due(conn: &Connection, now: Timestamp, limit: usize) -> Result<Vec<Article>> {
    let mut statement =
        conn.prepare_cached(articles!("WHERE a.read_due <= ? ORDER BY a.read_due LIMIT ?"))?;
    let mut found = statement.query(params![ms(now), i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut due = vec![];
    while let Some(row) = found.next()? {
        due.push(rows::article(row)?.1);
    }
    Ok(due)
}

/// The story that a claim means, if it is known: by CMS id within its site, by address, by another address.
pub(super) fn resolve(conn: &Connection, claim: &ArticleClaim) -> Result<Option<(i64, Article)>> {
    let mut row = match &claim.cms_id {
        Some(id) => alias(conn, CMS_ID, id, &claim.site)?,
        None => None,
    };
    let mut addresses = std::iter::once(&claim.url).chain(&claim.aliases);
    while row.is_none()
        && let Some(address) = addresses.next()
    {
        row = alias(conn, URL, address, "")?;
    }
    row.map(|row| merged(conn, row)).transpose()
}

/// Makes the story of a claim that nobody made before.
pub(super) fn make(conn: &Connection, claim: &ArticleClaim, now: Timestamp) -> Result<(i64, Article)> {
    let article = claim.story(now);
    let row = insert(conn, &article)?;
    for address in &claim.aliases {
        add_more(conn, URL, address, "", row)?;
    }
    Ok((row, article))
}

/// Adds an article's row and its own two aliases. A redacted one has none.
pub(super) fn insert(conn: &Connection, article: &Article) -> Result<i64> {
    let row = insert_row(conn, article)?;
    if article.is_redacted() {
        return Ok(row);
    }
    add_alias(conn, URL, &article.url, "", row)?;
    if let Some(id) = &article.cms_id {
        add_alias(conn, CMS_ID, id, &article.site, row)?;
    }
    Ok(row)
}

/// Adds an article's row and its authors.
pub(in crate::store::sqlite) fn insert_row(conn: &Connection, article: &Article) -> Result<i64> {
    conn.prepare_cached(
        "INSERT INTO articles (name, url, site, authors, created_at, updated_at, version) \
        VALUES (?, '', '', '[]', 0, 0, 0)",
    )?
    .execute([&article.id.0])?;
    let row = conn.last_insert_rowid();
    write(conn, row, article)?;
    insert_authors(conn, row, &article.facts.authors)?;
    Ok(row)
}

/// Writes all columns of an article's row.
fn write(conn: &Connection, row: i64, article: &Article) -> Result<()> {
    let (facts, read) = (&article.facts, &article.read);
    conn.prepare_cached(
        "UPDATE articles SET cms_id = ?, url = ?, address = ?, site = ?, title = ?, description = ?, section = ?, authors = ?, \
         published_at = ?, modified_at = ?, image = ?, language = ?, said = ?, withdrawn = ?, \
         replacement_url = ?, message = ?, merged_into = ?, read_outcome = ?, read_at = ?, read_failures = ?, \
         read_due = ?, created_at = ?, updated_at = ?, version = ?, notes = ? WHERE id = ?",
    )?
    .execute(params![
        article.cms_id,
        article.url,
        article.address,
        article.site,
        facts.title,
        facts.description,
        facts.section,
        rows::list_text(&facts.authors)?,
        facts.published_at.map(ms),
        facts.modified_at.map(ms),
        facts.image,
        facts.language,
        article.said.bits(),
        article.withdrawn,
        article.replacement_url,
        article.message,
        article.merged_into.as_ref().map(|id| &id.0),
        read.outcome.number(),
        read.at.map(ms),
        read.failures,
        read.due.map(ms),
        ms(article.created_at),
        ms(article.updated_at),
        signed(article.version)?,
        rows::notes_text(&article.notes)?,
        row,
    ])?;
    Ok(())
}

fn insert_authors(conn: &Connection, row: i64, authors: &[String]) -> Result<()> {
    let mut add =
        conn.prepare_cached("INSERT OR IGNORE INTO article_authors (author, article) VALUES (?, ?)")?;
    for author in authors {
        add.execute(params![author, row])?;
    }
    Ok(())
}

/// Adds to a known story what a claim knows and the story does not; its version goes up if that is anything.
pub(super) fn fill(
    conn: &Connection,
    row: i64,
    article: &mut Article,
    claim: &ArticleClaim,
    now: Timestamp,
) -> Result<()> {
    for address in std::iter::once(&claim.url).chain(&claim.aliases) {
        if *address != article.url {
            add_more(conn, URL, address, "", row)?;
        }
    }
    let old = article.clone();
    let news = claim.tell(article, now);
    match claim.cms_id.as_ref().filter(|id| old.cms_id.as_ref() != Some(id)) {
        Some(id) if article.cms_id.as_ref() == Some(id) => add_alias(conn, CMS_ID, id, &claim.site, row)?,
        Some(id) => add_more(conn, CMS_ID, id, &claim.site, row)?,
        None => {}
    }
    if news { replace(conn, row, &old, article) } else { Ok(()) }
}

/// Writes an article's row over the one that `old` is, and what its links show of it.
pub(in crate::store::sqlite) fn replace(
    conn: &Connection,
    row: i64,
    old: &Article,
    article: &Article,
) -> Result<()> {
    if old.facts.authors != article.facts.authors {
        let mut drop = conn.prepare_cached("DELETE FROM article_authors WHERE author = ? AND article = ?")?;
        for author in &old.facts.authors {
            drop.execute(params![author, row])?;
        }
        insert_authors(conn, row, &article.facts.authors)?;
    }
    if old.address() != article.address() {
        lead_followers(conn, row, article)?;
        conn.prepare_cached(
            "INSERT OR IGNORE INTO search_pending (link) SELECT id FROM links WHERE article = ?",
        )?
        .execute([row])?;
    }
    update(conn, row, article)
}

/// Leads the links that follow an article to where it lives.
pub(in crate::store::sqlite) fn lead_followers(conn: &Connection, row: i64, article: &Article) -> Result<()> {
    let mut lead = conn.prepare_cached("UPDATE links SET target = ? WHERE id = ?")?;
    for record in rows::records(conn, found!("WHERE l.article = ?1 AND l.follows_article = 1"), [row])? {
        let mut link = Link::clone(&record.found.link);
        link.follow(article);
        lead.execute(params![link.target, record.id])?;
    }
    Ok(())
}

/// Writes an article's row, and what its links show of it.
pub(in crate::store::sqlite) fn update(conn: &Connection, row: i64, article: &Article) -> Result<()> {
    write(conn, row, article)?;
    let facts = &article.facts;
    conn.prepare_cached(
        "INSERT OR IGNORE INTO search_pending (link) SELECT id FROM links WHERE article = ? \
         AND shown_title <> coalesce(title, ?, '')",
    )?
    .execute(params![row, facts.title])?;
    conn.prepare_cached(
        "UPDATE links SET shown_title = coalesce(title, ?2, ''), section = ?3 WHERE article = ?1 \
         AND (shown_title <> coalesce(title, ?2, '') OR section IS NOT ?3)",
    )?
    .execute(params![row, facts.title, facts.section])?;
    // Nodes keep an article with each of its links.
    let mut of = conn.prepare_cached("SELECT key FROM links WHERE article = ?")?;
    let mut links = of.query([row])?;
    while let Some(link) = links.next()? {
        trail::link_changed(conn, &link.get::<_, String>(0)?)?;
    }
    Ok(())
}
