//! Numbers: from counts to ratios, quantiles and durations, without a lossy cast anywhere.
//!
//! Guarantees: no conversion here truncates or panics; an empty list has no median and says so with `None`.
//! Refuses to know: what the numbers stand for.

use std::time::Duration;

use anyhow::{Context, Result, bail};

/// The nearest float to a count.
pub(crate) fn float(n: u64) -> f64 {
    let high = u32::try_from(n >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(n & 0xffff_ffff).unwrap_or(u32::MAX);
    f64::from(high).mul_add(4_294_967_296.0, f64::from(low))
}

/// A length as a count.
pub(crate) fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// A count as an index; too large a count becomes the largest index.
pub(crate) fn index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// The whole part of a rate.
pub(crate) fn whole(rate: f64) -> Result<u64> {
    Ok(Duration::try_from_secs_f64(rate)?.as_secs())
}

/// A duration in whole nanoseconds.
pub(crate) fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

/// `part / whole`, or `None` where that means nothing.
pub(crate) fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// Events a second.
pub(crate) fn per_second(events: u64, time: Duration) -> f64 {
    ratio(float(events), time.as_secs_f64()).unwrap_or(0.0)
}

/// Microseconds of `time` for each of `events`.
pub(crate) fn micros_each(time: Duration, events: u64) -> Option<f64> {
    ratio(time.as_secs_f64() * 1e6, float(events))
}

/// The lower quartile, the median and the upper quartile of a series.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quartiles {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

/// Quartiles, interpolated between neighbours.
pub(crate) fn quartiles(values: &[f64]) -> Option<Quartiles> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |quarter: usize| -> Option<f64> {
        let steps = sorted.len().checked_sub(1)? * quarter;
        let below = *sorted.get(steps / 4)?;
        let above = sorted.get(steps / 4 + 1).copied().unwrap_or(below);
        let between = f64::from(u32::try_from(steps % 4).unwrap_or(0)) / 4.0;
        Some((above - below).mul_add(between, below))
    };
    Some(Quartiles { low: at(1)?, median: at(2)?, high: at(3)? })
}

/// Reads `10s`, `500ms`, `2m`.
pub(crate) fn duration(text: &str) -> Result<Duration> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .with_context(|| format!("`{text}` has no unit (ms, s, m)"))?;
    let (digits, unit) = text.split_at(split);
    let amount: u64 = digits.parse().with_context(|| format!("`{text}` is no duration"))?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => bail!("`{unit}` is not one of ms, s, m"),
    };
    Ok(Duration::from_millis(amount.saturating_mul(millis)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{duration, float, quartiles, ratio};

    #[test]
    fn quartiles_lie_between_neighbours() {
        let of = |values: &[f64]| quartiles(values).map(|q| (q.low, q.median, q.high));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[7.0]), Some((7.0, 7.0, 7.0)));
        assert_eq!(of(&[2.0, 1.0]), Some((1.25, 1.5, 1.75)));
        // The order of the rounds does not matter.
        assert_eq!(of(&[5.0, 1.0, 4.0, 2.0, 3.0]), Some((2.0, 3.0, 4.0)));
        assert_eq!(of(&[7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]), Some((2.5, 4.0, 5.5)));
    }

    #[test]
    fn what_means_nothing_is_no_number() {
        assert_eq!(ratio(3.0, 2.0), Some(1.5));
        assert_eq!(ratio(3.0, 0.0), None);
        assert!((float(u64::MAX) - 18_446_744_073_709_551_616.0).abs() < 1.0);
    }

    #[test]
    fn durations_need_their_unit() {
        assert_eq!(duration("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(duration("2m").unwrap(), Duration::from_secs(120));
        assert!(duration("8").is_err() && duration("8h").is_err() && duration("s").is_err());
    }
}
