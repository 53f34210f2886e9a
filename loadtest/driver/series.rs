//! A series: sweeps of all contenders at one rate, and what they come to.
//!
//! Guarantees: every figure has its spread over the rounds; two contenders are compared round by round, never by their
//! medians, because what troubles a machine for a while troubles neighbours alike. Refuses to know: how rounds are run,
//! and how figures are shown.

use crate::numbers::{Quartiles, float, quartiles, ratio};
use crate::rounds::{Round, Sweep};

/// Sweeps at one rate.
pub(crate) struct Series {
    /// Requests a second; `None` for a closed loop.
    pub(crate) rate: Option<u64>,
    pub(crate) sweeps: Vec<Sweep>,
}

impl Series {
    /// The rounds of one contender.
    pub(crate) fn of(&self, which: usize) -> impl Iterator<Item = &Round> {
        self.sweeps.iter().filter_map(move |sweep| sweep.get(which))
    }

    /// A figure of one contender over its rounds; `None` without a round.
    pub(crate) fn over(&self, which: usize, figure: impl Fn(&Round) -> f64) -> Option<Quartiles> {
        quartiles(&self.of(which).map(figure).collect::<Vec<_>>())
    }

    /// A figure of one contender as a multiple of the baseline's, round by round.
    pub(crate) fn ratio(
        &self,
        which: usize,
        baseline: usize,
        figure: impl Fn(&Round) -> f64,
    ) -> Option<Quartiles> {
        let ratios = self.of(which).zip(self.of(baseline));
        quartiles(&ratios.filter_map(|(one, base)| ratio(figure(one), figure(base))).collect::<Vec<_>>())
    }

    /// How much a figure of one contender is beyond the baseline's, round by round.
    pub(crate) fn beyond(
        &self,
        which: usize,
        baseline: usize,
        figure: impl Fn(&Round) -> f64,
    ) -> Option<Quartiles> {
        let pairs = self.of(which).zip(self.of(baseline));
        quartiles(&pairs.map(|(one, base)| figure(one) - figure(base)).collect::<Vec<_>>())
    }

    /// In how many rounds not every request was sent in time and answered with a redirect.
    pub(crate) fn missed(&self, which: usize) -> usize {
        self.of(which).filter(|round| !round.held).count()
    }

    /// What it answered a second at the most, if in most rounds it was not what it was asked.
    pub(crate) fn kept(&self, which: usize) -> Option<f64> {
        let wanted = float(self.rate?);
        let answered = self.over(which, |round| round.rate)?.median;
        (answered < 0.99 * wanted).then_some(answered)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::Series;
    use crate::check::Verdict;
    use crate::procs::Memory;
    use crate::rounds::Round;
    use crate::servers::Used;

    /// A round of which CPU, p99 and rate are told.
    pub(crate) fn round(cpu: f64, p99: f64, rate: f64) -> Round {
        let memory = Memory { resident: 20_480, anonymous: 10_240 };
        Round {
            rate,
            cpu: Used { server: cpu, redis: 1.0 },
            memory: Used { server: memory, redis: Memory::default() },
            p50: 30.0,
            p99,
            p999: 10.0 * p99,
            driver: 0.5,
            verdict: Some(Verdict { answered: 100, unknown: 0, before: 50, after: 150 }),
            held: rate >= 990.0,
        }
    }

    /// Two contenders; the machine is twice as slow in each round as in the one before.
    pub(crate) fn slowing() -> Series {
        let sweeps = [1.0, 2.0, 4.0].map(|slow| {
            vec![round(10.0 * slow, 100.0 * slow, 1_000.0), round(15.0 * slow, 100.0 * slow + 7.0, 500.0)]
        });
        Series { rate: Some(1_000), sweeps: sweeps.into() }
    }

    #[test]
    fn contenders_are_compared_round_by_round() {
        let series = slowing();
        let all = |q: crate::numbers::Quartiles| (q.low, q.median, q.high);
        assert_eq!(series.over(0, |r| r.cpu.server).map(all), Some((15.0, 20.0, 30.0)));
        // However slow the machine became, one costs 1.5 times the other.
        assert_eq!(series.ratio(1, 0, |r| r.cpu.server).map(all), Some((1.5, 1.5, 1.5)));
        assert_eq!(series.beyond(1, 0, |r| r.p99).map(all), Some((7.0, 7.0, 7.0)));
        assert!(series.over(2, |r| r.p99).is_none() && series.ratio(2, 0, |r| r.p99).is_none());
    }

    #[test]
    fn who_cannot_keep_up_is_known() {
        let series = slowing();
        assert_eq!((series.missed(0), series.kept(0)), (0, None));
        assert_eq!((series.missed(1), series.kept(1)), (3, Some(500.0)));
        let closed = Series { rate: None, ..slowing() };
        assert_eq!(closed.kept(1), None);
    }
}
