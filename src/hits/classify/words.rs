//! The general rules: how an automatic agent gives itself away that no table knows.
//!
//! Judges what the agent says, never how unusual it is. Guarantees that what an Android agent says of its device is
//! not read as a word about itself: there are telephones called CUBOT, and carriers called OrangeBotswana.

use super::Reason;

/// What gave an agent away, and where its name begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Guess {
    pub(super) reason: Reason,
    pub(super) kind: &'static str,
    /// Where the word is that gave it away.
    pub(super) at: usize,
}

/// Parts of words that only programs have in their names, with the kind of program.
const PARTS: &[(&str, &str)] = &[
    ("spider", "crawler"),
    ("crawl", "crawler"),
    ("crwlr", "crawler"),
    ("scrape", "crawler"),
    ("scraping", "crawler"),
    ("harvest", "crawler"),
    ("indexer", "crawler"),
    ("nutch", "crawler"),
    ("archiver", "archive"),
    ("fetcher", "fetcher"),
    ("downloader", "fetcher"),
    ("monitor", "monitor"),
    ("uptime", "monitor"),
    ("synthetic", "monitor"),
    ("healthcheck", "monitor"),
    ("health-check", "monitor"),
    ("pagespeed", "monitor"),
    ("watcher", "monitor"),
    ("inspector", "monitor"),
    ("checker", "monitor"),
    ("validator", "monitor"),
    ("linkcheck", "monitor"),
    ("observatory", "monitor"),
    ("analyzer", "monitor"),
    ("analyser", "monitor"),
    ("optimizer", "monitor"),
    ("screenshot", "automation"),
    ("screenshooter", "automation"),
    ("webthumb", "automation"),
    ("headless", "automation"),
    ("thumbnail", "automation"),
    ("scanner", "scanner"),
    ("imageproxy", "fetcher"),
    ("httpclient", "library"),
    ("http-client", "library"),
    ("httpagent", "library"),
    ("backlink", "seo"),
    (".js/", "automation"),
    ("-snapshot", "crawler"),
];

/// Whole words that only programs say of themselves.
const WORDS: &[(&str, &str)] = &[
    ("feed", "feed_reader"),
    ("feeds", "feed_reader"),
    ("rss", "feed_reader"),
    ("podcast", "feed_reader"),
    ("subscribers", "feed_reader"),
    ("fetch", "fetcher"),
    ("survey", "scanner"),
    ("scan", "scanner"),
    ("probe", "monitor"),
    ("check", "monitor"),
    ("checklink", "monitor"),
    ("preview", "unfurl"),
    ("wget", "library"),
    ("verify", "monitor"),
    ("verification", "monitor"),
];

/// Names behind `compatible;` that people's browsers have.
const COMPATIBLE: &[&str] = &[
    "msie",
    "konqueror",
    "u",
    "windows",
    "android",
    "linux",
    "x11",
    "macintosh",
    "intel",
    "icab",
    "ibrowse",
    "netfront",
    "webpositive",
    "opera",
    "googletoolbar",
    "netpositive",
    "amiga",
    "iemobile",
    "mspie",
    "aol",
    "mobile",
    "abrowse",
    "origyn",
    "mozilla",
    "maxthon",
    "kindle",
    "omniweb",
    "netbox",
    "tablet",
    "wow64",
    "cros",
    "iphone",
    "ipad",
];

/// Judges an agent in lower case.
pub(super) fn judge(agent: &str) -> Option<Guess> {
    let device = device(agent);
    let outside = |at: usize| !device.contains(&at);
    let says =
        || bot_word(agent, &outside).or_else(|| part(agent, &outside)).or_else(|| word(agent, &outside));
    // What an app's own browser says besides is the app's name, and people read in apps called Chatbot or Scanner.
    let named = if is_webview(agent) { None } else { says() };
    named.or_else(|| contact(agent, &outside)).or_else(|| compatible(agent)).or_else(|| foreign(agent))
}

/// True for a page shown inside an app, unless it says `compatible`, as no app does.
fn is_webview(agent: &str) -> bool {
    let apple = || (agent.contains("iphone") || agent.contains("ipad")) && !agent.contains("safari/");
    let webview = agent.contains("; wv)") || (agent.contains("mobile/") && apple());
    webview && !agent.contains("compatible")
}

/// The part of an Android agent that names the device: from the system to the end of the first comment.
fn device(agent: &str) -> std::ops::Range<usize> {
    let comment = agent.find('(').map_or(0, |at| at + 1);
    let end = closing(agent, comment);
    match agent.get(comment..end).and_then(|inside| inside.find("android")) {
        Some(at) if !agent[comment..].starts_with("compatible;") => comment + at..end,
        _ => 0..0,
    }
}

/// Where a comment ends that began before `from`; comments may be nested.
fn closing(agent: &str, from: usize) -> usize {
    let mut open = 1_u32;
    for (at, byte) in agent.bytes().enumerate().skip(from) {
        match byte {
            b'(' => open += 1,
            b')' if open == 1 => return at,
            b')' => open -= 1,
            _ => {}
        }
    }
    agent.len()
}

