//! What is counted apart within a scope, and how the parts belong together.
//!
//! Knows neither hits nor stores.

use super::tally::Counts;

/// What is counted apart within a scope; the numbers are kept in stores and never change.
///
/// For every scope and class: the sum of hours = of days = `Total`, and the same of each dimension that the class has
/// (`Bot` has only bots, `Preview` only previews, `Reason` both). Missed visits are in `Total` and `Missed` only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Series {
    /// Ever; bucket 0.
    Total = 0,
    /// By minute: its start in UTC seconds. Site and links only, kept 48 h.
    Minute = 1,
    /// By hour: [`super::calendar::Hour`].
    Hour = 2,
    /// By day: [`super::calendar::Day`], as in all below.
    Day = 3,
    /// Missed visits by reason.
    Missed = 4,
    /// How the link was followed.
    Trigger = 5,
    /// Which of the link's targets; links only.
    Target = 6,
    /// Kind of bot.
    Bot = 7,
    /// Network of previews.
    Preview = 8,
    /// Named origin.
    Source = 9,
    /// Its kind.
    Medium = 10,
    /// Referrer's registrable domain or app; `none` without one.
    Referrer = 11,
    /// ISO 3166 code of the address's country; `unknown` where it is not known.
    Country = 12,
    /// Kind of device.
    Device = 13,
    /// System.
    Os = 14,
    /// Browser, in-app browsers by name.
    Browser = 15,
    /// Why hits were no clicks: reason, or reason and name with a colon between. Links only.
    Reason = 16,
    /// Clicks that asked not to be followed: they are in no sketch. No dimension.
    Untracked = 17,
    /// Clicks whose reader was told apart by another key of the day than the other nodes': that day's estimate is too
    /// high. No dimension.
    OwnKey = 18,
}

/// What of a scope's hits a series has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All hits and missed visits.
    Everything,
    /// All hits.
    Hits,
    /// Previews.
    Previews,
    /// Bots.
    Bots,
    /// Previews and bots.
    Automatic,
    /// Missed visits.
    Missed,
    /// Some of them.
    Some,
}

impl Series {
    /// All of them.
    pub const ALL: [Series; 19] = [
        Series::Total,
        Series::Minute,
        Series::Hour,
        Series::Day,
        Series::Missed,
        Series::Trigger,
        Series::Target,
        Series::Bot,
        Series::Preview,
        Series::Source,
        Series::Medium,
        Series::Referrer,
        Series::Country,
        Series::Device,
        Series::Os,
        Series::Browser,
        Series::Reason,
        Series::Untracked,
        Series::OwnKey,
    ];

    /// The word in exports and, for dimensions, in `by=`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Series::Total => "total",
            Series::Minute => "minute",
            Series::Hour => "hour",
            Series::Day => "day",
            Series::Missed => "missed",
            Series::Trigger => "trigger",
            Series::Target => "target",
            Series::Bot => "bot",
            Series::Preview => "preview",
            Series::Source => "source",
            Series::Medium => "medium",
            Series::Referrer => "referrer",
            Series::Country => "country",
            Series::Device => "device",
            Series::Os => "os",
            Series::Browser => "browser",
            Series::Reason => "reason",
            Series::Untracked => "untracked",
            Series::OwnKey => "own_key",
        }
    }

    /// The series kept in stores under this number.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Series> {
        Series::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The number that it is kept under.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// True for what only links have: within others it would mean nothing.
    #[must_use]
    pub fn is_of_links_only(self) -> bool {
        matches!(self, Series::Target | Series::Reason)
    }

    /// True for what hits are told apart by within a day: its values sum up to its share of the day.
    #[must_use]
    pub fn is_dimension(self) -> bool {
        let in_time = matches!(self, Series::Total | Series::Minute | Series::Hour | Series::Day);
        !in_time && !matches!(self.extent(), Extent::Some | Extent::Missed)
    }

    /// What of a scope's hits it has, all its values together.
    #[must_use]
    pub fn extent(self) -> Extent {
        match self {
            Series::Total => Extent::Everything,
            Series::Minute | Series::Untracked | Series::OwnKey => Extent::Some,
            Series::Missed => Extent::Missed,
            Series::Bot => Extent::Bots,
            Series::Preview => Extent::Previews,
            Series::Reason => Extent::Automatic,
            Series::Hour
            | Series::Day
            | Series::Trigger
            | Series::Target
            | Series::Source
            | Series::Medium
            | Series::Referrer
            | Series::Country
            | Series::Device
            | Series::Os
            | Series::Browser => Extent::Hits,
        }
    }

    /// What a scope's series sums up to, if the scope's `total` says so.
    #[must_use]
    pub fn share(self, total: &Counts) -> Option<Counts> {
        let (none, total) = (Counts::default(), total.exact());
        Some(match self.extent() {
            Extent::Everything => total,
            Extent::Hits => Counts { missed: 0, ..total },
            Extent::Previews => Counts { previews: total.previews, ..none },
            Extent::Bots => Counts { bots: total.bots, ..none },
            Extent::Automatic => Counts { previews: total.previews, bots: total.bots, ..none },
            Extent::Missed => Counts { missed: total.missed, ..none },
            Extent::Some => return None,
        })
    }

    /// Reads the word.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Series> {
        Series::ALL.into_iter().find(|s| s.as_str() == name)
    }
}
