//! The lines of an export: one JSON object each, told apart by `kind`.
//!
//! Guarantees that what is written is read back as it was, and that a field or kind which is not known is an
//! error and not lost in silence. Knows neither files nor stores.

mod documents;
mod links;
mod rest;
mod webhooks;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::tally::{DaySketch, Row, Scope};
use crate::store::accounts::AccountItem;
use crate::store::documents::{Document, DocumentKind};
use crate::store::links::ExportItem;
use crate::store::webhooks::Webhook;
use documents::DocumentLine;
pub(super) use documents::document_line;
pub(super) use links::link_line;
use links::{AliasLine, ArticleLine, HistoryLine, LinkLine};
use rest::{AuditLine, KeyLine, TallyLine, UniquesLine, UserLine};
pub(super) use rest::{EndLine, StreamLine, account_line, scope_text, tally_line, uniques_line};
use webhooks::WebhookLine;
pub(super) use webhooks::webhook_line;

/// The version of what this file describes.
pub(super) const FORMAT: u32 = 1;
/// `kind` of the first line.
pub(super) const KIND: &str = "slugline";

/// The first line: what the rest is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Always `slugline`.
    pub(super) kind: String,
    /// The version of the format.
    pub(super) format: u32,
    /// The dataset it was made from.
    pub dataset: String,
    /// The time zone in force when it was made.
    pub timezone: String,
    /// All time zones with the second (UTC) from which each holds; of another maker's file, only the one above.
    #[serde(default)]
    pub zones: Vec<(i64, String)>,
    /// How many lanes the store had, without the site lane; 0 if that is not said.
    #[serde(default)]
    pub lanes: u16,
    /// When it was made.
    #[serde(default)]
    pub exported_at: Option<Timestamp>,
    /// SHA-256 of the line: names the file when an import goes on.
    #[serde(skip)]
    pub(super) hash: String,
}

/// Any other line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Line {
    Article(Box<ArticleLine>),
    Alias(AliasLine),
    Link(Box<LinkLine>),
    History(HistoryLine),
    Key(KeyLine),
    User(UserLine),
    Tally(TallyLine),
    Uniques(UniquesLine),
    Stream(StreamLine),
    Audit(AuditLine),
    Webhook(WebhookLine),
    End(EndLine),
    Setting(DocumentLine),
    Channel(DocumentLine),
    Digest(DocumentLine),
}

/// What a line says, in the words of the stores.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one at a time")]
pub(super) enum Item {
    Links(ExportItem),
    Account(AccountItem),
    Tally(Scope, Row),
    Sketch(Scope, DaySketch),
    Stream(StreamLine),
    Webhook(Webhook),
    End(u64),
    Document(Document),
}

impl Item {
    /// The line's `kind`.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Item::Links(ExportItem::Article(_)) => "article",
            Item::Links(ExportItem::Alias { .. }) => "alias",
            Item::Links(ExportItem::Link { .. }) => "link",
            Item::Links(ExportItem::History { .. } | ExportItem::ArticleHistory { .. }) => "history",
            Item::Account(AccountItem::Key(_)) => "key",
            Item::Account(AccountItem::User(_)) => "user",
            Item::Account(AccountItem::Audit(_)) => "audit",
            Item::Tally(..) => "tally",
            Item::Sketch(..) => "uniques",
            Item::Stream(_) => "stream",
            Item::Webhook(_) => "webhook",
            Item::End(_) => "end",
            Item::Document(document) => document.kind.as_str(),
        }
    }
}

/// Reads any line but the first.
///
/// # Errors
/// Why it cannot be, in words.
pub(super) fn read(text: &[u8]) -> Result<Item, String> {
    let line: Line =
        serde_json::from_slice(text).map_err(|e| e.to_string().replace(" at line 1 column", " at column"))?;
    Ok(match line {
        Line::Article(article) => Item::Links(ExportItem::Article(article.read()?)),
        Line::Alias(line) => links::alias(line),
        Line::Link(link) => Item::Links(link.read()?),
        Line::History(line) => links::history(line)?,
        Line::Key(line) => rest::key(line)?,
        Line::User(line) => rest::user(line),
        Line::Tally(line) => rest::tally(line)?,
        Line::Uniques(line) => rest::uniques(line)?,
        Line::Stream(line) => Item::Stream(line),
        Line::Audit(line) => rest::audit(line),
        Line::Webhook(line) => webhooks::read(line),
        Line::End(line) => Item::End(line.lines),
        Line::Setting(line) => Item::Document(line.read(DocumentKind::Setting)),
        Line::Channel(line) => Item::Document(line.read(DocumentKind::Channel)),
        Line::Digest(line) => Item::Document(line.read(DocumentKind::Digest)),
    })
}
