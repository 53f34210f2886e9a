//! The tables that classification reads: compiled in, with an operator's over them.
//!
//! Guarantees that a table is checked whole before it is used, that an error names the entry at fault, and that a
//! table never changes: a new one takes its place. Reads no files.

use std::collections::BTreeMap;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use serde::Deserialize;

use super::names::keep;
use super::params::ParamTable;
use super::source::SourceTable;

const AGENTS: &str = include_str!("../../../config/lists/agents.toml");
pub(super) const SOURCES: &str = include_str!("../../../config/lists/sources.toml");

/// What an operator adds to the compiled-in tables.
#[derive(Clone, Debug, Default)]
pub struct Additions {
    /// A text in the form of `agents.toml`.
    pub agents: Option<String>,
    /// A text in the form of `sources.toml`.
    pub sources: Option<String>,
    /// Parts of agents that are never people, in any case.
    pub excluded_agents: Vec<String>,
    /// The newsroom's own hosts, with all below them.
    pub own_hosts: Vec<String>,
}

/// Which of an operator's tables cannot be used, and why.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTable {
    /// `Additions::agents`.
    #[error("{0}")]
    Agents(String),
    /// `Additions::sources`.
    #[error("{0}")]
    Sources(String),
}

/// All tables.
#[derive(Debug)]
pub struct Tables {
    pub(super) agents: AgentTable,
    pub(super) sources: SourceTable,
    params: Arc<ParamTable>,
    /// Lower case, with how the operator wrote it.
    pub(super) excluded: Vec<(String, Arc<str>)>,
}

impl Tables {
    /// The compiled-in tables with an operator's over them.
    ///
    /// # Errors
    /// Which text is at fault, and where.
    pub fn new(additions: &Additions) -> Result<Tables, BadTable> {
        let own = additions.agents.as_deref().map(AgentFile::read).transpose().map_err(BadTable::Agents)?;
        let builtin = AgentFile::read(AGENTS).map_err(BadTable::Agents)?;
        let files = own.into_iter().chain([builtin]);
        let agents = AgentTable::new(files).map_err(BadTable::Agents)?;
        let texts: Vec<&str> = additions.sources.as_deref().into_iter().chain([SOURCES]).collect();
        let (sources, params) =
            super::source::load(&texts, &additions.own_hosts).map_err(BadTable::Sources)?;
        let excluded = additions.excluded_agents.iter().filter(|part| !part.trim().is_empty());
        let excluded = excluded.map(|part| (part.to_ascii_lowercase(), Arc::from(part.as_str()))).collect();
        Ok(Tables { agents, sources, params: Arc::new(params), excluded })
    }

    /// Tables that know nothing.
    pub(super) fn empty() -> Tables {
        let agents = AgentTable {
            apps: vec![],
            automatic: vec![],
            browsers: vec![],
            packages: BTreeMap::new(),
            tokens: vec![],
            finder: None,
        };
        Tables { agents, sources: SourceTable::default(), params: Arc::default(), excluded: vec![] }
    }

