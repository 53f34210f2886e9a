//! Channels as staff see them: what each adds to the addresses of links that are made for it.
//!
//! Guarantees that a template is one that the configuration could have. A changed template is for new links; those that
//! are there keep their addresses, because they are shared already. A link may have a channel of which nothing is known.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{Composed, Result, SettingsService, unlocked};
use crate::config::{Given, Layer};
use crate::domain::error::{Reason, Refusal};
use crate::domain::link::MAX_CHANNEL;
use crate::links::Channels;
use crate::links::request::text;
use crate::store::documents::{Document, DocumentKind};

/// Most channels.
pub const MAX_CHANNELS: usize = 200;
/// Most parameters of one, the longest name and value, in characters.
const MAX_PARAMETERS: usize = 10;
const MAX_PARAMETER: usize = 50;
const MAX_PARAMETER_VALUE: usize = 200;
/// What parameters begin with.
const PREFIX: &str = "utm_";

/// A channel.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// What it adds.
    pub parameters: BTreeMap<String, String>,
    /// Where the operator gave it; then it is not the staff's.
    pub given: Option<Given>,
    /// What staff said, in force or not.
    pub kept: Option<Document>,
    /// Why that is not in force, though nobody else gave it.
    pub problem: Option<String>,
}

fn all(now: &Composed) -> BTreeMap<String, Channel> {
    let channel = |name: &str, parameters: BTreeMap<String, String>| Channel {
        name: name.to_owned(),
        parameters,
        given: given(now, name),
        kept: now.document(DocumentKind::Channel, name).cloned(),
        problem: now.why_not(DocumentKind::Channel, name).map(str::to_owned),
    };
    let in_force = now.config.links.channels.iter();
    let mut channels: BTreeMap<String, Channel> =
        in_force.map(|(name, parameters)| (name.clone(), channel(name, parameters.clone()))).collect();
    for out in now.left_out.iter().filter(|out| out.kind == DocumentKind::Channel) {
        channels.entry(out.name.clone()).or_insert_with(|| channel(&out.name, BTreeMap::new()));
    }
    channels
}

/// Where the operator gave a channel.
fn given(now: &Composed, name: &str) -> Option<Given> {
    if !now.base.links.channels.contains_key(name) {
        return None;
    }
    let option = format!("links.channels.{name}");
    let given = now.base.explicit.of(&option).cloned();
    Some(given.unwrap_or(Given { layer: Layer::File, place: option }))
}

fn unknown() -> Refusal {
    Refusal::new(Reason::NotFound, "there is no channel of this name")
}

impl SettingsService {
    /// All channels, by name.
    ///
    /// # Errors
    /// The store's.
    pub async fn channels(&self) -> Result<Vec<Channel>> {
        self.reload().await?;
        Ok(all(&self.now()).into_values().collect())
    }

    fn channel(&self, name: &str) -> Result<Channel> {
        Ok(all(&self.now()).remove(name).ok_or_else(unknown)?)
    }

    /// Makes a channel. `parameters` are as the client gave them.
    ///
    /// # Errors
    /// `missing`, `unknown_field`, `wrong_type`, `invalid_value`, `out_of_range`; `conflict` if it is there.
    pub async fn create_channel(
        &self,
        name: String,
        parameters: serde_json::Map<String, Value>,
        by: &str,
        at: Timestamp,
    ) -> Result<Channel> {
        let missing = || Refusal::field(Reason::Missing, "name", "a channel needs a name");
        let name = text("name", Some(name), MAX_CHANNEL)?.ok_or_else(missing)?;
        let template = changed(BTreeMap::new(), parameters)?;
        self.reload().await?;
        let channels = all(&self.now());
        if channels.contains_key(&name) {
            return Err(there_is_one().into());
        }
        if channels.len() >= MAX_CHANNELS {
            let detail = format!("there are {MAX_CHANNELS} channels already");
            return Err(Refusal::field(Reason::OutOfRange, "name", detail).into());
        }
        match self.keep(&name, template, 0, by, at).await {
            Err(super::Error::Refused(refusal)) if refusal.reason == Reason::Stale => {
                Err(there_is_one().into())
            }
            kept => kept,
        }
    }

    /// Changes what a channel adds; null takes a parameter away. `seen` is the version that was read.
    ///
    /// # Errors
    /// `not_found`, `stale`, `conflict` (locked), and those of a new one.
    pub async fn change_channel(
        &self,
        name: &str,
        parameters: serde_json::Map<String, Value>,
        seen: u64,
        by: &str,
        at: Timestamp,
    ) -> Result<Channel> {
        self.reload().await?;
        let channel = self.channel(name)?;
        unlocked(channel.given.as_ref(), name)?;
        let template = changed(channel.parameters, parameters)?;
        self.keep(name, template, seen, by, at).await
    }

    async fn keep(
        &self,
        name: &str,
        template: BTreeMap<String, String>,
        seen: u64,
        by: &str,
        at: Timestamp,
    ) -> Result<Channel> {
        let too_long = |why| Refusal::new(Reason::OutOfRange, why);
        Channels::new(&[(name.to_owned(), template.clone())].into()).map_err(too_long)?;
        let value = serde_json::to_value(template).unwrap_or_default();
        self.write(DocumentKind::Channel, name, Some(value), Some(seen), by, at).await?;
        self.channel(name)
    }

    /// Removes a channel; again is the same. Its links stay as they are.
    ///
    /// # Errors
    /// `not_found` if there never was one; `conflict` (locked).
    pub async fn remove_channel(&self, name: &str, by: &str, at: Timestamp) -> Result<()> {
        unlocked(given(&self.now(), name).as_ref(), name)?;
        match self.write(DocumentKind::Channel, name, None, None, by, at).await? {
            true => Ok(()),
            false => Err(unknown().into()),
        }
    }
}

fn there_is_one() -> Refusal {
    Refusal::field(Reason::Conflict, "name", "there is a channel of this name")
}

/// A template with these parameters changed.
fn changed(
    mut template: BTreeMap<String, String>,
    parameters: serde_json::Map<String, Value>,
) -> std::result::Result<BTreeMap<String, String>, Refusal> {
    for (name, value) in parameters {
        let refused = |reason, detail: String| Refusal::field(reason, name.clone(), detail);
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if name.len() <= PREFIX.len() || !name.starts_with(PREFIX) || !plain || name.len() > MAX_PARAMETER {
            return Err(refused(
                Reason::UnknownField,
                format!("a channel has parameters that begin with {PREFIX}"),
            ));
        }
        let value = match value {
            Value::Null => String::new(),
            Value::String(value) => value.trim().to_owned(),
            _ => return Err(refused(Reason::WrongType, "a text is expected".into())),
        };
        if value.chars().count() > MAX_PARAMETER_VALUE {
            return Err(refused(Reason::OutOfRange, format!("at most {MAX_PARAMETER_VALUE} characters")));
        }
        if value.chars().any(char::is_control) {
            return Err(refused(Reason::InvalidValue, "control characters are not allowed".into()));
        }
        match value.is_empty() {
            true => drop(template.remove(&name)),
            false => drop(template.insert(name, value)),
        }
    }
    if template.len() > MAX_PARAMETERS {
        return Err(Refusal::new(Reason::OutOfRange, format!("at most {MAX_PARAMETERS} parameters")));
    }
    Ok(template)
}
