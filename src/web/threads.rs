//! Threads that connections live on: one for each core, each with a runtime of its own.
//!
//! A redirect is answered on the thread that read it, and no other is woken for it. Guarantees that a connection stays
//! where it began, and that connections are spread evenly. Whoever gives connections waits for their ends: what still lives
//! when the threads are let go ends with them. What takes longer than a redirect belongs elsewhere: on these threads it
//! would hold up readers. Knows no requests.

use std::pin::Pin;

use tokio::sync::mpsc;

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

    /// Gives a connection to the next thread; false if that thread has ended, which it must not.
    pub async fn spawn(&mut self, work: impl Future<Output = ()> + Send + 'static) -> bool {
        self.next = (self.next + 1) % self.each.len().max(1);
        match self.each.get(self.next) {
            Some(thread) => thread.send(Box::pin(work)).await.is_ok(),
            None => false,
        }
    }
}

fn start(n: usize, connections: usize) -> std::io::Result<mpsc::Sender<Work>> {
    let (give, mut given) = mpsc::channel::<Work>(connections.max(1));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(format!("connections-{n}")).spawn(move || {
        runtime.block_on(async {
            while let Some(work) = given.recv().await {
                // Its end is told to whoever gave it.
                drop(runtime.spawn(work));
            }
        });
    })?;
    Ok(give)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[tokio::test]
    async fn connections_are_spread_over_threads_of_their_own() {
        let mut threads = Threads::start(100).unwrap();
        let (tell, mut told) = mpsc::channel(100);
        let here = std::thread::current().id();
        let all = threads.each.len() * 3;
        for _ in 0..all {
            let tell = tell.clone();
            let work = async move {
                let thread = std::thread::current();
                assert_ne!(thread.id(), here);
                tell.send(thread.name().unwrap_or_default().to_owned()).await.unwrap();
            };
            assert!(threads.spawn(work).await);
        }
        let mut on: BTreeMap<String, usize> = BTreeMap::new();
        for _ in 0..all {
            *on.entry(told.recv().await.unwrap()).or_default() += 1;
        }
        assert!(on.len() == threads.each.len() && on.values().all(|n| *n == 3), "{on:?}");
    }

    #[tokio::test]
    async fn a_thread_ends_when_it_is_let_go() {
        let mut threads = Threads::start(1).unwrap();
        let (held, gone) = tokio::sync::oneshot::channel::<()>();
        let forever = async move {
            let _held = held;
            std::future::pending::<()>().await;
        };
        assert!(threads.spawn(forever).await);
        drop(threads);
        assert!(gone.await.is_err());
    }
}
