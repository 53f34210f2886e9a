//! The history of a link or a story as its page shows it: who changed what and when, and the way back.

use askama::Template;

use super::format::Times;
use super::rows::maker;
use crate::domain::link::HistoryEntry;

/// Lines of it, newest first.
#[derive(Template)]
#[template(path = "staff/templates/history.html")]
pub(super) struct History {
    lines: Vec<Line>,
    /// The version that going back is asked on.
    version: u64,
    /// The page that it is on.
    page: String,
}

/// A line of it.
struct Line {
    when: String,
    by: String,
    action: String,
    what: Vec<String>,
    back: Option<Back>,
}

/// How to go back: name and value of what is sent, and what its button says.
pub(super) struct Back {
    pub(super) name: &'static str,
    pub(super) value: u64,
    pub(super) words: &'static str,
}

impl History {
    /// Of these entries; `back` says which of them lead back.
    pub(super) fn new(
        entries: &[HistoryEntry],
        (page, version): (&str, u64),
        times: &Times,
        back: impl Fn(&HistoryEntry) -> Option<Back>,
    ) -> History {
        let lines = entries.iter().map(|entry| Line {
            when: times.long(entry.at),
            by: maker(&entry.by),
            action: entry.action.clone(),
            what: what(entry),
            back: back(entry),
        });
        History { lines: lines.collect(), version, page: page.to_owned() }
    }
}

/// What was changed, each field a line.
pub(super) fn what(entry: &HistoryEntry) -> Vec<String> {
    let shown = entry.changes.iter().filter(|(field, _)| *field != "follows_article");
    let what = shown.map(|(field, change)| {
        let field = field.replace('_', " ");
        match (change.get("from"), change.get("to")) {
            (Some(from), Some(to)) => format!("{field}: {} → {}", said(from), said(to)),
            _ => format!("{field}: {}", said(change)),
        }
    });
    what.collect()
}

fn said(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "nothing".to_owned(),
        Value::Array(items) => items.iter().map(said).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => match fields.get("text") {
            Some(text) => said(text),
            None => value.to_string(),
        },
        Value::Number(number) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_said_in_words() {
        let table = [
            (json!(null), "nothing"),
            (json!(true), "yes"),
            (json!([]), "nothing"),
            (json!(["a", "b"]), "a, b"),
            (json!([{ "at": "x", "text": "push" }]), "push"),
            (json!(302), "302"),
        ];
        for (value, words) in table {
            assert_eq!(said(&value), words);
        }
    }
}
