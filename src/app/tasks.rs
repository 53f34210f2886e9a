//! The tasks of the process. The one place that starts any.
//!
//! Guarantees that each has a name, belongs to a step of the stop order, and that its end is told.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::parts::Parts;
use crate::config::Config;
use crate::hits::applier::Applier;
use crate::telemetry;
use crate::web::server::{Bounds, Place, serve};
use crate::web::surface::Surface;
use crate::web::threads::Threads;
use crate::web::{self, ops};

/// Connections of the operations listener: probes and scrapers.
const OPS_CONNECTIONS: usize = 100;
/// How long the operations listener waits for probes at stop.
const OPS_GRACE: Duration = Duration::from_secs(1);
/// Between two foldings of histograms.
const UPKEEP: Duration = Duration::from_secs(5);

/// The running tasks, by steps of the stop order.
pub(super) struct Tasks {
    /// The public listener and its connections.
    pub(super) public: Step,
    /// The applier and all that follows the store.
    pub(super) workers: Step,
    /// The operations listener: it tells how stopping goes.
    pub(super) operations: Step,
    /// Names of tasks that ended.
    pub(super) ended: mpsc::Receiver<&'static str>,
}

/// Tasks that are stopped together.
#[derive(Clone, Default)]
pub(super) struct Step {
    stop: CancellationToken,
    running: TaskTracker,
}

impl Step {
    /// Stops them and waits until they have ended.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.running.close();
        self.running.wait().await;
    }

    fn run(
        &self,
        name: &'static str,
        tell: &mpsc::Sender<&'static str>,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let tell = tell.clone();
        self.running.spawn(async move {
            work.await;
            // Nobody listens any more while the process stops.
            let _ = tell.try_send(name);
        });
    }
}

/// What is listened on.
pub(super) struct Listeners {
    pub(super) public: TcpListener,
    pub(super) operations: TcpListener,
    /// If staff have one of their own.
    pub(super) staff: Option<TcpListener>,
}

/// Starts all tasks.
pub(super) fn start(config: &Config, parts: Parts, listeners: Listeners) -> Tasks {
    let Listeners { public, operations, staff } = listeners;
    let (tell, ended) = mpsc::channel(8);
    let (first, workers, last) = (Step::default(), Step::default(), Step::default());
    let stop = || workers.stop.clone();

    let (contact, deadline) = (config.newsroom.security_contact.clone(), config.server.request_timeout.0);
    let live = std::sync::Arc::clone(&parts.state.live);
    let for_staff = web::State { staff_here: true, ..parts.state.clone() };
    let staff = staff.map(|listener| (listener, web::router(for_staff, contact.clone(), deadline)));
    let near = std::sync::Arc::clone(&parts.redirector.near);
    let router = web::router(parts.state, contact, deadline);
    workers.run("the change feed", &tell, parts.follower.run(parts.version, stop()));
    workers.run("the applier", &tell, on_own_thread(parts.applier, stop()));
    workers.run("the day keys", &tell, parts.day_keys.run(parts.keys_shared, stop()));
    workers.run("the live board", &tell, live.run(stop()));
    workers.run("the chosen codes", &tell, near.run(stop()));
    workers.run("the reading of pages", &tell, parts.stories.run(stop()));
    workers.run("the webhooks", &tell, parts.telling.run(stop()));
    workers.run("the sessions", &tell, parts.sweeping.run(stop()));
    workers.run("the digests", &tell, parts.digests.run(stop()));
    workers.run("the metrics", &tell, keep_metrics(stop()));

    let bounds = Bounds {
        connections: config.server.max_connections,
        header_timeout: config.server.header_timeout.0,
        grace: config.server.grace.0,
    };
    let ops_router = ops::routes(ops::OpsState { health: parts.health });
    let ops_service = move |_| hyper_util::service::TowerToHyperService::new(ops_router.clone());
    let ops_bounds = Bounds { connections: OPS_CONNECTIONS, grace: OPS_GRACE, ..bounds };
    last.run(
        "the operations listener",
        &tell,
        serve(operations, ops_service, ops_bounds, Place::default(), last.stop.clone()),
    );

    let (redirector, here) = (parts.redirector, tokio::runtime::Handle::current());
    if let Some((listener, router)) = staff {
        let here = here.clone();
        let surface = move |peer| Surface::new(None, router.clone(), here.clone(), peer);
        let served = serve(listener, surface, bounds, Place::default(), first.stop.clone());
        first.run("the staff's listener", &tell, served);
    }
    let threads = Threads::start(bounds.connections)
        .inspect_err(|error| tracing::warn!(%error, "connections have no threads of their own"));
    let place = Place { threads: threads.ok(), redirector: Some(redirector.clone()) };
    let surface = move |peer| Surface::new(Some(redirector.clone()), router.clone(), here.clone(), peer);
    first.run("the listener", &tell, serve(public, surface, bounds, place, first.stop.clone()));
    Tasks { public: first, workers, operations: last, ended }
}

/// Runs the applier on a thread of its own, with less priority: counting may wait, redirects may not.
async fn on_own_thread(applier: Applier, stop: CancellationToken) {
    let (done, ended) = tokio::sync::oneshot::channel::<()>();
    let thread = std::thread::Builder::new().name("applier".into()).spawn(move || {
        let _done = done;
        crate::priority::step_back();
        match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime.block_on(applier.run(stop)),
            Err(error) => tracing::error!(%error, "the applier's runtime could not be made"),
        }
    });
    if let Err(error) = thread {
        tracing::error!(%error, "the applier's thread could not be made");
        return;
    }
    // Dropped without a word when the thread ends, however it does.
    let _ = ended.await;
}

/// Histograms keep samples until someone folds them, read or not.
async fn keep_metrics(stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(UPKEEP) => {}
        }
        if let Some(handle) = telemetry::metrics() {
            handle.run_upkeep();
        }
    }
}
