//! The threads that hold the connections: one writer and several readers a file.
//!
//! Guarantees that a write is answered only after its commit, that all writes which wait at one moment share one
//! commit (each with an outcome of its own), that queues are bounded, and that a call to a thread which is gone
//! is `Unavailable` and does not hang. Knows nothing of what is written.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::failure::{copy_of, gone};
use super::file::Kind;
use crate::store::{Error, Result, Settings};

/// Calls that may wait for a file's writer, and for its readers; more wait in their own tasks.
const QUEUE: usize = 1_024;
/// Most writes in one commit.
const GROUP: usize = 256;
/// A commit takes in no more writes after this long.
const GROUP_TIME: Duration = Duration::from_millis(50);
/// Work for idle times begins after this long without a write, so that it is not in the way of a busy hour.
const IDLE_AFTER: Duration = Duration::from_millis(if cfg!(test) { 0 } else { 250 });

/// How many writes shared how many commits, since the file was opened.
#[derive(Debug, Default)]
pub struct Commits {
    commits: AtomicU64,
    writes: AtomicU64,
}

impl Commits {
    /// Transactions committed.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Writes in them.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }
}

/// What a writer keeps in memory between its writes.
pub(super) trait State: Send + 'static {
    /// Called within each transaction, last.
    fn before_commit(&mut self, _conn: &Connection) -> Result<()> {
        Ok(())
    }

    /// What `before_commit` saw is committed.
    fn committed(&mut self) {}

    /// Something that was written is not there after all.
    fn rolled_back(&mut self) {}

    /// Work for when nothing waits, a little at a time, within a transaction that need not outlive a power cut.
    /// It ends early when `wanted` says that a call waits. True if there is more.
    fn when_idle(&mut self, _conn: &Connection, _wanted: &dyn Fn() -> bool) -> Result<bool> {
        Ok(false)
    }
}

/// Tells a caller what came of its write, once the commit is known.
type Answer = Box<dyn FnOnce(Result<()>)>;
/// Does a write and says whether it went well; without a transaction it does nothing and only gives the answer.
type Grouped<S> = Box<dyn FnOnce(Option<(&Connection, &mut S)>) -> (bool, Answer) + Send>;
type Alone<S> = Box<dyn FnOnce(&mut Connection, &mut S) + Send>;

enum Write<S> {
    Grouped(Grouped<S>),
    Alone(Alone<S>),
    Close(oneshot::Sender<Result<()>>),
}

/// A handle to the writer thread of a file.
pub(super) struct Writer<S> {
    /// Unbounded by itself; each entry holds one of the permits.
    queue: Sender<Waiting<S>>,
    room: Arc<Semaphore>,
}

type Waiting<S> = (Write<S>, OwnedSemaphorePermit);

impl<S> Clone for Writer<S> {
    fn clone(&self) -> Self {
        Writer { queue: self.queue.clone(), room: self.room.clone() }
    }
}

impl<S: State> Writer<S> {
    /// Starts the thread. `low_priority` lets other threads go first where the system can.
    pub(super) fn start(
        kind: &'static Kind,
        conn: Connection,
        state: S,
        low_priority: bool,
    ) -> Result<(Writer<S>, Arc<Commits>, JoinHandle<()>)> {
        let (queue, waiting) = channel();
        let (commits, room) = (Arc::new(Commits::default()), Arc::new(Semaphore::new(QUEUE)));
        let mut run = WriterThread {
            kind,
            conn,
            state,
            waiting,
            room: room.clone(),
            commits: commits.clone(),
            put_off: None,
            idle_work: true,
            lax: false,
        };
        let thread = spawn(&format!("{} write", kind.name), move || {
            if low_priority {
                crate::priority::step_back();
            }
            run.run();
        })?;
        Ok((Writer { queue, room }, commits, thread))
    }

    async fn send(&self, write: Write<S>) -> Result<()> {
        let permit = self.room.clone().acquire_owned().await.map_err(|_| gone())?;
        self.queue.send((write, permit)).map_err(|_| gone())
    }

