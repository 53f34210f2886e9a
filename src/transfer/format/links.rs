//! Lines about links: articles, their aliases, links, and their history.
//!
//! Guarantees nothing but that each field is there and read back. Knows neither files nor stores.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Item, Line};
use crate::domain::article::{Article, ArticleFacts, ArticleId, Fact, Note, PageState, Said};
use crate::domain::code::Code;
use crate::domain::link::{Broken, HistoryEntry, Link, Via};
use crate::store::links::ExportItem;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::transfer) struct ArticleLine {
    id: String,
    cms_id: Option<String>,
    url: String,
    /// The spelling that readers are led to; without it, `url`.
    address: Option<String>,
    site: String,
    title: Option<String>,
    description: Option<String>,
    section: Option<String>,
    #[serde(default)]
    authors: Vec<String>,
    published_at: Option<Timestamp>,
    modified_at: Option<Timestamp>,
    image: Option<String>,
    language: Option<String>,
    /// The facts that the CMS or staff said; without it, all that are known.
    said: Option<Vec<String>>,
    #[serde(default)]
    withdrawn: bool,
    replacement_url: Option<String>,
    message: Option<String>,
    merged_into: Option<String>,
    #[serde(default)]
    read: PageState,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<Note>,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::transfer) struct AliasLine {
    /// `url` or `cms_id`.
    r#type: String,
    #[serde(default)]
    site: String,
    value: String,
    article: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::transfer) struct LinkLine {
    code: String,
    target: Option<String>,
    target_version: u32,
    article: Option<String>,
    follows_article: bool,
    added: Option<String>,
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
    confidential: bool,
    #[serde(default)]
    disabled: bool,
    broken: Option<Broken>,
    retired_at: Option<Timestamp>,
    created_at: Timestamp,
    created_by: String,
    via: Via,
    updated_at: Timestamp,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::transfer) struct HistoryLine {
    /// Whose: a link's, or an article's.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    article: Option<String>,
    version: u64,
    at: Timestamp,
    by: String,
    action: String,
    changes: serde_json::Map<String, serde_json::Value>,
}

impl From<&Article> for ArticleLine {
    fn from(a: &Article) -> ArticleLine {
        let facts = a.facts.clone();
        ArticleLine {
            id: a.id.0.to_string(),
            cms_id: a.cms_id.clone(),
            url: a.url.clone(),
            address: a.address.clone(),
            site: a.site.clone(),
            title: facts.title,
            description: facts.description,
            section: facts.section,
            authors: facts.authors,
            published_at: facts.published_at,
            modified_at: facts.modified_at,
            image: facts.image,
            language: facts.language,
            said: Some(a.said.facts().map(|fact| fact.as_str().to_owned()).collect()),
            withdrawn: a.withdrawn,
            replacement_url: a.replacement_url.clone(),
            message: a.message.clone(),
            merged_into: a.merged_into.as_ref().map(|id| id.0.to_string()),
            read: a.read,
            notes: a.notes.clone(),
            created_at: a.created_at,
            updated_at: a.updated_at,
            version: a.version,
        }
    }
}

