//! The servers of a comparison: started, waited for, stopped.
//!
//! Guarantees: a server started here ends with the value that holds it; Slugline is configured by its documented
//! environment alone and inherits none of the caller's. Refuses to know: what is measured.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::api::Api;
use crate::procs;

const NGINX_CONF: &str = include_str!("../peers/nginx.conf");
const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// A process that ends with this value.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command, core: Option<usize>, log: &Path) -> Result<Self> {
        let errors = OpenOptions::new().create(true).append(true).open(log.with_extension("err"))?;
        let output = OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child =
            procs::pinned(core, || command.spawn().with_context(|| format!("cannot start {command:?}")))?;
        Ok(Self(child))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn ensure_alive(&mut self, log: &Path) -> Result<()> {
        if let Some(status) = self.0.try_wait()? {
            let errors = fs::read_to_string(log.with_extension("err")).unwrap_or_default();
            let tail: Vec<&str> = errors.lines().rev().take(5).collect();
            bail!("the server ended with {status}; its last words, newest first: {tail:?}");
        }
        Ok(())
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

/// A server that runs and can be measured.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    /// For a server that counts what it answers.
    pub(crate) api: Option<Api>,
    process: Process,
    access_log: Option<PathBuf>,
    /// The `redis-server` it keeps its links in; its CPU time is counted apart.
    redis: Option<Process>,
}

impl Server {
    pub(crate) fn cpu(&self) -> Result<Duration> {
        procs::cpu_of(&[self.process.0.id()])
    }

    /// CPU time of the `redis-server` beside it.
    pub(crate) fn redis_cpu(&self) -> Result<Duration> {
        self.redis.as_ref().map_or(Ok(Duration::ZERO), |redis| procs::cpu_of(&[redis.0.id()]))
    }

    pub(crate) fn stop(self) -> Result<()> {
        self.process.stop()?;
        self.redis.map_or(Ok(()), Process::stop)
    }

    /// Empties the access log between rounds, so that a long comparison does not fill the disk.
    pub(crate) fn tidy(&self) -> Result<()> {
        if let Some(log) = &self.access_log {
            OpenOptions::new().write(true).open(log)?.set_len(0)?;
        }
        Ok(())
    }
}

/// nginx with a configuration of its own in `folder`.
pub(crate) fn nginx(program: &Path, folder: &Path, workers: u64, core: Option<usize>) -> Result<Server> {
    let port = free_port()?;
    let conf = folder.join("nginx.conf");
    let text = NGINX_CONF
        .replace("@WORKERS@", &workers.to_string())
        .replace("@FOLDER@", &folder.display().to_string())
        .replace("@PORT@", &port.to_string());
    fs::write(&conf, text)?;
    let log = folder.join("nginx.out");
    let mut command = Command::new(program);
    command.arg("-c").arg(&conf).arg("-p").arg(folder);
    let mut process = Process::start(&mut command, core, &log)?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    wait(&mut process, &log, || Ok(TcpStream::connect(address).is_ok()))?;
    Ok(Server {
        name: "nginx",
        address,
        api: None,
        process,
        access_log: Some(folder.join("nginx-access.log")),
        redis: None,
    })
}

/// Slugline on the data folder below `folder`; the key of the first start is kept beside it.
pub(crate) fn slugline(program: &Path, folder: &Path, core: Option<usize>) -> Result<Server> {
    slugline_with(program, folder, core, &[])
}

/// Slugline on a `redis-server` of its own.
pub(crate) fn slugline_on_redis(program: &Path, redis_server: &Path, folder: &Path) -> Result<Server> {
    let (redis, port) = redis(redis_server, &folder.join("slugline-redis"))?;
    let url = format!("redis://127.0.0.1:{port}");
    let store = [("SLUGLINE__STORE__KIND", "redis"), ("SLUGLINE__STORE__REDIS__URLS", &url)];
    Ok(Server { redis: Some(redis), ..slugline_with(program, folder, None, &store)? })
}

