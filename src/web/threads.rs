//! Threads that connections live on: one for each core, each with a runtime of its own.
//!
//! A redirect is answered on the thread that read it, and no other is woken for it. Guarantees that a connection stays
//! where it began, that connections are spread evenly, and that a thread ends when it is let go and its last connection
//! has ended. What takes longer than a redirect belongs elsewhere: on these threads it would hold up readers. Knows no
//! requests.

use std::pin::Pin;

use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// The life of a connection.
type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The threads; they are let go when this is dropped.
pub struct Threads {
    each: Vec<mpsc::Sender<Work>>,
    next: usize,
}

impl Threads {
    /// As many as there are cores, for at most `connections` at once.
    ///
    /// # Errors
    /// The system's, when it gives no more threads.
    pub fn start(connections: usize) -> std::io::Result<Threads> {
        let cores = std::thread::available_parallelism()?.get();
        let each = (0..cores).map(|n| start(n, connections)).collect::<std::io::Result<_>>()?;
        Ok(Threads { each, next: 0 })
    }

    /// Gives a connection to the next thread.
    pub async fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        self.next = (self.next + 1) % self.each.len().max(1);
        if let Some(thread) = self.each.get(self.next)
            && thread.send(Box::pin(work)).await.is_err()
        {
            tracing::error!("a thread for connections has ended; a connection was dropped");
        }
    }
}

fn start(n: usize, connections: usize) -> std::io::Result<mpsc::Sender<Work>> {
    let (give, mut given) = mpsc::channel::<Work>(connections.max(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(format!("connections-{n}")).spawn(move || {
        runtime.block_on(async move {
            let living = TaskTracker::new();
            while let Some(work) = given.recv().await {
                living.spawn(work);
            }
            living.close();
            living.wait().await;
        });
    })?;
    Ok(give)
}
