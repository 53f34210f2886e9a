//! The real program on a data folder that outlives it: started, killed, stopped, started again.
//!
//! Unlike the harness's program it takes new ports at each start, may run on a copied folder, and may be killed
//! before it is ready.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::{Value, json};
use slugline::config::Config;
use tempfile::TempDir;

use super::wire::{self, Answer};
use crate::harness::cli;
use crate::harness::process::Process;
use crate::harness::wait::eventually_blocking;

/// Small files, counting at once.
const OPTIONS: [&str; 9] = [
    "server.listen=127.0.0.1:0",
    "server.ops_listen=127.0.0.1:0",
    "log.format=json",
    "store.readers=2",
    "store.page_cache=2MiB",
    "journal.segment_bytes=1MiB",
    "hits.apply_interval=10ms",
    "hits.apply_max_delay=1s",
    "hits.watch_for=1s",
];

/// Options under which nothing is counted after the first look, so that hits stay in the journal.
pub const UNCOUNTED: [&str; 2] = ["hits.apply_interval=60s", "hits.apply_max_delay=1h"];

/// A data folder with links in it, and how the program is run on it.
pub struct Home {
    dir: TempDir,
    /// Text of its configuration file.
    file: String,
    options: Vec<String>,
    key: String,
    /// Its links, in a fixed order; the last one is disabled.
    pub codes: Vec<String>,
}

/// A link that is followed once to see how far counting is.
pub const MARKER: &str = "marker";

impl Home {
    /// A new one with `links` links besides [`MARKER`], and the program running on it.
    pub fn begin(links: usize, options: &[&str]) -> (Home, Node) {
        Home::begin_in(tempfile::tempdir().unwrap(), links, options)
    }

    /// The same in this folder.
    pub fn begin_in(dir: TempDir, links: usize, options: &[&str]) -> (Home, Node) {
        Home::begin_with(dir, "", links, options)
    }

    /// The same with this configuration file, which says where its store is.
    pub fn begin_with(dir: TempDir, file: &str, links: usize, options: &[&str]) -> (Home, Node) {
        let file = file.to_owned();
        let mut home = Home { dir, file, options: vec![], key: String::new(), codes: vec![] };
        home.set(options);
        let node = home.start();
        home.key = eventually_blocking("the first key on stdout", || {
            let lines = node.process.stdout();
            let mut words = lines.iter().flat_map(|line| line.split_whitespace());
            words.find(|word| word.starts_with("slk_")).map(str::to_owned)
        });
        home.codes = (0..links).map(|i| format!("story-{i}")).collect();
        for code in home.codes.iter().map(String::as_str).chain([MARKER]) {
            home.api(&node, "POST", "/links", &json!({ "url": target(code), "code": code }));
        }
        let last = home.codes.last().unwrap();
        let change = json!({ "disabled": true, "version": 1 });
        home.api(&node, "PATCH", &format!("/links/{last}"), &change);
        (home, node)
    }

