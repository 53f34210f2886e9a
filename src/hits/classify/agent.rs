//! Reads an agent with its hints: what made the hit, and with what.
//!
//! Guarantees an answer for all bytes, the same one for the same bytes and tables. The order of the rules is here,
//! in `read`: excluded, in-app browsers, the tables of previews and bots, general rules, then a person's device.
//! Referrers and parameters are `source.rs`'s.

use std::sync::Arc;

use super::device::{self, OTHER};
use super::hints::{self, Read};
use super::tables::{Found, Tables};
use super::text::{self, Text};
use super::{Reason, words};
use crate::domain::hit::{Class, MAX_TEXT};

/// What an agent is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Agent {
    /// What made the hit, as far as the agent says.
    pub class: Class,
    /// Why.
    pub reason: Reason,
    /// The bot's, the preview network's or the browser's own name; "" where there is none.
    pub name: Arc<str>,
    /// Which kind of bot or preview; "" for people.
    pub kind: &'static str,
    /// The network that a preview is for, by a name of the tables, `other` for one that is in none; "" for all else.
    pub network: &'static str,
    /// Kind of device; "" for what is not people's.
    pub device: &'static str,
    /// System; "" for what is not people's.
    pub os: &'static str,
    /// Browser, in-app browsers by name; "" for what is not people's.
    pub browser: Arc<str>,
    /// False for a browser that no table knows: it named itself.
    pub browser_known: bool,
    /// The in-app browser's source; "" for none.
    pub app_source: Arc<str>,
}

impl Agent {
    fn automatic(class: Class, reason: Reason, name: &str, kind: &'static str) -> Agent {
        Agent {
            class,
            reason,
            name: name.into(),
            kind,
            network: if class == Class::Preview { OTHER } else { "" },
            device: "",
            os: "",
            browser: "".into(),
            browser_known: true,
            app_source: "".into(),
        }
    }

    fn bot(reason: Reason, name: &str, kind: &'static str) -> Agent {
        Agent::automatic(Class::Bot, reason, name, kind)
    }
}

/// Reads an agent with its packed hints.
pub(super) fn read(tables: &Tables, agent: &[u8], packed: &[u8]) -> Agent {
    let hints = hints::read(packed);
    match text::read(agent, MAX_TEXT) {
        Text::Nothing => match tables.agents.package(&hints.package) {
            Some(app) => in_app(tables, app, "", &hints),
            None => Agent::bot(Reason::NoAgent, "", "no_agent"),
        },
        // A carrier's name in another encoding does not make a reader a program.
        Text::Broken(text) => {
            let lower = text.to_ascii_lowercase();
            match tables.agents.find(&lower).app {
                Some(app) => in_app(tables, app, &lower, &hints),
                None => Agent::bot(Reason::Unreadable, "", "unreadable"),
            }
        }
        Text::Plain(text) => plain(tables, &text, &hints),
    }
}

fn plain(tables: &Tables, agent: &str, hints: &Read) -> Agent {
    // Some set the header to the whole line.
    const NAME: &str = "user-agent:";
    let named = agent.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME));
    let agent = if named { agent[NAME.len()..].trim_start() } else { agent };
    let lower = agent.to_ascii_lowercase();
    if let Some((_, written)) = tables.excluded.iter().find(|(part, _)| lower.contains(part)) {
        return Agent::bot(Reason::Excluded, &text::value(written, text::MAX_VALUE), "excluded");
    }
    let found = tables.agents.find(&lower);
    if let Some(app) = app(tables, &found, &lower, hints) {
        return in_app(tables, app, &lower, hints);
    }
    if let Some((at, _)) = found.automatic {
        return known(tables, at);
    }
    let headless =
        hints.brand.as_deref().is_some_and(|brand| brand.to_ascii_lowercase().contains("headless"));
    if headless {
        return Agent::bot(Reason::KnownBot, "Headless Chrome", "automation");
    }
    if let Some(guess) = words::judge(&lower) {
        let name = words::name(agent, &lower, Some(&guess));
        return match guess.kind {
            "unfurl" => Agent::automatic(Class::Preview, Reason::Unfurl, &name, guess.kind),
            kind => Agent::bot(guess.reason, &name, kind),
        };
    }
    if !words::has_engine(&lower) {
        return Agent::bot(Reason::NoEngine, &words::name(agent, &lower, None), "library");
    }
    person(tables, &found, &lower, hints)
}

