//! The options that staff may change, as forms; what the operator gave says where.

use askama::Template;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::sent::Sent;
use super::{Frame, Secret, rendered, unknown_action};
use crate::domain::access::Actor;
use crate::domain::error::{Reason, Refusal};
use crate::settings::table::Shape;
use crate::settings::{Setting, Shown};
use crate::web::State;
use crate::web::error::Result;

/// What people call an option, and what it does.
const WORDS: [(&str, &str, &str); 12] = [
    (
        "articles.allowed_hosts",
        "Hosts of your articles",
        "One in each line, host or host:port. Their pages are read for headline and author, their addresses are cleaned of tracking, and the button works on them.",
    ),
    (
        "articles.sites",
        "Sites",
        "One in each line, as name: host, host. Hosts of one site have the same stories.",
    ),
    (
        "clients.excluded_addresses",
        "Addresses that are never readers",
        "One in each line, like 192.0.2.0/24: your office, your monitoring.",
    ),
    (
        "clients.excluded_agents",
        "Browsers that are never readers",
        "One in each line: a part of what they call themselves.",
    ),
    ("links.creations_per_minute", "Links a person or key may make in a minute", "0 is no limit."),
    ("links.denied_hosts", "Hosts that nobody may link to", "One in each line."),
    ("links.fallback_url", "Where closed links lead", "An address; empty for a notice."),
    (
        "links.only_allowed_hosts",
        "Link only to hosts of your articles",
        "Yes: an address of any other host is refused when a link is made.",
    ),
    ("newsroom.color", "Colour of the readers' pages", "Like #c2341d."),
    ("newsroom.home", "Where the bare address leads", "Your front page; empty for the desk."),
    ("newsroom.language", "Language where nothing else tells", "Like en or de-AT."),
    ("newsroom.name", "Name", "As readers see it."),
];

/// A setting as a form shows it.
struct Field {
    name: &'static str,
    label: &'static str,
    help: &'static str,
    shape: &'static str,
    text: String,
    lines: usize,
    locked: Option<String>,
    problem: Option<String>,
    said: Option<String>,
    version: u64,
}

#[derive(Template)]
#[template(path = "staff/templates/settings/options.html")]
struct Options<'a> {
    frame: &'a Frame,
    fields: Vec<Field>,
}

fn is_of(tab: &str, name: &str) -> bool {
    let hosts = name.starts_with("articles.") || name.starts_with("links.");
    hosts == (tab == "hosts")
}

/// A value as people write it.
fn written(value: &Value) -> String {
    let item = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let items = |value: &Value, by: &str| match value.as_array() {
        Some(items) => items.iter().map(item).collect::<Vec<_>>().join(by),
        None => item(value),
    };
    match value {
        Value::Array(_) => items(value, "\n"),
        Value::Object(groups) => {
            let lines = groups.iter().map(|(name, hosts)| format!("{name}: {}", items(hosts, ", ")));
            lines.collect::<Vec<_>>().join("\n")
        }
        other => item(other),
    }
}

/// What people wrote, as a value of this shape.
fn read(shape: Shape, text: &str) -> std::result::Result<Value, Refusal> {
    let wrong = |detail: &'static str| Refusal::field(Reason::InvalidValue, "value", detail);
    let items = |text: &str, by: &[char]| {
        let items = text.split(by).map(str::trim).filter(|item| !item.is_empty());
        Value::from(items.map(str::to_owned).collect::<Vec<_>>())
    };
    match shape {
        Shape::Text => Ok(Value::from(text)),
        Shape::Switch => Ok(Value::from(text == "true")),
        Shape::Number => {
            text.parse::<u64>().map(Value::from).map_err(|_| wrong("a whole number is expected"))
        }
        Shape::List => Ok(items(text, &['\n', ','])),
        Shape::Groups => {
            let mut groups = Map::new();
            for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
                let parts = line.split_once(':').filter(|(name, _)| !name.trim().is_empty());
                let (name, hosts) = parts.ok_or_else(|| wrong("each line is a name, a colon and hosts"))?;
                groups.insert(name.trim().to_owned(), items(hosts, &[',']));
            }
            Ok(Value::Object(groups))
        }
    }
}

fn field(shown: Shown, frame: &Frame) -> Field {
    let name = shown.setting.name;
    let words = WORDS.into_iter().find(|(its, ..)| *its == name);
    let (_, label, help) = words.unwrap_or((name, name, ""));
    let text = written(&shown.value);
    let said = shown.kept.as_ref().map(|kept| {
        let by = crate::web::staff::rows::maker(&kept.updated_by);
        format!("set by {by}, {}", frame.times.short(kept.updated_at))
    });
    Field {
        name,
        label,
        help,
        shape: shown.setting.shape.as_str(),
        lines: text.lines().count().clamp(2, 12),
        text,
        locked: shown.given.map(|given| format!("{}: {}", given.layer.as_str(), given.place)),
        problem: shown.problem,
        said,
        version: shown.kept.map_or(0, |kept| kept.version),
    }
}

pub(super) async fn body(state: &State, tab: &str, frame: &Frame) -> Result<String> {
    let all = state.settings.list().await?.into_iter().filter(|shown| is_of(tab, shown.setting.name));
    rendered(&Options { frame, fields: all.map(|shown| field(shown, frame)).collect() })
}

pub(super) async fn act(state: &State, actor: &Actor, sent: &Sent, now: Timestamp) -> Result<Option<Secret>> {
    let name = sent.get("form");
    match sent.get("do") {
        "set" => {
            let unknown = || Refusal::field(Reason::UnknownField, "form", "there is no setting of this name");
            let setting = Setting::find(name).ok_or_else(unknown)?;
            let value = read(setting.shape, sent.get("value"))?;
            let seen = sent.number("version")?;
            state.settings.change(name, value, Some(seen), &actor.name, now).await?;
        }
        "default" => state.settings.remove(name, &actor.name, now).await?,
        _ => return Err(unknown_action().into()),
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::SETTINGS;

    #[test]
    fn values_come_back_as_they_were_written() {
        let table = [
            (Shape::Text, json!("Die Post"), "Die Post"),
            (Shape::Switch, json!(true), "true"),
            (Shape::Number, json!(40), "40"),
            (Shape::List, json!(["a.example", "b.example:8443"]), "a.example\nb.example:8443"),
            (
                Shape::Groups,
                json!({ "daily": ["a.example", "b.example"], "x": [] }),
                "daily: a.example, b.example\nx: ",
            ),
        ];
        for (shape, value, text) in table {
            assert_eq!(written(&value), text);
            assert_eq!(read(shape, text).unwrap(), value);
        }
        assert_eq!(read(Shape::List, " a, b \n\n c").unwrap(), json!(["a", "b", "c"]));
        for (shape, text) in [(Shape::Number, "many"), (Shape::Groups, "a.example"), (Shape::Groups, ": a")] {
            assert_eq!(read(shape, text).unwrap_err().field.as_deref(), Some("value"), "{text}");
        }
    }

    #[test]
    fn every_setting_has_words() {
        for (setting, (name, ..)) in SETTINGS.iter().zip(WORDS) {
            assert_eq!(setting.name, name);
        }
    }
}
