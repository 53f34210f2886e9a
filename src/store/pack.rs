//! Numbers as bytes: all that one scope has in one period, packed into the value of one field.
//!
//! Pure. Guarantees that what is packed is read back the same, in the order of (series, place, value), and that
//! bytes which are no packed numbers are an error and never wrong numbers. Knows nothing of where they are kept.

use std::collections::{HashMap, HashSet};

use super::family::Family;
use crate::domain::tally::{BEYOND, Counts, MAX_UNKNOWN, Series, is_unknown_value};
use crate::store::{Error, Result};

/// One number of a scope within a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) series: Series,
    /// Seconds from the period's begin to the bucket's; 0 where the period is the bucket.
    pub(crate) place: u32,
    /// "" where the series has none.
    pub(crate) value: &'a str,
    pub(crate) counts: Counts,
}

impl Entry<'_> {
    fn order(&self) -> (Series, u32, &str) {
        (self.series, self.place, self.value)
    }
}

/// What is counted, in the order of their bits.
const KINDS: [fn(&mut Counts) -> &mut u64; 6] = [
    |c| &mut c.clicks,
    |c| &mut c.previews,
    |c| &mut c.bots,
    |c| &mut c.missed,
    |c| &mut c.uniques,
    |c| &mut c.unfurls,
];
/// All of their bits, and how many those are.
const KIND_BITS: u32 = 6;
const ALL_KINDS: u64 = (1 << KIND_BITS) - 1;
/// A length from here on is none: it says which of the values that no table knows comes again. Most of a link's unknown
/// sources are its unknown referrers, and they are most of its bytes.
const AGAIN: usize = 1 << 8;
/// The bit beside them: a value follows.
const VALUED: u64 = 1 << KIND_BITS;

/// Reads packed numbers.
pub(crate) struct Entries<'a> {
    family: Family,
    left: &'a [u8],
    place: u32,
    /// Values that no table knows, as they came.
    unknown: Vec<&'a str>,
}

impl<'a> Entries<'a> {
    pub(crate) fn new(family: Family, packed: &'a [u8]) -> Entries<'a> {
        Entries { family, left: packed, place: 0, unknown: vec![] }
    }

    fn entry(&mut self) -> Option<Entry<'a>> {
        let head = self.number()?;
        let (series, kinds) = match self.family {
            Family::Total => (Series::Total, head),
            Family::Day => days_series(head >> KIND_BITS)?,
            Family::Readers | Family::Shares => return None,
            Family::Hour | Family::Minute => {
                let unit = if head & 1 == 0 { u64::from(self.family.unit()) } else { 1 };
                let step = (head >> 1).checked_mul(unit)?;
                self.place = self.place.checked_add(u32::try_from(step).ok()?)?;
                (self.family.series(), self.number()?)
            }
        };
        let kinds = if self.family == Family::Day { kinds | head & ALL_KINDS } else { kinds };
        if kinds >= VALUED << 1 {
            return None;
        }
        let value = if kinds & VALUED == 0 { "" } else { self.text()? };
        let mut counts = Counts::default();
        for (bit, kind) in KINDS.into_iter().enumerate() {
            if kinds & (1 << bit) != 0 {
                *kind(&mut counts) = self.number()?;
            }
        }
        Some(Entry { series, place: self.place, value, counts })
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, left) = self.left.split_first()?;
            self.left = left;
            let bits = u64::from(byte & 0x7f);
            if bits.leading_zeros() < shift {
                return None;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn text(&mut self) -> Option<&'a str> {
        let len = usize::try_from(self.number()?).ok()?;
        if let Some(at) = len.checked_sub(AGAIN) {
            return self.unknown.get(at).copied();
        }
        let (text, left) = self.left.split_at_checked(len)?;
        self.left = left;
        let text = std::str::from_utf8(text).ok()?;
        if is_unknown_value(text) {
            self.unknown.push(text);
        }
        Some(text)
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>>;

    fn next(&mut self) -> Option<Result<Entry<'a>>> {
        if self.left.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_none() {
            self.left = &[];
        }
        Some(entry.ok_or_else(|| Error::Corrupt("packed numbers that cannot be read".into())))
    }
}

/// Writes packed numbers.
struct Packed<'a> {
    family: Family,
    bytes: Vec<u8>,
    place: u32,
    /// Values that no table knows, as they were written.
    literals: Vec<&'a str>,
    /// Where among them the last search ended.
    next: usize,
    /// The last series that has such values, and how many.
    unknown: (Series, usize),
    /// How many the series has that has the most.
    most_unknown: usize,
}

