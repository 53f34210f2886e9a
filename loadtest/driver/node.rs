//! A Slugline of our own that is looked into: how soon it is there, what it holds, what it says of itself.
//!
//! Guarantees: times are taken to about a millisecond; it ends with the value that holds it; it inherits none of the
//! caller's settings. Refuses to know: what is sent to it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::api::Api;
use crate::numbers::float;
use crate::process::{Process, free_address};
use crate::procs::{self, Memory};
use crate::servers;

/// A store of many links may take long.
const START_LIMIT: Duration = Duration::from_secs(900);
const LOOK_AGAIN: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    ops: SocketAddr,
    process: Process,
    /// Where it keeps its data.
    data: PathBuf,
    log: PathBuf,
    /// From its start until it said that it was ready.
    pub(crate) ready_after: Duration,
    began: Instant,
}

impl Node {
    /// Starts `program` in `folder`: with the `slugline.toml` there, if there is one, and on the data folder beside it.
    pub(crate) fn start(program: &Path, folder: &Path) -> Result<Self> {
        Self::start_on(program, folder, &folder.join("data"))
    }

    /// The same on another data folder.
    pub(crate) fn start_on(program: &Path, folder: &Path, data: &Path) -> Result<Self> {
        let (address, ops) = (free_address()?, free_address()?);
        let (log, data) = (folder.join("slugline.out"), data.to_path_buf());
        let mut command = servers::serve(Command::new(program), folder, &data, address, ops);
        let file = folder.join("slugline.toml");
        if file.is_file() {
            command.arg("--config").arg(file);
        }
        let began = Instant::now();
        let mut process = Process::start(&mut command, None, &log)?;
        process
            .wait_within(START_LIMIT, LOOK_AGAIN, &log, || Ok(matches!(get(ops, "/readyz"), Ok((200, _)))))?;
        Ok(Self { address, ops, process, data, log, ready_after: began.elapsed(), began })
    }

    /// Waits until it has no reservations about itself, such as a mirror that is not complete; how long after its start
    /// that was.
    pub(crate) fn unreserved(&mut self) -> Result<Duration> {
        let ops = self.ops;
        self.process.wait_within(START_LIMIT, LOOK_AGAIN, &self.log, || {
            let (status, text) = get(ops, "/readyz")?;
            Ok(status == 200 && text.contains("\"reasons\":[]"))
        })?;
        Ok(self.began.elapsed())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn since_start(&self) -> Duration {
        self.began.elapsed()
    }

    /// The API with this key.
    pub(crate) fn api(&self, key: &str) -> Api {
        Api::new(&format!("http://{}", self.address), key)
    }

    /// The API with the key that the first start on this data printed.
    pub(crate) fn first_api(&self) -> Result<Api> {
        Ok(self.api(&servers::key(&self.log)?))
    }

    pub(crate) fn cpu(&self) -> Result<Duration> {
        procs::cpu_of(&[self.pid()])
    }

    pub(crate) fn memory(&self) -> Result<Memory> {
        procs::memory_of(self.pid())
    }

    /// What it says of itself now.
    pub(crate) fn metrics(&self) -> Result<Metrics> {
        let (status, text) = get(self.ops, "/metrics")?;
        ensure!(status == 200, "/metrics answered {status}");
        Ok(Metrics(text))
    }

    /// Asks for one code, over a connection of its own; how long that took, and the status.
    pub(crate) fn redirect(&self, code: &str) -> Result<(Duration, u16)> {
        let began = Instant::now();
        let (status, _) = get(self.address, &format!("/{code}"))?;
        Ok((began.elapsed(), status))
    }

    /// Files in its data folder and the room that they take on the disk, in KiB, the largest first; folders as a whole.
    pub(crate) fn disk(&self) -> Result<Vec<(String, u64)>> {
        let mut files = vec![];
        for entry in fs::read_dir(&self.data)? {
            let entry = entry?;
            files.push((entry.file_name().to_string_lossy().into_owned(), room(&entry.path())? / 1_024));
        }
        files.sort_by_key(|(name, room)| (std::cmp::Reverse(*room), name.clone()));
        Ok(files)
    }

    /// Stops it in its own order; how long that took.
    pub(crate) fn stop(self) -> Result<Duration> {
        let began = Instant::now();
        self.process.stop()?;
        Ok(began.elapsed())
    }
}

/// The room that a file, or a folder with all in it, takes on the disk, in bytes.
fn room(path: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    let about = match fs::symlink_metadata(path) {
        Ok(about) => about,
        // A segment of the journal may go while we look.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    if !about.is_dir() {
        return Ok(about.blocks() * 512);
    }
    let mut all = 0;
    for entry in fs::read_dir(path)? {
        all += room(&entry?.path())?;
    }
    Ok(all)
}

/// What `/metrics` said.
pub(crate) struct Metrics(String);

impl Metrics {
    /// The sum of all series of this name.
    pub(crate) fn sum(&self, name: &str) -> Result<f64> {
        let lines = self.0.lines().filter_map(|line| line.strip_prefix(name));
        let values =
            lines.filter(|rest| rest.starts_with([' ', '{'])).filter_map(|rest| rest.rsplit_once(' '));
        let mut sum = None;
        for (_, value) in values {
            let value: f64 = value.parse().with_context(|| format!("{name} is no number: {value}"))?;
            sum = Some(sum.unwrap_or(0.0) + value);
        }
        Ok(sum.unwrap_or(0.0))
    }

    /// Hits of the links' cache, and how often the store was asked.
    pub(crate) fn cache(&self) -> Result<(f64, f64)> {
        Ok((self.sum("slugline_cache_hits_total")?, self.sum("slugline_cache_misses_total")?))
    }
}

/// One request over a connection of its own: the status, and the whole answer.
fn get(to: SocketAddr, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.get(9..12).context("that is no answer")?.parse()?;
    Ok((status, answer))
}

/// KiB for people to read, in MiB.
pub(crate) fn mib(kib: u64) -> String {
    format!("{:.1}", float(kib) / 1_024.0)
}
