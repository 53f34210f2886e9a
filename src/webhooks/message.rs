//! What happened, as a message: JSON for programs, with one plain sentence for people.
//!
//! Guarantees that the same event has the same id on every node, that a message tells no title and no target of a link
//! that is confidential and not open yet, and that [`conceal`] makes it so for one that was written before. Pure.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::domain::link::{Broken, Found, HistoryEntry};
use crate::links::news::{News, What};

/// A link was made.
pub const CREATED: &str = "link.created";
/// A link was changed or retired.
pub const CHANGED: &str = "link.changed";
/// A link's target is not there any more.
pub const BROKEN: &str = "link.broken";
/// A link's target is there again.
pub const MENDED: &str = "link.mended";
/// A link gets many more clicks than a moment ago.
pub const SPIKE: &str = "link.spike";
/// The numbers of the day before, each morning.
pub const DIGEST: &str = "digest";
/// Somebody tries a webhook.
pub const TEST: &str = "test";
/// What a webhook can be told of.
pub const EVENTS: [&str; 6] = [CREATED, CHANGED, BROKEN, MENDED, SPIKE, DIGEST];
/// What one is told of that does not say: what happens to links.
pub const OF_LINKS: [&str; 5] = [CREATED, CHANGED, BROKEN, MENDED, SPIKE];

/// Of a spike, one message in this time, in seconds.
const SPIKE_S: i64 = 3_600;
/// Longest title in a sentence, in characters.
const TITLE: usize = 200;
/// Bytes of an id's hash.
const ID: usize = 16;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The same for the same event, whoever sees it.
    pub id: String,
    /// One of [`EVENTS`], or [`TEST`].
    pub event: &'static str,
    /// The link's code; "" for none.
    pub code: String,
    /// As it is sent.
    pub body: String,
    /// When it happened.
    pub at: Timestamp,
}

/// The event that some news is.
#[must_use]
pub fn event_of(what: &What) -> &'static str {
    match what {
        What::Created => CREATED,
        What::Changed { .. } => CHANGED,
        What::Broken(_) => BROKEN,
        What::Mended(_) => MENDED,
    }
}

/// News of a link.
#[must_use]
pub fn of_news(news: &News, public_url: &str) -> Message {
    let (event, link) = (event_of(&news.what), &news.found.link);
    let mut data = Map::new();
    data.insert("link".into(), link_data(&news.found, public_url, news.at));
    data.insert("by".into(), json!(news.by));
    let mark = match &news.what {
        What::Created => String::new(),
        What::Changed { action, changes } => {
            data.insert("action".into(), json!(action));
            data.insert("changes".into(), Value::Object(changes.clone()));
            link.version.to_string()
        }
        What::Broken(broken) => {
            data.insert("broken".into(), broken_data(broken));
            broken.since.as_millisecond().to_string()
        }
        What::Mended(broken) => {
            data.insert("was_broken".into(), broken_data(broken));
            broken.since.as_millisecond().to_string()
        }
    };
    finish(event, &news.found, &mark, data, news.at)
}

/// A spike of a link.
#[must_use]
pub fn of_spike(found: &Found, clicks: u64, public_url: &str, now: Timestamp) -> Message {
    let mut data = Map::new();
    data.insert("link".into(), link_data(found, public_url, now));
    data.insert("clicks".into(), json!(clicks));
    data.insert("minutes".into(), json!(crate::domain::spike::WINDOW_S / 60));
    finish(SPIKE, found, &now.as_second().div_euclid(SPIKE_S).to_string(), data, now)
}

/// A message that says nothing but that it came; `random` makes its id.
#[must_use]
pub fn of_test(webhook: &str, random: &[u8], by: &str, now: Timestamp) -> Message {
    let data = json!({ "webhook": webhook, "by": by });
    let body =
        json!({ "type": TEST, "timestamp": now.to_string(), "text": sentence(TEST, &data), "data": data });
    Message {
        id: id(&[TEST.as_bytes(), random]),
        event: TEST,
        code: String::new(),
        body: body.to_string(),
        at: now,
    }
}

/// The digest of a period, which is known by this name.
#[must_use]
pub fn of_digest(period: &str, text: String, data: Value, now: Timestamp) -> Message {
    let body = json!({ "type": DIGEST, "timestamp": now.to_string(), "text": text, "data": data });
    Message {
        id: id(&[DIGEST.as_bytes(), period.as_bytes()]),
        event: DIGEST,
        code: String::new(),
        body: body.to_string(),
        at: now,
    }
}