impl<'a> Packed<'a> {
    fn put(&mut self, entry: &Entry<'a>) {
        let mut counts = entry.counts;
        // Of all series by days only the days themselves do without a value.
        let plain = entry.value.is_empty() && (self.family != Family::Day || entry.series == Series::Day);
        let mut kinds = if plain { 0 } else { VALUED };
        for (bit, kind) in KINDS.into_iter().enumerate() {
            if *kind(&mut counts) > 0 {
                kinds |= 1 << bit;
            }
        }
        if kinds & !VALUED == 0 {
            return;
        }
        if is_unknown_value(entry.value) {
            let before = if self.unknown.0 == entry.series { self.unknown.1 } else { 0 };
            self.unknown = (entry.series, before + 1);
            self.most_unknown = self.most_unknown.max(before + 1);
        }
        match self.family {
            Family::Total => self.number(kinds),
            Family::Day => self.number(days_number(entry) << KIND_BITS | kinds & ALL_KINDS),
            // Sketches are no numbers.
            Family::Readers | Family::Shares => return,
            Family::Hour | Family::Minute => {
                let (step, unit) = (entry.place.saturating_sub(self.place), self.family.unit());
                let exact = step.is_multiple_of(unit);
                self.number(if exact { u64::from(step / unit) << 1 } else { u64::from(step) << 1 | 1 });
                self.number(kinds);
                self.place = entry.place;
            }
        }
        if kinds & VALUED != 0 {
            self.text(entry.value);
        }
        for kind in KINDS {
            let n = *kind(&mut counts);
            if n > 0 {
                self.number(n);
            }
        }
    }

