//! Waiting for something to become true, with a deadline; never for time to pass.

use std::time::{Duration, Instant};

/// How long anything may take that has no promise of its own: generous, because machines are busy.
pub const LONG: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// Asks until there is an answer; fails the test after [`LONG`].
pub async fn eventually<T>(what: &str, probe: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_within(LONG, what, probe).await.0
}

/// Asks until there is an answer and says how long that took; fails the test after `limit`.
pub async fn eventually_within<T>(
    limit: Duration,
    what: &str,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> (T, Duration) {
    let began = Instant::now();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if let Some(answer) = probe().await {
            return (answer, began.elapsed());
        }
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
    }
}

/// The same for callers without a runtime.
pub fn eventually_blocking<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(began.elapsed() < LONG, "not within {LONG:?}: {what}");
        std::thread::park_timeout(LOOK);
    }
}
