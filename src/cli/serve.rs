//! `slugline serve`: starts, prints the first key once, waits for a signal, stops in order.

use anyhow::{Context, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Common, load};
use crate::app::{self, Running};

/// Runs the server until SIGTERM or SIGINT; a second one stops at once; SIGHUP reads lists and limits again.
pub(super) fn serve(common: &Common) -> anyhow::Result<()> {
    let config = load(common)?;
    crate::telemetry::init_logs(&config.log);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        let running = app::start(config).await?;
        announce(&running);
        run(running, Some(common), &mut signals).await
    })
}

pub(super) struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    pub(super) fn new() -> anyhow::Result<Signals> {
        let on = |kind| signal(kind).context("signals cannot be handled");
        Ok(Signals {
            term: on(SignalKind::terminate())?,
            int: on(SignalKind::interrupt())?,
            hup: on(SignalKind::hangup())?,
        })
    }

    /// The next word to stop.
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

pub(super) fn announce(running: &Running) {
    if let Some(key) = &running.first_key {
        println!("The first admin's API key, shown only now: {key}");
    }
    if let Some(link) = &running.first_link {
        println!("Sign in as the first admin, once, within the hour: {link}");
    }
    tracing::info!(public = %running.public_addr, operations = %running.ops_addr, "serving");
    // Without a service manager there is nobody to tell.
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}

async fn read_again(running: &Running, common: &Common) -> anyhow::Result<()> {
    running.reload(load(common)?).await
}

/// Until it is told to stop or something ends. What SIGHUP reads again is `common`; None for nothing.
pub(super) async fn run(
    mut running: Running,
    common: Option<&Common>,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let failed = loop {
        tokio::select! {
            _ = signals.term.recv() => break None,
            _ = signals.int.recv() => break None,
            name = running.failed() => break Some(name),
            _ = signals.hup.recv() => if let Some(common) = common
                && let Err(error) = read_again(&running, common).await
            {
                tracing::error!(error = format!("{error:#}"), "nothing was read again");
            },
        }
    };
    if let Some(name) = failed {
        tracing::error!(task = name, "a task that must not end has ended; stopping");
    } else {
        tracing::info!("stopping; once more stops at once");
    }
    tokio::select! {
        stopped = running.stop() => stopped?,
        () = signals.stop() => bail!("stopped at once; what was journalled is counted after the next start"),
    }
    match failed {
        None => Ok(()),
        Some(name) => bail!("{name} ended by itself"),
    }
}
