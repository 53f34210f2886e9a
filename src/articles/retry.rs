//! When a page that could not be read is tried again. Pure.
//!
//! A CMS makes links before it publishes, so what is not there yet is asked for again soon, a few times, and once
//! more when the link opens. A page that is not for us is no worse: its site may let us in later.

use std::time::Duration;

use jiff::Timestamp;

use super::reader::Outcome;

/// After so long, one try after the other.
pub const AFTER: [Duration; 3] =
    [Duration::from_secs(60), Duration::from_secs(5 * 60), Duration::from_secs(30 * 60)];

/// When a page is to be tried next; None if it is not.
///
/// `tries` is how often it was tried in vain, the last time at `last` with this outcome. `not_before` is when its
/// link opens.
#[must_use]
pub fn next(
    outcome: Outcome,
    tries: u32,
    last: Timestamp,
    not_before: Option<Timestamp>,
) -> Option<Timestamp> {
    match outcome {
        // We would not ask there another time either.
        Outcome::Read | Outcome::Refused => return None,
        Outcome::NotReadable | Outcome::Gone | Outcome::Broken | Outcome::Slow => {}
    }
    let step = usize::try_from(tries).ok().and_then(|tries| AFTER.get(tries.saturating_sub(1)));
    let soon = step.and_then(|after| last.checked_add(*after).ok());
    let opens = not_before.filter(|opens| *opens > last);
    match (soon, opens) {
        (Some(soon), Some(opens)) => Some(soon.min(opens)),
        (soon, opens) => soon.or(opens),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soon_a_few_times_and_when_the_link_opens() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        // (tries, minute of the last, opens, minute of the next)
        let table = [
            (1, 0, None, Some(1)),
            (2, 1, None, Some(6)),
            (3, 6, None, Some(36)),
            (4, 36, None, None),
            (9, 99, None, None),
            (4, 36, Some(100), Some(100)),
            (1, 0, Some(100), Some(1)),
            (2, 1, Some(3), Some(3)),
            (4, 36, Some(36), None),
            (5, 100, Some(100), None),
            (0, 0, None, Some(1)),
        ];
        for (tries, last, opens, expected) in table {
            for outcome in [Outcome::NotReadable, Outcome::Gone, Outcome::Broken, Outcome::Slow] {
                let next = next(outcome, tries, at(last), opens.map(at));
                assert_eq!(next, expected.map(at), "{tries} {last} {opens:?}");
            }
            for outcome in [Outcome::Read, Outcome::Refused] {
                assert_eq!(next(outcome, tries, at(last), opens.map(at)), None);
            }
        }
        assert_eq!(next(Outcome::Gone, 1, Timestamp::MAX, None), None, "the end of time");
    }
}
