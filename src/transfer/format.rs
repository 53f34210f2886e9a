//! The lines of an export: one JSON object each, told apart by `kind`.
//!
//! Guarantees that what is written is read back as it was, and that a field or kind which is not known is an
//! error and not lost in silence. Knows neither files nor stores.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::access::Role;
use crate::domain::article::{Article, ArticleFacts, ArticleId};
use crate::domain::code::Code;
use crate::domain::link::{HistoryEntry, Link, Via};
use crate::domain::tally::{Counts, Row, Scope, ScopeKind, Series};
use crate::store::accounts::{AccountItem, AuditEntry, Key, User};
use crate::store::links::ExportItem;

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
    Article(ArticleLine),
    Alias(AliasLine),
    Link(Box<LinkLine>),
    History(HistoryLine),
    Key(KeyLine),
    User(UserLine),
    Tally(TallyLine),
    Stream(StreamLine),
    Audit(AuditLine),
    End(EndLine),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ArticleLine {
    id: String,
    cms_id: Option<String>,
    url: String,
    site: String,
    title: Option<String>,
    section: Option<String>,
    #[serde(default)]
    authors: Vec<String>,
    published_at: Option<Timestamp>,
    image: Option<String>,
    language: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AliasLine {
    /// `url` or `cms_id`.
    r#type: String,
    #[serde(default)]
    site: String,
    value: String,
    article: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkLine {
    code: String,
    target: Option<String>,
    target_version: u32,
    article: Option<String>,
    follows_article: bool,
    holds_slot: bool,
    title: Option<String>,
    channel: Option<String>,
    campaign: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    note: Option<String>,
    not_before: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    expired_url: Option<String>,
    message: Option<String>,
    redirect_status: u16,
    #[serde(default)]
    forward_query: bool,
    #[serde(default)]
    disabled: bool,
    retired_at: Option<Timestamp>,
    created_at: Timestamp,
    created_by: String,
    via: Via,
    updated_at: Timestamp,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryLine {
    code: String,
    version: u64,
    at: Timestamp,
    by: String,
    action: String,
    changes: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyLine {
    id: String,
    name: String,
    role: Role,
    /// SHA-256 of the secret, in hexadecimal.
    hash: String,
    created_at: Timestamp,
    created_by: String,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserLine {
    name: String,
    role: Role,
    /// PHC string.
    password: Option<String>,
    created_at: Timestamp,
    created_by: String,
    disabled_at: Option<Timestamp>,
}

/// One row of one scope. Rows of a scope stand together, scopes in ascending order: an import sets a scope's
/// numbers as a whole.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TallyLine {
    /// `site`, or kind and name with a colon between.
    scope: String,
    series: String,
    #[serde(default)]
    bucket: i64,
    #[serde(default)]
    value: String,
    #[serde(default)]
    clicks: u64,
    #[serde(default)]
    previews: u64,
    #[serde(default)]
    bots: u64,
    #[serde(default)]
    missed: u64,
}

/// A stream's ordinals by lane, the site lane's last. The one without a name stands for what came before all
/// streams that are still known: its ordinals are the base, and what was ever lost is told with it. So over all
/// stream lines, lane by lane: ordinals = tallies + lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamLine {
    pub(super) stream: Option<String>,
    pub(super) began_ms: Option<i64>,
    pub(super) ordinals: Vec<u64>,
    #[serde(default)]
    pub(super) lost: Vec<u64>,
    pub(super) finished_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditLine {
    id: u64,
    at: Timestamp,
    by: String,
    action: String,
    object: String,
    #[serde(default)]
    detail: String,
}

/// The last line: a file that was cut between two lines lacks it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndLine {
    /// All lines before it, the first included.
    pub(super) lines: u64,
}

/// What a line says, in the words of the stores.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all are links or rows, and one is there at a time")]
pub(super) enum Item {
    Links(ExportItem),
    Account(AccountItem),
    Tally(Scope, Row),
    Stream(StreamLine),
    End(u64),
}

impl Item {
    /// The line's `kind`.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Item::Links(ExportItem::Article(_)) => "article",
            Item::Links(ExportItem::Alias { .. }) => "alias",
            Item::Links(ExportItem::Link { .. }) => "link",
            Item::Links(ExportItem::History { .. }) => "history",
            Item::Account(AccountItem::Key(_)) => "key",
            Item::Account(AccountItem::User(_)) => "user",
            Item::Account(AccountItem::Audit(_)) => "audit",
            Item::Tally(..) => "tally",
            Item::Stream(_) => "stream",
            Item::End(_) => "end",
        }
    }
}

/// A scope as it is written.
pub(super) fn scope_text(scope: &Scope) -> String {
    match scope.parts() {
        (ScopeKind::Site, _) => "site".into(),
        (kind, name) => format!("{}:{name}", kind.as_str()),
    }
}

fn scope_of(text: &str) -> Option<Scope> {
    match text.split_once(':') {
        None => (text == "site").then_some(Scope::Site),
        Some((kind, name)) => {
            let kind = ScopeKind::from_name(kind).filter(|k| *k != ScopeKind::Site && !name.is_empty())?;
            Some(Scope::from_parts(kind, name))
        }
    }
}

impl From<&Article> for ArticleLine {
    fn from(a: &Article) -> ArticleLine {
        let facts = a.facts.clone();
        ArticleLine {
            id: a.id.0.to_string(),
            cms_id: a.cms_id.clone(),
            url: a.url.clone(),
            site: a.site.clone(),
            title: facts.title,
            section: facts.section,
            authors: facts.authors,
            published_at: facts.published_at,
            image: facts.image,
            language: facts.language,
            created_at: a.created_at,
            updated_at: a.updated_at,
            version: a.version,
        }
    }
}

impl From<ArticleLine> for Article {
    fn from(l: ArticleLine) -> Article {
        Article {
            id: ArticleId(l.id.into()),
            cms_id: l.cms_id,
            url: l.url,
            site: l.site,
            facts: ArticleFacts {
                title: l.title,
                section: l.section,
                authors: l.authors,
                published_at: l.published_at,
                image: l.image,
                language: l.language,
            },
            created_at: l.created_at,
            updated_at: l.updated_at,
            version: l.version,
        }
    }
}

impl LinkLine {
    fn new(link: &Link, holds_slot: bool) -> LinkLine {
        let l = link.clone();
        LinkLine {
            code: l.code.to_string(),
            target: l.target,
            target_version: l.target_version,
            article: l.article.map(|a| a.0.into()),
            follows_article: l.follows_article,
            holds_slot,
            title: l.title,
            channel: l.channel,
            campaign: l.campaign,
            tags: l.tags,
            note: l.note,
            not_before: l.not_before,
            expires_at: l.expires_at,
            expired_url: l.expired_url,
            message: l.message,
            redirect_status: l.redirect_status,
            forward_query: l.forward_query,
            disabled: l.disabled,
            retired_at: l.retired_at,
            created_at: l.created_at,
            created_by: l.created_by,
            via: l.via,
            updated_at: l.updated_at,
            version: l.version,
        }
    }

    fn read(self) -> Result<ExportItem, String> {
        let link = Link {
            code: code(&self.code)?,
            target: self.target,
            target_version: self.target_version,
            article: self.article.map(|a| ArticleId(a.into())),
            follows_article: self.follows_article,
            title: self.title,
            channel: self.channel,
            campaign: self.campaign,
            tags: self.tags,
            note: self.note,
            not_before: self.not_before,
            expires_at: self.expires_at,
            expired_url: self.expired_url,
            message: self.message,
            redirect_status: self.redirect_status,
            forward_query: self.forward_query,
            disabled: self.disabled,
            retired_at: self.retired_at,
            created_at: self.created_at,
            created_by: self.created_by,
            via: self.via,
            updated_at: self.updated_at,
            version: self.version,
        };
        Ok(ExportItem::Link { link, holds_slot: self.holds_slot })
    }
}

fn code(text: &str) -> Result<Code, String> {
    Code::parse(text).map_err(|_| format!("\"{text}\" is no code"))
}

/// What is kept about links, as a line.
pub(super) fn link_line(item: &ExportItem) -> Line {
    match item {
        ExportItem::Article(article) => Line::Article(article.into()),
        ExportItem::Alias { kind, site, value, article } => Line::Alias(AliasLine {
            r#type: kind.clone(),
            site: site.clone(),
            value: value.clone(),
            article: article.0.to_string(),
        }),
        ExportItem::Link { link, holds_slot } => Line::Link(Box::new(LinkLine::new(link, *holds_slot))),
        ExportItem::History { code, entry } => Line::History(HistoryLine {
            code: code.to_string(),
            version: entry.version,
            at: entry.at,
            by: entry.by.clone(),
            action: entry.action.clone(),
            changes: entry.changes.clone(),
        }),
    }
}

/// A key, user or line of the audit, as a line.
pub(super) fn account_line(item: AccountItem) -> Line {
    match item {
        AccountItem::Key(k) => Line::Key(KeyLine {
            id: k.id,
            name: k.name,
            role: k.role,
            hash: super::files::hex(&k.hash),
            created_at: k.created_at,
            created_by: k.created_by,
            expires_at: k.expires_at,
            revoked_at: k.revoked_at,
        }),
        AccountItem::User(u) => Line::User(UserLine {
            name: u.name,
            role: u.role,
            password: u.password,
            created_at: u.created_at,
            created_by: u.created_by,
            disabled_at: u.disabled_at,
        }),
        AccountItem::Audit(a) => Line::Audit(AuditLine {
            id: a.id,
            at: a.at,
            by: a.by,
            action: a.action,
            object: a.object,
            detail: a.detail,
        }),
    }
}

/// A number, as a line.
pub(super) fn tally_line(scope: &str, row: &Row) -> Line {
    Line::Tally(TallyLine {
        scope: scope.to_owned(),
        series: row.series.as_str().into(),
        bucket: row.bucket,
        value: row.value.to_string(),
        clicks: row.counts.clicks,
        previews: row.counts.previews,
        bots: row.counts.bots,
        missed: row.counts.missed,
    })
}

fn tally(line: TallyLine) -> Result<Item, String> {
    let scope = scope_of(&line.scope).ok_or_else(|| format!("\"{}\" is no scope", line.scope))?;
    let series =
        Series::from_name(&line.series).ok_or_else(|| format!("\"{}\" is no series", line.series))?;
    let counts =
        Counts { clicks: line.clicks, previews: line.previews, bots: line.bots, missed: line.missed };
    Ok(Item::Tally(scope, Row { series, bucket: line.bucket, value: line.value.into(), counts }))
}

fn key(line: KeyLine) -> Result<Item, String> {
    let hash = super::files::unhex(&line.hash).ok_or("a key's hash is 64 hexadecimal digits")?;
    Ok(Item::Account(AccountItem::Key(Key {
        id: line.id,
        name: line.name,
        role: line.role,
        hash,
        created_at: line.created_at,
        created_by: line.created_by,
        expires_at: line.expires_at,
        revoked_at: line.revoked_at,
    })))
}

fn user(line: UserLine) -> Item {
    Item::Account(AccountItem::User(User {
        name: line.name,
        role: line.role,
        password: line.password,
        created_at: line.created_at,
        created_by: line.created_by,
        disabled_at: line.disabled_at,
    }))
}

fn audit(line: AuditLine) -> Item {
    Item::Account(AccountItem::Audit(AuditEntry {
        id: line.id,
        at: line.at,
        by: line.by,
        action: line.action,
        object: line.object,
        detail: line.detail,
    }))
}

fn history(line: HistoryLine) -> Result<Item, String> {
    let entry = HistoryEntry {
        version: line.version,
        at: line.at,
        by: line.by,
        action: line.action,
        changes: line.changes,
    };
    Ok(Item::Links(ExportItem::History { code: code(&line.code)?, entry }))
}

/// Reads any line but the first.
///
/// # Errors
/// Why it cannot be, in words.
pub(super) fn read(text: &[u8]) -> Result<Item, String> {
    let line: Line =
        serde_json::from_slice(text).map_err(|e| e.to_string().replace(" at line 1 column", " at column"))?;
    Ok(match line {
        Line::Article(article) => Item::Links(ExportItem::Article(article.into())),
        Line::Alias(a) => {
            let AliasLine { r#type, site, value, article } = a;
            Item::Links(ExportItem::Alias { kind: r#type, site, value, article: ArticleId(article.into()) })
        }
        Line::Link(link) => Item::Links(link.read()?),
        Line::History(line) => history(line)?,
        Line::Key(line) => key(line)?,
        Line::User(line) => user(line),
        Line::Tally(line) => tally(line)?,
        Line::Stream(line) => Item::Stream(line),
        Line::Audit(line) => audit(line),
        Line::End(line) => Item::End(line.lines),
    })
}
