//! What a spike is: many more clicks of a link than a moment ago. One rule for all who tell of it.

/// A spike has at least so many clicks in its last minutes ...
pub const LEAST: u64 = 50;
/// ... which is so many times what is usual for the hour before.
const TIMES: u64 = 3;
/// How long the last minutes are, in seconds.
pub const WINDOW_S: i64 = 300;
/// How long what they are compared with is, in seconds.
const USUAL_S: i64 = 3_600;
/// An hour has so many times as many minutes.
const WINDOWS: u64 = 12;

/// From when on minutes are asked for at `now`; both in UTC seconds.
#[must_use]
pub fn since(now: i64) -> i64 {
    now - WINDOW_S - USUAL_S
}

/// The clicks of the last minutes, if that is a spike. `minutes` are (begin in UTC seconds, clicks) from [`since`] on.
#[must_use]
pub fn of(minutes: impl IntoIterator<Item = (i64, u64)>, now: i64) -> Option<u64> {
    let (mut last, mut before) = (0_u64, 0_u64);
    for (begin, clicks) in minutes {
        let sum = if begin >= now - WINDOW_S { &mut last } else { &mut before };
        *sum = sum.saturating_add(clicks);
    }
    (last >= LEAST && last.saturating_mul(WINDOWS) >= before.saturating_mul(TIMES)).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_at_once_and_more_than_usual() {
        let now = 100_000;
        // (clicks in the last minutes, clicks in the hour before, is one)
        for (last, before, is) in [
            (50, 0, true),
            (49, 0, false),
            (50, 200, true),
            (50, 201, false),
            (500, 2_000, true),
            (0, 0, false),
        ] {
            let minutes = [(now - 60, last), (now - 1_200, before)];
            assert_eq!(of(minutes, now), is.then_some(last), "{last} after {before}");
        }
        assert_eq!(since(now), now - 3_900);
    }
}
