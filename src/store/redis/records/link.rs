//! The record of a folded code: all its links.
//!
//! Guarantees that a link is read as it was written but for the address of its article, which is written with the
//! article alone. Only what is unusual takes room.

use serde::{Deserialize, Serialize};

use super::wire::{Who, WireId, decode, encode, ms, time};
use crate::domain::code::Code;
use crate::domain::link::{Broken, Link, Via};
use crate::store::mirror::Kept;
use crate::store::{Error, Result};

const REDIRECT_STATUS: u16 = 302;

#[derive(Serialize, Deserialize)]
struct WireLink {
    target: WireTarget,
    article: Option<WireId>,
    created_ms: i64,
    created_by: Who,
    via: WireVia,
    parts: Vec<Part>,
}

#[derive(Serialize, Deserialize)]
enum WireTarget {
    /// None yet.
    None,
    /// Its article's address.
    Article,
    /// Another.
    Other(String),
}

#[derive(Serialize, Deserialize)]
enum WireVia {
    Api,
    Page,
    Bookmarklet,
    Button,
    Import,
}

/// What most links do not have. New parts are added at the end.
#[derive(Serialize, Deserialize)]
enum Part {
    CreatedTag([u8; 8]),
    /// The code, if it is not its folded form.
    Code(String),
    Title(String),
    Channel(String),
    Campaign(String),
    Tags(Vec<String>),
    Note(String),
    NotBefore(i64),
    ExpiresAt(i64),
    ExpiredUrl(String),
    Message(String),
    RedirectStatus(u16),
    ForwardQuery,
    Disabled,
    RetiredAt(i64),
    TargetVersion(u32),
    /// Since it was made.
    Changed {
        version: u64,
        updated_ms: i64,
        write_tags: Vec<[u8; 8]>,
    },
    Confidential,
    Broken {
        target: String,
        since_ms: i64,
        status: Option<u16>,
        proposal: Option<String>,
    },
    Added(String),
}

/// The record of these links, oldest first; none is no record.
///
/// # Errors
/// None that links can have.
pub fn write_links(links: &[Kept]) -> Result<Vec<u8>> {
    if links.is_empty() {
        return Ok(vec![]);
    }
    encode(&links.iter().map(wire).collect::<Vec<_>>())
}

/// The links of a record.
///
/// # Errors
/// `Corrupt` for bytes that are no links'.
pub fn read_links(key: &str, raw: &[u8]) -> Result<Vec<Kept>> {
    if raw.is_empty() {
        return Ok(vec![]);
    }
    let wires: Vec<WireLink> = decode("a record of links", raw)?;
    wires.into_iter().map(|wire| kept(key, wire)).collect()
}

fn wire(kept: &Kept) -> WireLink {
    let link = &kept.link;
    WireLink {
        target: match (&link.target, link.follows_article && link.article.is_some()) {
            (_, true) => WireTarget::Article,
            (None, false) => WireTarget::None,
            (Some(url), false) => WireTarget::Other(url.clone()),
        },
        article: link.article.as_ref().map(WireId::new),
        created_ms: ms(link.created_at),
        created_by: Who::new(&link.created_by),
        via: match link.via {
            Via::Api => WireVia::Api,
            Via::Page => WireVia::Page,
            Via::Bookmarklet => WireVia::Bookmarklet,
            Via::Button => WireVia::Button,
            Via::Import => WireVia::Import,
        },
        parts: parts(kept),
    }
}

fn parts(kept: &Kept) -> Vec<Part> {
    let link = &kept.link;
    let text = |value: &Option<String>, part: fn(String) -> Part| value.clone().map(part);
    let is = |holds: bool, part: Part| holds.then_some(part);
    let folded = link.code.key() == link.code.as_str();
    let changed = link.version != 1 || ms(link.updated_at) != ms(link.created_at);
    let parts = [
        kept.created_tag.map(|tag| Part::CreatedTag(tag.to_le_bytes())),
        is(!folded, Part::Code(link.code.to_string())),
        text(&link.title, Part::Title),
        text(&link.channel, Part::Channel),
        text(&link.campaign, Part::Campaign),
        (!link.tags.is_empty()).then(|| Part::Tags(link.tags.clone())),
        text(&link.note, Part::Note),
        link.not_before.map(|at| Part::NotBefore(ms(at))),
        link.expires_at.map(|at| Part::ExpiresAt(ms(at))),
        text(&link.expired_url, Part::ExpiredUrl),
        text(&link.message, Part::Message),
        is(link.redirect_status != REDIRECT_STATUS, Part::RedirectStatus(link.redirect_status)),
        is(link.forward_query, Part::ForwardQuery),
        is(link.disabled, Part::Disabled),
        link.retired_at.map(|at| Part::RetiredAt(ms(at))),
        is(link.target_version != 1, Part::TargetVersion(link.target_version)),
        (changed || !kept.write_tags.is_empty()).then(|| Part::Changed {
            version: link.version,
            updated_ms: ms(link.updated_at),
            write_tags: kept.write_tags.iter().map(|tag| tag.to_le_bytes()).collect(),
        }),
        is(link.confidential, Part::Confidential),
        link.broken.as_ref().map(|broken| Part::Broken {
            target: broken.target.clone(),
            since_ms: ms(broken.since),
            status: broken.status,
            proposal: broken.proposal.clone(),
        }),
        text(&link.added, Part::Added),
    ];
    parts.into_iter().flatten().collect()
}

