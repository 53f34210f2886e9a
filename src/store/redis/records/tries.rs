//! How long one call goes on: reading and deciding again after another was faster, or after a commit whose answer
//! was lost.
//!
//! Guarantees an end. A read that fails is tried again only if a commit of the same call may have been done:
//! then the records alone can tell.

use std::time::Duration;

use tokio::time::Instant;

use crate::store::{Error, Result};

/// Longest time that one call tries.
const TIME: Duration = Duration::from_secs(3);
/// Longest pause between two tries while others are faster.
const PAUSE: Duration = Duration::from_millis(64);
/// Longest pause while the store does not answer, or refuses.
const LONG_PAUSE: Duration = Duration::from_millis(512);

/// The tries of one call.
#[derive(Debug)]
pub struct Tries {
    until: Instant,
    round: u32,
    /// A commit is on its way.
    open: bool,
    /// A commit had no answer.
    unknown: bool,
}

impl Default for Tries {
    fn default() -> Tries {
        Tries { until: Instant::now() + TIME, round: 0, open: false, unknown: false }
    }
}

impl Tries {
    /// A commit is about to be sent.
    pub fn sent(&mut self) {
        self.open = true;
    }

    /// It was answered.
    pub fn answered(&mut self) {
        self.open = false;
    }

    /// True after the first try: what is found may be this call's own work.
    #[must_use]
    pub fn repeated(&self) -> bool {
        self.round > 0
    }

    /// What to do after a try: Some is the call's answer; None means once more.
    ///
    /// # Errors
    /// The try's own error, if it is certain that nothing was done or if the time is over.
    pub async fn next<T>(&mut self, tried: Result<Option<T>>) -> Result<Option<T>> {
        self.unknown |= std::mem::take(&mut self.open);
        match tried {
            Ok(None) => {}
            Err(Error::Unavailable(_)) if self.unknown && Instant::now() < self.until => {}
            done => return done,
        }
        if Instant::now() >= self.until {
            return Err(Error::Unavailable("others were always faster".into()));
        }
        // The first time at once: whoever was faster is done.
        if self.round > 0 {
            tokio::time::sleep(self.pause()).await;
        }
        self.round += 1;
        Ok(None)
    }

    /// Longer from try to try, and not the same for all.
    fn pause(&self) -> Duration {
        let most = if self.unknown { LONG_PAUSE } else { PAUSE };
        let longest = Duration::from_millis(1 << self.round.min(10)).min(most);
        let mut random = [128];
        // Without random numbers all wait as long; that is all.
        let _ = getrandom::fill(&mut random);
        longest * u32::from(random[0]) / 256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Result<Option<u8>> {
        Err(Error::Unavailable("away".into()))
    }

    #[tokio::test]
    async fn an_error_ends_it_unless_something_may_have_been_done() {
        let mut tries = Tries::default();
        assert!(tries.next(away()).await.is_err(), "nothing was sent");
        assert_eq!(tries.next(Ok(Some(1))).await.unwrap(), Some(1));
        tries.sent();
        assert_eq!(tries.next(away()).await.unwrap(), None);
        assert_eq!(tries.next(away()).await.unwrap(), None, "the look at it failed");
        assert!(tries.repeated());
        assert!(tries.next::<u8>(Err(Error::Fenced("no".into()))).await.is_err());
    }

    #[tokio::test]
    async fn it_ends() {
        for answer in [|| Ok(None), away] {
            let begin = Instant::now();
            let mut tries = Tries { until: begin + PAUSE, ..Tries::default() };
            tries.sent();
            while tries.next(answer()).await.is_ok() {}
            assert!(begin.elapsed() >= PAUSE);
        }
    }
}