    /// A call below `/api/v1` that must succeed.
    pub fn api(&self, node: &Node, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.call(node, method, path, body);
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.json());
        answer.json()
    }

    /// The same; None while the store is away (503).
    pub fn try_api(&self, node: &Node, method: &str, path: &str, body: &Value) -> Option<Value> {
        let answer = self.call(node, method, path, body);
        assert!(
            answer.status < 300 || answer.status == 503,
            "{method} {path}: {} {}",
            answer.status,
            answer.json()
        );
        (answer.status != 503).then(|| answer.json())
    }

    /// Retires a link; the status of the answer.
    pub fn try_delete(&self, node: &Node, code: &str) -> u16 {
        self.call(node, "DELETE", &format!("/links/{code}"), &Value::Null).status
    }

    pub fn call(&self, node: &Node, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        wire::ask(node.public(), method, &format!("/api/v1{path}"), &self.key, &body).unwrap()
    }

    /// Asks for a link at `public`; its code, or None if the answer did not come whole.
    pub fn try_create(&self, public: SocketAddr, body: &Value) -> Option<String> {
        let answer = wire::ask(public, "POST", "/api/v1/links", &self.key, &body.to_string()).ok()?;
        assert_eq!(answer.status, 201, "{answer:?}");
        Some(answer.json()["code"].as_str().unwrap().to_owned())
    }

    /// How the program is configured, but for this data folder.
    pub fn config(&self, data: &Path) -> Config {
        let mut options: Vec<String> = OPTIONS.iter().map(|option| (*option).to_owned()).collect();
        options.push(format!("data.dir={}", data.display()));
        options.extend(self.options.iter().cloned());
        Config::load(Some(&self.write_file()), std::iter::empty(), &options).unwrap()
    }

    /// The first admin's key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Runs a command of the program on its data folder.
    pub fn command(&self, arguments: &[&str]) -> cli::Ended {
        let file = self.write_file();
        let config = ["--config", file.to_str().unwrap()];
        cli::on(&self.data(), &[arguments, &config].concat())
    }

    fn write_file(&self) -> PathBuf {
        let file = self.dir.path().join("slugline.toml");
        std::fs::write(&file, &self.file).unwrap();
        file
    }

    /// Further options from the next start on.
    pub fn set(&mut self, options: &[&str]) {
        self.options = options.iter().map(|o| (*o).to_owned()).collect();
    }

    /// Where its files are.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Its journal's folder.
    pub fn journal(&self) -> PathBuf {
        self.data().join("journal")
    }

    /// Its segment files, by name.
    pub fn segments(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.journal()).unwrap().map(|f| f.unwrap().path());
        let mut segments: Vec<_> = files.filter(|p| p.extension().is_some_and(|e| e == "seg")).collect();
        segments.sort();
        segments
    }

    /// Another home with a copy of all files; nothing may run on this one.
    pub fn copied(&self) -> Home {
        let dir = tempfile::tempdir().unwrap();
        copy(&self.data(), &dir.path().join("data"));
        let (file, options) = (self.file.clone(), self.options.clone());
        Home { dir, file, options, key: self.key.clone(), codes: self.codes.clone() }
    }

    /// Where all of this one may be moved to: a new folder and this configuration, with the same links and key.
    pub fn onward(&self, file: &str) -> Home {
        let (dir, options) = (tempfile::tempdir().unwrap(), self.options.clone());
        Home { dir, file: file.to_owned(), options, key: self.key.clone(), codes: self.codes.clone() }
    }

    /// A configuration file that says where its data folder is, too.
    pub fn whole_file(&self) -> PathBuf {
        let file = self.dir.path().join("whole.toml");
        let dir = self.data().display().to_string();
        std::fs::write(&file, format!("{}\n[data]\ndir = \"{dir}\"\n", self.file)).unwrap();
        file
    }

    /// Puts back all files of a copy.
    pub fn restore(&self, from: &Home) {
        std::fs::remove_dir_all(self.data()).unwrap();
        copy(&from.data(), &self.data());
    }

    /// Puts back only tallies.db of a copy.
    pub fn restore_tallies(&self, from: &Home) {
        for name in ["tallies.db", "tallies.db-wal", "tallies.db-shm"] {
            let (source, to) = (from.data().join(name), self.data().join(name));
            drop(std::fs::remove_file(&to));
            if source.exists() {
                std::fs::copy(source, to).unwrap();
            }
        }
    }

    /// Puts back only the journal of a copy.
    pub fn restore_journal(&self, from: &Home) {
        std::fs::remove_dir_all(self.journal()).unwrap();
        copy(&from.journal(), &self.journal());
    }

    /// Starts the program and waits until it is ready.
    pub fn start(&self) -> Node {
        let mut node = self.spawn();
        node.ready();
        node
    }

    /// Starts the program and does not wait.
    pub fn spawn(&self) -> Node {
        let mut command = cli::command();
        command.arg("serve").arg("--config").arg(self.write_file()).current_dir(self.dir.path());
        for option in OPTIONS.iter().copied().chain(self.options.iter().map(String::as_str)) {
            command.arg("--set").arg(option);
        }
        command.arg("--set").arg(format!("data.dir={}", self.data().display()));
        Node { process: Process::start(&mut command), addresses: None }
    }
}

/// Where a link leads.
pub fn target(code: &str) -> String {
    format!("https://news.example.com/{code}")
}

/// Copies a folder with all below it, except the lock.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else if entry.file_name() != "lock" {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A program that runs, or did. Killed when dropped.
pub struct Node {
    process: Process,
    addresses: Option<(SocketAddr, SocketAddr)>,
}

impl Node {
    /// Waits until it redirects.
    pub fn ready(&mut self) {
        self.addresses = Some(self.process.serving());
        eventually_blocking("the program is ready", || (self.ops_get("/readyz").status == 200).then_some(()));
    }

    pub fn public(&self) -> SocketAddr {
        self.addresses.unwrap().0
    }

    pub fn ops_get(&self, path: &str) -> Answer {
        wire::ask(self.addresses.unwrap().1, "GET", path, "", "").unwrap()
    }

    /// The codes of what is not well.
    pub fn reasons(&self) -> Vec<String> {
        let ready = self.ops_get("/readyz");
        assert_eq!(ready.status, 200);
        let reasons = ready.json()["reasons"].as_array().unwrap().clone();
        reasons.iter().map(|r| r["code"].as_str().unwrap().to_owned()).collect()
    }

    /// All metrics: name with labels, value.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let text = String::from_utf8(self.ops_get("/metrics").body).unwrap();
        let lines = text.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.rsplit_once(' '));
        lines.map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
    }

    /// A whole number among the metrics, 0 if it is not there yet.
    pub fn metric(&self, name: &str) -> u64 {
        let value = self.metrics().get(name).copied().unwrap_or(0.0);
        format!("{value:.0}").parse().unwrap()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.process.stderr().join("\n")
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) {
        self.kill_now();
    }

    /// The same for one that is looked at afterwards.
    pub fn kill_now(&mut self) {
        self.process.kill();
    }

    /// SIGTERM; does not wait.
    pub fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    /// Waits until it has ended; its exit code, none if a signal ended it.
    pub fn ended(&mut self) -> Option<i32> {
        self.process.ended()
    }

    /// SIGTERM, and waits; it must end well.
    pub fn stop(mut self) {
        self.terminate();
        let code = self.ended();
        assert_eq!(code, Some(0), "{}", self.log());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.process.stderr();
            println!("the program's last lines:\n{}", log[log.len().saturating_sub(20)..].join("\n"));
        }
    }
}
