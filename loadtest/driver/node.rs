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
use crate::args::OwnServer;
use crate::numbers::float;
use crate::procs::{self, Memory};
use crate::report;
use crate::servers::{self, Process};

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
        let address = SocketAddr::from(([127, 0, 0, 1], servers::free_port()?));
        let ops = SocketAddr::from(([127, 0, 0, 1], servers::free_port()?));
        let (log, data) = (folder.join("slugline.out"), data.to_path_buf());
        let mut command = Command::new(program);
        command.arg("serve").current_dir(folder);
        let file = folder.join("slugline.toml");
        if file.is_file() {
            command.arg("--config").arg(file);
        }
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SLUGLINE__") {
                command.env_remove(name);
            }
        }
        command
            .env("SLUGLINE__SERVER__LISTEN", address.to_string())
            .env("SLUGLINE__SERVER__OPS_LISTEN", ops.to_string())
            .env("SLUGLINE__DATA__DIR", &data)
            // Asking whether all is counted must not make the next minute one that somebody watches.
            .env("SLUGLINE__HITS__WATCH_FOR", "1s")
            .env("SLUGLINE__CLIENTS__TRUSTED_PROXIES", "127.0.0.1/32");
        let began = Instant::now();
        let process = Process::start(&mut command, None, &log)?;
        let mut node = Self { address, ops, process, data, log, ready_after: Duration::ZERO, began };
        while !matches!(get(ops, "/readyz"), Ok((200, _))) {
            node.process.ensure_alive(&node.log)?;
            ensure!(began.elapsed() < START_LIMIT, "not ready within {} s", START_LIMIT.as_secs());
            std::thread::sleep(LOOK_AGAIN);
        }
        node.ready_after = began.elapsed();
        Ok(node)
    }

    /// Waits until it has no reservations about itself, such as a mirror that is not complete; how long after its start
    /// that was.
    pub(crate) fn unreserved(&mut self) -> Result<Duration> {
        loop {
            let (status, text) = get(self.ops, "/readyz")?;
            if status == 200 && text.contains("\"reasons\":[]") {
                return Ok(self.began.elapsed());
            }
            self.process.ensure_alive(&self.log)?;
            ensure!(self.began.elapsed() < START_LIMIT, "it still says: {text}");
            std::thread::sleep(LOOK_AGAIN);
        }
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

/// The Slugline to start, whatever folder it is started in.
pub(crate) fn program(own: &OwnServer) -> Result<PathBuf> {
    own.slugline.canonicalize().with_context(|| {
        format!("there is no {}: cargo build --release --bin slugline", own.slugline.display())
    })
}

/// What the figures of a page mean nothing without.
pub(crate) fn machine() -> String {
    // Nothing else is measured, so no other program's version is said.
    report::machine(Path::new("")).replace("; \n", "\n")
}
