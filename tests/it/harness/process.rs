//! A process of the real program that serves, and what it writes.
//!
//! Guarantees that it never waits for a reader of what it writes, that all of that can be read once it has ended, and that
//! it ends with the test.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::wait::eventually_blocking;

/// One that runs, or did.
pub struct Process {
    child: Child,
    stdout: Lines,
    stderr: Lines,
}

/// Lines that a process writes, in order, as they come.
struct Lines {
    written: Arc<Mutex<Vec<String>>>,
    /// Reads until the pipe ends; None after that was waited for.
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn of(pipe: impl Read + Send + 'static) -> Lines {
        let written = Arc::<Mutex<Vec<String>>>::default();
        let into = Arc::clone(&written);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                into.lock().unwrap().push(line);
            }
        });
        Lines { written, reader: Some(reader) }
    }

    /// Those that came so far, also to a test that has failed.
    fn now(&self) -> Vec<String> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the last one of a process that has ended.
    fn all(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}

impl Process {
    /// Starts it with nothing to read.
    pub fn start(command: &mut Command) -> Process {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = Lines::of(child.stdout.take().unwrap());
        let stderr = Lines::of(child.stderr.take().unwrap());
        Process { child, stdout, stderr }
    }

    /// Waits until it says where it listens: the public listener and that of operations.
    pub fn serving(&mut self) -> (SocketAddr, SocketAddr) {
        eventually_blocking("the program serves", || {
            let said = serving(&self.stderr());
            if said.is_none()
                && let Some(status) = self.child.try_wait().unwrap()
            {
                self.stderr.all();
                panic!("the program ended ({status}): {:#?}", self.stderr());
            }
            said
        })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote so far; all, once it has ended.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.now()
    }

    /// The same of its log.
    pub fn stderr(&self) -> Vec<String> {
        self.stderr.now()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended; its exit code, or None if a signal ended it.
    pub fn ended(&mut self) -> Option<i32> {
        let status = eventually_blocking("the program ends", || self.child.try_wait().unwrap());
        self.stdout.all();
        self.stderr.all();
        status.code()
    }

    /// `kill -9`, and waits until it is gone; one that has ended is as good.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.ended();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A test that has failed must not fail again here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serving(lines: &[String]) -> Option<(SocketAddr, SocketAddr)> {
    let mut lines = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.find(|line| line["message"] == "serving")?;
    Some((line["public"].as_str()?.parse().ok()?, line["operations"].as_str()?.parse().ok()?))
}
