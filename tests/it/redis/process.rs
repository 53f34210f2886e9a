//! One `redis-server` process: started on a free port in a folder of its own, killed, frozen, started again.
//!
//! It ends with the test, however that ends: a shell beside it waits for the test's end of a pipe to close, then
//! kills it and removes its folder.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use redis::{RedisError, Value};
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::eventually;

/// Below the ports that the system gives to clients: else one of those could have a killed server's port.
const PORTS: std::ops::Range<u16> = 10_000..32_000;
/// The watcher. Its arguments: the folder, then the server's command line.
const WATCHER: &str = r#"
folder=$1; shift
"$@" >"$folder/out" 2>&1 &
server=$!
echo $server
cat >/dev/null
kill -9 $server 2>/dev/null
wait $server 2>/dev/null
[ -e "$folder/keep" ] || rm -rf "$folder"
"#;

/// A server that runs, or did.
pub struct Process {
    port: u16,
    folder: PathBuf,
    command: Vec<String>,
    auth: Option<(String, String)>,
    running: Mutex<Option<Running>>,
}

struct Running {
    pid: Pid,
    watcher: Child,
}

/// A port that nobody listens on and no client is given.
pub fn free_port() -> u16 {
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let next = NEXT.get_or_init(|| {
        // Test programs that run beside each other begin in different places.
        let spread = std::process::id().wrapping_mul(7919) % u32::from(PORTS.end - PORTS.start);
        AtomicU16::new(PORTS.start + u16::try_from(spread).unwrap())
    });
    loop {
        let port = next.fetch_add(1, Ordering::Relaxed);
        if !PORTS.contains(&port) {
            next.store(PORTS.start, Ordering::Relaxed);
        } else if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Process {
    /// Starts a server with these lines of configuration besides what all tests need, and waits until it answers.
    /// `lines` are asked again for each try, because a port among them may have been taken.
    pub async fn start(lines: impl Fn() -> Vec<String>, more: &[&str]) -> Process {
        for _ in 0..20 {
            let process = Process::prepare(&lines(), more);
            process.spawn();
            if process.answers().await {
                return process;
            }
            // Somebody else took the port in between.
        }
        panic!("redis-server does not start; is it installed? (apt-get install -y redis-server)");
    }

    fn prepare(lines: &[String], more: &[&str]) -> Process {
        let port = free_port();
        let folder = tempfile::tempdir().unwrap().keep();
        let mut text = format!(
            "bind 127.0.0.1\nport {port}\ndir {}\nlogfile server.log\nprotected-mode no\n",
            folder.display()
        );
        lines.iter().for_each(|line| text += &format!("{line}\n"));
        let file = folder.join("redis.conf");
        std::fs::write(&file, text).unwrap();
        let mut command = vec!["redis-server".to_owned(), file.display().to_string()];
        command.extend(more.iter().map(|argument| (*argument).to_owned()));
        Process { port, folder, command, auth: None, running: Mutex::default() }
    }

    fn spawn(&self) {
        let mut watcher = Command::new("sh");
        watcher.args(["-c", WATCHER, "sh"]).arg(&self.folder).args(&self.command);
        let mut watcher = watcher.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(watcher.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        *self.running.lock().unwrap() = Some(Running { pid, watcher });
    }

    /// Waits until it answers; false if it has ended instead.
    async fn answers(&self) -> bool {
        eventually("redis-server answers or ends", async || {
            match self.try_ask(&["PING"]).await {
                Ok(_) => Some(true),
                // One that wants a password is there as well.
                Err(error) if error.code() == Some("NOAUTH") => Some(true),
                Err(_) if self.has_ended() => Some(false),
                Err(_) => None,
            }
        })
        .await
    }

    fn has_ended(&self) -> bool {
        let log = std::fs::read_to_string(self.folder.join("out")).unwrap_or_default();
        let said = std::fs::read_to_string(self.folder.join("server.log")).unwrap_or_default();
        log.contains("not found") || said.contains("Failed listening") || said.contains("FATAL")
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its folder: data files, `redis.conf`, `server.log`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How raw commands sign in from now on.
    pub fn sign_in(&mut self, user: &str, password: &str) {
        self.auth = Some((user.to_owned(), password.to_owned()));
    }

    /// A raw command on a connection of its own.
    pub async fn try_ask(&self, command: &[&str]) -> Result<Value, RedisError> {
        let client = redis::Client::open(format!("redis://{}", self.address())).unwrap();
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(5)))
            .set_response_timeout(Some(Duration::from_secs(30)));
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        if let Some((user, password)) = &self.auth {
            redis::cmd("AUTH").arg(user).arg(password).exec_async(&mut connection).await?;
        }
        let mut cmd = redis::Cmd::new();
        cmd.arg(command);
        cmd.query_async(&mut connection).await
    }

    /// The same, which must not fail.
    pub async fn ask(&self, command: &[&str]) -> Value {
        match self.try_ask(command).await {
            Ok(value) => value,
            Err(error) => panic!("{command:?} to {}: {error}", self.address()),
        }
    }

    /// The same; the answer as text.
    pub async fn say(&self, command: &[&str]) -> String {
        redis::from_redis_value(self.ask(command).await).unwrap()
    }

    /// One setting of the server.
    pub async fn setting(&self, name: &str) -> String {
        let (_, value): (String, String) =
            redis::from_redis_value(self.ask(&["CONFIG", "GET", name]).await).unwrap();
        value
    }

    /// One line of `INFO`.
    pub async fn info(&self, name: &str) -> String {
        let info = self.say(&["INFO"]).await;
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("INFO has no {name}")).to_owned()
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&self) {
        let Some(mut running) = self.running.lock().unwrap().take() else { return };
        std::fs::write(self.folder.join("keep"), "").unwrap();
        // Ended already is as good.
        let _ = kill_process(running.pid, Signal::KILL);
        drop(running.watcher.stdin.take());
        running.watcher.wait().unwrap();
        std::fs::remove_file(self.folder.join("keep")).unwrap();
    }

    /// Starts it again on the same port and folder, after [`Process::kill`], and waits until it answers.
    pub async fn restart(&self) {
        self.kill();
        // A log of before must not be read as one of now.
        std::fs::remove_file(self.folder.join("server.log")).unwrap();
        self.spawn();
        assert!(self.answers().await, "redis-server did not start again");
        self.loaded().await;
    }

    /// Waits until it has read its data.
    pub async fn loaded(&self) {
        eventually("redis-server has loaded its data", async || {
            let info = self.try_ask(&["INFO", "persistence"]).await.ok()?;
            let info: String = redis::from_redis_value(info).ok()?;
            info.contains("loading:0").then_some(())
        })
        .await;
    }

    /// SIGSTOP: it holds its connections and says nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let running = self.running.lock().unwrap();
        kill_process(running.as_ref().expect("it runs").pid, signal).unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        // What cannot be removed is the system's to clean.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