    /// Which parameters matter, for the request path.
    #[must_use]
    pub fn params(&self) -> &Arc<ParamTable> {
        &self.params
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AgentFile {
    #[serde(rename = "dated")]
    _dated: String,
    apps: Vec<Vec<String>>,
    previews: Vec<Vec<String>>,
    browsers: Vec<Vec<String>>,
    bots: BTreeMap<String, Vec<Vec<String>>>,
}

impl AgentFile {
    fn read(text: &str) -> Result<AgentFile, String> {
        toml::from_str(text).map_err(|e| e.to_string().trim_end().to_owned())
    }
}

/// An in-app browser.
#[derive(Debug)]
pub(super) struct App {
    pub(super) name: Arc<str>,
    /// A name of the sources; "" for none.
    pub(super) source: Arc<str>,
}

/// A preview fetcher or a bot.
#[derive(Debug)]
pub(super) struct Automatic {
    pub(super) name: Arc<str>,
    /// "" for a preview.
    pub(super) kind: &'static str,
    /// A preview's name, kept; "" for a bot.
    pub(super) network: &'static str,
}

#[derive(Clone, Copy, Debug)]
enum What {
    App(usize),
    Automatic(usize),
    Browser(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Where {
    Start,
    Word,
    Anywhere,
}

#[derive(Debug)]
struct Token {
    what: What,
    place: Where,
}

/// What of the table an agent holds: indices of its entries.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) app: Option<usize>,
    /// The longest token's entry, libraries last, and whether the token is one for the agent's beginning.
    pub(super) automatic: Option<(usize, bool)>,
    pub(super) browser: Option<usize>,
}

/// Who says what in a `User-Agent`.
#[derive(Debug)]
pub(super) struct AgentTable {
    pub(super) apps: Vec<App>,
    pub(super) automatic: Vec<Automatic>,
    pub(super) browsers: Vec<Arc<str>>,
    packages: BTreeMap<String, usize>,
    tokens: Vec<Token>,
    finder: Option<AhoCorasick>,
}

impl AgentTable {
    fn new(files: impl Iterator<Item = AgentFile>) -> Result<AgentTable, String> {
        let mut made = Builder::default();
        for file in files {
            for (i, line) in file.apps.iter().enumerate() {
                made.app(line).map_err(|why| format!("apps[{i}]: {why}"))?;
            }
            for (i, line) in file.previews.iter().enumerate() {
                made.automatic(line, "").map_err(|why| format!("previews[{i}]: {why}"))?;
            }
            for (i, line) in file.browsers.iter().enumerate() {
                made.browser(line).map_err(|why| format!("browsers[{i}]: {why}"))?;
            }
            for (kind, lines) in &file.bots {
                if !is_word(kind) {
                    return Err(format!("bots.{kind}: a kind is written in a-z and _, at most 32 of them"));
                }
                for (i, line) in lines.iter().enumerate() {
                    made.automatic(line, kind).map_err(|why| format!("bots.{kind}[{i}]: {why}"))?;
                }
            }
        }
        let finder = AhoCorasick::new(&made.patterns).map_err(|e| e.to_string())?;
        Ok(AgentTable {
            apps: made.apps,
            automatic: made.automatics,
            browsers: made.browsers,
            packages: made.packages,
            tokens: made.tokens,
            finder: Some(finder),
        })
    }

    /// Looks for all tokens at once in an agent in lower case.
    pub(super) fn find(&self, agent: &str) -> Found {
        let mut found = Found::default();
        let mut best = 0;
        for at in self.finder.iter().flat_map(|finder| finder.find_overlapping_iter(agent)) {
            let Some(token) = self.tokens.get(at.pattern().as_usize()) else { continue };
            let fits = match token.place {
                Where::Anywhere => true,
                Where::Start => at.start() == 0,
                Where::Word => begins_word(agent, at.start()),
            };
            if !fits {
                continue;
            }
            match token.what {
                What::App(i) => found.app = Some(found.app.map_or(i, |known| known.min(i))),
                What::Browser(i) => found.browser = Some(found.browser.map_or(i, |known| known.min(i))),
                What::Automatic(i) => {
                    // What a program is built with says less than what it calls itself.
                    let library = self.automatic.get(i).is_some_and(|known| known.kind == "library");
                    let weight = at.len() + if library { 0 } else { 1000 };
                    let first = found.automatic.is_none_or(|(known, _)| weight == best && i < known);
                    if weight > best || first {
                        best = weight;
                        found.automatic = Some((i, token.place == Where::Start));
                    }
                }
            }
        }
        found
    }

    /// The app with this Android package.
    pub(super) fn package(&self, package: &str) -> Option<usize> {
        self.packages.get(package).copied()
    }
}

/// True where no letter or digit comes before, or the token itself begins with neither.
fn begins_word(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    let inner = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_alphanumeric);
    at == 0 || !inner(at) || !inner(at - 1)
}

fn is_word(kind: &str) -> bool {
    (1..=32).contains(&kind.len()) && kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
}

#[derive(Default)]
struct Builder {
    apps: Vec<App>,
    automatics: Vec<Automatic>,
    browsers: Vec<Arc<str>>,
    packages: BTreeMap<String, usize>,
    patterns: Vec<String>,
    tokens: Vec<Token>,
}

impl Builder {
    fn app(&mut self, line: &[String]) -> Result<(), String> {
        let [name, source, tokens @ ..] = line else { return Err(EXPECTED_APP.into()) };
        let at = self.apps.len();
        for token in tokens {
            match token.strip_prefix("app:") {
                // The operator's line came first.
                Some(package) => _ = self.packages.entry(package.to_ascii_lowercase()).or_insert(at),
                None => self.token(token, What::App(at))?,
            }
        }
        self.apps.push(App { name: named(name)?, source: source.as_str().into() });
        some(tokens, EXPECTED_APP)
    }

    fn automatic(&mut self, line: &[String], kind: &str) -> Result<(), String> {
        let [name, tokens @ ..] = line else { return Err(EXPECTED.into()) };
        let at = self.automatics.len();
        for token in tokens {
            self.token(token, What::Automatic(at))?;
        }
        let network = if kind.is_empty() { keep(name) } else { "" };
        self.automatics.push(Automatic { name: named(name)?, kind: keep(kind), network });
        some(tokens, EXPECTED)
    }

    fn browser(&mut self, line: &[String]) -> Result<(), String> {
        let [name, tokens @ ..] = line else { return Err(EXPECTED.into()) };
        for token in tokens {
            self.token(token, What::Browser(self.browsers.len()))?;
        }
        self.browsers.push(named(name)?);
        some(tokens, EXPECTED)
    }

    fn token(&mut self, written: &str, what: What) -> Result<(), String> {
        let (place, token) = match written.as_bytes().first() {
            Some(b'^') => (Where::Start, &written[1..]),
            Some(b'*') => (Where::Anywhere, &written[1..]),
            _ => (Where::Word, written),
        };
        if token.len() < 2 || token.len() > 100 || token.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(format!("the token \"{written}\" must be 2 to 100 bytes of lower case"));
        }
        self.patterns.push(token.to_owned());
        self.tokens.push(Token { what, place });
        Ok(())
    }
}

const EXPECTED: &str = "expected [\"Name\", \"token\", ...]";
const EXPECTED_APP: &str = "expected [\"Name\", \"Source\", \"token\", ...]";

fn some(tokens: &[String], expected: &str) -> Result<(), String> {
    if tokens.is_empty() { Err(expected.into()) } else { Ok(()) }
}

pub(super) fn named(name: &str) -> Result<Arc<str>, String> {
    let clean = super::text::value(name, 60);
    if clean.is_empty() || clean != name {
        return Err(format!(
            "\"{name}\" is no name: 1 to 60 bytes, without blanks around or control characters"
        ));
    }
    Ok(clean.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(agents: &str) -> String {
        let additions = Additions { agents: Some(agents.into()), ..Additions::default() };
        Tables::new(&additions).unwrap_err().to_string()
    }

    #[test]
    fn errors_name_the_entry() {
        assert!(bad("apps = [[\"A\", \"\", \"a/x\"], [\"B\"]]").starts_with("apps[1]: expected"));
        assert!(bad("previews = [[\"A\"]]").starts_with("previews[0]: expected"));
        assert!(
            bad("[bots]\nsearch = [[\"A\", \"Abot\"]]").starts_with("bots.search[0]: the token \"Abot\"")
        );
        assert!(bad("[bots]\nSearch = []").starts_with("bots.Search: a kind"));
        assert!(bad("browsers = [[\"\", \"x/y\"]]").starts_with("browsers[0]: \"\" is no name"));
        assert!(bad("bot = 1").contains("unknown field `bot`"));
        assert!(bad("apps = [").contains("line 1"));
    }

    #[test]
    fn every_source_of_an_app_is_a_source() {
        let tables = Tables::new(&Additions::default()).unwrap();
        for app in tables.agents.apps.iter().filter(|app| !app.source.is_empty()) {
            assert!(tables.sources.by_name(&app.source).is_some(), "{}", app.source);
        }
    }

    #[test]
    fn the_longest_token_wins_where_it_fits() {
        let tables = Tables::new(&Additions::default()).unwrap();
        let name = |agent: &str| {
            let found = tables.agents.find(agent);
            found.automatic.map(|(i, _)| tables.agents.automatic[i].name.to_string())
        };
        assert_eq!(name("facebookexternalhit/1.1 facebot twitterbot/1.0").as_deref(), Some("iMessage"));
        assert_eq!(name("whatsapp/2.24 a").as_deref(), Some("WhatsApp"));
        assert_eq!(name("my whatsapp/2.24 a"), None, "only at the beginning");
        assert_eq!(name("squirl/1.0"), None, "only where a word begins");
    }
}
