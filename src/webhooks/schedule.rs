//! When a message is tried again, and when nobody is told any more. Pure.
//!
//! Guarantees an end: a message is tried at once and then after each of the given pauses, and is given up after the last.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

use crate::articles::fetch::Posted;
use crate::store::webhooks::{Delivery, Health, Stage, Tried};

/// A receiver may put a message off for so long at most.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// What a try came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// The delivery after it.
    pub delivery: Delivery,
    /// What it says of the webhook.
    pub health: Health,
    /// The webhook is not told anything any more, and why.
    pub disable: Option<String>,
}

/// What follows from a try that began `latency` before `now`.
#[must_use]
pub fn after(
    before: &Delivery,
    posted: &Posted,
    latency: Duration,
    pauses: &[Duration],
    now: Timestamp,
) -> Next {
    let (status, error, asked_for) = said(posted, now);
    let attempts = before.attempts.saturating_add(1);
    let gone = status == Some(410);
    let stage = match error {
        None => Stage::Delivered(now),
        Some(_) if gone => Stage::Failed(now),
        Some(_) => again(attempts, pauses, asked_for, now),
    };
    let health = if error.is_some() { Health::Failing(now) } else { Health::Good };
    let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
    let tried = Tried { at: Some(now), status, error, latency_ms };
    let disable = gone.then(|| "it answered 410: it does not want to be told any more".to_owned());
    Next { delivery: Delivery { attempts, stage, tried, ..before.clone() }, health, disable }
}

/// Status, what is wrong with it in words, and until when the receiver asks not to be asked.
fn said(posted: &Posted, now: Timestamp) -> (Option<u16>, Option<String>, Option<Timestamp>) {
    match posted {
        Posted::Answered { status: 200..=299, .. } => (posted_status(posted), None, None),
        Posted::Answered { status, retry_after } => {
            let puts_off = matches!(status, 429 | 503);
            let until = retry_after.as_deref().filter(|_| puts_off).and_then(|text| until(text, now));
            let why = match status {
                300..=399 => format!("it answered {status}: redirects are not followed"),
                _ => format!("it answered {status}"),
            };
            (Some(*status), Some(why), until)
        }
        Posted::Unanswered { why } | Posted::Refused { why } => (None, Some(why.clone()), None),
    }
}

fn posted_status(posted: &Posted) -> Option<u16> {
    match posted {
        Posted::Answered { status, .. } => Some(*status),
        Posted::Unanswered { .. } | Posted::Refused { .. } => None,
    }
}

fn again(attempts: u32, pauses: &[Duration], asked_for: Option<Timestamp>, now: Timestamp) -> Stage {
    let tried = usize::try_from(attempts).unwrap_or(usize::MAX);
    let Some(pause) = tried.checked_sub(1).and_then(|n| pauses.get(n)) else { return Stage::Failed(now) };
    let next = later(now, *pause);
    Stage::Waiting(asked_for.map_or(next, |asked| asked.max(next)))
}

/// A time after this one, or the last there is.
#[must_use]
pub fn later(now: Timestamp, pause: Duration) -> Timestamp {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    now.saturating_add(pause).unwrap_or(Timestamp::MAX)
}

/// A `Retry-After` in seconds or as a date; None for anything else and for what has passed.
fn until(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    let at = match text.parse::<u64>() {
        Ok(seconds) => later(now, Duration::from_secs(seconds)),
        Err(_) => DateTimeParser::new().parse_timestamp(text).ok()?,
    };
    let longest = now.saturating_add(LONGEST).unwrap_or(Timestamp::MAX);
    (at > now).then(|| at.min(longest))
}

