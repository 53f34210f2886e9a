//! `slugline export`, `import`, `backup`, `restore`, `verify`: everything that is kept, moved and checked.

use std::io::{BufRead, BufReader, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::block_on;
use crate::app::{self, JOURNAL, lock};
use crate::clock;
use crate::config::Config;
use crate::hits::verify::{self, Report};
use crate::settings;
use crate::store::Store;
use crate::transfer::{self, import::Options};

/// A progress bar on a terminal; nothing elsewhere.
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new(what: &'static str) -> Bar {
        let target = match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        // A template that cannot be read would only cost the looks.
        if let Ok(style) =
            ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len} ({elapsed})")
        {
            bar.set_style(style);
        }
        bar.set_message(what);
        Bar(bar)
    }

    pub(super) fn tell(&self) -> impl Fn(u64, Option<u64>) + Sync + '_ {
        |done, total| {
            if let Some(total) = total {
                self.0.set_length(total.max(done));
            }
            self.0.set_position(done);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

async fn with_store<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Store) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if !config.data.dir.is_dir() {
        bail!("there is no data folder {}", config.data.dir.display());
    }
    let store = app::open_store(config, clock::now()).await?;
    let done = work(&store).await;
    store.close().await?;
    done
}

pub(super) fn export(config: Config, file: &Path) -> anyhow::Result<()> {
    block_on(async {
        // Where no server runs, what it left in the journal is counted first.
        if !lock::is_locked(&config.data.dir) && config.data.dir.is_dir() {
            app::settle(&config).await?;
        }
        with_store(&config, async |store| {
            let bar = Bar::new("exporting");
            let exported = if file == Path::new("-") {
                let mut out = BufWriter::new(std::io::stdout().lock());
                let exported = transfer::export(store, &mut out, &bar.tell(), clock::now()).await?;
                out.flush()?;
                exported
            } else {
                export_to(store, file, &bar).await?
            };
            drop(bar);
            eprintln!("{} lines written", exported.lines.all());
            if !exported.settled {
                eprintln!(
                    "the server was counting meanwhile: stop it first for an export that moves everything"
                );
            }
            Ok(())
        })
        .await
    })
}

/// Into a file beside it first: an export that was cut short must not look like one.
async fn export_to(store: &Store, file: &Path, bar: &Bar) -> anyhow::Result<transfer::Exported> {
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let made =
        std::fs::File::create(&part).with_context(|| format!("{} cannot be written", part.display()))?;
    let mut out = BufWriter::new(made);
    let exported = transfer::export(store, &mut out, &bar.tell(), clock::now()).await?;
    out.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    std::fs::rename(&part, file).with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(exported)
}

pub(super) fn import(mut config: Config, file: &Path, options: Options) -> anyhow::Result<()> {
    block_on(async {
        let _lock = lock::lock(&config.data.dir, "import")?;
        let mut from: Box<dyn BufRead> = match file == Path::new("-") {
            true => Box::new(BufReader::new(std::io::stdin())),
            false => {
                let opened = std::fs::File::open(file);
                Box::new(BufReader::new(
                    opened.with_context(|| format!("{} cannot be read", file.display()))?,
                ))
            }
        };
        let header = transfer::read_header(&mut from)?;
        // A store that is made now keeps the calendar that its numbers were counted in.
        if let (Some((_, zone)), false) = (header.zones.first(), options.merge) {
            config.newsroom.timezone.clone_from(zone);
        }
        let dir = config.data.dir.clone();
        with_store(&config, async |store| {
            if !options.merge && !options.dry_run {
                transfer::adopt_zones(store, &header).await?;
            }
            let bar = Bar::new("importing");
            let mut bad = |line: u64, why: &str| bar.0.suspend(|| eprintln!("line {line}: {why}"));
            let imported =
                transfer::import(store, &dir, &header, &mut from, options, &bar.tell(), &mut bad).await?;
            bar.0.finish_and_clear();
            report_import(&imported, options)
        })
        .await
    })
}

fn report_import(imported: &transfer::Imported, options: Options) -> anyhow::Result<()> {
    if imported.resumed > 0 {
        eprintln!("{} lines were done before", imported.resumed);
    }
    let what = if options.dry_run { "would be taken; nothing was written" } else { "taken" };
    eprintln!("{} lines {what}", imported.lines.all());
    if !imported.whole {
        eprintln!("the file's last line is missing: it may have been cut short");
    }
    if imported.bad > 0 {
        bail!("{} lines could not be taken", imported.bad);
    }
    Ok(())
}

pub(super) fn backup(config: Config, dir: &Path) -> anyhow::Result<()> {
    block_on(with_store(&config, async |store| {
        let bar = Bar::new("copying bytes");
        let journal = config.data.dir.join(JOURNAL);
        let manifest =
            transfer::backup(store, &config.data.dir, &journal, dir, &bar.tell(), clock::now()).await?;
        drop(bar);
        eprintln!("{} files in {}", manifest.files.len(), dir.display());
        Ok(())
    }))
}

pub(super) fn restore(config: Config, dir: &Path) -> anyhow::Result<()> {
    let bar = Bar::new("copying bytes");
    let manifest = transfer::restore(dir, &config.data.dir, &bar.tell())?;
    drop(bar);
    eprintln!("{} files restored into {}", manifest.files.len(), config.data.dir.display());
    Ok(())
}

pub(super) fn verify(config: Config) -> anyhow::Result<()> {
    block_on(with_store(&config, async |store| {
        // By what hits are counted with, which staff may have changed.
        let tables = settings::effective(&config, &*store.documents).await?.classifying()?.into();
        let bar = Bar::new("verifying");
        let folder = config.data.dir.join(JOURNAL);
        let kept = verify::Kept { folder: &folder, tables };
        let report = verify::verify(store, Some(&kept), &bar.tell(), clock::now()).await?;
        drop(bar);
        say(&report);
        match report.holds() {
            true => Ok(()),
            false => bail!("{} numbers do not add up", report.disagreeing),
        }
    }))
}

fn say(report: &Report) {
    println!(
        "{} lanes audited: base + ordinals = tallies + lost\n{} scopes with {} rows: hours = days = dimensions = total\n\
         {} hits of the journal recounted, {} hours of links compared",
        report.lanes, report.scopes, report.rows, report.recounted, report.link_hours
    );
    for why in &report.not_compared {
        println!("not compared: {why}");
    }
    for wrong in &report.disagreements {
        let bucket = wrong.bucket.map(|b| format!(" at {b}")).unwrap_or_default();
        println!(
            "WRONG: {} {}{bucket}: {} expected, {} found",
            wrong.scope, wrong.series, wrong.expected, wrong.found
        );
    }
    let more = report.disagreeing.saturating_sub(u64::try_from(report.disagreements.len()).unwrap_or(0));
    if more > 0 {
        println!("and {more} more");
    }
    if report.holds() {
        println!("everything adds up");
    }
}
