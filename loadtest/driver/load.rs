//! The load: threads, their connections, and the pace they are kept at.
//!
//! Guarantees: a request is sent at its intended start if a connection is free then, as precisely as the pacing
//! allows (`timer`: about a millisecond, and cheap; `spin`: a microsecond, and a whole core); a connection that ends is
//! made again. Refuses to know: what is measured, and what a request says.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::task::{JoinSet, LocalSet, yield_now};

use crate::args::Pacing;
use crate::desk::Desk;
use crate::mix::{Draw, Mix, SEED};
use crate::numbers::count;
use crate::procs;
use crate::schedule::{Rate, Schedule};
use crate::tally::{Tally, Window};
use crate::wire::{Seen, look};

const FIRST_BUFFER: usize = 8 * 1024;
const LARGEST_ANSWER: usize = 1024 * 1024;
const RETRY: Duration = Duration::from_millis(50);

/// All there is to say about one run.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) target: SocketAddr,
    pub(crate) mix: Arc<Mix>,
    pub(crate) seed: u64,
    pub(crate) rate: Rate,
    pub(crate) connections: usize,
    pub(crate) threads: usize,
    pub(crate) warmup: Duration,
    pub(crate) duration: Duration,
    /// How long to wait, after the last intended start, for what is queued and under way.
    pub(crate) grace: Duration,
    pub(crate) pin: Option<usize>,
    pub(crate) pacing: Pacing,
    pub(crate) redirects: Vec<u16>,
}

/// What plans of one measurement have in common: one thread, no warm-up, redirects are what is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Sending {
    pub(crate) connections: usize,
    pub(crate) length: Duration,
    pub(crate) pin: Option<usize>,
    pub(crate) pacing: Pacing,
}

impl Sending {
    /// Bound to no core, and without a core of its own.
    pub(crate) fn freely(connections: usize, length: Duration) -> Self {
        Self { connections, length, pin: None, pacing: Pacing::Timer }
    }

    /// Plans of different numbers draw other requests.
    pub(crate) fn plan(&self, target: SocketAddr, mix: &Arc<Mix>, rate: Rate, number: u64) -> Plan {
        Plan {
            target,
            mix: mix.clone(),
            seed: SEED + 1 + number,
            rate,
            connections: self.connections,
            threads: 1,
            warmup: Duration::ZERO,
            duration: self.length,
            grace: Duration::from_secs(10),
            pin: self.pin,
            pacing: self.pacing,
            redirects: vec![301, 302, 307, 308],
        }
    }
}

/// What came of it.
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    pub(crate) driver_cpu: Duration,
}

/// Runs the plan to its end.
pub(crate) fn run(plan: &Plan) -> Result<Outcome> {
    ensure!(plan.threads > 0 && plan.connections >= plan.threads, "each thread needs a connection");
    let before = procs::own_cpu()?;
    let start = Instant::now() + Duration::from_millis(100);
    let ready = Barrier::new(plan.threads);
    let tallies = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..plan.threads)
            .map(|number| {
                let ready = &ready;
                scope.spawn(move || thread(plan, number, ready, start))
            })
            .collect();
        threads
            .into_iter()
            .map(|t| t.join().map_err(|_| anyhow!("a driver thread broke down"))?)
            .collect::<Result<Vec<_>>>()
    })?;
    let mut all = tallies.into_iter();
    let mut tally = all.next().context("no thread ran")?;
    for other in all {
        tally.add(&other)?;
    }
    Ok(Outcome { tally, driver_cpu: procs::own_cpu()?.saturating_sub(before) })
}

fn thread(plan: &Plan, number: usize, ready: &Barrier, earliest: Instant) -> Result<Tally> {
    let pinned = plan.pin.map_or(Ok(()), procs::pin);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    // Nobody may leave before all are here, or the others would wait for ever.
    ready.wait();
    pinned?;
    let runtime = runtime?;
    let start = earliest.max(Instant::now());
    let window = Window { from: start + plan.warmup, to: start + plan.warmup + plan.duration };
    let (first, stride) = (count(number), count(plan.threads));
    let schedule = Schedule::new(plan.rate, first, stride, start, plan.warmup + plan.duration);
    let draw = Draw::new(plan.mix.clone(), plan.seed.wrapping_add(first));
    let share = (plan.connections - number).div_ceil(plan.threads);
    let desk = Rc::new(RefCell::new(Desk::new(schedule, draw, Tally::new(window, &plan.redirects)?, share)));
    runtime.block_on(LocalSet::new().run_until(async {
        let mut tasks = JoinSet::new();
        for line in 0..share {
            tasks.spawn_local(keep(desk.clone(), line, plan.target));
        }
        drive(&desk, plan.pacing, window.to + plan.grace).await;
        desk.borrow_mut().close();
        tasks.shutdown().await;
    }));
    let desk = Rc::try_unwrap(desk).map_err(|_| anyhow!("a connection outlived its run"))?;
    Ok(desk.into_inner().tally)
}

/// Sends what falls due while no answer comes in.
async fn drive(desk: &RefCell<Desk>, pacing: Pacing, give_up: Instant) {
    loop {
        let now = Instant::now();
        let next = {
            let mut desk = desk.borrow_mut();
            desk.dispatch(now);
            if desk.done(now) || now >= give_up {
                return;
            }
            desk.next_look(now)
        };
        match pacing {
            Pacing::Timer => tokio::time::sleep_until(next.into()).await,
            Pacing::Spin => yield_now().await,
        }
    }
}

/// Keeps one connection, through as many TCP connections as it takes.
async fn keep(desk: Rc<RefCell<Desk>>, line: usize, target: SocketAddr) {
    loop {
        let Ok(stream) = connect(target).await else {
            desk.borrow_mut().tally.connect_failures += 1;
            tokio::time::sleep(RETRY).await;
            continue;
        };
        let (reader, writer) = stream.into_split();
        desk.borrow_mut().attach(line, writer);
        let useful = serve(&desk, line, reader).await;
        desk.borrow_mut().detach(line);
        if !useful {
            tokio::time::sleep(RETRY).await;
        }
    }
}

async fn connect(target: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads answers until the connection ends; says whether there was any.
async fn serve(desk: &RefCell<Desk>, line: usize, mut reader: OwnedReadHalf) -> bool {
    let mut buffer = vec![0; FIRST_BUFFER];
    let mut filled = 0;
    let mut useful = false;
    loop {
        if filled == buffer.len() {
            if filled >= LARGEST_ANSWER {
                return useful;
            }
            buffer.resize(filled * 2, 0);
        }
        let Ok(length) = reader.read(&mut buffer[filled..]).await else { return useful };
        if length == 0 {
            return useful;
        }
        let now = Instant::now();
        filled += length;
        match look(&buffer[..filled]) {
            Seen::Part => {}
            Seen::Strange => return useful,
            Seen::Whole { status, length, close } => {
                let mut desk = desk.borrow_mut();
                if !desk.answered(line, status, now) || close || length != filled {
                    return true;
                }
                filled = 0;
                useful = true;
                desk.release(line, now);
            }
        }
    }
}