/// Why a webhook that has been failing since then is not told anything any more, if it has for too long.
#[must_use]
pub fn too_long(failing_since: Option<Timestamp>, longest: Duration, now: Timestamp) -> Option<String> {
    let since = failing_since.filter(|since| later(*since, longest) <= now)?;
    let last = Timestamp::from_second(since.as_second()).unwrap_or(since);
    Some(format!("it has taken nothing since {last}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::at;
    use crate::store::conformance::webhooks::delivery;

    fn pauses() -> Vec<Duration> {
        [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000].map(Duration::from_secs).to_vec()
    }

    fn answer(status: u16, retry_after: Option<&str>) -> Posted {
        Posted::Answered { status, retry_after: retry_after.map(str::to_owned) }
    }

    fn next(before: &Delivery, posted: &Posted, seconds: i64) -> Next {
        after(before, posted, Duration::from_millis(12), &pauses(), at(seconds))
    }

    #[test]
    fn a_message_is_tried_after_each_pause_and_then_given_up() {
        let mut is = delivery("w", "m", 0);
        let mut now = 0;
        for pause in [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000] {
            let failed = next(&is, &answer(500, None), now);
            assert_eq!(failed.delivery.stage, Stage::Waiting(at(now + pause)));
            assert_eq!((failed.health, failed.disable), (Health::Failing(at(now)), None));
            (is, now) = (failed.delivery, now + pause);
        }
        let last = next(&is, &Posted::Unanswered { why: "no answer".into() }, now).delivery;
        assert_eq!((last.stage, last.attempts), (Stage::Failed(at(now)), 8));
        assert_eq!((last.tried.status, last.tried.error.as_deref()), (None, Some("no answer")));
        // By hand, once more.
        assert_eq!(next(&last, &answer(500, None), now).delivery.stage, Stage::Failed(at(now)));
    }

    #[test]
    fn what_an_answer_means() {
        let is = delivery("w", "m", 0);
        for status in [200, 201, 202, 204, 299] {
            let next = next(&is, &answer(status, None), 3);
            assert_eq!(
                (next.delivery.stage, next.health),
                (Stage::Delivered(at(3)), Health::Good),
                "{status}"
            );
            let tried = Tried { at: Some(at(3)), status: Some(status), error: None, latency_ms: 12 };
            assert_eq!(next.delivery.tried, tried);
        }
        for status in [100, 301, 302, 307, 400, 401, 404, 500, 503] {
            let next = next(&is, &answer(status, None), 0);
            assert_eq!(next.delivery.stage, Stage::Waiting(at(5)), "{status}");
            assert!(next.delivery.tried.error.unwrap().contains(&status.to_string()));
        }
        let gone = next(&is, &answer(410, None), 0);
        assert_eq!(gone.delivery.stage, Stage::Failed(at(0)));
        assert!(gone.disable.unwrap().contains("410"));
        let refused = next(&is, &Posted::Refused { why: "not public".into() }, 0);
        assert_eq!(refused.delivery.stage, Stage::Waiting(at(5)), "its name may lead elsewhere one day");
    }

    #[test]
    fn who_asks_for_time_gets_it() {
        let is = delivery("w", "m", 0);
        // at(0) is 2026-11-22T17:00:00Z.
        let table = [
            (429, "120", 120),
            (503, "120", 120),
            (429, "1", 5),
            (429, "Sun, 22 Nov 2026 17:10:00 GMT", 600),
            (429, "Sun, 22 Nov 2026 16:00:00 GMT", 5),
            (429, "999999999", 86_400),
            (429, "soon", 5),
            (500, "120", 5),
        ];
        for (status, text, seconds) in table {
            let next = next(&is, &answer(status, Some(text)), 0);
            assert_eq!(next.delivery.stage, Stage::Waiting(at(seconds)), "{status} {text}");
        }
    }

    #[test]
    fn long_enough_is_too_long() {
        let days = |n: u64| Duration::from_secs(n * 86_400);
        assert_eq!(too_long(None, days(3), at(9)), None);
        assert_eq!(too_long(Some(at(0)), days(3), at(3 * 86_400 - 1)), None);
        assert!(too_long(Some(at(0)), days(3), at(3 * 86_400)).unwrap().contains("2026-11-22"));
    }
}
