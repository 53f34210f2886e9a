//! Faults, and what must hold through them: `A <= C <= A + U` for every link, and an audit that adds up.
//!
//! A is the answers that a client read whole, U the requests of which it does not know what became, C what is
//! counted. `kill`, `copies`, `journals`, `full_disk` and `away` run the real program over real HTTP; `replies`,
//! `late`, `power` and `streams` run the applier over the real store and journal, where a fault can be put at any call.
//!
//! Rounds are few unless `SLUGLINE_FAULTS=full`; `SLUGLINE_SEED` repeats a run. `tests/faults` sets both.
#![allow(clippy::print_stdout, reason = "seeds, and how much was tried, belong beside the results")]

mod away;
pub mod books;
mod copies;
mod full_disk;
mod journals;
mod kill;
mod late;
pub mod load;
pub mod node;
mod power;
mod replies;
pub mod rig;
mod streams;
mod tap;
pub mod wire;

use slugline::hits::journal::sim::Chance;

/// True if all rounds are wanted.
pub fn full() -> bool {
    std::env::var("SLUGLINE_FAULTS").is_ok_and(|v| v == "full")
}

/// How many rounds to run.
pub fn rounds(short: u64, long: u64) -> u64 {
    if full() { long } else { short }
}

/// What a test's random choices come from. A test that fails says how to make the same ones again.
pub struct Seed(pub u64);

impl Seed {
    /// The one that was asked for, else any.
    pub fn new() -> Seed {
        let given = std::env::var("SLUGLINE_SEED").ok();
        Seed(given.map_or_else(any, |text| text.parse().expect("SLUGLINE_SEED is no number")))
    }

    /// Choices; other ones for another `part` of a test.
    pub fn chance(&self, part: u64) -> Chance {
        Chance::new(Chance::new(self.0 ^ (part << 32)).any())
    }
}

fn any() -> u64 {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).unwrap();
    u64::from(u32::from_le_bytes(bytes))
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("faults");
            println!("seed {0}; to make the same choices again: tests/faults --seed {0} {name}", self.0);
        }
    }
}