    /// Does `write` in a transaction that others may share, and answers when it is committed. An error undoes
    /// what this `write` did and nothing else.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection, &mut S) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job: Grouped<S> = Box::new(move |transaction| {
            let result = match transaction {
                Some((conn, state)) => write(conn, state),
                None => Err(gone()),
            };
            let good = result.is_ok();
            let tell: Answer = Box::new(move |committed| {
                // The caller may have gone; its write stands all the same.
                let _ = answer.send(committed.and(result));
            });
            (good, tell)
        });
        self.send(Write::Grouped(job)).await?;
        answered.await.map_err(|_| gone())?
    }

    /// Does `write` outside of any shared transaction.
    pub(super) async fn write_alone<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job: Alone<S> = Box::new(move |conn, _| drop(answer.send(write(conn))));
        self.send(Write::Alone(job)).await?;
        answered.await.map_err(|_| gone())?
    }

    /// Does what waits, copies the log into the file and ends the thread.
    pub(super) async fn close(&self) -> Result<()> {
        let (answer, answered) = oneshot::channel();
        if self.send(Write::Close(answer)).await.is_err() {
            return Ok(());
        }
        answered.await.map_err(|_| gone())?
    }
}

struct WriterThread<S> {
    kind: &'static Kind,
    conn: Connection,
    state: S,
    waiting: Receiver<Waiting<S>>,
    room: Arc<Semaphore>,
    commits: Arc<Commits>,
    /// Taken from the queue while a group was gathered, but no part of it.
    put_off: Option<Write<S>>,
    /// There may be work for idle times.
    idle_work: bool,
    /// Commits do not wait for the disk now, because of such work.
    lax: bool,
}

impl<S: State> WriterThread<S> {
    fn run(&mut self) {
        let mut closing = None;
        while let Some(next) = self.next() {
            match next {
                Write::Grouped(job) => self.group(job),
                Write::Alone(job) => job(&mut self.conn, &mut self.state),
                Write::Close(answer) => {
                    self.room.close();
                    closing = Some(answer);
                }
            }
        }
        let done = checkpoint(&self.conn);
        if let Some(answer) = closing {
            let _ = answer.send(done);
        }
    }

    fn next(&mut self) -> Option<Write<S>> {
        if let Some(next) = self.put_off.take() {
            return Some(next);
        }
        let mut patience = IDLE_AFTER;
        while self.idle_work && !self.room.is_closed() {
            match self.waiting.recv_timeout(patience) {
                Ok((next, _)) => return Some(next),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.idle_work = self.work_idly(),
            }
            patience = Duration::ZERO;
        }
        if self.room.is_closed() {
            return self.waiting.try_recv().ok().map(|(next, _)| next);
        }
        self.waiting.recv().ok().map(|(next, _)| next)
    }

    /// Failing here harms nobody: it is tried again after the next write.
    fn work_idly(&mut self) -> bool {
        self.lax = true;
        let worked = (|| {
            self.kind.synchronous(&self.conn, false)?;
            begin(&self.conn)?;
            let room = &self.room;
            let more = self.state.when_idle(&self.conn, &|| room.available_permits() < QUEUE)?;
            self.commit()?;
            Ok::<bool, Error>(more)
        })();
        worked.unwrap_or_else(|_| {
            self.undo();
            false
        })
    }

    /// Writes are answered only when they are safe, whatever was done meanwhile.
    fn strict(&mut self) -> Result<()> {
        if self.lax {
            self.kind.synchronous(&self.conn, true)?;
            self.lax = false;
        }
        Ok(())
    }

    fn undo(&mut self) {
        self.state.rolled_back();
        if !self.conn.is_autocommit() {
            // If even this fails the next BEGIN does, and its callers are told.
            let _ = self.conn.execute_batch("ROLLBACK");
        }
    }

