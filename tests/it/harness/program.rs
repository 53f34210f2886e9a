//! The real program, serving: started, watched, killed, stopped.
//!
//! It takes a free port at its first start and the same one again at each restart, so that clients can go on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::process::Signal;
use tempfile::TempDir;

use super::api::Api;
use super::cli;
use super::http::Http;
use super::process::Process;
use super::wait::{eventually, eventually_blocking};

/// Small files, counting at once, lines that can be read.
const OPTIONS: &[&str] = &[
    "log.format=json",
    "log.filter=info",
    "store.readers=2",
    "store.page_cache=2MiB",
    "journal.segment_bytes=1MiB",
    "hits.apply_interval=20ms",
];

/// The configuration file's name in the folder.
const FILE: &str = "slugline.toml";

/// A program that serves, or did.
pub struct Program {
    /// The public listener with the first admin's key.
    pub api: Api,
    /// The operations listener.
    pub ops: Http,
    dir: Arc<TempDir>,
    options: Vec<String>,
    process: Process,
}

impl std::ops::Deref for Program {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Program {
    pub async fn start() -> Program {
        Program::start_with(&[]).await
    }

    /// Starts with further options like `journal.sync=always`; waits until it is ready.
    pub async fn start_with(options: &[&str]) -> Program {
        Program::start_on("", options).await
    }

    /// Starts with this configuration file, which [`Program::configure`] can change, and options over it.
    pub async fn start_on(file: &str, options: &[&str]) -> Program {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        std::fs::write(dir.path().join(FILE), file).unwrap();
        let options: Vec<String> = options.iter().map(|o| (*o).to_owned()).collect();
        let mut process = spawn(dir.path(), &options, None);
        let (public, ops) = process.serving();
        let key = eventually_blocking("the first key on stdout", || {
            let lines = process.stdout();
            let mut words = lines.iter().flat_map(|line| line.split_whitespace());
            words.find(|word| word.starts_with("slk_")).map(str::to_owned)
        });
        let (api, ops) = (Api::new(public, &key), Http::new(ops));
        let program = Program { api, ops, dir, options, process };
        program.ready().await;
        program
    }

    /// Waits until it redirects.
    pub async fn ready(&self) {
        eventually("the program is ready", async || {
            let answer = self.ops.call(http::Method::GET, "/readyz").try_send().await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
    }

    /// Writes the configuration file anew; it is read at SIGHUP or the next start.
    pub fn configure(&self, file: &str) {
        std::fs::write(self.dir.path().join(FILE), file).unwrap();
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it wrote to stdout and stderr since it was last started.
    pub fn stdout(&self) -> Vec<String> {
        self.process.stdout()
    }

    pub fn stderr(&self) -> Vec<String> {
        self.process.stderr()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits until it has ended; its exit code, or None if a signal ended it.
    pub fn ended(&mut self) -> Option<i32> {
        self.process.ended()
    }

    /// SIGTERM, and waits; its exit code.
    pub fn terminate(&mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Starts it again on the same folder and addresses, after [`Program::kill`] or [`Program::terminate`].
    pub async fn restart(&mut self) {
        let addresses = (self.api.http.address(), self.ops.address());
        self.process = spawn(self.dir.path(), &self.options, Some(addresses));
        assert_eq!(self.process.serving(), addresses);
        // Connections of the old process are of no use.
        (self.api.http, self.ops) = (Http::new(addresses.0), Http::new(addresses.1));
        self.ready().await;
    }

    /// The same with other options from now on.
    pub async fn restart_with(&mut self, options: &[&str]) {
        self.options = options.iter().map(|o| (*o).to_owned()).collect();
        self.restart().await;
    }
}

fn spawn(dir: &Path, options: &[String], addresses: Option<(SocketAddr, SocketAddr)>) -> Process {
    let mut command = cli::command();
    command.args(["serve", "--config", FILE]).current_dir(dir);
    let (public, ops) = match addresses {
        Some((public, ops)) => (public.to_string(), ops.to_string()),
        None => ("127.0.0.1:0".to_owned(), "127.0.0.1:0".to_owned()),
    };
    command.arg("--set").arg(format!("server.listen={public}"));
    command.arg("--set").arg(format!("server.ops_listen={ops}"));
    for option in OPTIONS.iter().copied().chain(options.iter().map(String::as_str)) {
        command.arg("--set").arg(option);
    }
    Process::start(&mut command)
}