/// The in-app browser, by the agent or the Android package. What an app fetches by itself is none.
fn app(tables: &Tables, found: &Found, lower: &str, hints: &Read) -> Option<usize> {
    let fetches = ["cfnetwork/", "okhttp"].iter().any(|library| lower.contains(library))
        && !lower.contains("applewebkit");
    // An app's fetcher says its name first; what only names an app says where to ask.
    let fetcher = found.automatic.is_some_and(|(_, at_start)| at_start);
    let asks = ["+http", "(http", "; http"].iter().any(|sign| lower.contains(sign))
        || (lower.contains("compatible;") && !lower.contains("msie ") && !lower.contains("trident/"));
    if fetches || fetcher || asks {
        return None;
    }
    found.app.or_else(|| tables.agents.package(&hints.package))
}

fn known(tables: &Tables, at: usize) -> Agent {
    match tables.agents.automatic.get(at) {
        Some(preview) if preview.kind.is_empty() => {
            let agent = Agent::automatic(Class::Preview, Reason::Unfurl, &preview.name, "unfurl");
            Agent { network: preview.network, ..agent }
        }
        Some(bot) => Agent::bot(Reason::KnownBot, &bot.name, bot.kind),
        None => Agent::bot(Reason::KnownBot, "", "crawler"),
    }
}

fn in_app(tables: &Tables, app: usize, lower: &str, hints: &Read) -> Agent {
    let known = tables.agents.apps.get(app);
    let (name, source) =
        known.map_or_else(Default::default, |app| (Arc::clone(&app.name), Arc::clone(&app.source)));
    Agent { app_source: source, reason: Reason::InApp, ..clicked(name, lower, hints) }
}

fn clicked(browser: Arc<str>, lower: &str, hints: &Read) -> Agent {
    Agent {
        class: Class::Click,
        reason: Reason::Browser,
        name: Arc::clone(&browser),
        kind: "",
        network: "",
        device: device::device(lower, hints),
        os: device::system(lower, hints),
        browser,
        browser_known: true,
        app_source: "".into(),
    }
}

fn person(tables: &Tables, found: &Found, lower: &str, hints: &Read) -> Agent {
    let named = found.browser.and_then(|at| tables.agents.browsers.get(at)).cloned();
    let plain_chrome = named.as_deref().is_none_or(|name| matches!(name, "Chrome" | "Chromium"));
    if plain_chrome && (lower.contains("; wv)") || hints.brand.as_deref() == Some("Android WebView")) {
        return Agent { reason: Reason::InApp, ..clicked("Android WebView".into(), lower, hints) };
    }
    // Browsers that hide behind Chrome's agent say who they are in their hints.
    let brand = hints.brand.as_deref().filter(|_| plain_chrome).map(|brand| match brand {
        "Microsoft Edge" => "Edge",
        brand => brand,
    });
    let browser_known =
        brand.is_none_or(|brand| tables.agents.browsers.iter().any(|known| **known == *brand));
    let browser = brand.map(Arc::from).or(named).unwrap_or_else(|| apple_or_android(lower).into());
    let in_app = matches!(&*browser, "iOS WebView" | "Microsoft Edge WebView2");
    let reason = if in_app { Reason::InApp } else { Reason::Browser };
    Agent { reason, browser_known, ..clicked(browser, lower, hints) }
}

/// Browsers that their systems came with, and are known only by what they do not say.
fn apple_or_android(lower: &str) -> &'static str {
    let apple = ["iphone", "ipad", "ipod", "macintosh", "mac os"].iter().any(|sign| lower.contains(sign));
    let mobile = lower.contains("mobile/");
    match lower {
        _ if lower.contains("android") && lower.contains("applewebkit") => "Android Browser",
        _ if apple && lower.contains("safari") => "Safari",
        _ if apple && mobile && lower.contains("applewebkit") => "iOS WebView",
        _ if lower.contains("safari/") && lower.contains("version/") && lower.contains("windows") => "Safari",
        _ if apple && lower.contains("applewebkit") => "macOS WebView",
        _ if lower.contains("applewebkit") => "WebKit",
        _ if lower.contains("gecko/") => "Gecko",
        _ => OTHER,
    }
}