/// `bot` as the end of a word: Somebot, some-bot/1.0, SomeBots, robot; not Cubot, and not Botswana.
fn bot_word(agent: &str, outside: &impl Fn(usize) -> bool) -> Option<Guess> {
    let at = agent.match_indices("bot").map(|(at, _)| at).find(|at| {
        let (before, after) = (&agent[..*at], &agent[at + 3..]);
        let rest = after.strip_prefix('s').unwrap_or(after);
        let ends = !rest.starts_with(|c: char| c.is_alphabetic()) || after.starts_with("collector");
        // In the device's name it must have a version or an address behind it.
        let named =
            outside(*at) || rest.starts_with("/1") || rest.starts_with("/2") || rest.starts_with("; +");
        ends && named && !before.ends_with("cu")
    })?;
    Some(Guess { reason: Reason::SaysSo, kind: "crawler", at })
}

fn part(agent: &str, outside: &impl Fn(usize) -> bool) -> Option<Guess> {
    let found = |part: &str| agent.match_indices(part).map(|(at, _)| at).find(|at| outside(*at));
    let (kind, at) = PARTS.iter().find_map(|(part, kind)| Some((*kind, found(part)?)))?;
    Some(Guess { reason: Reason::SaysSo, kind, at })
}

/// The words of an agent with their places.
fn words(agent: &str, inner: impl Fn(char) -> bool + Copy) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 0;
    agent.split_inclusive(move |c: char| !inner(c)).map(move |word| {
        let at = next;
        next += word.len();
        (at, word.trim_end_matches(|c: char| !inner(c)))
    })
}

fn word(agent: &str, outside: &impl Fn(usize) -> bool) -> Option<Guess> {
    for (at, word) in words(agent, |c| c.is_ascii_alphanumeric()) {
        let known = WORDS.iter().find(|(known, _)| *known == word);
        // Google's own fetchers: Google-Something, Something-Google.
        let google = word == "google" && { agent[at + 6..].starts_with('-') || agent[..at].ends_with('-') };
        // GomezAgent, some-agent; what stands in for a browser calls itself User-Agent at most.
        let acts = word.ends_with("agent")
            && !word.ends_with("useragent")
            && !agent[..at].ends_with("user-")
            && !agent[..at].ends_with("user ");
        let known = known.or_else(|| acts.then_some(&("agent", "crawler")));
        let kind = known.map(|(_, kind)| *kind).or_else(|| google.then_some("fetcher"));
        if let Some(kind) = kind.filter(|_| outside(at)) {
            return Some(Guess { reason: Reason::SaysSo, kind, at });
        }
    }
    None
}

/// An address to ask at: no browser has one.
fn contact(agent: &str, outside: &impl Fn(usize) -> bool) -> Option<Guess> {
    let signs = ["http://", "https://", "+http", "www.", "(at)", " at gmail", " dot com"];
    let site =
        signs.iter().find_map(|sign| agent.match_indices(sign).map(|(at, _)| at).find(|at| outside(*at)));
    let mail = || agent.match_indices('@').map(|(at, _)| at).find(|at| is_mail(agent, *at));
    let domain = || (!agent.contains("mobile")).then(|| bare_domain(agent, outside)).flatten();
    let at = site.or_else(mail).or_else(domain)?;
    // An old browser names its makers' site.
    if agent.contains("qtweb") || agent.contains("bsalsa") {
        return None;
    }
    Some(Guess { reason: Reason::Contact, kind: "crawler", at })
}

/// True for `someone@host.tld`, not for `android@109.0`.
fn is_mail(agent: &str, at: usize) -> bool {
    let before = agent[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
    let host = agent[at + 1..].split(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c))).next();
    let top = host.unwrap_or_default().trim_end_matches('.').rsplit_once('.').map_or("", |(_, top)| top);
    before && top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic())
}

/// A site's name without a scheme, in the agent of a computer. Few endings: a version or a product must not be one.
fn bare_domain(agent: &str, outside: &impl Fn(usize) -> bool) -> Option<usize> {
    const TOPS: [&str; 12] =
        ["com", "net", "org", "io", "fr", "de", "eu", "info", "dev", "cloud", "site", "app"];
    for (at, word) in words(agent, |c| c.is_ascii_alphanumeric() || c == '-' || c == '.') {
        let (host, top) = word.rsplit_once('.').unwrap_or_default();
        let is_host = host.bytes().any(|b| b.is_ascii_alphabetic()) && TOPS.contains(&top);
        // A maker's own name in a browser's product, and packages, which begin with the top.
        if is_host && outside(at) && !host.starts_with("com.") && !host.contains("browser") {
            return Some(at);
        }
    }
    None
}

