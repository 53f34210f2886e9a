//! Articles: how a claim finds its story, how one is made, how facts fill in.
//!
//! Guarantees that an address or CMS id, once known, leads to the same article for ever, and that what is known
//! is never overwritten by a claim. Knows links only as what shows an article's title and section.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::rows::{self, articles};
use super::trail;
use crate::domain::article::{self as domain, Article, ArticleFacts, MAX_ALIASES};
use crate::store::Result;
use crate::store::links::{ArticleClaim, ArticleKey};
use crate::store::sqlite::failure::{corrupt, cut, ms, signed};

/// `aliases.kind` of an address.
pub(in crate::store::sqlite) const URL: i64 = 0;
/// `aliases.kind` of a CMS id.
pub(in crate::store::sqlite) const CMS_ID: i64 = 1;

/// The row that an alias leads to.
fn alias(conn: &Connection, kind: i64, value: &str, site: &str) -> Result<Option<i64>> {
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

/// The article of a row.
pub(in crate::store::sqlite) fn by_row(conn: &Connection, row: i64) -> Result<Article> {
    let mut statement = conn.prepare_cached(articles!("WHERE a.id = ?"))?;
    let mut found = statement.query([row])?;
    match found.next()? {
        Some(row) => Ok(rows::article(row)?.1),
        None => Err(corrupt("a reference to an article", row)),
    }
}

/// The article that is asked for.
pub(super) fn by_key(conn: &Connection, key: &ArticleKey) -> Result<Option<Article>> {
    let row = match key {
        ArticleKey::Id(id) => rows::article_row(conn, id)?,
        ArticleKey::Url(url) => alias(conn, URL, url, "")?,
        // By age and not by row: a mirror's rows are in the order in which it heard of them.
        ArticleKey::CmsId(id) => conn
            .prepare_cached(
                "SELECT a.id FROM aliases x JOIN articles a ON a.id = x.article WHERE x.kind = ? AND x.value = ? \
                 ORDER BY a.created_at, a.id LIMIT 1",
            )?
            .query_row(params![CMS_ID, id], |row| row.get(0))
            .optional()?,
    };
    row.map(|row| by_row(conn, row)).transpose()
}

/// The story that a claim means, if it is known: by CMS id within its site, then by address.
pub(super) fn resolve(conn: &Connection, claim: &ArticleClaim) -> Result<Option<(i64, Article)>> {
    let by_cms = match &claim.cms_id {
        Some(id) => alias(conn, CMS_ID, id, &claim.site)?,
        None => None,
    };
    let row = match by_cms {
        Some(row) => Some(row),
        None => alias(conn, URL, &claim.url, "")?,
    };
    row.map(|row| Ok((row, by_row(conn, row)?))).transpose()
}

/// Makes the story of a claim that nobody made before.
pub(super) fn make(conn: &Connection, claim: &ArticleClaim, now: Timestamp) -> Result<(i64, Article)> {
    let facts = ArticleFacts { published_at: claim.facts.published_at.map(cut), ..claim.facts.clone() };
    let article = Article {
        id: claim.new_id.clone(),
        cms_id: claim.cms_id.clone(),
        url: claim.url.clone(),
        site: claim.site.clone(),
        facts,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    let row = insert(conn, &article)?;
    Ok((row, article))
}

/// Adds an article's row and its own two aliases.
pub(super) fn insert(conn: &Connection, article: &Article) -> Result<i64> {
    let row = insert_row(conn, article)?;
    add_alias(conn, URL, &article.url, "", row)?;
    if let Some(id) = &article.cms_id {
        add_alias(conn, CMS_ID, id, &article.site, row)?;
    }
    Ok(row)
}

/// Adds an article's row and its authors.
pub(in crate::store::sqlite) fn insert_row(conn: &Connection, article: &Article) -> Result<i64> {
    let facts = &article.facts;
    conn.prepare_cached(
        "INSERT INTO articles (name, cms_id, url, site, title, section, authors, published_at, image, language, \
         created_at, updated_at, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        article.id.0,
        article.cms_id,
        article.url,
        article.site,
        facts.title,
        facts.section,
        rows::list_text(&facts.authors)?,
        facts.published_at.map(ms),
        facts.image,
        facts.language,
        ms(article.created_at),
        ms(article.updated_at),
        signed(article.version)?,
    ])?;
    let row = conn.last_insert_rowid();
    insert_authors(conn, row, &facts.authors)?;
    Ok(row)
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
    if article.url != claim.url {
        add_more(conn, URL, &claim.url, "", row)?;
    }
    let news = claim.cms_id.as_ref().filter(|id| article.cms_id.as_ref() != Some(id));
    let cms_id = if article.site == claim.site { &claim.cms_id } else { &None };
    let said = ArticleFacts { published_at: claim.facts.published_at.map(cut), ..claim.facts.clone() };
    let had_authors = !article.facts.authors.is_empty();
    let filled = domain::fill(&mut article.cms_id, cms_id.as_ref()) | article.facts.fill(&said);
    match news {
        Some(id) if article.cms_id.as_ref() == Some(id) => add_alias(conn, CMS_ID, id, &claim.site, row)?,
        Some(id) => add_more(conn, CMS_ID, id, &claim.site, row)?,
        None => {}
    }
    if !had_authors {
        insert_authors(conn, row, &article.facts.authors)?;
    }
    if filled {
        article.version += 1;
        article.updated_at = now;
        update(conn, row, article)?;
    }
    Ok(())
}

/// Writes an article's row over the one that `old` is, and what its links show of it.
pub(in crate::store::sqlite) fn replace(
    conn: &Connection,
    row: i64,
    old: &Article,
    article: &Article,
) -> Result<()> {
    let mut drop = conn.prepare_cached("DELETE FROM article_authors WHERE author = ? AND article = ?")?;
    for author in &old.facts.authors {
        drop.execute(params![author, row])?;
    }
    insert_authors(conn, row, &article.facts.authors)?;
    if old.url != article.url {
        conn.prepare_cached("UPDATE links SET target = ? WHERE article = ? AND follows_article = 1")?
            .execute(params![article.url, row])?;
        conn.prepare_cached(
            "INSERT OR IGNORE INTO search_pending (link) SELECT id FROM links WHERE article = ?",
        )?
        .execute([row])?;
    }
    update(conn, row, article)
}

/// Writes an article's row, and what its links show of it.
pub(in crate::store::sqlite) fn update(conn: &Connection, row: i64, article: &Article) -> Result<()> {
    let facts = &article.facts;
    conn.prepare_cached(
        "UPDATE articles SET cms_id = ?, url = ?, site = ?, created_at = ?, title = ?, section = ?, authors = ?, published_at = ?, image = ?, \
         language = ?, updated_at = ?, version = ? WHERE id = ?",
    )?
    .execute(params![
        article.cms_id,
        article.url,
        article.site,
        ms(article.created_at),
        facts.title,
        facts.section,
        rows::list_text(&facts.authors)?,
        facts.published_at.map(ms),
        facts.image,
        facts.language,
        ms(article.updated_at),
        signed(article.version)?,
        row,
    ])?;
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
