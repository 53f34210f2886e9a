//! Readers: a few connections that follow links at random and keep the two books of a client, A and U.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use slugline::hits::journal::sim::Chance;

use super::node::target;
use super::wire::{Answer, Wire};
use crate::harness::{BROWSER, CURL};

/// Connections at once.
const CONNECTIONS: u64 = 4;

/// What clients know of one link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Answers that came whole.
    pub answered: u64,
    /// Requests of which the client does not know what became.
    pub unknown: u64,
}

struct Shared {
    address: SocketAddr,
    codes: Vec<String>,
    books: Mutex<Vec<Known>>,
    answers: AtomicU64,
    tell_at: u64,
    tell: SyncSender<()>,
    /// Requests still to be begun.
    quota: AtomicU64,
    stop: AtomicBool,
    slowest: Mutex<Duration>,
    wrong: Mutex<Vec<String>>,
}

/// Readers under way.
pub struct Load {
    shared: Arc<Shared>,
    told: Receiver<()>,
    threads: Vec<JoinHandle<()>>,
}

/// What came of them.
pub struct Done {
    /// By link, in the order of the codes.
    pub known: Vec<Known>,
    /// The longest wait for an answer.
    pub slowest: Duration,
}

impl Done {
    /// All answers that came whole.
    pub fn answered(&self) -> u64 {
        self.known.iter().map(|k| k.answered).sum()
    }

    /// All requests of unknown outcome.
    pub fn unknown(&self) -> u64 {
        self.known.iter().map(|k| k.unknown).sum()
    }
}

/// What readers do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// [`Load::told`] returns at the answer of this number.
    pub tell_at: u64,
    /// Requests in all.
    pub quota: u64,
    /// Some readers leave without waiting for their answer.
    pub leave: bool,
    /// Between an answer and its reader's next request. Without it a slow build of the program, or a slow machine, may
    /// count more slowly than hits come, for as long as they come.
    pub pause: Duration,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan { tell_at: u64::MAX, quota: u64::MAX, leave: false, pause: Duration::ZERO }
    }
}

impl Load {
    /// Exactly `quota` requests, all of which must be answered.
    pub fn run(address: SocketAddr, codes: &[String], chance: &mut Chance, quota: u64) -> Done {
        let done = Load::begin(address, codes, chance, Plan { quota, ..Plan::default() }).end();
        assert_eq!((done.answered(), done.unknown()), (quota, 0));
        done
    }

    /// Readers that go on until their quota is used up, the server is gone, or [`Load::stop`]. The last of `codes`
    /// is a closed link.
    pub fn begin(address: SocketAddr, codes: &[String], chance: &mut Chance, plan: Plan) -> Load {
        let (tell, told) = sync_channel(1);
        let shared = Arc::new(Shared {
            address,
            codes: codes.to_vec(),
            books: Mutex::new(vec![Known::default(); codes.len()]),
            answers: AtomicU64::new(0),
            tell_at: plan.tell_at,
            tell,
            quota: AtomicU64::new(plan.quota),
            stop: AtomicBool::new(false),
            slowest: Mutex::default(),
            wrong: Mutex::default(),
        });
        let threads = (0..CONNECTIONS).map(|_| {
            let (shared, chance) = (Arc::clone(&shared), Chance::new(chance.any()));
            std::thread::spawn(move || Reader { shared, chance, leave: plan.leave, pause: plan.pause }.read())
        });
        Load { threads: threads.collect(), shared, told }
    }

    /// Waits for the answer that is to be told of, or until all readers have ended.
    pub fn told(&self) {
        crate::harness::wait::eventually_blocking("that many answers", || {
            let told = self.told.recv_timeout(Duration::from_millis(100)).is_ok();
            (told || self.threads.iter().all(JoinHandle::is_finished)).then_some(())
        });
    }

    /// How many answers there were so far.
    pub fn answers(&self) -> u64 {
        self.shared.answers.load(Ordering::Relaxed)
    }

    /// Lets each reader finish its request, and gives the books.
    pub fn stop(self) -> Done {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.end()
    }

    /// Waits for the readers to end by themselves: the server must be ending.
    pub fn end(mut self) -> Done {
        for thread in self.threads.drain(..) {
            assert!(thread.join().is_ok(), "a reader panicked");
        }
        let wrong = self.shared.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{wrong:#?}");
        let known = self.shared.books.lock().unwrap().clone();
        Done { known, slowest: *self.shared.slowest.lock().unwrap() }
    }
}

struct Reader {
    shared: Arc<Shared>,
    chance: Chance,
    leave: bool,
    pause: Duration,
}

impl Reader {
    fn read(mut self) {
        let shared = Arc::clone(&self.shared);
        let Ok(mut wire) = Wire::open(shared.address) else { return };
        while !shared.stop.load(Ordering::Relaxed) {
            let left = shared.quota.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
            if left.is_err() {
                return;
            }
            let answer = self.one(&mut wire);
            if answer.is_none_or(|a| a.closes()) {
                match Wire::open(shared.address) {
                    Ok(new) => wire = new,
                    Err(_) => return,
                }
            }
            std::thread::park_timeout(self.pause);
        }
    }

    /// One request; none if its answer did not come whole.
    fn one(&mut self, wire: &mut Wire) -> Option<Answer> {
        let shared = Arc::clone(&self.shared);
        // Some links are followed much more than others.
        let n = shared.codes.len() as u64;
        let link = usize::try_from(self.chance.below(n).min(self.chance.below(n))).unwrap();
        let code = &shared.codes[link];
        let (method, agent) = match self.chance.below(10) {
            0..6 => ("GET", BROWSER),
            6 => ("GET", CURL),
            7 => ("GET", "Mozilla/5.0 (compatible; Googlebot/2.1)"),
            8 => ("HEAD", BROWSER),
            _ => ("GET", "facebookexternalhit/1.1"),
        };
        // Some agents are long, so that segments fill up.
        let agent = match self.chance.once_in(2) {
            true => format!("{agent} {}", "x".repeat(usize::try_from(self.chance.below(800)).unwrap())),
            false => agent.to_owned(),
        };
        let began = Instant::now();
        let sent = wire.send(method, &format!("/{code}"), &[("User-Agent", &agent)]);
        // Some readers leave without waiting.
        let leaves = self.leave && self.chance.once_in(100);
        let answer = if leaves { None } else { sent.and_then(|()| wire.answer(method == "HEAD")).ok() };
        let known = &mut shared.books.lock().unwrap()[link];
        match &answer {
            Some(answer) => {
                known.answered += 1;
                self.check(code, link, answer, began);
            }
            None => known.unknown += 1,
        }
        answer
    }

    fn check(&self, code: &str, link: usize, answer: &Answer, began: Instant) {
        let shared = &self.shared;
        let closed = link + 1 == shared.codes.len();
        let right = match closed {
            true => answer.status == 410,
            false => answer.status == 302 && answer.header("location") == target(code),
        };
        if !right {
            shared.wrong.lock().unwrap().push(format!("{code}: {answer:?}"));
        }
        let mut slowest = shared.slowest.lock().unwrap();
        *slowest = began.elapsed().max(*slowest);
        if shared.answers.fetch_add(1, Ordering::Relaxed) + 1 == shared.tell_at {
            // Nobody may be waiting any more.
            let _ = shared.tell.try_send(());
        }
    }
}
