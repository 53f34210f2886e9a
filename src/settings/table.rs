//! Which options staff may change while the service runs: one table, with what each is and how it gets into a
//! [`Config`].
//!
//! What is not in it (listeners, store, data, journal, secrets, `public_url`, proxies, the time zone, which belongs to the
//! dataset) is the operator's alone. What a value must be is said by `Config::check` and nowhere else.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::Config;

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A text.
    Text,
    /// true or false.
    Switch,
    /// A whole number.
    Number,
    /// A list of texts.
    List,
    /// Lists of texts, by name.
    Groups,
}

impl Shape {
    /// In a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Shape::Text => "text",
            Shape::Switch => "switch",
            Shape::Number => "number",
            Shape::List => "list",
            Shape::Groups => "groups",
        }
    }
}

/// An option that staff may change.
#[derive(Debug)]
pub struct Setting {
    /// Its name in the configuration.
    pub name: &'static str,
    /// What its value looks like.
    pub shape: Shape,
    get: fn(&Config) -> Value,
    set: fn(&mut Config, Value) -> Result<(), Misfit>,
}

/// A value that is not of an option's type.
#[derive(Debug)]
pub struct Misfit {
    /// Where in it, like `[2]`; "" for all of it.
    pub at: String,
    /// What is wrong.
    pub why: String,
    /// It is another kind of JSON, not only a text that cannot be.
    pub other_type: bool,
}

macro_rules! setting {
    ($section:ident.$field:ident, $shape:ident) => {
        Setting {
            name: concat!(stringify!($section), ".", stringify!($field)),
            shape: Shape::$shape,
            get: |config| serde_json::to_value(&config.$section.$field).unwrap_or_default(),
            set: |config, value| {
                config.$section.$field = read(value)?;
                Ok(())
            },
        }
    };
}

/// All of them. Each takes effect where the configuration's own value does, through `app::effects`.
pub static SETTINGS: [Setting; 12] = [
    setting!(articles.allowed_hosts, List),
    setting!(articles.sites, Groups),
    setting!(clients.excluded_addresses, List),
    setting!(clients.excluded_agents, List),
    setting!(links.creations_per_minute, Number),
    setting!(links.denied_hosts, List),
    setting!(links.fallback_url, Text),
    setting!(links.only_allowed_hosts, Switch),
    setting!(newsroom.color, Text),
    setting!(newsroom.home, Text),
    setting!(newsroom.language, Text),
    setting!(newsroom.name, Text),
];

impl Setting {
    /// The one of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Its value in a configuration.
    #[must_use]
    pub fn get(&self, config: &Config) -> Value {
        (self.get)(config)
    }

    /// Puts a value into a configuration, which is not checked by that.
    ///
    /// # Errors
    /// [`Misfit`]; then nothing changed.
    pub fn set(&self, config: &mut Config, value: Value) -> Result<(), Misfit> {
        (self.set)(config, value)
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, Misfit> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let at = match path.as_str() {
            "." => String::new(),
            path if path.starts_with('[') => path.to_owned(),
            path => format!(".{path}"),
        };
        let why: String =
            error.into_inner().to_string().chars().filter(|c| !c.is_control()).take(200).collect();
        Misfit { at, other_type: why.starts_with("invalid type"), why }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_put_in_comes_out() {
        let values = [
            json!(["www.daily.example", "daily.example:8443"]),
            json!({ "daily": ["www.daily.example"], "other": [] }),
            json!(["192.0.2.0/24"]),
            json!(["probe"]),
            json!(40),
            json!(["bad.example"]),
            json!("https://daily.example/gone"),
            json!(true),
            json!("#0a5c8f"),
            json!("https://daily.example/"),
            json!("de-AT"),
            json!("Die Post"),
        ];
        let defaults = Config::defaults().unwrap();
        let mut config = defaults.clone();
        for (setting, value) in SETTINGS.iter().zip(values) {
            assert_ne!(setting.get(&defaults), value, "{}", setting.name);
            setting.set(&mut config, value.clone()).unwrap();
            assert_eq!(setting.get(&config), value, "{}", setting.name);
            assert!(std::ptr::eq(Setting::find(setting.name).unwrap(), setting));
        }
        config.check().unwrap();
        let names: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
        assert!(names.is_sorted(), "in the order in which they are shown");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let mut config = Config::defaults().unwrap();
        let table = [
            ("articles.allowed_hosts", json!("a.example"), "", true),
            ("articles.allowed_hosts", json!(["a.example", 5]), "[1]", true),
            ("articles.sites", json!({ "daily": [null] }), ".daily[0]", true),
            ("clients.excluded_addresses", json!(["everyone"]), "[0]", false),
            ("links.creations_per_minute", json!(-1), "", false),
            ("links.creations_per_minute", json!("5"), "", true),
            ("links.only_allowed_hosts", json!(null), "", true),
        ];
        for (name, value, at, other_type) in table {
            let misfit = Setting::find(name).unwrap().set(&mut config, value).unwrap_err();
            assert_eq!((misfit.at.as_str(), misfit.other_type), (at, other_type), "{name}: {misfit:?}");
        }
        for name in ["server.public_url", "store.redis.password", "newsroom.timezone", "newsroom", ""] {
            assert!(Setting::find(name).is_none(), "{name}");
        }
    }
}