impl ArticleLine {
    pub(super) fn read(self) -> Result<Article, String> {
        let facts = ArticleFacts {
            title: self.title,
            description: self.description,
            section: self.section,
            authors: self.authors,
            published_at: self.published_at,
            modified_at: self.modified_at,
            image: self.image,
            language: self.language,
        };
        let fact = |name: &String| Fact::from_name(name).ok_or_else(|| format!("\"{name}\" is no fact"));
        let said = match &self.said {
            None => Said::known(&facts),
            Some(names) => names.iter().map(fact).collect::<Result<Said, String>>()?,
        };
        let new = Article::new(ArticleId(self.id.into()), self.url, self.site, self.created_at);
        Ok(Article {
            cms_id: self.cms_id,
            address: self.address,
            facts,
            said,
            withdrawn: self.withdrawn,
            replacement_url: self.replacement_url,
            message: self.message,
            merged_into: self.merged_into.map(|id| ArticleId(id.into())),
            read: self.read,
            notes: self.notes,
            updated_at: self.updated_at,
            version: self.version,
            ..new
        })
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
            added: l.added,
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
            confidential: l.confidential,
            disabled: l.disabled,
            broken: l.broken,
            retired_at: l.retired_at,
            created_at: l.created_at,
            created_by: l.created_by,
            via: l.via,
            updated_at: l.updated_at,
            version: l.version,
        }
    }

    pub(super) fn read(self) -> Result<ExportItem, String> {
        let link = Link {
            code: code(&self.code)?,
            target: self.target,
            target_version: self.target_version,
            article: self.article.map(|a| ArticleId(a.into())),
            follows_article: self.follows_article,
            added: self.added,
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
            confidential: self.confidential,
            disabled: self.disabled,
            broken: self.broken,
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
pub(in crate::transfer) fn link_line(item: &ExportItem) -> Line {
    match item {
        ExportItem::Article(article) => Line::Article(Box::new(article.into())),
        ExportItem::Alias { kind, site, value, article } => Line::Alias(AliasLine {
            r#type: kind.clone(),
            site: site.clone(),
            value: value.clone(),
            article: article.0.to_string(),
        }),
        ExportItem::Link { link, holds_slot } => Line::Link(Box::new(LinkLine::new(link, *holds_slot))),
        ExportItem::History { code, entry } => {
            Line::History(HistoryLine { code: Some(code.to_string()), ..history_line(entry) })
        }
        ExportItem::ArticleHistory { article, entry } => {
            Line::History(HistoryLine { article: Some(article.0.to_string()), ..history_line(entry) })
        }
    }
}

fn history_line(entry: &HistoryEntry) -> HistoryLine {
    HistoryLine {
        code: None,
        article: None,
        version: entry.version,
        at: entry.at,
        by: entry.by.clone(),
        action: entry.action.clone(),
        changes: entry.changes.clone(),
    }
}

pub(super) fn history(line: HistoryLine) -> Result<Item, String> {
    let entry = HistoryEntry {
        version: line.version,
        at: line.at,
        by: line.by,
        action: line.action,
        changes: line.changes,
    };
    Ok(Item::Links(match (line.code, line.article) {
        (Some(text), None) => ExportItem::History { code: code(&text)?, entry },
        (None, Some(id)) => ExportItem::ArticleHistory { article: ArticleId(id.into()), entry },
        _ => return Err("a line of history has a code or an article".into()),
    }))
}

pub(super) fn alias(line: AliasLine) -> Item {
    let AliasLine { r#type, site, value, article } = line;
    Item::Links(ExportItem::Alias { kind: r#type, site, value, article: ArticleId(article.into()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::article::PageOutcome;
    use crate::domain::link::tests::link;
    use crate::transfer::format::read;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn story() -> Article {
        let id = ArticleId("a1".into());
        Article::new(id, "https://a.example/".into(), "a.example".into(), at(1))
    }

    /// What a line of this item is read as.
    fn again(item: &ExportItem) -> ExportItem {
        let text = serde_json::to_vec(&link_line(item)).unwrap();
        match read(&text).unwrap() {
            Item::Links(item) => item,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_storys_life_comes_back() {
        let mut full = story();
        full.facts.title = Some("t".into());
        full.facts.description = Some("d".into());
        full.facts.modified_at = Some(at(2));
        full.said = [Fact::Image, Fact::Title].into_iter().collect();
        (full.withdrawn, full.message) = (true, Some("m".into()));
        full.replacement_url = Some("https://b.example/".into());
        full.merged_into = Some(ArticleId("a0".into()));
        full.note(&[Note { at: at(1), text: "push".into(), by: "user:Ana".into() }]);
        full.read =
            PageState { outcome: PageOutcome::NotReadable, at: Some(at(3)), failures: 2, due: Some(at(4)) };
        let broken = Broken {
            target: "https://news.example.com/a".into(),
            since: at(5),
            status: None,
            proposal: Some("https://c.example/".into()),
        };
        let closed = Link { confidential: true, broken: Some(broken), ..link("kx7dw4m") };
        let line = HistoryEntry::redaction(3, "user:maria", at(6));
        for item in [
            ExportItem::Article(full),
            ExportItem::Article(story()),
            ExportItem::Link { link: closed, holds_slot: true },
            ExportItem::ArticleHistory { article: ArticleId("a1".into()), entry: line.clone() },
            ExportItem::History { code: Code::parse("kx7dw4m").unwrap(), entry: line },
        ] {
            assert_eq!(again(&item), item);
        }
    }

    const OLD: &str = r#"{"kind":"article","id":"a1","url":"https://a.example/","site":"a.example","title":"t",
        "authors":["Ann"],"created_at":"2026-11-22T17:00:00Z","updated_at":"2026-11-22T17:00:00Z","version":1"#;

    /// Lines of before this was told apart: only the CMS and staff said anything.
    #[test]
    fn a_line_without_the_new_fields_is_what_it_was() {
        let Item::Links(ExportItem::Article(article)) = read(format!("{OLD}}}").as_bytes()).unwrap() else {
            panic!("no article")
        };
        assert_eq!(article.said, [Fact::Title, Fact::Authors].into_iter().collect());
        let new =
            Article::new(article.id.clone(), article.url.clone(), article.site.clone(), article.created_at);
        assert_eq!(Article { facts: article.facts.clone(), said: article.said, ..new }, article);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for more in [r#","said":["weather"]"#, r#","weather":1"#, r#","read":{"outcome":"wet","failures":0}"#]
        {
            assert!(read(format!("{OLD}{more}}}").as_bytes()).is_err(), "{more}");
        }
        let line = |whose: &str| {
            format!(
                r#"{{"kind":"history",{whose}"version":1,"at":"2026-11-22T17:00:00Z","by":"b","action":"a","changes":{{}}}}"#
            )
        };
        assert!(read(line(r#""code":"a","#).as_bytes()).is_ok());
        assert!(read(line(r#""article":"a","#).as_bytes()).is_ok());
        for whose in ["", r#""code":"a","article":"b","#] {
            assert!(read(line(whose).as_bytes()).is_err(), "{whose}");
        }
    }
}
