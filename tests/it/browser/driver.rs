//! One `chromedriver` for all tests that run at the same time; it ends with the last of them.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::harness::http::Http;
use crate::harness::wait::eventually_blocking;

/// Browsers at once: more only wait for each other's time.
const BROWSERS: usize = 2;
const PROGRAM: &str = "chromedriver";
const MISSING: &str = "chromedriver cannot be started. Install it: apt-get install --no-install-recommends chromium chromium-driver";

static RUNNING: Mutex<Weak<Driver>> = Mutex::new(Weak::new());
static ROOM: Mutex<Option<Arc<Semaphore>>> = Mutex::new(None);

/// A running driver.
pub struct Driver {
    address: SocketAddr,
    child: Child,
    /// Where it and its browsers put their files.
    _dir: TempDir,
}

impl Driver {
    /// The one that runs, or a new one.
    pub fn get() -> Arc<Driver> {
        let mut running = RUNNING.lock().unwrap_or_else(|broken| broken.into_inner());
        running.upgrade().unwrap_or_else(|| {
            let driver = Arc::new(Driver::start());
            *running = Arc::downgrade(&driver);
            driver
        })
    }

    /// A place among the browsers that may run at once.
    pub async fn room() -> OwnedSemaphorePermit {
        let room = Arc::clone(ROOM.lock().unwrap().get_or_insert_with(|| Arc::new(Semaphore::new(BROWSERS))));
        room.acquire_owned().await.unwrap()
    }

    fn start() -> Driver {
        let dir = tempfile::tempdir().unwrap();
        // It takes a free port itself and says in its log which.
        let log = dir.path().join("driver.log");
        let child = Command::new(PROGRAM)
            .arg("--port=0")
            .arg(format!("--log-path={}", log.display()))
            .env("TMPDIR", dir.path())
            .env("HOME", dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // Its browsers are in it too, so that they end together.
            .process_group(0)
            .spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{MISSING} ({error})"));
        let lines = lines_of(&mut child);
        let port = eventually_blocking("chromedriver says its port", || {
            let lines = lines.lock().unwrap();
            let said = lines.iter().find_map(|line| {
                line.rsplit_once("successfully on port ").map(|(_, port)| port.to_owned())
            })?;
            said.trim_end_matches('.').parse().ok()
        });
        Driver { address: SocketAddr::from(([127, 0, 0, 1], port)), child, _dir: dir }
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends a session and its browser.
    pub async fn end(&self, session: &str) {
        let call = Http::new(self.address).call(http::Method::DELETE, &format!("/session/{session}"));
        // One that is gone is gone.
        let _ = call.try_send().await;
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Lines on stdout as they come, so that the driver never waits for a reader.
fn lines_of(child: &mut Child) -> Arc<Mutex<Vec<String>>> {
    use std::io::BufRead;
    let (lines, pipe) = (Arc::new(Mutex::new(vec![])), child.stdout.take().unwrap());
    let into = Arc::clone(&lines);
    std::thread::spawn(move || {
        for line in std::io::BufReader::new(pipe).lines().map_while(Result::ok) {
            into.lock().unwrap().push(line);
        }
    });
    lines
}