/// The obvious way on a `redis-server` of its own that leads these codes somewhere.
pub(crate) fn obvious(
    program: &Path,
    redis_server: &Path,
    folder: &Path,
    codes: &[String],
) -> Result<Server> {
    let (redis, redis_port) = redis(redis_server, &folder.join("obvious-redis"))?;
    let mut filling = TcpStream::connect(("127.0.0.1", redis_port))?;
    let lines: String = codes
        .iter()
        .map(|code| format!("SET link:{code} https://news.example.com/story/{code}\r\n"))
        .collect();
    filling.write_all(format!("{lines}QUIT\r\n").as_bytes())?;
    filling.read_to_end(&mut Vec::new())?;
    let port = free_port()?;
    let log = folder.join("obvious.out");
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut command = Command::new(program);
    command.arg(address.to_string()).arg(format!("redis://127.0.0.1:{redis_port}"));
    let mut process = Process::start(&mut command, None, &log)?;
    wait(&mut process, &log, || Ok(TcpStream::connect(address).is_ok()))?;
    Ok(Server { name: "the obvious way", address, api: None, process, access_log: None, redis: Some(redis) })
}

/// A `redis-server` that keeps an append-only file, as one that matters would.
fn redis(program: &Path, folder: &Path) -> Result<(Process, u16)> {
    fs::create_dir_all(folder)?;
    let port = free_port()?;
    let log = folder.join("redis.out");
    let mut command = Command::new(program);
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--port", &port.to_string()]);
    command.arg("--dir").arg(folder);
    let mut process = Process::start(&mut command, None, &log)?;
    wait(&mut process, &log, || Ok(TcpStream::connect(("127.0.0.1", port)).is_ok()))?;
    Ok((process, port))
}

fn slugline_with(
    program: &Path,
    folder: &Path,
    core: Option<usize>,
    more: &[(&str, &str)],
) -> Result<Server> {
    let (port, ops_port) = (free_port()?, free_port()?);
    let log = folder.join("slugline.out");
    let mut command = Command::new(program);
    command.arg("serve").current_dir(folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SLUGLINE__") {
            command.env_remove(name);
        }
    }
    command
        .env("SLUGLINE__SERVER__LISTEN", format!("127.0.0.1:{port}"))
        .env("SLUGLINE__SERVER__OPS_LISTEN", format!("127.0.0.1:{ops_port}"))
        .env("SLUGLINE__DATA__DIR", folder.join("data"))
        // Asking whether all is counted must not make the next round one that somebody watches.
        .env("SLUGLINE__HITS__WATCH_FOR", "1s")
        .env("SLUGLINE__CLIENTS__TRUSTED_PROXIES", "127.0.0.1/32")
        .envs(more.iter().copied());
    let mut process = Process::start(&mut command, core, &log)?;
    let ops = Api::new(&format!("http://127.0.0.1:{ops_port}"), "");
    wait(&mut process, &log, || ops.answers("/readyz"))?;
    let key = key(&log)?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let api = Some(Api::new(&format!("http://127.0.0.1:{port}"), &key));
    Ok(Server { name: "Slugline", address, api, process, access_log: None, redis: None })
}

fn wait(process: &mut Process, log: &Path, ready: impl Fn() -> Result<bool>) -> Result<()> {
    let give_up = Instant::now() + START_LIMIT;
    while !ready()? {
        process.ensure_alive(log)?;
        ensure!(Instant::now() < give_up, "the server was not ready within {} s", START_LIMIT.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The key that the first start printed; later starts print none, and the log keeps the first.
pub(crate) fn key(log: &Path) -> Result<String> {
    let give_up = Instant::now() + Duration::from_secs(5);
    loop {
        let text = fs::read_to_string(log)?;
        if let Some(at) = text.find("slk_") {
            let rest = text.get(at..).unwrap_or_default();
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
                .unwrap_or(rest.len());
            return Ok(rest.get(..end).unwrap_or_default().to_owned());
        }
        ensure!(Instant::now() < give_up, "the first start printed no API key on stdout");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A folder for one comparison; kept if asked, else removed at the end.
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
        // nginx opens its log before it gives up being root.
        File::create(path.join("nginx-access.log"))?;
        Ok(Self { held, path })
    }

    pub(crate) fn path(&self) -> &Path {
        self.held.as_ref().map_or(&self.path, |held| held.path())
    }
}