fn kept(key: &str, wire: WireLink) -> Result<Kept> {
    let created_at = time(wire.created_ms)?;
    let follows_article = matches!(wire.target, WireTarget::Article);
    let link = Link {
        code: code(key)?,
        target: if let WireTarget::Other(url) = wire.target { Some(url) } else { None },
        target_version: 1,
        article: wire.article.map(WireId::id),
        follows_article,
        added: None,
        title: None,
        channel: None,
        campaign: None,
        tags: vec![],
        note: None,
        not_before: None,
        expires_at: None,
        expired_url: None,
        message: None,
        redirect_status: REDIRECT_STATUS,
        forward_query: false,
        confidential: false,
        disabled: false,
        broken: None,
        retired_at: None,
        created_at,
        created_by: wire.created_by.name(),
        via: match wire.via {
            WireVia::Api => Via::Api,
            WireVia::Page => Via::Page,
            WireVia::Bookmarklet => Via::Bookmarklet,
            WireVia::Button => Via::Button,
            WireVia::Import => Via::Import,
        },
        updated_at: created_at,
        version: 1,
    };
    let mut kept = Kept { link, created_tag: None, write_tags: vec![] };
    wire.parts.into_iter().try_for_each(|part| add(&mut kept, part))?;
    Ok(kept)
}

fn add(kept: &mut Kept, part: Part) -> Result<()> {
    let link = &mut kept.link;
    match part {
        Part::CreatedTag(tag) => kept.created_tag = Some(u64::from_le_bytes(tag)),
        Part::Code(text) => link.code = code(&text)?,
        Part::Title(text) => link.title = Some(text),
        Part::Channel(text) => link.channel = Some(text),
        Part::Campaign(text) => link.campaign = Some(text),
        Part::Tags(tags) => link.tags = tags,
        Part::Note(text) => link.note = Some(text),
        Part::NotBefore(at) => link.not_before = Some(time(at)?),
        Part::ExpiresAt(at) => link.expires_at = Some(time(at)?),
        Part::ExpiredUrl(text) => link.expired_url = Some(text),
        Part::Message(text) => link.message = Some(text),
        Part::RedirectStatus(status) => link.redirect_status = status,
        Part::ForwardQuery => link.forward_query = true,
        Part::Disabled => link.disabled = true,
        Part::RetiredAt(at) => link.retired_at = Some(time(at)?),
        Part::TargetVersion(version) => link.target_version = version,
        Part::Confidential => link.confidential = true,
        Part::Added(query) => link.added = Some(query),
        Part::Broken { target, since_ms, status, proposal } => {
            link.broken = Some(Broken { target, since: time(since_ms)?, status, proposal });
        }
        Part::Changed { version, updated_ms, write_tags } => {
            link.version = version;
            link.updated_at = time(updated_ms)?;
            kept.write_tags = write_tags.into_iter().map(u64::from_le_bytes).collect();
        }
    }
    Ok(())
}

fn code(text: &str) -> Result<Code> {
    Code::parse(text).map_err(|_| Error::Corrupt(format!("a link's code is \"{text}\"")))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::article::ArticleId;
    use crate::domain::link::tests::link;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    #[test]
    fn an_ordinary_link_is_small() {
        let plain = Link {
            target: None,
            article: Some(ArticleId("abcdfghjkmnpq".into())),
            created_at: at(1_795_000_000_000),
            updated_at: at(1_795_000_000_000),
            created_by: "key:abcdefghijkl".into(),
            ..link("kx7dw4m")
        };
        let kept = Kept { link: plain, created_tag: Some(u64::MAX), write_tags: vec![] };
        let raw = write_links(std::slice::from_ref(&kept)).unwrap();
        assert!(raw.len() <= 45, "{} bytes", raw.len());
        assert_eq!(read_links("kx7dw4m", &raw).unwrap(), [kept]);
    }

    #[test]
    fn everything_comes_back() {
        let full = Link {
            target: Some("https://elsewhere.example/".into()),
            follows_article: false,
            added: Some("utm_source=x".into()),
            target_version: 3,
            title: Some("t".into()),
            channel: Some(String::new()),
            campaign: Some("c".into()),
            tags: vec!["a".into(), "b".into()],
            note: Some("n".into()),
            not_before: Some(at(-5)),
            expires_at: Some(at(5)),
            expired_url: Some("https://x.example/".into()),
            message: Some("m".into()),
            redirect_status: 308,
            forward_query: true,
            confidential: true,
            disabled: true,
            broken: Some(Broken {
                target: "https://elsewhere.example/".into(),
                since: at(4),
                status: Some(404),
                proposal: Some("https://there.example/".into()),
            }),
            retired_at: Some(at(7)),
            created_by: "cli".into(),
            via: Via::Bookmarklet,
            updated_at: at(9),
            version: 1_000_000,
            ..link("Vote-26")
        };
        let full = Kept { link: full, created_tag: None, write_tags: (1..=8).collect() };
        let reserved = Link { target: None, article: None, follows_article: false, ..link("VOTE-26") };
        let reserved = Kept { link: reserved, created_tag: Some(1), write_tags: vec![] };
        let links = [full, reserved];
        assert_eq!(read_links("vote-26", &write_links(&links).unwrap()).unwrap(), links);
        assert!(write_links(&[]).unwrap().is_empty() && read_links("a", b"").unwrap().is_empty());
    }
}
