//! Readers that are not there: who follows a link when, from where, with what; and the previews and bots among them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::chance::Chance;
use super::newsroom::ZONE;
use crate::domain::hit::{Country, NewHit, Outcome, Trigger, Visitor};
use crate::domain::lane::Lane;

const MINUTE: i64 = 60_000;
/// Different readers, each with one address.
const READERS: u64 = 30_000;

/// How old a link is when it is followed, in minutes: half of it within the first hours, some of it days later.
const AGES: [i64; 13] = [0, 4, 12, 25, 45, 80, 130, 210, 340, 560, 1_000, 2_400, 7_000];
/// The same where all get it at once.
const SENT: [i64; 11] = [0, 1, 2, 4, 7, 12, 20, 35, 70, 180, 700];
/// How many of a hundred who might read in an hour of the day do.
const AWAKE: [u64; 24] =
    [12, 7, 5, 4, 6, 14, 38, 72, 90, 84, 76, 74, 88, 86, 72, 68, 70, 78, 84, 88, 92, 82, 56, 28];

const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                      Version/18.5 Mobile/15E148 Safari/604.1";
const ANDROID: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 \
                       Mobile Safari/537.36";
const WINDOWS: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";
const EDGE: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 \
                    Safari/537.36 Edg/142.0.0.0";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0";
const MAC: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                   Version/18.5 Safari/605.1.15";
const TABLET: &str = "Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                      Version/18.5 Mobile/15E148 Safari/604.1";
const IN_FACEBOOK: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like \
                           Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/530.0.0.40.98;FBDV/iPhone15,2]";
const IN_INSTAGRAM: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) \
                            Version/4.0 Chrome/142.0.0.0 Mobile Safari/537.36 Instagram 380.0.0.50.110 Android";

/// What people read with.
const BROWSERS: [(u32, &str); 7] =
    [(30, IPHONE), (28, ANDROID), (16, WINDOWS), (6, EDGE), (5, FIREFOX), (9, MAC), (6, TABLET)];

/// Where they are.
const COUNTRIES: [(u32, [u8; 2]); 14] = [
    (420, *b"IE"),
    (230, *b"GB"),
    (95, *b"US"),
    (45, *b"DE"),
    (32, *b"FR"),
    (28, *b"ES"),
    (25, *b"NL"),
    (22, *b"PL"),
    (20, *b"CA"),
    (18, *b"AU"),
    (15, *b"IN"),
    (12, *b"IT"),
    (8, *b"BR"),
    (5, *b"NG"),
];

/// Agent and referrer of a person; no agent is any browser.
type From = (Option<&'static str>, &'static str);
/// Where people come from, by the channel of a link.
const PLAIN: &[(u32, From)] = &[
    (30, (None, "")),
    (14, (None, "https://www.google.com")),
    (8, (None, "https://www.reddit.com")),
    (7, (None, "https://bsky.app")),
    (5, (None, "https://news.google.com")),
    (4, (None, "https://www.bing.com")),
    (4, (None, "https://duckduckgo.com")),
    (4, (None, "https://chatgpt.com")),
    (3, (None, "https://mastodon.social")),
    (3, (None, "https://www.linkedin.com")),
    (2, (None, "https://harbour-forum.example")),
];
const X: &[(u32, From)] = &[(80, (None, "https://t.co")), (20, (None, ""))];
const FACEBOOK: &[(u32, From)] = &[
    (50, (Some(IN_FACEBOOK), "")),
    (30, (None, "https://m.facebook.com")),
    (15, (None, "https://l.facebook.com")),
    (5, (Some(IN_INSTAGRAM), "")),
];
const WHATSAPP: &[(u32, From)] = &[(60, (Some(ANDROID), "")), (40, (Some(IPHONE), ""))];
const NEWSLETTER: &[(u32, From)] =
    &[(45, (None, "")), (25, (None, "https://mail.google.com")), (12, (None, "https://outlook.live.com"))];
const PUSH: &[(u32, From)] = &[(60, (Some(ANDROID), "")), (40, (Some(IPHONE), ""))];

/// What fetches previews, and what only counts pages.
const PREVIEWS: [(u32, &str); 6] = [
    (30, "WhatsApp/2.25.20.75 A"),
    (26, "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)"),
    (20, "Twitterbot/1.0"),
    (10, "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"),
    (9, "TelegramBot (like TwitterBot)"),
    (5, "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)"),
];
const BOTS: [(u32, &str); 6] = [
    (34, "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"),
    (20, "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"),
    (
        16,
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; GPTBot/1.2; +https://openai.com/gptbot",
    ),
    (12, "python-requests/2.32.3"),
    (10, "curl/8.14.1"),
    (8, "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)"),
];

