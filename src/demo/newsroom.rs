//! A newsroom that is not there: its stories, its people, and when it published what.
//!
//! All of it is made up, and the same for the same seed and time.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::chance::Chance;

/// Section and headline of each story.
const STORIES: &str = include_str!("stories.txt");
/// How long it has been publishing.
pub(super) const DAYS: i64 = 28;
/// Its name, zone and colour.
pub const NAME: &str = "The Northport Courier";
/// Its zone.
pub const ZONE: &str = "Europe/Dublin";

/// Its sections.
const SECTIONS: [&str; 8] =
    ["City", "Politics", "Business", "Science", "Culture", "Sport", "Travel", "Opinion"];

/// Who writes.
const AUTHORS: [&str; 20] = [
    "Ada Quill",
    "Ben Okafor",
    "Clara Voss",
    "Dara Flynn",
    "Emil Hart",
    "Fatima Noor",
    "Greta Lind",
    "Hugo Marsh",
    "Ines Pereira",
    "Jonas Weir",
    "Kaia Storm",
    "Liam Docherty",
    "Mina Sato",
    "Nils Brandt",
    "Orla Keane",
    "Pavel Dusek",
    "Rosa Tamm",
    "Samir Haddad",
    "Tess Albright",
    "Wim de Graaf",
];

/// Who makes links: the people of its desks.
pub(super) const DESK: [&str; 5] = ["ana", "ben", "chiara", "david", "esra"];

/// Hours at which it publishes, by how often.
const PUBLISHING: [(u32, i64); 12] = [
    (6, 5),
    (12, 6),
    (14, 7),
    (10, 8),
    (9, 9),
    (8, 10),
    (8, 11),
    (9, 12),
    (7, 14),
    (8, 16),
    (6, 18),
    (3, 21),
];

/// A story.
#[derive(Clone, Debug)]
pub(super) struct Story {
    pub(super) section: &'static str,
    pub(super) title: &'static str,
    pub(super) authors: Vec<&'static str>,
    pub(super) at: Timestamp,
    /// On its site.
    pub(super) path: String,
    /// How many times as often as others it is read, in per cent.
    pub(super) heat: u64,
}

/// All stories, the oldest first; the last of them are of today.
pub(super) fn stories(seed: u64, now: Timestamp) -> Vec<Story> {
    let mut chance = Chance::new(seed);
    let mut lines: Vec<(&str, &str)> = STORIES.lines().filter_map(|line| line.split_once('|')).collect();
    for at in (1..lines.len()).rev() {
        let other = chance.below(u64::try_from(at + 1).unwrap_or(1));
        lines.swap(at, usize::try_from(other).unwrap_or(0));
    }
    let days = u64::try_from(DAYS).unwrap_or(1);
    let zone = TimeZone::get(ZONE).unwrap_or(TimeZone::UTC);
    let count = u64::try_from(lines.len()).unwrap_or(1);
    let mut stories: Vec<Story> = lines
        .into_iter()
        .zip(0_u64..)
        .map(|((section, title), n)| {
            let back = i64::try_from(n * days / count).unwrap_or(0);
            let at = published(&mut chance, &zone, now, back);
            Story {
                section,
                title,
                authors: authors(&mut chance, section),
                at,
                path: path(section, title),
                heat: heat(&mut chance),
            }
        })
        .collect();
    stories.sort_by_key(|story| story.at);
    stories
}

/// Some time on the day that is so many days back, not after now.
fn published(chance: &mut Chance, zone: &TimeZone, now: Timestamp, back: i64) -> Timestamp {
    let minutes = chance.weighed(&PUBLISHING) * 60 + chance.between(0, 60);
    let day = now.to_zoned(zone.clone()).start_of_day();
    let at =
        day.and_then(|day| day.checked_sub(back.days())).and_then(|day| day.checked_add(minutes.minutes()));
    let at = at.map_or(now, |at| at.timestamp());
    let latest = now.checked_sub(20.minutes()).unwrap_or(now);
    // What would be later today was earlier, then.
    match at <= latest {
        true => at,
        false => latest.checked_sub(chance.between(0, 9 * 60).minutes()).unwrap_or(latest),
    }
}

fn authors(chance: &mut Chance, section: &str) -> Vec<&'static str> {
    // The same few write for the same section, each for two.
    let number = SECTIONS.iter().position(|one| *one == section).unwrap_or(0);
    let of_section: Vec<&'static str> = (0..5).map(|n| AUTHORS[(5 * number + n) % AUTHORS.len()]).collect();
    let one = *chance.one(&of_section);
    let other = *chance.one(&of_section);
    if one != other && chance.percent(15) { vec![one, other] } else { vec![one] }
}

/// Most stories are read a little, a few are read by everybody.
fn heat(chance: &mut Chance) -> u64 {
    let heat = chance.by_quantiles(&[8, 15, 25, 40, 60, 90, 140, 220, 380, 1_200]);
    u64::try_from(heat).unwrap_or(50)
}

/// Where a story is on its site.
fn path(section: &str, title: &str) -> String {
    let slug = |text: &str| {
        let words = text.to_lowercase().replace('\'', "");
        let words = words.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("-")
    };
    format!("/{}/{}", slug(section), slug(title))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn stories_are_of_its_sections() {
        let lines: Vec<&str> = STORIES.lines().collect();
        assert!(lines.iter().all(|line| line.split_once('|').is_some_and(|(s, _)| SECTIONS.contains(&s))));
    }

    #[test]
    fn it_is_the_same_newsroom_each_time() {
        let now: Timestamp = "2026-03-04T10:00:00Z".parse().unwrap();
        let (one, again) = (stories(7, now), stories(7, now));
        let look = |all: &[Story]| all.iter().map(|s| (s.path.clone(), s.at, s.heat)).collect::<Vec<_>>();
        assert_eq!(look(&one), look(&again));
        assert_ne!(look(&one), look(&stories(8, now)));
        let different = |of: fn(&Story) -> String| one.iter().map(of).collect::<HashSet<_>>().len();
        assert_eq!(one.len(), 150);
        assert_eq!(different(|s| s.path.clone()), 150);
        assert_eq!(different(|s| s.section.to_owned()), 8);
        let authors: HashSet<&str> = one.iter().flat_map(|s| s.authors.iter().copied()).collect();
        assert_eq!(authors.len(), AUTHORS.len());
        let oldest = now.checked_sub((24 * (DAYS + 1)).hours()).unwrap();
        assert!(one.iter().all(|s| s.at < now && s.at > oldest));
        assert!(one.iter().any(|s| s.at > now.checked_sub(12.hours()).unwrap()));
    }
}