/// A body that tells no more of a link than may be told now, if it is confidential and not open, or was redacted.
#[must_use]
pub fn conceal(event: &str, body: &str, found: &Found, public_url: &str, now: Timestamp) -> Option<String> {
    let redacted = found.link.is_redacted() || found.article.as_ref().is_some_and(|a| a.is_redacted());
    if !redacted && !found.link.is_secret(now) {
        return None;
    }
    let mut body: Value = serde_json::from_str(body).ok()?;
    let data = body.get_mut("data")?.as_object_mut()?;
    data.insert("link".into(), link_data(found, public_url, now));
    hide(data);
    let text = sentence(event, &body["data"]);
    body["text"] = json!(text);
    Some(body.to_string())
}

fn finish(
    event: &'static str,
    found: &Found,
    mark: &str,
    mut data: Map<String, Value>,
    at: Timestamp,
) -> Message {
    if found.link.is_secret(at) {
        hide(&mut data);
    }
    let code = found.link.code.to_string();
    let data = Value::Object(data);
    let text = sentence(event, &data);
    let body = json!({ "type": event, "timestamp": at.to_string(), "text": text, "data": data });
    let id = id(&[event.as_bytes(), code.as_bytes(), mark.as_bytes()]);
    Message { id, event, code, body: body.to_string(), at }
}

/// Leaves out what tells a title, an address, or what staff wrote, besides the link itself.
fn hide(data: &mut Map<String, Value>) {
    if let Some(changes) = data.get_mut("changes").and_then(Value::as_object_mut) {
        for field in HistoryEntry::READABLE {
            if let Some(change) = changes.get_mut(field) {
                *change = Value::Null;
            }
        }
    }
    for field in ["broken", "was_broken"] {
        if let Some(broken) = data.get_mut(field).and_then(Value::as_object_mut) {
            broken.insert("proposal".into(), Value::Null);
        }
    }
}

fn id(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    let hash = hash.finalize();
    hash.iter().take(ID).fold("msg_".to_owned(), |id, byte| format!("{id}{byte:02x}"))
}

fn broken_data(broken: &Broken) -> Value {
    json!({ "since": broken.since, "status": broken.status, "proposal": broken.proposal })
}

/// A link with the API's names, as far as a receiver may know it.
fn link_data(found: &Found, public_url: &str, now: Timestamp) -> Value {
    let link = &found.link;
    let hidden = link.is_secret(now);
    let shown = |text: &Option<String>| text.clone().filter(|_| !hidden);
    let article = found.article.as_deref().filter(|_| !hidden).map(|article| {
        json!({
            "id": article.id.0,
            "cms_id": article.cms_id,
            "url": article.url,
            "title": article.facts.title,
            "section": article.facts.section,
            "authors": article.facts.authors,
            "published_at": article.facts.published_at,
        })
    });
    json!({
        "code": link.code.as_str(),
        "short_url": format!("{public_url}/{}", link.code),
        "target": shown(&link.target),
        "title": shown(&link.title),
        "channel": link.channel,
        "campaign": link.campaign,
        "tags": link.tags,
        "note": shown(&link.note),
        "article": article,
        "status": found.status(now),
        "not_before": link.not_before,
        "expires_at": link.expires_at,
        "redirect_status": link.redirect_status,
        "confidential": link.confidential,
        "created_at": link.created_at,
        "created_by": link.created_by,
        "via": link.via,
        "updated_at": link.updated_at,
        "version": link.version,
    })
}

