//! What made a hit: a person, a link preview, or something else automatic.
//!
//! Guarantees that classifying is total and depends on the hit alone. This is the first table: methods, purposes,
//! tools and bots that say what they are. Agents that do not are taken for people.

use std::collections::HashMap;

use crate::domain::hit::{Class, Hit, Outcome, Signals};

/// Agents remembered; the table is emptied when it is full.
const MEMO: usize = 20_000;

/// A class and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// What made the hit.
    pub class: Class,
    /// For previews and bots, of which kind; "" for clicks and missed visits.
    pub kind: &'static str,
}

const CLICK: Verdict = Verdict { class: Class::Click, kind: "" };

/// Parts of agents that fetch a page to show a preview of it, with the network's name. Matched without regard to
/// case, first match wins.
const PREVIEWS: &[(&str, &str)] = &[
    ("facebookexternalhit", "Facebook"),
    ("facebookcatalog", "Facebook"),
    ("whatsapp/", "WhatsApp"),
    ("twitterbot", "X"),
    ("slackbot-linkexpanding", "Slack"),
    ("slack-imgproxy", "Slack"),
    ("slackbot", "Slack"),
    ("telegrambot", "Telegram"),
    ("discordbot", "Discord"),
    ("linkedinbot", "LinkedIn"),
    ("skypeuripreview", "Skype"),
    ("redditbot", "Reddit"),
    ("bluesky cardyb", "Bluesky"),
    ("mastodon/", "Mastodon"),
    ("pinterestbot", "Pinterest"),
    ("vkshare", "VK"),
    ("viber", "Viber"),
    ("iframely", "Iframely"),
    ("embedly", "Embedly"),
];

/// Parts of agents that are programs, with their kind.
const BOTS: &[(&str, &str)] = &[
    ("googlebot", "search"),
    ("bingbot", "search"),
    ("duckduckbot", "search"),
    ("yandexbot", "search"),
    ("baiduspider", "search"),
    ("applebot", "search"),
    ("gptbot", "ai"),
    ("chatgpt-user", "ai"),
    ("oai-searchbot", "ai"),
    ("claudebot", "ai"),
    ("perplexitybot", "ai"),
    ("ccbot", "ai"),
    ("bytespider", "ai"),
    ("amazonbot", "ai"),
    ("ahrefsbot", "seo"),
    ("semrushbot", "seo"),
    ("mj12bot", "seo"),
    ("dotbot", "seo"),
    ("uptimerobot", "monitor"),
    ("pingdom", "monitor"),
    ("statuscake", "monitor"),
    ("blackbox-exporter", "monitor"),
    ("feedfetcher", "feed"),
    ("feedly", "feed"),
    ("tiny tiny rss", "feed"),
    ("curl/", "tool"),
    ("wget/", "tool"),
    ("httpie/", "tool"),
    ("python-requests", "tool"),
    ("python-urllib", "tool"),
    ("python-httpx", "tool"),
    ("aiohttp/", "tool"),
    ("go-http-client", "tool"),
    ("java/", "tool"),
    ("okhttp", "tool"),
    ("apache-httpclient", "tool"),
    ("libwww-perl", "tool"),
    ("node-fetch", "tool"),
    ("axios/", "tool"),
    ("undici", "tool"),
    ("reqwest/", "tool"),
    ("hyper/", "tool"),
    ("guzzlehttp", "tool"),
    ("postmanruntime", "tool"),
    ("headlesschrome", "tool"),
    ("phantomjs", "tool"),
    ("nikto", "scanner"),
    ("sqlmap", "scanner"),
    ("nmap", "scanner"),
    ("masscan", "scanner"),
    ("zgrab", "scanner"),
    // What names itself one, behind all that is known better.
    ("bot/", "bot"),
    ("bot;", "bot"),
    ("crawler", "bot"),
    ("spider", "bot"),
];

/// Classifies hits, remembering agents: a few thousand of them make nearly all hits.
#[derive(Default)]
pub struct Classifier {
    memo: HashMap<Vec<u8>, Verdict, foldhash::fast::RandomState>,
}

impl Classifier {
    /// What made this hit.
    pub fn classify(&mut self, hit: &Hit<'_>) -> Verdict {
        if matches!(hit.outcome, Outcome::Missed(_)) {
            return Verdict { class: Class::Missed, kind: "" };
        }
        if let Some(verdict) = by_signals(hit.signals) {
            return verdict;
        }
        if let Some(verdict) = self.memo.get(hit.user_agent) {
            return *verdict;
        }
        let verdict = by_agent(hit.user_agent);
        if self.memo.len() >= MEMO {
            self.memo.clear();
        }
        self.memo.insert(hit.user_agent.to_vec(), verdict);
        verdict
    }
}

fn by_signals(signals: Signals) -> Option<Verdict> {
    if signals.head {
        return Some(Verdict { class: Class::Preview, kind: "head" });
    }
    signals.prefetch.then_some(Verdict { class: Class::Preview, kind: "prefetch" })
}

fn by_agent(agent: &[u8]) -> Verdict {
    let bot = |kind| Verdict { class: Class::Bot, kind };
    let Ok(text) = std::str::from_utf8(agent) else { return bot("unreadable") };
    let text = text.to_ascii_lowercase();
    if text.trim().is_empty() {
        return bot("no agent");
    }
    if let Some((_, kind)) = PREVIEWS.iter().find(|(part, _)| text.contains(part)) {
        return Verdict { class: Class::Preview, kind };
    }
    match BOTS.iter().find(|(part, _)| text.contains(part)) {
        Some((_, kind)) => bot(kind),
        None => CLICK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36";
        let iphone =
            "Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 Safari/604.1";
        let table = [
            (chrome, Class::Click, ""),
            (iphone, Class::Click, ""),
            ("Mozilla/5.0 (Linux; Android 15) [FBAN/FB4A;FBCR/OrangeBotswana;]", Class::Click, ""),
            ("curl/8.5.0", Class::Bot, "tool"),
            ("", Class::Bot, "no agent"),
            (
                "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                Class::Bot,
                "search",
            ),
            ("Mozilla/5.0 (compatible; SomethingBot/1.0)", Class::Bot, "bot"),
            ("WhatsApp/2.24.1 A", Class::Preview, "WhatsApp"),
            ("facebookexternalhit/1.1 Facebot Twitterbot/1.0", Class::Preview, "Facebook"),
            ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", Class::Preview, "Slack"),
        ];
        for (agent, class, kind) in table {
            assert_eq!(by_agent(agent.as_bytes()), Verdict { class, kind }, "{agent}");
        }
        assert_eq!(by_agent(&[0xff, 0xfe]).kind, "unreadable");
    }

    #[test]
    fn signals_come_first() {
        let head = Signals { head: true, prefetch: false };
        assert_eq!(by_signals(head).map(|v| v.class), Some(Class::Preview));
        let prefetch = Signals { head: false, prefetch: true };
        assert_eq!(by_signals(prefetch).map(|v| v.kind), Some("prefetch"));
        assert_eq!(by_signals(Signals::default()), None);
    }
}
