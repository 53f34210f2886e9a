//! The two threads behind an open journal: one syncs, one keeps the next segment ready.
//!
//! Both are owned by the journal's handle and joined by it. They do not wait for each other: filling a new
//! file takes longer than the interval between two syncs. What they do can also be done by hand.

use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::core::{Core, lock};
use super::settings::Sync;

/// How often room for a next segment is sought when there was none.
const SEEK: Duration = Duration::from_millis(250);

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    let run = || {
        crate::priority::pause_often();
        run();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(run)
}

/// Starts both threads.
pub(super) fn start(
    core: &Arc<Core>,
    sync: Sync,
    interval: Duration,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let (for_syncer, for_keeper) = (Arc::clone(core), Arc::clone(core));
    let keeper = spawn("journal-keeper", move || keep(&for_keeper, sync == Sync::Never))?;
    let mut threads = vec![keeper];
    if sync != Sync::Never {
        match spawn("journal-sync", move || sync_loop(&for_syncer, sync, interval)) {
            Ok(thread) => threads.push(thread),
            Err(e) => {
                stop(core, threads);
                return Err(e);
            }
        }
    }
    Ok(threads)
}

/// Asks both threads to end, and waits for it.
pub(super) fn stop(core: &Core, threads: Vec<JoinHandle<()>>) {
    lock(&core.wakes.state).stop = true;
    core.wakes.syncer.notify_all();
    core.wakes.keeper.notify_all();
    for thread in threads {
        // A thread that panicked has already ended, which is all that is asked here.
        let _ended = thread.join();
    }
}

fn sync_loop(core: &Core, sync: Sync, interval: Duration) {
    loop {
        {
            let state = lock(&core.wakes.state);
            let waiting = core.wakes.syncer.wait_timeout_while(state, interval, |wanted| {
                !(wanted.stop || sync == Sync::Always && wanted.sync)
            });
            let (mut wanted, _) = waiting.unwrap_or_else(PoisonError::into_inner);
            wanted.sync = false;
            if wanted.stop {
                return;
            }
        }
        // A failure is on the board, and tried again after the interval.
        if core.sync().is_err() && sync == Sync::Always {
            pause(core, interval);
        }
    }
}

/// Waits out an interval, or until the end.
fn pause(core: &Core, interval: Duration) {
    let state = lock(&core.wakes.state);
    let _waited = core.wakes.syncer.wait_timeout_while(state, interval, |wanted| !wanted.stop);
}

fn keep(core: &Core, forget: bool) {
    loop {
        if forget {
            // Without syncs nobody else lets go of the files that were turned away from.
            let rotated = lock(&core.writer).pending(u64::MAX);
            drop(rotated);
        }
        // What stands in the way of a segment shows when a hit finds no room; until then it is tried again.
        let ready = core.prepare().unwrap_or(false);
        let state = lock(&core.wakes.state);
        let idle = |wanted: &mut super::core::Wanted| !wanted.stop && !wanted.spare;
        let mut wanted = if ready {
            core.wakes.keeper.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner)
        } else {
            core.wakes.keeper.wait_timeout_while(state, SEEK, idle).unwrap_or_else(PoisonError::into_inner).0
        };
        wanted.spare = false;
        if wanted.stop {
            return;
        }
    }
}