/// What happened, for people. It follows from the data alone, so it tells nothing that they do not.
fn sentence(event: &str, data: &Value) -> String {
    let link = &data["link"];
    let short = link["short_url"].as_str().unwrap_or_default();
    let title = link["title"].as_str().or(link["article"]["title"].as_str());
    let named = match title {
        Some(title) => format!("{short} (\u{201c}{}\u{201d})", in_a_sentence(title)),
        None => short.to_owned(),
    };
    let by = data["by"].as_str().map(|by| format!(", by {}", in_a_sentence(by))).unwrap_or_default();
    match event {
        CREATED => match link["channel"].as_str() {
            Some(channel) => format!("New short URL for {}: {named}{by}.", in_a_sentence(channel)),
            None => format!("New short URL: {named}{by}."),
        },
        CHANGED if data["action"] == "retired" => format!("{named} was retired{by}."),
        CHANGED => {
            let fields: Vec<&str> = data["changes"]
                .as_object()
                .map(|all| all.keys().map(String::as_str).collect())
                .unwrap_or_default();
            format!("{named} was changed ({}){by}.", fields.join(", "))
        }
        BROKEN => match (data["broken"]["proposal"].as_str(), data["broken"]["status"].as_u64()) {
            (Some(proposal), _) => format!("{named}: its target has moved to {proposal}"),
            (None, Some(status)) => format!("{named} is broken: its target answers {status}."),
            (None, None) => format!("{named} is broken: its target cannot be reached."),
        },
        MENDED => format!("{named} works again."),
        SPIKE => format!("{named}: {} clicks in the last {} minutes.", data["clicks"], data["minutes"]),
        _ => format!(
            "A test message for the webhook \u{201c}{}\u{201d}{by}.",
            in_a_sentence(data["webhook"].as_str().unwrap_or_default())
        ),
    }
}

