//! Which options were given, and where: what staff change must not win over them.
//!
//! Guarantees that an option is known by its full name, also where a whole table was given. Knows no values.

use std::collections::BTreeMap;

use toml::{Table, Value};

/// The layer that says it; a later one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The file of `--config`.
    File,
    /// A variable.
    Environment,
    /// `--set`.
    Flag,
}

impl Layer {
    /// In a word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Layer::File => "file",
            Layer::Environment => "environment",
            Layer::Flag => "flag",
        }
    }
}

/// Where an option was given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Given {
    /// The layer.
    pub layer: Layer,
    /// The file's path, the variable's name, or the flag.
    pub place: String,
}

/// All options that were given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explicit(BTreeMap<String, Given>);

impl Explicit {
    /// An option was given.
    pub fn note(&mut self, option: &str, layer: Layer, place: &str) {
        self.0.insert(option.to_owned(), Given { layer, place: place.to_owned() });
    }

    /// A table was given in a file.
    pub fn note_table(&mut self, table: &Table, place: &str) {
        self.note_below("", table, place);
    }

    fn note_below(&mut self, above: &str, table: &Table, place: &str) {
        for (key, value) in table {
            let option = format!("{above}{key}");
            match value {
                Value::Table(table) if !table.is_empty() => {
                    self.note_below(&format!("{option}."), table, place);
                }
                _ => self.note(&option, Layer::File, place),
            }
        }
    }

    /// Where an option, or something in it, was given; of several places the one that wins.
    #[must_use]
    pub fn of(&self, option: &str) -> Option<&Given> {
        let below = |name: &str| {
            name.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let from = self.0.range(option.to_owned()..).take_while(|(name, _)| name.starts_with(option));
        from.filter(|(name, _)| below(name)).map(|(_, given)| given).max_by_key(|given| given.layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_known_by_its_name_and_by_what_is_in_it() {
        let mut explicit = Explicit::default();
        let table = "[articles]\nallowed_hosts = []\n[articles.sites]\na = ['a.example']\n[links.channels.x]\nutm_source = 'x'\n[links.channels.print]";
        explicit.note_table(&table.parse().unwrap(), "/etc/s.toml");
        explicit.note("articles.sites.b", Layer::Environment, "SLUGLINE__ARTICLES__SITES__B");
        explicit.note("articles.allowed_hosts_more", Layer::Flag, "x");
        let of = |option| explicit.of(option).map(|given| (given.layer, given.place.as_str()));
        assert_eq!(of("articles.allowed_hosts"), Some((Layer::File, "/etc/s.toml")));
        assert_eq!(of("articles.sites"), Some((Layer::Environment, "SLUGLINE__ARTICLES__SITES__B")));
        assert_eq!(of("links.channels.x"), Some((Layer::File, "/etc/s.toml")));
        assert_eq!(of("links.channels.print"), Some((Layer::File, "/etc/s.toml")));
        assert_eq!(
            (of("links.channels.y"), of("articles.fetch"), of("articles.allowed")),
            (None, None, None)
        );
    }
}
