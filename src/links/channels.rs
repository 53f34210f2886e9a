//! What channels add to the targets of their links: each its own `utm_*` parameters.
//!
//! Pure. Guarantees that what is added is a query that needs no escaping any more.

use std::collections::BTreeMap;

use url::form_urlencoded::Serializer;

/// Most characters of a channel's template.
const MAX_TEMPLATE: usize = 1_000;

/// `[links.channels.NAME]`: parameters and their values.
pub type Settings = BTreeMap<String, BTreeMap<String, String>>;

/// What each channel adds.
#[derive(Clone, Debug, Default)]
pub struct Channels(BTreeMap<String, String>);

impl Channels {
    /// From what the operator wrote.
    ///
    /// # Errors
    /// Why that cannot be.
    pub fn new(settings: &Settings) -> Result<Channels, String> {
        let mut channels = BTreeMap::new();
        for (channel, parameters) in settings {
            if let Some(name) = parameters.keys().find(|name| !name.starts_with("utm_")) {
                return Err(format!("{channel}: \"{name}\" does not begin with utm_"));
            }
            let mut query = Serializer::new(String::new());
            query.extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()));
            let query = query.finish();
            if query.len() > MAX_TEMPLATE {
                return Err(format!("{channel}: at most {MAX_TEMPLATE} characters"));
            }
            channels.insert(channel.clone(), query);
        }
        Ok(Channels(channels))
    }

    /// Their names, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// What a channel adds, as a query; None for nothing.
    #[must_use]
    pub fn query(&self, channel: &str) -> Option<String> {
        self.0.get(channel).filter(|query| !query.is_empty()).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_channels_add() {
        let settings: Settings =
            toml::from_str("[x]\nutm_source = 'x & co'\nutm_medium = 'social'\n[print]\nutm_source = ''")
                .unwrap();
        let channels = Channels::new(&settings).unwrap();
        assert_eq!(channels.query("x").as_deref(), Some("utm_medium=social&utm_source=x+%26+co"));
        assert_eq!((channels.query("print"), channels.query("y")), (None, None));
        let wrong: Settings = toml::from_str("[x]\nsource = 'x'").unwrap();
        assert!(Channels::new(&wrong).unwrap_err().contains("utm_"));
    }
}
