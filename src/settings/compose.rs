//! The configuration in force: what staff changed, over the defaults and under what the operator gave.
//!
//! Pure, but for the files that a configuration names. Guarantees that what is in force would be a good configuration;
//! a document that cannot be (of another version, or at odds with what was given since) is left out and named, and
//! takes nothing else with it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::table::Setting;
use crate::config::{Config, Invalid};
use crate::links::Channels;
use crate::store::documents::{Document, DocumentKind};

/// What is in force, and what it was made of.
#[derive(Clone, Debug)]
pub struct Composed {
    /// Defaults, file, environment and flags.
    pub base: Config,
    /// The same with what staff changed.
    pub config: Config,
    /// What staff changed.
    pub documents: Vec<Document>,
    /// What of it is not in force because it cannot be.
    pub left_out: Vec<LeftOut>,
}

/// A document that is not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// What it is.
    pub kind: DocumentKind,
    /// Its name.
    pub name: String,
    /// Why it cannot be.
    pub why: String,
}

impl Composed {
    /// Why a document is not in force.
    #[must_use]
    pub fn why_not(&self, kind: DocumentKind, name: &str) -> Option<&str> {
        let left_out = self.left_out.iter().find(|out| out.kind == kind && out.name == name);
        left_out.map(|out| out.why.as_str())
    }

    /// A document as it is kept, in force or not.
    #[must_use]
    pub fn document(&self, kind: DocumentKind, name: &str) -> Option<&Document> {
        self.documents.iter().find(|document| document.kind == kind && document.name == name)
    }
}

/// What channels add, by channel.
pub type Templates = BTreeMap<String, BTreeMap<String, String>>;

/// Puts documents over a configuration.
///
/// # Errors
/// [`Invalid`]: the configuration is not good by itself.
pub fn compose(base: Config, documents: Vec<Document>) -> Result<Composed, Invalid> {
    let mut left_out = vec![];
    let mut config = base.clone();
    config.links.channels.extend(channels(&base, &documents, &mut left_out));
    let mut settings = settings(&base, &documents, &mut left_out);
    settings.sort_by_key(|(document, _)| (document.updated_at, document.name.as_str()));
    if let Some(with_all) = checked(&config, &settings) {
        return Ok(Composed { base, config: with_all, documents, left_out });
    }
    base.check()?;
    // The newest first: it is the likelier to be wrong.
    for at in (0..settings.len()).rev() {
        let mut rest = settings.clone();
        let (out, _) = rest.remove(at);
        if let Some(with_rest) = checked(&config, &rest) {
            left_out.push(LeftOut { why: why(&with_rest, settings[at]), ..named(out) });
            return Ok(Composed { base, config: with_rest, documents, left_out });
        }
    }
    for (document, setting) in settings {
        match checked(&config, &[(document, setting)]) {
            Some(with_it) => config = with_it,
            None => left_out.push(LeftOut { why: why(&config, (document, setting)), ..named(document) }),
        }
    }
    Ok(Composed { base, config, documents, left_out })
}

fn named(document: &Document) -> LeftOut {
    LeftOut { kind: document.kind, name: document.name.clone(), why: String::new() }
}

type Kept<'a> = (&'a Document, &'static Setting);

/// Settings that are the staff's to change here and whose values have the right types.
fn settings<'a>(base: &Config, documents: &'a [Document], left_out: &mut Vec<LeftOut>) -> Vec<Kept<'a>> {
    let mut kept = vec![];
    for document in documents.iter().filter(|document| document.kind == DocumentKind::Setting) {
        let Some(setting) = Setting::find(&document.name) else {
            let why = "this version has no setting of this name".into();
            left_out.push(LeftOut { why, ..named(document) });
            continue;
        };
        if base.explicit.of(setting.name).is_some() {
            continue;
        }
        match setting.set(&mut base.clone(), document.value.clone()) {
            Ok(()) => kept.push((document, setting)),
            Err(misfit) => left_out.push(LeftOut { why: misfit.why, ..named(document) }),
        }
    }
    kept
}

fn channels(base: &Config, documents: &[Document], left_out: &mut Vec<LeftOut>) -> Templates {
    let mut kept = Templates::new();
    for document in documents.iter().filter(|document| document.kind == DocumentKind::Channel) {
        if base.links.channels.contains_key(&document.name) {
            continue;
        }
        let template = template(&document.value).map(|template| (document.name.clone(), template));
        let template = template.and_then(|template| {
            Channels::new(&[template.clone()].into())?;
            Ok(template)
        });
        match template {
            Ok(template) => kept.extend([template]),
            Err(why) => left_out.push(LeftOut { why, ..named(document) }),
        }
    }
    kept
}

