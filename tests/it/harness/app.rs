//! A server in this process: the same `app::start` that the program runs, on free ports, in a folder of its own.
//!
//! It has a thread and a runtime of its own, so that a test's client and the server do not share one, and so that
//! dropping it leaves nothing running.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use slugline::app;
use slugline::config::Config;
use slugline::units::{Size, Span};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::api::Api;
use super::http::Http;

/// What a started server says of itself.
struct Started {
    public: SocketAddr,
    ops: SocketAddr,
    staff: Option<SocketAddr>,
    key: Option<String>,
    link: Option<String>,
}

/// A running server. It is its own [`Api`] with the first admin's key.
pub struct TestApp {
    pub api: Api,
    /// The operations listener.
    pub ops: Http,
    /// The staff's own listener, if there is one.
    pub staff: Option<Http>,
    /// What signs the first admin in, if this was the first start.
    pub link: Option<String>,
    /// What it was started with.
    pub config: Config,
    dir: Arc<TempDir>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl std::ops::Deref for TestApp {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

/// The configuration of tests: free ports, small files, counting at once.
pub fn test_config(dir: &Path) -> Config {
    let mut config = Config::defaults().unwrap();
    config.data.dir = dir.join("data");
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.server.ops_listen = "127.0.0.1:0".parse().unwrap();
    config.store.readers = 2;
    config.store.page_cache = Size(2 << 20);
    config.journal.segment_bytes = Size(1 << 20);
    config.hits.apply_interval = Span(std::time::Duration::from_millis(20));
    config.log.filter = "warn".into();
    config
}

impl TestApp {
    pub async fn start() -> TestApp {
        TestApp::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut Config)) -> TestApp {
        TestApp::start_in(Arc::new(tempfile::tempdir().unwrap()), None, change).await
    }

    /// Starts in a folder that may have been used before; then `key` is the one that its first start gave.
    pub async fn start_in(
        dir: Arc<TempDir>,
        key: Option<String>,
        change: impl FnOnce(&mut Config),
    ) -> TestApp {
        let mut config = test_config(dir.path());
        change(&mut config);
        let (stop, stopped) = oneshot::channel();
        let (tell, started) = oneshot::channel();
        let of_server = config.clone();
        let name = std::thread::current().name().unwrap_or("a test").to_owned();
        let thread = std::thread::Builder::new().name(name).spawn(move || serve(of_server, tell, stopped));
        let started = match started.await.unwrap() {
            Ok(started) => started,
            Err(error) => panic!("it did not start: {error}"),
        };
        let key =
            started.key.or(key).expect("a folder that was used before needs the key of its first start");
        TestApp {
            api: Api::new(started.public, &key),
            ops: Http::new(started.ops),
            staff: started.staff.map(Http::new),
            link: started.link,
            config,
            dir,
            stop: Some(stop),
            thread: Some(thread.unwrap()),
        }
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.config.data.dir
    }

    /// The folder around its data folder, for another start.
    pub fn dir(&self) -> Arc<TempDir> {
        Arc::clone(&self.dir)
    }

    /// Stops in order and gives what a next start in the same folder needs.
    pub async fn stop(mut self) -> (Arc<TempDir>, String) {
        let thread = self.tell_to_stop();
        let ended = tokio::task::spawn_blocking(move || thread.join()).await.unwrap();
        assert!(ended.is_ok(), "the server did not stop in order");
        (self.dir(), self.key.clone())
    }

    fn tell_to_stop(&mut self) -> JoinHandle<()> {
        // One that has ended by itself is found out by joining it.
        let _ = self.stop.take().unwrap().send(());
        self.thread.take().unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if self.thread.is_some() {
            let ended = self.tell_to_stop().join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server did not stop in order");
        }
    }
}

fn serve(config: Config, tell: oneshot::Sender<Result<Started, String>>, stop: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut running = match app::start(config).await {
            Ok(running) => running,
            Err(error) => {
                let _ = tell.send(Err(format!("{error:#}")));
                return;
            }
        };
        let _ = tell.send(Ok(Started {
            public: running.public_addr,
            ops: running.ops_addr,
            staff: running.staff_addr,
            key: running.first_key.clone(),
            link: running.first_link.clone(),
        }));
        tokio::select! {
            task = running.failed() => panic!("{task} has ended by itself"),
            // A test that is gone wants it stopped too.
            _ = stop => {}
        }
        running.stop().await.unwrap();
    });
}
