//! What happened to a story or a link, as it stands at the foot of a chart. Pure.
//!
//! Guarantees that marks are few: what staff noted all of, of anything else only what readers could have noticed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::article::Article;
use crate::domain::link::{Found, HistoryEntry, Link};

/// When, and what in a few words.
pub(super) type Marks = Vec<(Timestamp, String)>;

/// Most marks of what happened by itself, the first ones.
const MOST: usize = 20;

/// What happened to a story, without its notes.
pub(super) fn of_story(
    article: &Article,
    links: &[Found],
    history: &[HistoryEntry],
    now: Timestamp,
) -> Marks {
    let mut marks: Marks =
        article.facts.published_at.map(|at| (at, "published".into())).into_iter().collect();
    let mut channels = BTreeSet::new();
    for link in links.iter().map(|found| &found.link) {
        marks.extend(opened(link, now));
        if let Some(channel) = link.channel.as_ref().filter(|channel| channels.insert((*channel).clone())) {
            marks.push((link.created_at, format!("first on {channel}")));
        }
    }
    marks.extend(history.iter().filter_map(of_story_line));
    marks.extend(corrected(article, now));
    finished(marks)
}

/// What happened to a link, without the notes of its story.
pub(super) fn of_link(found: &Found, history: &[HistoryEntry], now: Timestamp) -> Marks {
    let mut marks: Marks = history.iter().filter_map(of_link_line).collect();
    marks.extend(opened(&found.link, now));
    let published = found.article.as_ref().and_then(|article| article.facts.published_at);
    marks.extend(published.map(|at| (at, "published".into())));
    marks.extend(found.article.iter().filter_map(|article| corrected(article, now)));
    finished(marks)
}

/// What its page says of a change after it was published.
fn corrected(article: &Article, now: Timestamp) -> Option<(Timestamp, String)> {
    let facts = &article.facts;
    let at = facts.modified_at.filter(|at| facts.published_at.is_some_and(|published| published < *at))?;
    (at <= now).then(|| (at, "corrected".into()))
}

/// What staff noted.
pub(super) fn noted(article: &Article) -> Marks {
    article.notes.iter().map(|note| (note.at, note.text.clone())).collect()
}

fn finished(mut marks: Marks) -> Marks {
    marks.sort();
    marks.dedup();
    marks.truncate(MOST);
    marks
}

/// The end of an embargo.
fn opened(link: &Link, now: Timestamp) -> Option<(Timestamp, String)> {
    let at = link.not_before.filter(|at| *at <= now)?;
    Some((at, "embargo lifted".into()))
}

fn of_story_line(entry: &HistoryEntry) -> Option<(Timestamp, String)> {
    let to = |field: &str| entry.changes.get(field).and_then(|change| change.get("to"));
    let was = |field: &str| {
        entry.changes.get(field).and_then(|change| change.get("from")).is_some_and(|from| !from.is_null())
    };
    let what = if entry.action == HistoryEntry::CREATED {
        return None;
    } else if let Some(withdrawn) = to("withdrawn") {
        if *withdrawn == Value::Bool(true) { "withdrawn" } else { "put back" }
    } else if to("url").is_some() {
        "moved"
    } else if was("title") {
        "headline changed"
    } else {
        return None;
    };
    Some((entry.at, what.into()))
}

fn of_link_line(entry: &HistoryEntry) -> Option<(Timestamp, String)> {
    let to = |field: &str| entry.changes.get(field).and_then(|change| change.get("to"));
    let what = if entry.action == HistoryEntry::CREATED {
        return None;
    } else if to("target").is_some() {
        "led elsewhere"
    } else if let Some(disabled) = to("disabled") {
        if *disabled == Value::Bool(true) { "switched off" } else { "switched on" }
    } else {
        return None;
    };
    Some((entry.at, what.into()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::domain::article::{ArticleId, Note};
    use crate::domain::link::tests::link;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn story() -> Article {
        let id = ArticleId("a1".into());
        let mut story = Article::new(id, "https://a.example/".into(), "a.example".into(), at(0));
        story.facts.published_at = Some(at(10));
        story.note(&[Note { at: at(5), text: "push 09:05".into(), by: "user:Ana".into() }]);
        story
    }

    fn line(second: i64, changes: Value) -> HistoryEntry {
        let Value::Object(changes) = changes else { panic!("{changes}") };
        HistoryEntry { version: 2, at: at(second), by: "user:Ana".into(), action: "changed".into(), changes }
    }

    #[test]
    fn what_readers_noticed_and_what_staff_noted() {
        let on = |channel: &str, made: i64, opens: Option<i64>| Found {
            link: Arc::new(Link {
                channel: Some(channel.into()),
                created_at: at(made),
                not_before: opens.map(at),
                ..link("a")
            }),
            article: None,
        };
        let links = [on("x", 20, None), on("x", 30, None), on("push", 40, Some(50)), on("y", 60, Some(900))];
        let history = [
            line(70, json!({ "title": { "from": "a", "to": "b" } })),
            line(71, json!({ "title": { "from": null, "to": "b" } })),
            line(72, json!({ "url": { "from": "a", "to": "b" } })),
            line(73, json!({ "withdrawn": { "from": false, "to": true } })),
            line(74, json!({ "section": { "from": "a", "to": "b" } })),
        ];
        let marks = of_story(&story(), &links, &history, at(100));
        let said: Vec<(i64, &str)> = marks.iter().map(|(at, text)| (at.as_second(), text.as_str())).collect();
        let all = [
            (10, "published"),
            (20, "first on x"),
            (40, "first on push"),
            (50, "embargo lifted"),
            (60, "first on y"),
            (70, "headline changed"),
            (72, "moved"),
            (73, "withdrawn"),
        ];
        assert_eq!(said, all);
        assert_eq!(noted(&story()), [(at(5), "push 09:05".to_owned())]);
    }

    #[test]
    fn what_changed_after_it_was_published_is_a_correction() {
        let said = |modified: i64| {
            let mut story = story();
            story.facts.modified_at = Some(at(modified));
            of_story(&story, &[], &[], at(100)).iter().any(|(_, text)| text == "corrected")
        };
        assert_eq!([10, 11, 100, 101].map(said), [false, true, true, false]);
    }

    #[test]
    fn what_happened_to_a_link() {
        let found = Found { link: Arc::new(link("a")), article: Some(Arc::new(story())) };
        let history = [
            line(30, json!({ "target": { "from": "a", "to": "b" } })),
            line(31, json!({ "disabled": { "from": false, "to": true } })),
            line(32, json!({ "note": { "from": "a", "to": "b" } })),
        ];
        let marks = of_link(&found, &history, at(100));
        let said: Vec<&str> = marks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(said, ["published", "led elsewhere", "switched off"]);
    }
}