    fn group(&mut self, first: Grouped<S>) {
        self.idle_work = true;
        let began = Instant::now();
        let mut answers: Vec<Answer> = vec![];
        let mut done = self.strict().and_then(|()| begin(&self.conn));
        let mut next = Some(first);
        while let Some(job) = next.take() {
            if done.is_err() {
                answers.push(job(None).1);
                break;
            }
            let (outcome, answer) = self.one(job);
            answers.push(answer);
            done = outcome;
            if done.is_ok() && answers.len() < GROUP && began.elapsed() < GROUP_TIME {
                match self.waiting.try_recv() {
                    Ok((Write::Grouped(job), _)) => next = Some(job),
                    Ok((other, _)) => self.put_off = Some(other),
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => {}
                }
            }
        }
        let writes = u64::try_from(answers.len()).unwrap_or(0);
        done = done.and_then(|()| self.state.before_commit(&self.conn)).and_then(|()| self.commit());
        match &done {
            Ok(()) => {
                self.commits.commits.fetch_add(1, Ordering::Relaxed);
                self.commits.writes.fetch_add(writes, Ordering::Relaxed);
                self.state.committed();
            }
            Err(_) => self.undo(),
        }
        for answer in answers {
            answer(match &done {
                Ok(()) => Ok(()),
                Err(error) => Err(copy_of(error)),
            });
        }
    }

    fn commit(&self) -> Result<()> {
        Ok(self.conn.prepare_cached("COMMIT")?.execute([]).map(|_| ())?)
    }

    /// Runs one write of a group under a savepoint. The result is that of the transaction, not of the write.
    fn one(&mut self, job: Grouped<S>) -> (Result<()>, Answer) {
        let run = |sql: &str| self.conn.prepare_cached(sql)?.execute([]).map(|_| ());
        if let Err(error) = run("SAVEPOINT one") {
            return (Err(error.into()), job(None).1);
        }
        let (good, answer) = job(Some((&self.conn, &mut self.state)));
        if self.conn.is_autocommit() {
            // SQLite undid the whole transaction (a full disk, say), and with it the writes before this one.
            let error = Error::Unavailable("the transaction was undone by the database".into());
            return (Err(error), answer);
        }
        let end = if good {
            run("RELEASE one")
        } else {
            self.state.rolled_back();
            run("ROLLBACK TO one").and_then(|()| run("RELEASE one"))
        };
        (end.map_err(Error::from), answer)
    }
}

fn begin(conn: &Connection) -> Result<()> {
    Ok(conn.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(|_| ())?)
}

/// Copies the write-ahead log into the file and empties it. A reader in another process may keep it from being
/// emptied; what is in it is safe all the same.
fn checkpoint(conn: &Connection) -> Result<()> {
    Ok(conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
}

type Read = Box<dyn FnOnce(&Connection) + Send>;

enum Reading {
    Read(Read),
    Close,
}

/// A handle to the reader threads of a file.
#[derive(Clone)]
pub(super) struct Readers {
    queue: mpsc::Sender<Reading>,
}

impl Readers {
    /// Opens a connection for each thread and starts them.
    pub(super) fn start(
        kind: &Kind,
        dir: &Path,
        settings: &Settings,
    ) -> Result<(Readers, Vec<JoinHandle<()>>)> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut threads = vec![];
        for number in 0..settings.readers.clamp(1, 64) {
            let conn = kind.open_reader(dir, settings.page_cache.0)?;
            let waiting = waiting.clone();
            threads.push(spawn(&format!("{} read {number}", kind.name), move || {
                loop {
                    // Held while waiting: the others wait for the lock instead, which comes to the same.
                    let mut queue = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    let next = queue.blocking_recv();
                    if let Some(Reading::Close) = next {
                        queue.close();
                        continue;
                    }
                    drop(queue);
                    let Some(Reading::Read(read)) = next else { return };
                    read(&conn);
                }
            })?);
        }
        Ok((Readers { queue }, threads))
    }

    /// Does `read` on one of the threads.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job: Read = Box::new(move |conn| drop(answer.send(read(conn))));
        self.queue.send(Reading::Read(job)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// The same, with everything that `read` sees being of one moment.
    pub(super) async fn read_at_once<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.read(move |conn| {
            let moment = conn.unchecked_transaction()?;
            let result = read(&moment);
            moment.finish()?;
            result
        })
        .await
    }

    /// Lets what waits be done and ends the threads.
    pub(super) async fn close(&self) {
        // An error means that they have ended already.
        let _ = self.queue.send(Reading::Close).await;
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|e| Error::Unavailable(format!("no thread for {name}: {e}")))
}
