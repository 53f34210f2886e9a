//! `slugline migrate`: everything from the configured store into another one.
//!
//! Guarantees that the source is fenced only after both were compared, and that a run which was cut short at any
//! moment is gone on with by the next.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::block_on;
use super::data::Bar;
use super::store::in_journal;
use crate::app::{self, JOURNAL, lock};
use crate::clock;
use crate::config::Config;
use crate::domain::tally::DatasetId;
use crate::store::Store;
use crate::store::care::{self, Standing, View};
use crate::store::tallies::Dataset;
use crate::transfer::{self, Unfinished, migrate};

pub(super) fn migrate(source: &Config, file: &Path) -> anyhow::Result<()> {
    // What is said over the file, in the environment and at the command line, is said of the source.
    let target = Config::load(Some(file), std::iter::empty(), &[])
        .with_context(|| format!("the target, {}", file.display()))?;
    if !source.data.dir.is_dir() {
        bail!("there is no data folder {}", source.data.dir.display());
    }
    if real(&source.data.dir) == real(&target.data.dir) {
        bail!(
            "source and target have the same data folder, {}: give the target a data.dir of its own in {}",
            source.data.dir.display(),
            file.display()
        );
    }
    let _source = lock::lock(&source.data.dir, "migrate")?;
    let _target = lock::lock(&target.data.dir, "migrate")?;
    if let Some(unfinished) = transfer::unfinished(&source.data.dir)? {
        bail!("the source is not whole: {unfinished}");
    }
    match transfer::unfinished(&target.data.dir)? {
        None | Some(Unfinished::Migration { .. }) => {}
        Some(other) => bail!("the target waits for something else: {other}"),
    }
    block_on(run(source, target))
}

fn real(dir: &Path) -> PathBuf {
    dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf())
}

async fn run(source: &Config, target: Config) -> anyhow::Result<()> {
    let dir = &source.data.dir;
    match care::standing(dir, &source.store).await? {
        Standing::Nothing => bail!("there is no store to migrate: {}", care::place(dir, &source.store)),
        Standing::There => {}
        Standing::Left(to) => {
            // Cut short between the source's last word and the note's.
            let Some((left, filled)) = migrate::compared(&target.data.dir)? else {
                bail!("the store was migrated to {to}. `slugline store adopt` takes it into use again");
            };
            return leave(source, left, &target, filled).await;
        }
    }
    let from = app::open_store(source, clock::now()).await?;
    let moved = from_open(source, &from, target).await;
    from.close().await?;
    let (target, left, filled) = moved?;
    leave(source, left, &target, filled).await
}

/// Counts what is left in the source's journal, copies and compares. Gives both datasets.
async fn from_open(
    source: &Config,
    from: &Store,
    mut target: Config,
) -> anyhow::Result<(Config, DatasetId, DatasetId)> {
    app::settle_journal(source, from).await?;
    let dataset = from.tallies.dataset().await?;
    refuse_waiting(&source.data.dir.join(JOURNAL), &dataset, from).await?;
    if let Some((_, zone)) = dataset.zones.last().filter(|(_, zone)| *zone != target.newsroom.timezone) {
        eprintln!(
            "days are of {zone}, and newsroom.timezone of the target is {}: days will be of that from the first \
             midnight after its start",
            target.newsroom.timezone
        );
    }
    // A store that is made now keeps the calendar that its numbers were counted in.
    if let Some((_, zone)) = dataset.zones.first() {
        target.newsroom.timezone.clone_from(zone);
    }
    let to = app::open_store(&target, clock::now()).await?;
    let filled = to.tallies.dataset().await;
    let bar = Bar::new("copying");
    let copied = transfer::migrate::copy(from, &to, &target.data.dir, &bar.tell()).await;
    drop(bar);
    to.close().await?;
    let (filled, copied) = (filled?, copied?);
    if copied.resumed {
        eprintln!("an earlier run was gone on with");
    }
    eprintln!("{} things copied", copied.lines.all());
    compare(from, &target).await?;
    Ok((target, dataset.id, filled.id))
}

/// A tombstone that has gone may be why the store does not know a stream; then its hits are counted already. After the
/// source is left nobody can say so any more.
async fn refuse_waiting(journal: &Path, dataset: &Dataset, from: &Store) -> anyhow::Result<()> {
    if !journal.is_dir() {
        return Ok(());
    }
    match in_journal(journal, dataset, &from.tallies.streams().await?)? {
        (_, 0) => Ok(()),
        (_, waiting) => bail!(
            "{waiting} hits in {} are of a stream begun over 29 days ago that the store does not know: they are not \
             counted, and would not be by the target. Move what you do not want to count out of that folder",
            journal.display()
        ),
    }
}

async fn compare(from: &Store, target: &Config) -> anyhow::Result<()> {
    let view = View::open(&target.data.dir, &target.store, clock::now()).await?;
    let bar = Bar::new("comparing");
    let compared = migrate::compare(from, &view.store, &target.data.dir, &bar.tell()).await;
    drop(bar);
    view.close().await?;
    let compared = compared?;
    eprintln!(
        "{} links, the numbers of {} scopes and {} lines of the audit are the same in both",
        compared.links, compared.scopes, compared.audited
    );
    if compared.audit_gone > 0 {
        eprintln!("{} older lines of the audit are more than the target keeps", compared.audit_gone);
    }
    Ok(())
}

/// Fences the source, and says what is next.
async fn leave(source: &Config, left: DatasetId, target: &Config, filled: DatasetId) -> anyhow::Result<()> {
    let to = format!("{} (dataset {filled})", care::place(&real(&target.data.dir), &target.store));
    care::leave(&source.data.dir, &source.store, left, &to).await?;
    migrate::done(&target.data.dir)?;
    println!(
        "migrated to {to}\nThe source is not served from any more. Answers remembered for Idempotency-Keys stayed \
         there: until a day has passed, a request that is sent again with one may be taken for a new one"
    );
    Ok(())
}
