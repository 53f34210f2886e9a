//! Channels: what each adds to the addresses of links that are made for it.

use askama::Template;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::sent::Sent;
use super::{Frame, Secret, rendered, unknown_action};
use crate::domain::access::Actor;
use crate::domain::error::{Reason, Refusal};
use crate::web::State;
use crate::web::error::Result;

struct Shown {
    /// Which form of the page it is.
    form: String,
    name: String,
    text: String,
    locked: Option<String>,
    problem: Option<String>,
    version: u64,
}

#[derive(Template)]
#[template(path = "staff/templates/settings/channels.html")]
struct Channels<'a> {
    frame: &'a Frame,
    channels: Vec<Shown>,
}

pub(super) async fn body(state: &State, frame: &Frame) -> Result<String> {
    let channels = state.settings.channels().await?.into_iter().zip(1..).map(|(channel, n)| Shown {
        form: format!("channel-{n}"),
        name: channel.name,
        text: channel.parameters.iter().map(|(name, value)| format!("{name}={value}\n")).collect(),
        locked: channel.given.map(|given| format!("{}: {}", given.layer.as_str(), given.place)),
        problem: channel.problem,
        version: channel.kept.map_or(0, |kept| kept.version),
    });
    rendered(&Channels { frame, channels: channels.collect() })
}

/// Lines of name=value.
fn parameters(text: &str) -> std::result::Result<Map<String, Value>, Refusal> {
    let mut parameters = Map::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let wrong = || Refusal::field(Reason::InvalidValue, "parameters", "each line is like utm_source=x");
        let (name, value) = line.split_once('=').ok_or_else(wrong)?;
        parameters.insert(name.trim().to_owned(), Value::from(value.trim()));
    }
    Ok(parameters)
}

pub(super) async fn act(state: &State, actor: &Actor, sent: &Sent, now: Timestamp) -> Result<Option<Secret>> {
    let (name, settings) = (sent.get("name"), &state.settings);
    match sent.get("do") {
        "add" => {
            let parameters = parameters(sent.get("parameters"))?;
            settings.create_channel(name.to_owned(), parameters, &actor.name, now).await.map_err(beside)?;
        }
        "change" => {
            let mut parameters = parameters(sent.get("parameters"))?;
            let there = settings.channels().await?.into_iter().find(|channel| channel.name == name);
            // What is not said any more is taken away.
            for gone in there.iter().flat_map(|channel| channel.parameters.keys()) {
                parameters.entry(gone.clone()).or_insert(Value::Null);
            }
            let seen = sent.number("version")?;
            settings.change_channel(name, parameters, seen, &actor.name, now).await.map_err(beside)?;
        }
        "remove" => settings.remove_channel(name, &actor.name, now).await?,
        _ => return Err(unknown_action().into()),
    }
    Ok(None)
}

/// What is wrong with a parameter stands beside the parameters.
fn beside(error: crate::settings::Error) -> crate::settings::Error {
    match error {
        crate::settings::Error::Refused(mut refusal) => {
            let elsewhere = matches!(refusal.field.as_deref(), Some("name" | "version"));
            if !elsewhere {
                refusal.field = Some("parameters".into());
            }
            crate::settings::Error::Refused(refusal)
        }
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_lines() {
        let read = parameters("utm_source = x\n\n utm_medium=a=b ").unwrap();
        assert_eq!(Value::Object(read), serde_json::json!({ "utm_source": "x", "utm_medium": "a=b" }));
        assert_eq!(parameters("utm_source").unwrap_err().field.as_deref(), Some("parameters"));
    }
}
