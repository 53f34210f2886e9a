//! `slugline demo`: serves a newsroom that is not there, and its site.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::serve::{Signals, announce, run};
use super::{Common, load};
use crate::app::{self, Running};
use crate::clock;
use crate::config::Config;
use crate::demo::{self, Demo};
use crate::store::settings::Kind;
use crate::web::mock;
use crate::web::server::Bounds;

/// Says in a data folder that its newsroom is made up, and whether that was ended.
const MARKER: &str = "demo";
const BEGUN: &str = "begun";
/// Is there once a store is.
const LINKS: &str = "links.db";
const MADE: &str = "made up";

/// What the demo takes.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Keeps it in this folder, and goes on with what is there; else in one that is gone when it stops.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where the newsroom's own site is served, with an article page for each story.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    site: SocketAddr,
    /// Another number is another newsroom.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs it until SIGTERM or SIGINT.
pub(super) fn demo(common: &Common, options: &Options) -> anyhow::Result<()> {
    let mut config = load(common)?;
    crate::telemetry::init_logs(&config.log);
    let temporary = tempfile::Builder::new().prefix("slugline-demo-").tempdir()?;
    config.data.dir = options.data.clone().unwrap_or_else(|| temporary.path().join("data"));
    claim(&config.data.dir)?;
    let marker = config.data.dir.join(MARKER);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        let listener = TcpListener::bind(options.site).await;
        let listener = listener.with_context(|| format!("cannot listen on {} (--site)", options.site))?;
        let site = listener.local_addr()?;
        make_believe(&mut config, site);
        config.check()?;
        let public_url = |at| config.public_url(at);
        let bounds = Bounds {
            connections: config.server.max_connections,
            header_timeout: config.server.header_timeout.0,
            grace: config.server.grace.0,
        };
        let running = app::start(config.clone()).await?;
        let base = public_url(running.public_addr);
        let demo = Demo::new(options.seed, &format!("http://{site}"), clock::now());
        let (pages, stop) = (demo.site(&base), CancellationToken::new());
        let serving = mock::site(listener, move |path| pages.page(path), bounds, stop.clone());
        let living = async {
            let lived = live(running, demo, &base, &marker, &mut signals).await;
            stop.cancel();
            lived
        };
        // The site until the end: pages are read from it while the newsroom is made up.
        tokio::join!(serving, living).1
    })
}

/// Makes it up, then lets readers come until it is told to stop.
async fn live(
    running: Running,
    mut demo: Demo,
    base: &str,
    marker: &Path,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let state = running.state().clone();
    let article = demo.article();
    let made = tokio::select! {
        made = demo.fill(&state) => made.context("the newsroom could not be made up"),
        () = signals.stop() => Err(anyhow::anyhow!("stopped before the newsroom was made up")),
    };
    if let Err(error) = made.and_then(|_| Ok(std::fs::write(marker, MADE)?)) {
        running.stop().await?;
        return Err(error);
    }
    println!("The newsroom:               {base}/-/");
    println!("Its site, with the button:  {article}");
    announce(&running);
    let stop = CancellationToken::new();
    let reading = demo.go_on(&state, stop.clone());
    let serving = async {
        let served = run(running, None, signals).await;
        stop.cancel();
        served
    };
    let (read, served) = tokio::join!(reading, serving);
    served.and(read)
}

/// Takes an empty folder for the demo, or one that was its own before: readers that are not there must never be counted
/// in a newsroom that is.
fn claim(dir: &Path) -> anyhow::Result<()> {
    let marker = dir.join(MARKER);
    match std::fs::read_to_string(&marker) {
        Ok(said) if said == MADE => return Ok(()),
        // It came no further than to an address that was taken, say.
        Ok(_) if !dir.join(LINKS).exists() => return Ok(()),
        Ok(_) => bail!("the newsroom in {} was not made up to its end; remove that folder", dir.display()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", marker.display())),
    }
    std::fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    if std::fs::read_dir(dir)?.next().is_some() {
        bail!("{} is not empty and not the demo's; name another folder", dir.display());
    }
    std::fs::write(&marker, BEGUN).with_context(|| format!("{} cannot be written", marker.display()))
}

/// What the newsroom is called and where it is at home, but for what the operator says.
fn make_believe(config: &mut Config, site: SocketAddr) {
    let own = |option: &str| config.explicit.of(option).is_some();
    let (name, zone, color) = (own("newsroom.name"), own("newsroom.timezone"), own("newsroom.color"));
    let (home, channels) = (own("newsroom.home"), own("links.channels"));
    let newsroom = &mut config.newsroom;
    if !name {
        demo::NAME.clone_into(&mut newsroom.name);
    }
    if !zone {
        demo::ZONE.clone_into(&mut newsroom.timezone);
    }
    if !color {
        newsroom.color = "#0a5c8f".into();
    }
    if !home {
        newsroom.home = format!("http://{site}/");
    }
    if !channels {
        for (channel, medium) in demo::CHANNELS {
            let utm = [("utm_source", channel), ("utm_medium", medium)];
            let utm = utm.map(|(name, value)| (name.to_owned(), value.to_owned()));
            config.links.channels.insert(channel.to_owned(), utm.into());
        }
    }
    // Never the store of a newsroom, whatever the configuration says.
    config.store.kind = Kind::Sqlite;
    config.articles.allowed_hosts = vec![site.to_string()];
    config.articles.fetch_private_hosts = vec![site.to_string()];
}
