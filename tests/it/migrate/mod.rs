//! `slugline migrate` on the real program: what goes over, what stops it, what a kill leaves, what the source says then.

mod fence;
mod journal;
mod kills;
mod newsroom;
mod refusals;
mod ways;

use crate::faults::node::Home;
use crate::harness::cli::Ended;

/// Runs it.
fn migrate(from: &Home, to: &Home) -> Ended {
    from.command(&["migrate", "--to", to.whole_file().to_str().unwrap()])
}

fn refused(ended: &Ended, why: &str) {
    assert!(ended.code == 1 && ended.stderr.contains(why), "{why}: {ended:?}");
}

fn verified(home: &Home) {
    let verified = home.command(&["verify"]);
    assert!(verified.code == 0 && verified.stdout.contains("everything adds up"), "{verified:?}");
}

/// A runtime for the servers of tests that are not async themselves.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
