//! The servers of a measurement, each with all that is needed to measure it.
//!
//! Guarantees: Slugline is configured by its documented environment alone and inherits none of the caller's; a server
//! and its `redis-server` share a core if they are bound to one. Refuses to know: what is measured.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::api::Api;
use crate::counts::Counts;
use crate::process::{Process, free_address};
use crate::procs::{self, Memory};
use crate::redis_server::Redis;

const NGINX_CONF: &str = include_str!("../peers/nginx.conf");

/// What a server and the `redis-server` beside it have used, each for itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used<T> {
    pub(crate) server: T,
    pub(crate) redis: T,
}

/// A server that runs and can be measured.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) counts: Counts,
    process: Process,
    redis: Option<Redis>,
}

impl Server {
    /// CPU time so far.
    pub(crate) fn cpu(&self) -> Result<Used<Duration>> {
        let redis = self.redis.as_ref().map(|redis| procs::cpu_of(&[redis.process_id()])).transpose()?;
        Ok(Used { server: procs::cpu_of(&[self.process.id()])?, redis: redis.unwrap_or_default() })
    }

    /// Memory now.
    pub(crate) fn memory(&self) -> Result<Used<Memory>> {
        let redis = self.redis.as_ref().map(|redis| procs::memory_of(redis.process_id())).transpose()?;
        Ok(Used { server: procs::memory_of(self.process.id())?, redis: redis.unwrap_or_default() })
    }

    /// Its API, if it is a Slugline.
    pub(crate) fn api(&self) -> Result<&Api> {
        match &self.counts {
            Counts::Reports(api) => Ok(api),
            _ => bail!("only Slugline has an API"),
        }
    }

    pub(crate) fn stop(self) -> Result<()> {
        self.process.stop()?;
        self.redis.map_or(Ok(()), Redis::stop)
    }
}

/// nginx with a configuration of its own in `folder`.
pub(crate) fn nginx(
    program: &Path,
    folder: &Path,
    workers: u64,
    core: Option<usize>,
    logs: bool,
) -> Result<Server> {
    let address = free_address()?;
    let access_log = folder.join("access.log");
    let setting = if logs { format!("{} combined", access_log.display()) } else { "off".to_owned() };
    let conf = folder.join("nginx.conf");
    let text = NGINX_CONF
        .replace("@WORKERS@", &workers.to_string())
        .replace("@ACCESS_LOG@", &setting)
        .replace("@FOLDER@", &folder.display().to_string())
        .replace("@PORT@", &address.port().to_string());
    fs::write(&conf, text)?;
    let log = folder.join("nginx.out");
    let mut command = Command::new(program);
    command.arg("-c").arg(&conf).arg("-p").arg(folder);
    let mut process = Process::start(&mut command, core, &log)?;
    process.listens(&log, address)?;
    let counts = if logs { Counts::Log(access_log) } else { Counts::Nothing };
    Ok(Server { address, counts, process, redis: None })
}

/// Bare axum on the links of a file.
pub(crate) fn bare(program: &Path, folder: &Path, core: Option<usize>, links: &Path) -> Result<Server> {
    let address = free_address()?;
    let log = folder.join("bare.out");
    let mut command = Command::new(program);
    command.arg(address.to_string()).arg(links);
    let mut process = Process::start(&mut command, core, &log)?;
    process.listens(&log, address)?;
    Ok(Server { address, counts: Counts::Nothing, process, redis: None })
}

/// The obvious way on a `redis-server` that has links; what it counts for these codes can be read.
pub(crate) fn obvious(
    program: &Path,
    folder: &Path,
    core: Option<usize>,
    redis: Redis,
    codes: &[String],
) -> Result<Server> {
    let address = free_address()?;
    let log = folder.join("obvious.out");
    let mut command = Command::new(program);
    command.arg(address.to_string()).arg(redis.url());
    let mut process = Process::start(&mut command, core, &log)?;
    process.listens(&log, address)?;
    let counts = Counts::Keys { redis: redis.client()?, codes: codes.to_vec() };
    Ok(Server { address, counts, process, redis: Some(redis) })
}

/// Slugline with its data in `folder`, and its links in Redis if there is one. The key of the first start is kept.
pub(crate) fn slugline(
    program: &Path,
    folder: &Path,
    core: Option<usize>,
    redis: Option<Redis>,
) -> Result<Server> {
    slugline_with(&[], program, folder, core, redis)
}

/// The same with other settings, by the names of the environment.
pub(crate) fn slugline_with(
    settings: &[(&str, &str)],
    program: &Path,
    folder: &Path,
    core: Option<usize>,
    redis: Option<Redis>,
) -> Result<Server> {
    slugline_by(Command::new(program), settings, folder, core, redis)
}

/// The same by another program: `command` is what comes before `serve`.
pub(crate) fn slugline_by(
    command: Command,
    settings: &[(&str, &str)],
    folder: &Path,
    core: Option<usize>,
    redis: Option<Redis>,
) -> Result<Server> {
    let (address, ops) = (free_address()?, free_address()?);
    let log = folder.join("slugline.out");
    let mut command = serve(command, folder, &folder.join("data"), address, ops);
    command.envs(settings.iter().copied());
    if let Some(redis) = &redis {
        command.env("SLUGLINE__STORE__KIND", "redis").env("SLUGLINE__STORE__REDIS__URLS", redis.url());
    }
    let mut process = Process::start(&mut command, core, &log)?;
    let ops = Api::new(&format!("http://{ops}"), "");
    process.wait(&log, || ops.answers("/readyz"))?;
    let api = Api::new(&format!("http://{address}"), &key(&log)?);
    Ok(Server { address, counts: Counts::Reports(api), process, redis })
}

/// `slugline serve` in `folder`, which listens at `address` and tells of itself at `ops`, with its data in `data`.
/// `command` is what comes before `serve`.
pub(crate) fn serve(
    mut command: Command,
    folder: &Path,
    data: &Path,
    address: SocketAddr,
    ops: SocketAddr,
) -> Command {
    command.arg("serve").current_dir(folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SLUGLINE__") {
            command.env_remove(name);
        }
    }
    command
        .env("SLUGLINE__SERVER__LISTEN", address.to_string())
        .env("SLUGLINE__SERVER__OPS_LISTEN", ops.to_string())
        .env("SLUGLINE__DATA__DIR", data)
        // Asking whether all is counted must not make what follows a time that somebody watches.
        .env("SLUGLINE__HITS__WATCH_FOR", "1s")
        .env("SLUGLINE__CLIENTS__TRUSTED_PROXIES", "127.0.0.1/32");
    command
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
