//! Processes that a measurement starts: started, waited for, stopped; and the folder they work in.
//!
//! Guarantees: what is started here ends with the value that holds it. Refuses to know: what is started.

use std::fs::{self, OpenOptions};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::procs;

const START_LIMIT: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// A process that ends with this value.
pub(crate) struct Process(Child);

impl Process {
    /// Starts it bound to `core`; what it says is added to `log`, and to another file beside it.
    pub(crate) fn start(command: &mut Command, core: Option<usize>, log: &Path) -> Result<Self> {
        let errors = OpenOptions::new().create(true).append(true).open(log.with_extension("err"))?;
        let output = OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child =
            procs::pinned(core, || command.spawn().with_context(|| format!("cannot start {command:?}")))?;
        Ok(Self(child))
    }

    fn ensure_alive(&mut self, log: &Path) -> Result<()> {
        if let Some(status) = self.0.try_wait()? {
            let errors = fs::read_to_string(log.with_extension("err")).unwrap_or_default();
            let tail: Vec<&str> = errors.lines().rev().take(5).collect();
            bail!("the server ended with {status}; its last words, newest first: {tail:?}");
        }
        Ok(())
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Waits until it is ready.
    pub(crate) fn wait(&mut self, log: &Path, ready: impl Fn() -> Result<bool>) -> Result<()> {
        self.wait_within(START_LIMIT, LOOK_AGAIN, log, ready)
    }

    /// Waits until it is ready, for at most `limit`, and looks again after each `pause`.
    pub(crate) fn wait_within(
        &mut self,
        limit: Duration,
        pause: Duration,
        log: &Path,
        ready: impl Fn() -> Result<bool>,
    ) -> Result<()> {
        let give_up = Instant::now() + limit;
        while !ready()? {
            self.ensure_alive(log)?;
            ensure!(Instant::now() < give_up, "the server was not ready within {} s", limit.as_secs());
            std::thread::sleep(pause);
        }
        Ok(())
    }

    /// Waits until it takes connections.
    pub(crate) fn listens(&mut self, log: &Path, address: SocketAddr) -> Result<()> {
        self.wait(log, || Ok(TcpStream::connect(address).is_ok()))
    }

    /// Asks it to end, and waits.
    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw).context("no such process")?;
        kill_process(pid, Signal::TERM)?;
        let give_up = Instant::now() + STOP_LIMIT;
        while self.0.try_wait()?.is_none() {
            ensure!(Instant::now() < give_up, "the server did not stop within {} s", STOP_LIMIT.as_secs());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // nginx takes its workers along only when asked; it may have ended already, which is just as well.
        if let Ok(None) = self.0.try_wait() {
            if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::TERM);
                std::thread::sleep(Duration::from_millis(200));
            }
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// An address of this machine that nobody listens on.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// A folder for one measurement; kept if asked, else removed at the end.
pub(crate) struct Folder {
    held: Option<tempfile::TempDir>,
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new(below: Option<&Path>, keep: bool) -> Result<Self> {
        let below = below.map_or_else(std::env::temp_dir, Path::to_path_buf);
        fs::create_dir_all(&below)?;
        let made = tempfile::Builder::new().prefix("slugline-loadtest-").tempdir_in(below.canonicalize()?)?;
        let path = made.path().to_path_buf();
        let held = if keep {
            drop(made.keep());
            None
        } else {
            Some(made)
        };
        Ok(Self { held, path })
    }

    pub(crate) fn path(&self) -> &Path {
        self.held.as_ref().map_or(&self.path, |held| held.path())
    }
}
