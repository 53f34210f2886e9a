//! A hit: one redirect of an active link, with what is known of its request; never the address.
//!
//! A *missed* visit (a known link that is not open) goes the same way with its own class. Fields are what the
//! journal keeps and what classification reads.

use super::lane::Lane;

/// What made a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// A person.
    Click,
    /// An unfurl, a prefetch, a HEAD.
    Preview,
    /// Everything else automatic.
    Bot,
    /// A visit to a known link that is not open.
    Missed,
}

impl Class {
    /// The word in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Click => "click",
            Class::Preview => "preview",
            Class::Bot => "bot",
            Class::Missed => "missed",
        }
    }
}

/// How a link was followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// The plain address.
    Link,
    /// The `.q` form that QR codes hold.
    Qr,
}

impl Trigger {
    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Trigger::Link => "link",
            Trigger::Qr => "qr",
        }
    }
}

/// Why a known link did not lead on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MissedReason {
    /// Scheduled or reserved.
    NotOpen,
    /// Disabled by hand.
    Disabled,
    /// Past its `expires_at`.
    Expired,
    /// Its article was withdrawn.
    Withdrawn,
    /// Retired for good.
    Retired,
}

impl MissedReason {
    /// All of them, in the order of the reports.
    pub const ALL: [MissedReason; 5] = [
        MissedReason::NotOpen,
        MissedReason::Disabled,
        MissedReason::Expired,
        MissedReason::Withdrawn,
        MissedReason::Retired,
    ];

    /// The word in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MissedReason::NotOpen => "not_open",
            MissedReason::Disabled => "disabled",
            MissedReason::Expired => "expired",
            MissedReason::Withdrawn => "withdrawn",
            MissedReason::Retired => "retired",
        }
    }
}

/// What happened to the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Redirected to the target that the link got at this version (1 for its first).
    Followed {
        /// The link's version at which this target was set.
        target: u32,
    },
    /// Not redirected to its target.
    Missed(MissedReason),
}

/// Facts of a request that a class is made from, without the text fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Signals {
    /// The method was HEAD.
    pub head: bool,
    /// `Sec-Purpose`, `Purpose` or `X-Moz` says prefetch or preview.
    pub prefetch: bool,
}

/// What the operator's tables of addresses say of the one a hit came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Network {
    /// Nothing.
    #[default]
    Unknown,
    /// Never a person: an uptime probe, the newsroom's own tools.
    Excluded,
    /// A data centre.
    DataCentre,
    /// A scanner of mail.
    MailScanner,
}

impl Network {
    /// All of them, each at the place of its byte.
    pub const ALL: [Network; 4] =
        [Network::Unknown, Network::Excluded, Network::DataCentre, Network::MailScanner];

    /// The byte in the journal.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Network::Unknown => 0,
            Network::Excluded => 1,
            Network::DataCentre => 2,
            Network::MailScanner => 3,
        }
    }

    /// Reads the byte; one that is none says nothing.
    #[must_use]
    pub fn from_byte(byte: u8) -> Network {
        Network::ALL.get(usize::from(byte)).copied().unwrap_or_default()
    }

    /// The word in configuration and commands.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Network::Unknown => "unknown",
            Network::Excluded => "excluded",
            Network::DataCentre => "data_centre",
            Network::MailScanner => "mail_scanner",
        }
    }
}

/// Who a reader is within one day, without saying who: a hash of address and user agent with the random key of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Visitor {
    /// 0 for one who asked not to be followed.
    pub hash: u64,
    /// True if the key was not that of all nodes: the same reader may have another hash elsewhere.
    pub own_key: bool,
}

/// A country by its ISO 3166 code in capitals; zeros where it is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Country(pub [u8; 2]);

impl Country {
    /// Reads two letters; anything else is no country.
    #[must_use]
    pub fn parse(code: &[u8]) -> Country {
        match code {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Country([a.to_ascii_uppercase(), b.to_ascii_uppercase()])
            }
            _ => Country::default(),
        }
    }

    /// The code; None where it is not known.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok().filter(|code| code.bytes().all(|b| b.is_ascii_uppercase()))
    }
}

/// One hit as the request path hands it to the journal; ordinals are the journal's to give.
#[derive(Clone, Copy, Debug)]
pub struct NewHit<'a> {
    /// The lane of `code`.
    pub lane: Lane,
    /// The link's code in its own spelling, 1 to 64 bytes.
    pub code: &'a str,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What happened.
    pub outcome: Outcome,
    /// How it was followed.
    pub trigger: Trigger,
    /// Method and purpose.
    pub signals: Signals,
    /// What the operator's tables say of the address.
    pub network: Network,
    /// Where the address is.
    pub country: Country,
    /// Who it was.
    pub visitor: Visitor,
    /// `User-Agent`, at most [`MAX_TEXT`] bytes are kept.
    pub user_agent: &'a [u8],
    /// `Referer`, cut to scheme and host by the caller, at most [`MAX_TEXT`] bytes are kept.
    pub referrer: &'a [u8],
    /// Client hints, packed by the caller, at most [`MAX_SHORT_TEXT`] bytes are kept.
    pub hints: &'a [u8],
    /// What of the query says where a reader came from, at most [`MAX_SHORT_TEXT`] bytes are kept.
    pub params: &'a [u8],
}

impl<'a> NewHit<'a> {
    /// A redirect by a plain GET of which nothing else is known.
    #[must_use]
    pub fn plain(lane: Lane, code: &'a str, at_ms: i64) -> NewHit<'a> {
        NewHit {
            lane,
            code,
            at_ms,
            outcome: Outcome::Followed { target: 1 },
            trigger: Trigger::Link,
            signals: Signals::default(),
            network: Network::Unknown,
            country: Country::default(),
            visitor: Visitor::default(),
            user_agent: b"",
            referrer: b"",
            hints: b"",
            params: b"",
        }
    }
}

/// Longest text field kept in a record, in bytes.
pub const MAX_TEXT: usize = 1024;
/// Longest of the short ones: their length fits into one byte.
pub const MAX_SHORT_TEXT: usize = 255;

/// One hit as read back from the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit<'a> {
    /// The lane of `code`.
    pub lane: Lane,
    /// Its number in (stream, lane), from 1.
    pub lane_ordinal: u64,
    /// Its number in (stream, site lane), from 1.
    pub site_ordinal: u64,
    /// The link's code in its own spelling.
    pub code: &'a str,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// What happened.
    pub outcome: Outcome,
    /// How it was followed.
    pub trigger: Trigger,
    /// Method and purpose.
    pub signals: Signals,
    /// What the operator's tables say of the address.
    pub network: Network,
    /// Where the address is.
    pub country: Country,
    /// Who it was.
    pub visitor: Visitor,
    /// `User-Agent` as sent; not necessarily UTF-8.
    pub user_agent: &'a [u8],
    /// `Referer`, cut.
    pub referrer: &'a [u8],
    /// Packed client hints.
    pub hints: &'a [u8],
    /// What is kept of the query.
    pub params: &'a [u8],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_come_back_from_their_bytes() {
        for network in Network::ALL {
            assert_eq!(Network::from_byte(network.byte()), network);
        }
        assert_eq!(Network::from_byte(200), Network::Unknown);
    }

    #[test]
    fn a_country_is_two_letters() {
        assert_eq!(Country::parse(b"at").as_str(), Some("AT"));
        for none in [&b""[..], b"A", b"A1", b"AUT", b"\xff\xff"] {
            assert_eq!(Country::parse(none).as_str(), None);
        }
    }
}