    fn text(&mut self, text: &'a str) {
        let unknown = is_unknown_value(text);
        if unknown && let Some(at) = self.again(text) {
            return self.number(u64::try_from(AGAIN + at).unwrap_or(u64::MAX));
        }
        if unknown {
            self.literals.push(text);
        }
        self.number(u64::try_from(text.len()).unwrap_or(u64::MAX));
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Where a value was written, if it is easily found: those of a series come in order, so each is looked for from where
    /// the search for the one before ended, and a series of very many is gone through once.
    fn again(&mut self, text: &str) -> Option<usize> {
        if self.literals.get(self.next.wrapping_sub(1)).is_none_or(|before| *before >= text) {
            self.next = 0;
        }
        let ahead = self.literals.iter().skip(self.next).position(|there| *there >= text);
        self.next = ahead.map_or(self.literals.len(), |ahead| self.next + ahead);
        self.literals.get(self.next).is_some_and(|there| *there == text).then_some(self.next)
    }

    fn number(&mut self, mut number: u64) {
        loop {
            // The lowest byte of seven bits always is one.
            let bits = u8::try_from(number & 0x7f).unwrap_or(0);
            number >>= 7;
            if number == 0 {
                return self.bytes.push(bits);
            }
            self.bytes.push(bits | 0x80);
        }
    }
}

/// A series by days as it is kept: 0 for days without a value, else its own number.
fn days_number(entry: &Entry<'_>) -> u64 {
    match entry.series {
        Series::Day if entry.value.is_empty() => 0,
        series => series.number().into(),
    }
}

/// The kept series, and the bit that says whether a value follows.
fn days_series(number: u64) -> Option<(Series, u64)> {
    match number {
        0 => Some((Series::Day, 0)),
        number => Series::from_number(number).filter(|s| Family::of(*s) == Family::Day).map(|s| (s, VALUED)),
    }
}

/// The numbers in `packed`, and `more` added to them. Two of the same place become their sum.
///
/// # Errors
/// `Corrupt` for bytes that are no packed numbers, and for a sum beyond what can be.
pub(crate) fn add(family: Family, packed: &[u8], more: &mut [Entry<'_>]) -> Result<Vec<u8>> {
    Ok(merged(family, packed, more)?.bytes)
}

fn merged<'a, 'g: 'a>(family: Family, packed: &'a [u8], more: &mut [Entry<'g>]) -> Result<Packed<'a>> {
    more.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
    let bytes = Vec::with_capacity(packed.len() + 8 * more.len());
    let mut out = Packed {
        family,
        bytes,
        place: 0,
        literals: vec![],
        next: 0,
        unknown: (Series::Total, 0),
        most_unknown: 0,
    };
    let (mut old, mut new) = (Entries::new(family, packed), more.iter());
    let (mut left, mut right) = (old.next().transpose()?, new.next());
    let mut open: Option<Entry<'_>> = None;
    loop {
        let old_first = match (&left, right) {
            (Some(l), Some(r)) => l.order() <= r.order(),
            (l, _) => l.is_some(),
        };
        let next = if old_first { left.take() } else { right.copied() };
        let Some(next) = next else { break };
        if old_first {
            left = old.next().transpose()?;
        } else {
            right = new.next();
        }
        match &mut open {
            Some(sum) if sum.order() == next.order() => sum.counts = plus(sum.counts, next.counts)?,
            _ => {
                if let Some(done) = open.replace(next) {
                    out.put(&done);
                }
            }
        }
    }
    if let Some(done) = open {
        out.put(&done);
    }
    Ok(out)
}

/// The sum of packed numbers of one series.
///
/// # Errors
/// As [`add`].
pub(crate) fn sum(family: Family, packed: &[u8], series: Series) -> Result<Counts> {
    let mut sum = Counts::default();
    for entry in Entries::new(family, packed) {
        let entry = entry?;
        if entry.series == series {
            sum = plus(sum, entry.counts)?;
        }
    }
    Ok(sum)
}

fn plus(mut a: Counts, mut b: Counts) -> Result<Counts> {
    for kind in KINDS {
        let sum = kind(&mut a).checked_add(*kind(&mut b));
        *kind(&mut a) = sum.ok_or_else(|| Error::Corrupt("a number beyond what can be".into()))?;
    }
    Ok(a)
}

/// The same, with a bounded number of values that no table knows: `more` comes in the order of first hits.
///
/// # Errors
/// As [`add`].
pub(crate) fn add_bounded(family: Family, packed: &[u8], more: &mut [Entry<'_>]) -> Result<Vec<u8>> {
    // Nearly always there is room for all, which shows when they are packed.
    let mut all = more.to_vec();
    let sum = merged(family, packed, &mut all)?;
    if sum.most_unknown <= MAX_UNKNOWN {
        return Ok(sum.bytes);
    }
    bound(packed, more)?;
    add(family, packed, more)
}

/// Leaves of values that no table knows those that have a row, and the first others for which there is room; the rest
/// becomes [`BEYOND`].
fn bound(old: &[u8], more: &mut [Entry<'_>]) -> Result<()> {
    let mut known: HashMap<Series, HashSet<String>> = HashMap::new();
    for entry in Entries::new(Family::Day, old) {
        let entry = entry?;
        if is_unknown_value(entry.value) {
            known.entry(entry.series).or_default().insert(entry.value.to_owned());
        }
    }
    for entry in more.iter_mut().filter(|entry| is_unknown_value(entry.value)) {
        let there = known.entry(entry.series).or_default();
        if !there.contains(entry.value) {
            match there.len() < MAX_UNKNOWN {
                true => drop(there.insert(entry.value.to_owned())),
                false => entry.value = BEYOND,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FAMILIES: [Family; 4] = [Family::Total, Family::Day, Family::Hour, Family::Minute];

    fn read(family: Family, packed: &[u8]) -> Vec<Entry<'_>> {
        Entries::new(family, packed).collect::<Result<_>>().unwrap()
    }

    fn series_of(family: Family) -> BoxedStrategy<Series> {
        let days = Series::ALL.into_iter().filter(|s| Family::of(*s) == Family::Day).collect::<Vec<_>>();
        match family {
            Family::Day => prop::sample::select(days).boxed(),
            other => Just(other.series()).boxed(),
        }
    }

    fn numbers(family: Family) -> impl Strategy<Value = Vec<Entry<'static>>> {
        let place = match family {
            Family::Total | Family::Day => Just(0).boxed(),
            Family::Readers | Family::Shares => Just(0).boxed(),
            Family::Hour => prop_oneof![(0..24u32).prop_map(|h| h * 3_600), 0..86_400u32].boxed(),
            Family::Minute => prop_oneof![(0..60u32).prop_map(|m| m * 60), 0..3_600u32].boxed(),
        };
        let value = match family {
            Family::Total => Just("").boxed(),
            _ => prop_oneof![
                Just(""),
                Just("qr"),
                Just("a longer value, zürich"),
                prop::sample::select(&["~a", "~b.example", "~c", "~d.example", "~"][..]),
            ]
            .boxed(),
        };
        let n = || prop_oneof![Just(0), 0..300u64, 0..(1u64 << 50)];
        let counts =
            [n(), n(), n(), n(), n(), n()].prop_map(|[clicks, previews, bots, missed, uniques, unfurls]| {
                Counts { clicks, previews, bots, missed, uniques, unfurls }
            });
        let one = (series_of(family), place, value, counts)
            .prop_map(|(series, place, value, counts)| Entry { series, place, value, counts });
        prop::collection::vec(one, 0..20)
    }

    /// What it should be: sums by place, without zeros.
    fn sums<'a>(all: impl Iterator<Item = &'a Entry<'static>>) -> Vec<Entry<'static>> {
        let mut sums = std::collections::BTreeMap::<_, Counts>::new();
        for entry in all {
            *sums.entry((entry.series, entry.place, entry.value)).or_default() += entry.counts;
        }
        let kept = sums.into_iter().filter(|(_, counts)| *counts != Counts::default());
        kept.map(|((series, place, value), counts)| Entry { series, place, value, counts }).collect()
    }

    proptest! {
        #[test]
        fn what_is_added_is_read((family, a, b) in prop::sample::select(&FAMILIES[..])
            .prop_flat_map(|f| (Just(f), numbers(f), numbers(f))))
        {
            let first = add(family, &[], &mut a.clone()).unwrap();
            prop_assert_eq!(read(family, &first), sums(a.iter()));
            let both = add(family, &first, &mut b.clone()).unwrap();
            prop_assert_eq!(read(family, &both), sums(a.iter().chain(&b)));
            for series in Series::ALL {
                let expected: Counts =
                    a.iter().chain(&b).filter(|e| e.series == series).map(|e| e.counts).sum();
                prop_assert_eq!(sum(family, &both, series).unwrap(), expected);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(family in prop::sample::select(&FAMILIES[..]), bytes: Vec<u8>) {
            let read: Result<Vec<Entry<'_>>> = Entries::new(family, &bytes).collect();
            if let Err(why) = read {
                prop_assert!(matches!(why, Error::Corrupt(_)));
            }
        }
    }

    #[test]
    fn few_hits_are_few_bytes() {
        let clicks = |n| Counts { clicks: n, ..Counts::default() };
        let entry = |series, place, value, n| Entry { series, place, value, counts: clicks(n) };
        let mut day = [
            entry(Series::Day, 0, "", 17),
            entry(Series::Trigger, 0, "link", 17),
            entry(Series::Target, 0, "1", 17),
        ];
        assert_eq!(add(Family::Day, &[], &mut day).unwrap().len(), 2 + 8 + 5);
        let mut hours: Vec<_> = (0..24).map(|h| entry(Series::Hour, h * 3_600, "", 4)).collect();
        assert_eq!(add(Family::Hour, &[], &mut hours).unwrap().len(), 24 * 3);
        let mut total = [entry(Series::Total, 0, "", 500)];
        assert_eq!(add(Family::Total, &[], &mut total).unwrap().len(), 3);
    }

    #[test]
    fn what_comes_again_is_written_once() {
        let hosts: Vec<String> = (0..100).map(|n| format!("~a-long-name-{n:03}.example")).collect();
        let of = |series| {
            let counts = Counts { clicks: 1, ..Counts::default() };
            hosts.iter().map(move |host| Entry { series, place: 0, value: host, counts })
        };
        let mut all: Vec<Entry<'_>> = of(Series::Source).chain(of(Series::Referrer)).collect();
        let packed = add(Family::Day, &[], &mut all).unwrap();
        assert_eq!(read(Family::Day, &packed), all);
        let once = add(Family::Day, &[], &mut all[..100]).unwrap();
        assert!(packed.len() <= once.len() + 6 * 100, "{} {}", packed.len(), once.len());
    }

    #[test]
    fn a_sum_beyond_what_can_be_is_refused() {
        let most = Entry {
            series: Series::Total,
            place: 0,
            value: "",
            counts: Counts { clicks: u64::MAX, ..Counts::default() },
        };
        let packed = add(Family::Total, &[], &mut [most]).unwrap();
        assert_eq!(read(Family::Total, &packed), [most]);
        assert!(matches!(add(Family::Total, &packed, &mut [most]), Err(Error::Corrupt(_))));
    }
}