/// What a channel's document says.
fn template(value: &Value) -> Result<BTreeMap<String, String>, String> {
    serde_json::from_value(value.clone()).map_err(|e| e.to_string())
}

/// The configuration with these settings; None if it is not good.
fn checked(config: &Config, settings: &[Kept<'_>]) -> Option<Config> {
    if settings.is_empty() { Some(config.clone()) } else { put(config, settings).ok() }
}

fn put(config: &Config, settings: &[Kept<'_>]) -> Result<Config, Invalid> {
    let mut config = config.clone();
    for (document, setting) in settings {
        let wrong = |misfit: super::table::Misfit| Invalid { key: setting.name.into(), why: misfit.why };
        setting.set(&mut config, document.value.clone()).map_err(wrong)?;
    }
    config.check()?;
    Ok(config)
}

/// Why a configuration is not good with this one setting more.
fn why(config: &Config, setting: Kept<'_>) -> String {
    match put(config, &[setting]) {
        Err(Invalid { key, why }) => format!("{key}: {why}"),
        // Only together with others.
        Ok(_) => "it is at odds with other settings".into(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn document(kind: DocumentKind, name: &str, value: Value, second: i64) -> Document {
        let (name, updated_by) = (name.to_owned(), "key:a".to_owned());
        let updated_at = Timestamp::from_second(second).unwrap();
        Document { kind, name, value, version: 1, updated_at, updated_by }
    }

    fn setting(name: &str, value: Value) -> Document {
        document(DocumentKind::Setting, name, value, 1)
    }

    fn base(flags: &[&str]) -> Config {
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Config::load(None, std::iter::empty(), &flags).unwrap()
    }

    fn names(composed: &Composed) -> Vec<&str> {
        composed.left_out.iter().map(|out| out.name.as_str()).collect()
    }

    #[test]
    fn staff_win_over_defaults_and_operators_over_staff() {
        let documents = vec![
            setting("newsroom.name", json!("Post")),
            setting("newsroom.home", json!("https://post.example/")),
            document(DocumentKind::Channel, "x", json!({ "utm_source": "x" }), 1),
        ];
        let composed = compose(base(&["newsroom.home=https://given.example/"]), documents).unwrap();
        assert_eq!(composed.config.newsroom.name, "Post");
        assert_eq!(composed.config.newsroom.home, "https://given.example/");
        assert_eq!(composed.config.links.channels["x"]["utm_source"], "x");
        assert_eq!((composed.base.newsroom.name.as_str(), names(&composed)), ("Slugline", vec![]));
    }

    #[test]
    fn what_cannot_be_is_left_out_alone() {
        let good = setting("links.denied_hosts", json!(["bad.example"]));
        for (wrong, words) in [
            (setting("newsroom.home", json!("javascript:alert(1)")), "newsroom.home: an http(s) address"),
            (setting("newsroom.name", json!(5)), "invalid type"),
            (setting("articles.allowed_hosts", json!(["no host"])), "articles.allowed_hosts"),
            (setting("of.another.version", json!(1)), "no setting of this name"),
            (document(DocumentKind::Channel, "x", json!({ "source": "x" }), 1), "utm_"),
            (document(DocumentKind::Channel, "x", json!([]), 1), "invalid type"),
        ] {
            let name = wrong.name.clone();
            let composed = compose(base(&[]), vec![wrong, good.clone()]).unwrap();
            assert_eq!(composed.config.links.denied_hosts, ["bad.example"], "{name}");
            assert_eq!(names(&composed), [name.as_str()]);
            assert!(composed.left_out[0].why.contains(words), "{:?}", composed.left_out);
            composed.config.check().unwrap();
        }
    }

    #[test]
    fn several_that_cannot_be_are_left_out_one_by_one() {
        let documents = vec![
            setting("newsroom.home", json!("ftp://a.example/")),
            setting("links.fallback_url", json!("nowhere")),
            setting("newsroom.name", json!("Post")),
        ];
        let composed = compose(base(&[]), documents).unwrap();
        assert_eq!(names(&composed), ["links.fallback_url", "newsroom.home"]);
        assert_eq!(composed.config.newsroom.name, "Post");
    }
}