/// A text of people in a sentence that chat programs show: one line, not too long, and nothing that calls somebody or
/// is a link of theirs.
pub fn in_a_sentence(text: &str) -> String {
    let one = |c: char| match c {
        '<' => '\u{2039}',
        '>' => '\u{203a}',
        '@' => '\u{ff20}',
        c if c.is_control() => ' ',
        c => c,
    };
    let mut chars = text.chars().map(one);
    let mut short: String = chars.by_ref().take(TITLE).collect();
    if chars.next().is_some() {
        short.push('\u{2026}');
    }
    short
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::article::{Article, ArticleFacts};
    use crate::domain::link::Link;
    use crate::store::conformance::{at, blank, claim, code};

    const URL: &str = "https://sl.example";

    fn found(change: impl FnOnce(&mut Link)) -> Found {
        let facts = ArticleFacts { title: Some("The <!channel> river".into()), ..ArticleFacts::default() };
        let article: Article = Article { facts, ..claim("a").story(at(0)) };
        let mut link = Link { code: code("kx7"), ..blank(Some("https://news.example.com/a".into()), at(0)) };
        change(&mut link);
        Found { link: Arc::new(link), article: Some(Arc::new(article)) }
    }

    fn news(what: What, found: Found) -> News {
        News { what, found, by: "key:abc".into(), at: at(0) }
    }

    fn changed(version: u64) -> News {
        let changes =
            json!({ "target": { "from": "https://a.test/secret", "to": "https://b.test/" }, "tags": {} });
        let changes = changes.as_object().cloned().unwrap();
        news(What::Changed { action: "changed".into(), changes }, found(|link| link.version = version))
    }

    fn broken() -> Broken {
        let target = "https://news.example.com/a".into();
        Broken { target, since: at(-5), status: Some(404), proposal: None }
    }

    #[test]
    fn a_message_says_what_happened() {
        let told = |news: News| -> (String, String, Value) {
            let message = of_news(&news, URL);
            let body: Value = serde_json::from_str(&message.body).unwrap();
            assert_eq!(body["type"], message.event);
            assert_eq!(body["timestamp"], "2026-11-22T17:00:00Z");
            (message.event.to_owned(), body["text"].as_str().unwrap().to_owned(), body["data"].clone())
        };
        let (event, text, data) = told(news(What::Created, found(|link| link.channel = Some("x".into()))));
        assert_eq!(event, CREATED);
        assert_eq!(
            text,
            "New short URL for x: https://sl.example/kx7 (\u{201c}The \u{2039}!channel\u{203a} river\u{201d}), by key:abc."
        );
        assert_eq!(data["link"]["target"], "https://news.example.com/a");
        assert_eq!(data["link"]["article"]["title"], "The <!channel> river");
        assert_eq!((&data["link"]["status"], &data["by"]), (&json!("active"), &json!("key:abc")));
        let (event, text, data) = told(changed(2));
        assert!(event == CHANGED && text.contains("was changed (target, tags)"), "{text}");
        assert_eq!(data["changes"]["target"]["to"], "https://b.test/");
        let retired = What::Changed { action: "retired".into(), changes: Map::new() };
        assert!(told(news(retired, found(|_| {}))).1.contains("was retired"));
        let (event, text, _) = told(news(What::Broken(broken()), found(|_| {})));
        assert!(event == BROKEN && text.ends_with("its target answers 404."), "{text}");
        assert!(told(news(What::Mended(broken()), found(|_| {}))).1.ends_with("works again."));
        let spike = of_spike(&found(|_| {}), 120, URL, at(0));
        assert!(spike.body.contains("120 clicks in the last 5 minutes"), "{}", spike.body);
        let test = of_test("chat", b"1", "key:abc", at(0));
        assert!(test.body.contains("A test message for the webhook \u{201c}chat\u{201d}"), "{}", test.body);
    }

    #[test]
    fn the_same_event_has_the_same_id() {
        let created = || of_news(&news(What::Created, found(|_| {})), URL).id;
        assert_eq!(created(), created());
        assert!(created().len() == 36 && created().starts_with("msg_"));
        let ids = [
            created(),
            of_news(&changed(2), URL).id,
            of_news(&changed(3), URL).id,
            of_news(&news(What::Broken(broken()), found(|_| {})), URL).id,
            of_news(&news(What::Mended(broken()), found(|_| {})), URL).id,
            of_spike(&found(|_| {}), 1, URL, at(0)).id,
            of_spike(&found(|_| {}), 1, URL, at(SPIKE_S)).id,
        ];
        let different: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(different.len(), ids.len());
        assert_eq!(
            of_spike(&found(|_| {}), 7, URL, at(59)).id,
            ids[5],
            "another node's finding is the same one"
        );
    }

    #[test]
    fn what_is_confidential_is_not_told() {
        let secret = |link: &mut Link| {
            link.confidential = true;
            link.not_before = Some(at(100));
            link.title = Some("Secret title".into());
            link.note = Some("secret note".into());
        };
        let changes = || json!({ "title": { "from": "old secret", "to": "Secret title" }, "tags": {} });
        let what =
            || What::Changed { action: "changed".into(), changes: changes().as_object().cloned().unwrap() };
        let moved = Broken { proposal: Some("https://secret.test/".into()), ..broken() };
        for what in [What::Created, what(), What::Broken(moved.clone()), What::Mended(moved)] {
            let body = of_news(&news(what, found(secret)), URL).body;
            assert!(!body.to_lowercase().contains("secret"), "{body}");
            assert!(!body.contains("river") && !body.contains("news.example.com"), "{body}");
            assert!(
                body.contains("https://sl.example/kx7") && body.contains("\"status\":\"scheduled\""),
                "{body}"
            );
        }
        // One that was written before it was confidential.
        let open = of_news(&changed(2), URL);
        assert!(open.body.contains("a.test/secret"));
        let left = conceal(open.event, &open.body, &found(secret), URL, at(0)).unwrap();
        assert!(!left.contains("secret") && !left.contains("river") && left.contains("kx7"), "{left}");
        assert_eq!(conceal(open.event, &open.body, &found(|_| {}), URL, at(0)), None);
        assert_eq!(conceal(open.event, &open.body, &found(secret), URL, at(100)), None, "it is open now");
        // One whose story was redacted since.
        let mut gone = found(|_| {});
        gone.link = Arc::new(gone.link.redacted(at(0)));
        gone.article = gone.article.map(|article| Arc::new(article.redacted(at(0))));
        let left = conceal(open.event, &open.body, &gone, URL, at(0)).unwrap();
        assert!(!left.contains("secret") && !left.contains("river") && !left.contains("b.test"), "{left}");
        // Nothing that is blanked in a history is left in a message of it.
        let said =
            HistoryEntry::READABLE.map(|field| (field.to_owned(), json!({ "from": "palace", "to": null })));
        let changes = said.into_iter().chain([("tags".to_owned(), json!({ "to": ["a"] }))]).collect();
        let what = What::Changed { action: "changed".into(), changes };
        let open = of_news(&news(what, found(|_| {})), URL);
        assert!(open.body.contains("palace"));
        for closed in [&gone, &found(secret)] {
            let left = conceal(open.event, &open.body, closed, URL, at(0)).unwrap();
            assert!(!left.contains("palace") && left.contains(r#""expired_url":null"#), "{left}");
            assert!(left.contains(r#""tags":{"to":["a"]}"#), "{left}");
        }
    }
}
