//! The standard mix: which code a reader asks for, and what the reader's browser sends.
//!
//! Guarantees: codes follow Zipf's law with s = 1 in the order given, unless something else is [`Asking`]; 1,000 browsers,
//! 200 referrers and 50,000 visitors, each visitor with one address and one browser; all of it is repeated by the same
//! seed. Drawing a request copies some prepared pieces and allocates nothing. Refuses to know: how fast requests are sent,
//! and what comes back.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};

use crate::agents;
use crate::numbers::{count, index};
use crate::random::Random;

const BROWSERS: usize = 1_000;
const REFERRERS: u64 = 200;
const VISITORS: u32 = 50_000;
/// The weight of the first rank; the rank n has this divided by n.
const WEIGHT: u64 = 1 << 40;

const SOCIAL: &[&str] = &[
    "https://www.facebook.com/",
    "https://m.facebook.com/",
    "https://l.facebook.com/",
    "https://lm.facebook.com/",
    "https://l.instagram.com/",
    "https://t.co/",
    "https://www.linkedin.com/",
    "https://www.reddit.com/",
    "https://old.reddit.com/",
    "https://bsky.app/",
    "https://mastodon.social/",
    "https://www.threads.net/",
    "https://www.pinterest.com/",
    "https://www.youtube.com/",
    "https://web.telegram.org/",
    "https://web.whatsapp.com/",
    "android-app://org.telegram.messenger/",
    "android-app://com.linkedin.android/",
];
const SEARCH: &[&str] = &[
    "https://www.google.com/",
    "https://www.google.co.uk/",
    "https://www.google.de/",
    "https://www.google.fr/",
    "https://news.google.com/",
    "android-app://com.google.android.googlequicksearchbox/",
    "https://www.bing.com/",
    "https://duckduckgo.com/",
    "https://search.yahoo.com/",
    "https://www.ecosia.org/",
    "https://yandex.ru/",
    "https://search.brave.com/",
    "https://www.startpage.com/",
    "https://chatgpt.com/",
    "https://www.perplexity.ai/",
];

/// Of the mix that all measurements share.
pub(crate) const SEED: u64 = 20_261_122;
/// Letters of the codes of a scan: longer than any that is given out.
const UNKNOWN_LENGTH: usize = 12;
const LETTERS: &[u8; 27] = b"bcdfghjkmnpqrstvwxz23456789";

/// Which codes are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    /// The first the most, by Zipf's law.
    Popular,
    /// Each as often as any other, by chance.
    Evenly,
    /// One after another, from the first on.
    InTurn,
    /// None of them: codes that nobody has, never the same twice.
    Unknown,
}

struct Visitor {
    browser: usize,
    address: Box<[u8]>,
}

/// All pieces a request is made of; shared by all threads.
pub(crate) struct Mix {
    codes: Codes,
    /// What follows the code: the version and the host line.
    host: Box<[u8]>,
    asking: Asking,
    /// Up to which draw a rank is meant, where codes are asked for by rank.
    ranks: Vec<u64>,
    /// The next one, where they are asked for in turn.
    next: AtomicU64,
    browsers: Vec<Box<[u8]>>,
    referrers: Vec<Box<[u8]>>,
    visitors: Vec<Visitor>,
}

impl Mix {
    pub(crate) fn new(host: &str, codes: &[String], seed: u64) -> Result<Self> {
        Self::asking(Asking::Popular, host, codes, seed)
    }

    pub(crate) fn asking(asking: Asking, host: &str, codes: &[String], seed: u64) -> Result<Self> {
        ensure!(!codes.is_empty(), "there is no code to ask for");
        let mut random = Random::new(seed);
        let ranks = if asking == Asking::Popular { ranks(count(codes.len())) } else { vec![] };
        let browsers = agents::blocks(&mut random, BROWSERS);
        let referrers = referrers(&mut random);
        let visitors = (0..VISITORS)
            .map(|n| Visitor { browser: index(random.below(count(BROWSERS))), address: address(n) })
            .collect();
        let host = bytes(format!(" HTTP/1.1\r\nHost: {host}\r\n"));
        let codes = Codes::new(codes)?;
        Ok(Self { codes, host, asking, ranks, next: AtomicU64::new(0), browsers, referrers, visitors })
    }

    /// Puts the path's code into `out`.
    fn code(&self, random: &mut Random, out: &mut Vec<u8>) {
        let at = match self.asking {
            Asking::Popular => {
                let drawn = random.below(self.ranks.last().copied().unwrap_or(1));
                self.ranks.partition_point(|&upto| upto <= drawn)
            }
            Asking::Evenly => index(random.below(count(self.codes.ends.len()))),
            Asking::InTurn => {
                let next = self.next.fetch_add(1, Ordering::Relaxed);
                index(next % count(self.codes.ends.len()))
            }
            Asking::Unknown => {
                let letters = (0..UNKNOWN_LENGTH).filter_map(|_| random.pick(LETTERS));
                return out.extend(letters);
            }
        };
        out.extend_from_slice(self.codes.at(at));
    }
}

/// Up to which draw each rank is meant.
fn ranks(amount: u64) -> Vec<u64> {
    let mut sum = 0;
    (1..=amount)
        .map(|rank| {
            sum += WEIGHT / rank;
            sum
        })
        .collect()
}

/// Many codes in little room.
struct Codes {
    text: Vec<u8>,
    /// Where each ends.
    ends: Vec<u32>,
}