/// A link that readers may follow.
#[derive(Clone, Debug)]
pub(super) struct Followed {
    pub(super) lane: Lane,
    pub(super) code: String,
    pub(super) channel: Option<String>,
    /// When it was made.
    pub(super) at: Timestamp,
    /// The version of its target, and since when it is that, if it was changed.
    pub(super) retargeted: Option<(Timestamp, u32)>,
    /// How many people follow it in all.
    pub(super) people: u64,
}

/// One that has been or is to be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit<'a> {
    link: &'a Followed,
    /// In milliseconds since 1970.
    pub(super) at_ms: i64,
    from: From,
    country: Country,
    reader: u64,
}

impl Visit<'_> {
    /// As the journal takes it.
    pub(super) fn hit(&self) -> NewHit<'_> {
        let target = match self.link.retargeted {
            Some((since, version)) if since.as_millisecond() <= self.at_ms => version,
            _ => 1,
        };
        let print = self.link.channel.as_deref() == Some("print");
        // The day's readers, as a hash that says nothing else.
        let day = u64::try_from(self.at_ms / (24 * 60 * MINUTE)).unwrap_or(0);
        let hash = Chance::new(self.reader ^ (day << 32)).any() | 1;
        NewHit {
            outcome: Outcome::Followed { target },
            trigger: if print { Trigger::Qr } else { Trigger::Link },
            country: self.country,
            visitor: Visitor { hash, own_key: false },
            user_agent: self.from.0.unwrap_or_default().as_bytes(),
            referrer: self.from.1.as_bytes(),
            ..NewHit::plain(self.link.lane, &self.link.code, self.at_ms)
        }
    }
}

/// All visits to a link until now, in no order.
pub(super) fn visits<'a>(chance: &mut Chance, link: &'a Followed, now: Timestamp) -> Vec<Visit<'a>> {
    let (from, to) = (link.at.as_millisecond(), now.as_millisecond());
    let zone = TimeZone::get(ZONE).unwrap_or(TimeZone::UTC);
    let ages: &[i64] = match link.channel.as_deref() {
        Some("newsletter" | "push") => &SENT,
        _ => &AGES,
    };
    let mut visits = vec![];
    for _ in 0..link.people {
        let at_ms = from + chance.by_quantiles(ages) * MINUTE + chance.between(0, MINUTE);
        if at_ms < to && is_awake(chance, &zone, at_ms) {
            visits.push(visit(chance, link, at_ms));
        }
    }
    let people = u64::try_from(visits.len()).unwrap_or(0);
    for (agents, share, ages) in [(&PREVIEWS, 12, &SENT[..]), (&BOTS, 9, &AGES[..])] {
        for _ in 0..people * share / 100 + chance.below(3) {
            let at_ms = from + chance.by_quantiles(ages) * MINUTE + chance.between(0, MINUTE);
            if at_ms < to {
                let agent = *chance.weighed(agents);
                visits.push(Visit { from: (Some(agent), ""), ..visit(chance, link, at_ms) });
            }
        }
    }
    visits
}

/// One visit to a link, by a person.
pub(super) fn visit<'a>(chance: &mut Chance, link: &'a Followed, at_ms: i64) -> Visit<'a> {
    let from = match link.channel.as_deref() {
        Some("x") => X,
        Some("facebook") => FACEBOOK,
        Some("whatsapp") => WHATSAPP,
        Some("newsletter") => NEWSLETTER,
        Some("push" | "print") => PUSH,
        _ => PLAIN,
    };
    let (agent, referrer) = *chance.weighed(from);
    let reader = chance.below(READERS);
    // A reader stays where they are, with what they have.
    let mut own = Chance::new(reader);
    let (browser, country) = (*own.weighed(&BROWSERS), Country(*own.weighed(&COUNTRIES)));
    Visit { link, at_ms, from: (Some(agent.unwrap_or(browser)), referrer), country, reader }
}

fn is_awake(chance: &mut Chance, zone: &TimeZone, at_ms: i64) -> bool {
    let Ok(at) = Timestamp::from_millisecond(at_ms) else { return false };
    let hour = usize::try_from(at.to_zoned(zone.clone()).hour()).unwrap_or(0);
    AWAKE.get(hour).is_some_and(|percent| chance.percent(*percent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_come_after_a_link_was_made_and_before_now() {
        let now: Timestamp = "2026-03-04T10:00:00Z".parse().unwrap();
        let link = Followed {
            lane: 0,
            code: "kx7".into(),
            channel: Some("x".into()),
            at: "2026-03-01T08:00:00Z".parse().unwrap(),
            retargeted: None,
            people: 1_000,
        };
        let visits = visits(&mut Chance::new(1), &link, now);
        assert!(visits.len() > 400, "{}", visits.len());
        let within = link.at.as_millisecond()..now.as_millisecond();
        assert!(visits.iter().all(|visit| within.contains(&visit.at_ms)));
        let agents: std::collections::HashSet<&[u8]> = visits.iter().map(|v| v.hit().user_agent).collect();
        assert!(agents.len() > 10, "people, previews and bots");
    }
}
