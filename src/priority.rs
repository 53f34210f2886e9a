//! Thread priorities: counting may wait, redirects may not.
//!
//! Guarantees that where cores are few a redirect waits for work in the background for a fraction of a millisecond only.
//! A lower priority alone does not do that: a scheduler takes a thread off its core when a slice of some milliseconds
//! has passed, whoever has come to need it meanwhile.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long background work goes on without a pause, at least. After a pause that was longer it goes on for as long as
/// that was: where all cores are busy, who pauses waits for a slice of others, and counting must not stand still.
const WORK: Duration = Duration::from_micros(100);

/// The pause. The kernel makes some 60 µs of it.
const PAUSE: Duration = Duration::from_micros(1);

/// Rounds of work between two looks at the clock: some microseconds.
const ROUNDS: usize = 16;

/// Comparisons of a sort between two looks at the clock.
const COMPARISONS: usize = 1_024;

thread_local! {
    /// When this thread last paused, and how long it works from then on; None if it is none that pauses.
    static SINCE: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
}

/// Lets this thread pause wherever it gives way.
pub fn pause_often() {
    SINCE.set(Some((Instant::now(), WORK)));
}

/// Puts this thread in the background: less priority, and pauses wherever it gives way. On Linux a thread has its own
/// priority; elsewhere it keeps the process's.
pub fn step_back() {
    pause_often();
    #[cfg(target_os = "linux")]
    {
        let me = Some(rustix::thread::gettid());
        let nice = rustix::process::getpriority_process(me).unwrap_or(0);
        // Refused only to a thread that is already nicer; then it is.
        let _ = rustix::process::setpriority_process(me, (nice + 10).min(19));
    }
}

/// Called in each `round` of a long work: lets others go first if this thread is one that pauses and has not done so for
/// a while.
pub fn give_way(round: usize) {
    if !round.is_multiple_of(ROUNDS) {
        return;
    }
    let Some((since, work)) = SINCE.get() else { return };
    let now = Instant::now();
    if now.duration_since(since) >= work {
        std::thread::sleep(PAUSE);
        SINCE.set(Some((Instant::now(), now.elapsed().max(WORK))));
    }
}

/// Sorts by a key, giving way.
pub fn sort<T, K: Ord>(all: &mut [T], key: impl Fn(&T) -> K) {
    let mut compared = 0_usize;
    all.sort_unstable_by(|a, b| {
        compared = compared.wrapping_add(1);
        if compared.is_multiple_of(COMPARISONS) {
            give_way(0);
        }
        key(a).cmp(&key(b))
    });
}