impl Codes {
    fn new(codes: &[String]) -> Result<Self> {
        let (mut text, mut ends) = (vec![], Vec::with_capacity(codes.len()));
        for code in codes {
            text.extend_from_slice(code.as_bytes());
            ends.push(u32::try_from(text.len()).context("that is too many codes")?);
        }
        Ok(Self { text, ends })
    }

    fn at(&self, n: usize) -> &[u8] {
        let end = |n: usize| self.ends.get(n).map_or(0, |&end| index(u64::from(end)));
        let from = n.checked_sub(1).map_or(0, end);
        self.text.get(from..end(n)).unwrap_or_default()
    }
}

/// Draws requests; one for each thread.
pub(crate) struct Draw {
    mix: Arc<Mix>,
    random: Random,
}

impl Draw {
    pub(crate) fn new(mix: Arc<Mix>, seed: u64) -> Self {
        Self { mix, random: Random::new(seed) }
    }

    /// Puts one whole request into `out`, in place of what was there.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>) {
        out.clear();
        let mix = &*self.mix;
        out.extend_from_slice(b"GET /");
        mix.code(&mut self.random, out);
        out.extend_from_slice(&mix.host);
        if let Some(visitor) = self.random.pick(&mix.visitors) {
            out.extend_from_slice(mix.browsers.get(visitor.browser).map_or(&[][..], |browser| browser));
            out.extend_from_slice(&visitor.address);
        }
        // Three in ten come without a referrer.
        if self.random.below(10) < 3 {
            out.extend_from_slice(b"Sec-Fetch-Site: none\r\n\r\n");
        } else if let Some(referrer) = self.random.pick(&mix.referrers) {
            out.extend_from_slice(referrer);
        }
    }
}

/// Referrer lines: a quarter social, a quarter search, and news sites, each with the empty line that ends a request.
fn referrers(random: &mut Random) -> Vec<Box<[u8]>> {
    (0..REFERRERS)
        .map(|n| {
            let from = match n % 4 {
                0 => random.pick(SOCIAL).map_or_else(String::new, |host| format!("{host}?s={n}")),
                1 => random.pick(SEARCH).map_or_else(String::new, |host| format!("{host}?q={n}")),
                _ => format!("https://www.daily-{n:03}.example/world/story-{}", random.below(100_000)),
            };
            bytes(format!("Referer: {from}\r\nSec-Fetch-Site: cross-site\r\n\r\n"))
        })
        .collect()
}

/// The address line of the visitor `n`: one in five by IPv6, all from ranges that belong to nobody.
fn address(n: u32) -> Box<[u8]> {
    let line = if n % 5 == 4 {
        let [_, _, high, low] = n.to_be_bytes();
        let net = u16::from_be_bytes([high, low]);
        let address = Ipv6Addr::new(0x2001, 0x0db8, 0x51, net, 0, 0, 0, 1);
        format!("X-Forwarded-For: {address}\r\n")
    } else {
        // 198.18.0.0/15 is kept for measurements.
        let address = Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() + n);
        format!("X-Forwarded-For: {address}\r\n")
    };
    bytes(line)
}

fn bytes(text: String) -> Box<[u8]> {
    text.into_bytes().into_boxed_slice()
}

/// The code `n` where nobody draws any.
pub(crate) fn made_up(n: u64) -> String {
    format!("c{n:06}")
}

/// The codes of a file, one a line; without a file, `amount` made-up ones for a server that redirects everything.
pub(crate) fn codes(file: Option<&Path>, amount: u64) -> Result<Vec<String>> {
    let Some(file) = file else {
        return Ok((0..amount).map(made_up).collect());
    };
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let codes: Vec<String> =
        text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
    ensure!(!codes.is_empty(), "{} has no code", file.display());
    Ok(codes)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Asking, Draw, Mix, codes};

    #[test]
    fn each_is_asked_for_in_turn_and_a_scan_asks_for_none() {
        let codes = codes(None, 100).unwrap();
        let mut request = Vec::new();
        let mut in_turn = Draw::new(Arc::new(Mix::asking(Asking::InTurn, "h:1", &codes, 7).unwrap()), 9);
        for code in &codes {
            in_turn.next(&mut request);
            assert!(request.starts_with(format!("GET /{code} HTTP/1.1\r\nHost: h:1\r\n").as_bytes()));
        }
        let mut scan = Draw::new(Arc::new(Mix::asking(Asking::Unknown, "h:1", &codes, 7).unwrap()), 9);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1_000 {
            scan.next(&mut request);
            let path = request.split(|&b| b == b' ').nth(1).unwrap().to_vec();
            assert!(path.len() == 13 && seen.insert(path));
        }
    }

    #[test]
    fn a_seed_repeats_the_mix_and_requests_are_whole() {
        let codes = codes(None, 100).unwrap();
        let draw = || Draw::new(Arc::new(Mix::new("h:1", &codes, 7).unwrap()), 9);
        let (mut one, mut two) = (draw(), draw());
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let mut firsts = 0;
        for _ in 0..20_000 {
            one.next(&mut a);
            two.next(&mut b);
            assert_eq!(a, b);
            assert!(a.ends_with(b"\r\n\r\n") && a.windows(4).filter(|w| w == b"\r\n\r\n").count() == 1);
            firsts += usize::from(a.starts_with(b"GET /c000000 "));
        }
        // Of 100 codes the first has 1/H(100) = 19.3 % of the requests.
        assert!((3_600..4_100).contains(&firsts), "{firsts}");
    }
}