/// `compatible; Something` where no browser says so, or behind another name than a browser's.
fn compatible(agent: &str) -> Option<Guess> {
    let at = agent.find("compatible;")? + "compatible;".len();
    let phone = ["midp", "nokia", "docomo", "blackberry", "palm", "windows ce"]
        .iter()
        .any(|sign| agent.contains(sign));
    if !phone && !["mozilla", "opera", "outlook"].iter().any(|name| agent.starts_with(name)) {
        return Some(Guess { reason: Reason::SaysSo, kind: "crawler", at: 0 });
    }
    if ["msie ", "trident/", "konqueror"].iter().any(|engine| agent.contains(engine)) {
        return None;
    }
    let rest = agent[at..].trim_start();
    let name = rest.split(|c: char| !(c.is_alphanumeric() || c == '-')).next().unwrap_or_default();
    let known = COMPATIBLE.iter().any(|known| name == *known || name.starts_with(&format!("{known}-")));
    (!known && !name.is_empty()).then(|| Guess {
        reason: Reason::SaysSo,
        kind: "crawler",
        at: agent.len() - rest.len(),
    })
}

/// On a computer, another program's name before a browser's whole agent.
fn foreign(agent: &str) -> Option<Guess> {
    let at = agent.find("mozilla/").filter(|at| *at > 2)?;
    let person = ["mobile", "android", "midp", "nokia", "ucweb", "symbian", "opera"];
    let nested = agent.starts_with("mozilla/") || person.iter().any(|sign| agent.contains(sign));
    // "Anonymous, Mozilla/5.0 ...": someone hands another's agent on.
    let handed_on = agent[..at].ends_with(", ");
    ((!nested || handed_on) && at < 80).then_some(Guess { reason: Reason::SaysSo, kind: "crawler", at: 0 })
}

/// Parts of the agents of everything that people read with.
const ENGINES: &[&str] = &[
    "applewebkit",
    "webkit/",
    "gecko/",
    " gecko ",
    "like gecko",
    "goanna/",
    "khtml",
    "trident/",
    "msie ",
    "presto/",
    "chrome/",
    "safari/",
    "firefox/",
    "konqueror",
    "opera/",
    "opera ",
    "servo/",
    "libweb",
    "ladybird/",
    "blink/",
    "arkweb/",
    "netfront",
    "up.browser",
    "obigo",
    "openwave",
    "teleca",
    "dolfin",
    "ucweb",
    "ucbrowser",
    "midp-",
    "series40",
    "series60",
    "symbian",
    "blackberry",
    "nokia",
    "sonyericsson",
    "samsung-",
    "docomo/",
    "kddi-",
    "softbank/",
    "vodafone/",
    "j-phone",
    "nintendo",
    "playstation",
    "hbbtv",
    "amiga-aweb",
    "amigavoyager",
    "ibrowse",
    "icab",
    "mosaic",
    "netscape",
    "netsurf",
    "dillo",
    "omniweb",
    "netpositive",
    "hotjava",
    "offbyone",
];

/// Browsers without an engine's name, which begin with their own.
const ENGINELESS: &[&str] =
    &["lynx", "w3m", "links ", "links/", "elinks", "browsh", "edbrowse", "retawq", "mot-", "lg-"];

/// True if the agent names something that shows pages to people.
pub(super) fn has_engine(agent: &str) -> bool {
    ENGINES.iter().any(|engine| agent.contains(engine))
        || ENGINELESS.iter().any(|name| agent.starts_with(name))
}

/// What an agent calls itself: the word that gave it away; else what stands behind `compatible;`, its first word,
/// or the site that it names.
pub(super) fn name(agent: &str, lower: &str, guess: Option<&Guess>) -> String {
    let inner = |c: char| c.is_alphanumeric() || "-_.!".contains(c);
    let word_at = |at: usize| {
        let rest = agent[at..].trim_start_matches(|c: char| !inner(c));
        let word = rest.split(|c: char| !inner(c)).next().unwrap_or_default();
        super::text::value(word.trim_matches(['-', '_', '.']), 60)
    };
    let begin = |at: usize| {
        agent[..at].char_indices().rev().take_while(|(_, c)| inner(*c)).last().map_or(at, |(i, _)| i)
    };
    match guess {
        Some(guess) if guess.reason == Reason::SaysSo => word_at(begin(guess.at)),
        Some(guess) => match lower.find("compatible;") {
            Some(at) => word_at(at + "compatible;".len()),
            None if lower.starts_with("mozilla/") => {
                let address = &agent[begin(guess.at)..];
                let host = address.find("://").map_or(0, |at| at + 3);
                word_at(begin(guess.at) + host)
            }
            None => word_at(0),
        },
        None => word_at(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_where_they_stand_behind_any_letter() {
        let agent = "\u{e9}\u{130}; some-agent \u{e9}news.com";
        for (at, word) in words(agent, |c| c.is_ascii_alphanumeric()) {
            assert_eq!(agent.get(at..at + word.len()), Some(word));
        }
        let at = bare_domain(agent, &|_| true);
        assert_eq!(at, agent.find("news.com"));
    }
}
