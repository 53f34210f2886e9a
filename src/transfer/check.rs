//! What an imported record must be, beyond being readable.
//!
//! Guarantees that nothing comes in which the service itself could not have made: no target that is no web
//! address, no number in a place where none can be. Knows no store.

use super::format::{Item, StreamLine};
use crate::domain::article::{Article, MAX_NOTES};
use crate::domain::link::{Link, MAX_TAGS, REDIRECT_STATUSES};
use crate::domain::tally::{Counts, Row, Scope, Series};
use crate::store::accounts::AccountItem;
use crate::store::links::ExportItem;
use crate::store::webhooks::Webhook;

/// Longest address, in bytes.
const MAX_URL: usize = 8 * 1024;
/// Longest value of a number, in bytes.
const MAX_VALUE: usize = 200;
/// Longest id or name of anything, in bytes.
const MAX_ID: usize = 400;

/// Largest setting or channel, as JSON, in bytes.
const MAX_DOCUMENT: usize = crate::settings::MAX_VALUE;

/// Says what is wrong with an item.
pub(super) fn item(item: &Item) -> Result<(), String> {
    match item {
        Item::Links(ExportItem::Article(article)) => known_article(article),
        Item::Links(ExportItem::Alias { kind, value, .. }) => match kind.as_str() {
            "url" | "cms_id" if !value.is_empty() => Ok(()),
            _ => Err("an alias is a url or a cms_id".into()),
        },
        Item::Links(ExportItem::Link { link, .. }) => known_link(link),
        Item::Links(ExportItem::History { entry, .. } | ExportItem::ArticleHistory { entry, .. }) => {
            version(entry.version)
        }
        Item::Account(AccountItem::Key(key)) => name("a key's id", &key.id),
        Item::Account(AccountItem::User(user)) => name("a user's name", &user.name),
        Item::Account(AccountItem::Audit(_)) | Item::End(_) => Ok(()),
        Item::Tally(scope, row) => number(scope, row),
        Item::Sketch(scope, _) => scope_name(scope),
        Item::Stream(line) => stream(line),
        Item::Document(document) => {
            if document.value.to_string().len() > MAX_DOCUMENT {
                return Err(format!("a {} has at most {MAX_DOCUMENT} bytes", document.kind.as_str()));
            }
            name("the name of a setting or channel", &document.name).and_then(|()| version(document.version))
        }
        Item::Webhook(webhook) => known_webhook(webhook),
    }
}

fn name(what: &str, text: &str) -> Result<(), String> {
    match text.len() {
        1..=MAX_ID => Ok(()),
        _ => Err(format!("{what} has 1 to {MAX_ID} bytes")),
    }
}

fn version(version: u64) -> Result<(), String> {
    if version == 0 { Err("a version begins at 1".into()) } else { Ok(()) }
}

fn address(field: &str, text: &str) -> Result<(), String> {
    if text.len() > MAX_URL {
        return Err(format!("{field} is longer than {MAX_URL} bytes"));
    }
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(()),
        _ => Err(format!("{field} is no http(s) address")),
    }
}

fn known_article(article: &Article) -> Result<(), String> {
    name("an article's id", &article.id.0)?;
    // A redacted one has none.
    if !article.is_redacted() {
        address("url", &article.url)?;
        article.address.as_ref().map_or(Ok(()), |url| address("address", url))?;
    }
    article.replacement_url.as_ref().map_or(Ok(()), |url| address("replacement_url", url))?;
    if article.merged_into.as_ref() == Some(&article.id) {
        return Err("an article is merged into itself".into());
    }
    if article.notes.len() > MAX_NOTES {
        return Err(format!("an article has at most {MAX_NOTES} notes"));
    }
    version(article.version)
}

fn known_link(link: &Link) -> Result<(), String> {
    link.target.as_ref().map_or(Ok(()), |target| address("target", target))?;
    link.expired_url.as_ref().map_or(Ok(()), |url| address("expired_url", url))?;
    version(link.version)?;
    if !REDIRECT_STATUSES.contains(&link.redirect_status) {
        return Err("redirect_status is 301, 302, 307 or 308".into());
    }
    if link.tags.len() > MAX_TAGS {
        return Err(format!("a link has at most {MAX_TAGS} tags"));
    }
    if link.target_version == 0 || u64::from(link.target_version) > link.version {
        return Err("target_version is between 1 and version".into());
    }
    Ok(())
}

fn known_webhook(webhook: &Webhook) -> Result<(), String> {
    name("a webhook's id", &webhook.id)?;
    address("url", &webhook.url)?;
    version(webhook.version)
}

fn scope_name(scope: &Scope) -> Result<(), String> {
    name("a scope's name", if *scope == Scope::Site { "site" } else { scope.parts().1 })
}

fn number(scope: &Scope, row: &Row) -> Result<(), String> {
    scope_name(scope)?;
    if row.value.len() > MAX_VALUE {
        return Err(format!("a value has at most {MAX_VALUE} bytes"));
    }
    if row.series == Series::Total && (row.bucket != 0 || !row.value.is_empty()) {
        return Err("a total has bucket 0 and no value".into());
    }
    let counts = &row.counts;
    let Counts { clicks, previews, bots, missed, uniques, unfurls } = *counts;
    let all = [clicks, previews, bots, missed, uniques, unfurls];
    let sum = all.into_iter().try_fold(0_u64, u64::checked_add);
    if sum.is_none_or(|sum| i64::try_from(sum).is_err()) {
        return Err("a number is too large".into());
    }
    Ok(())
}

fn stream(line: &StreamLine) -> Result<(), String> {
    let named = line.stream.as_ref().map(|name| name.parse::<crate::domain::tally::StreamId>());
    if named.is_some_and(|parsed| parsed.is_err()) {
        return Err("a stream's name is 16 hexadecimal digits".into());
    }
    let lost = line.lost.len();
    if line.ordinals.is_empty() || (lost != 0 && lost != line.ordinals.len()) {
        return Err("a stream has an ordinal for each lane, and as many lost or none".into());
    }
    Ok(())
}
