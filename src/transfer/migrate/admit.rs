//! Whether one store may be migrated into another.
//!
//! Guarantees that nothing was written when it may not, and that the text says why and what helps.

use std::path::Path;

use super::marker::{Marker, Stage};
use crate::store::Store;
use crate::store::tallies::{Dataset, StreamState};
use crate::transfer::Error;

fn refused<T>(why: impl Into<String>) -> Result<T, Error> {
    Err(Error::Refused(why.into()))
}

/// Says whether `to`, whose data folder is `dir`, may be filled from `from`, and where that begins.
pub(super) async fn admit(
    from: &Store,
    to: &Store,
    (source, target): (&Dataset, &Dataset),
    dir: &Path,
) -> Result<Marker, Error> {
    if source.id == target.id {
        return refused(format!("source and target are the same store, dataset {}", source.id));
    }
    finished(&from.tallies.streams().await?)?;
    balanced(from).await?;
    let (source_id, target_id) = (source.id.to_string(), target.id.to_string());
    if let Some(marker) = Marker::load(dir)? {
        return match marker.source == source_id && marker.target == target_id {
            true => Ok(marker),
            false => refused(format!(
                "a migration of dataset {} into dataset {} was cut short here, and this is one of {source_id} into \
                 {target_id}: run that one again, or migrate into a new store with a data folder of its own",
                marker.source, marker.target
            )),
        };
    }
    if let Some(what) = filled(to).await? {
        return refused(format!(
            "the target is not empty: dataset {target_id} has {what}. Migrate into a new store"
        ));
    }
    if target.zones.iter().any(|zone| !source.zones.contains(zone)) {
        return refused(
            "the target's days are those of another time zone, and numbers of both cannot be in one store. Migrate \
             into a new store, which takes its days from the source",
        );
    }
    Ok(Marker { source: source_id, target: target_id, stage: Stage::Links(None) })
}

/// Of a stream that is not finished somebody may still have hits that are not counted.
fn finished(streams: &[StreamState]) -> Result<(), Error> {
    let open = |state: &&StreamState| state.finished_at.is_none() && state.ordinals.iter().any(|n| *n > 0);
    let open: Vec<String> = streams.iter().filter(open).map(|state| state.stream.to_string()).collect();
    if open.is_empty() {
        return Ok(());
    }
    refused(format!(
        "another node still counts into the source, or was killed and may have hits that are not counted \
         (unfinished streams: {}). Stop every node; one that did not end by itself must be started and stopped once, \
         on its own data folder",
        open.join(", ")
    ))
}

/// What does not add up must not become the base of a store in which everything does.
async fn balanced(from: &Store) -> Result<(), Error> {
    let audit = from.tallies.audit().await?;
    match audit.iter().enumerate().find(|(_, sums)| !sums.holds()) {
        None => Ok(()),
        Some((lane, _)) => refused(format!(
            "the source's own numbers do not add up in lane {lane}: `slugline verify` says more. To move them as they \
             are, use `slugline export` and `slugline import`"
        )),
    }
}

/// What a store has, if it has anything.
async fn filled(to: &Store) -> Result<Option<&'static str>, Error> {
    let open = |state: &StreamState| state.ordinals.iter().any(|n| *n > 0);
    Ok(if !to.links.export(None).await?.items.is_empty() {
        Some("links")
    } else if !to.tallies.export(None).await?.is_empty() || to.tallies.streams().await?.iter().any(open) {
        Some("numbers")
    } else if !to.accounts.keys().await?.is_empty() {
        Some("API keys, as after a first start")
    } else if !to.accounts.users().await?.is_empty() {
        Some("users")
    } else if !to.documents.documents().await?.is_empty() {
        Some("settings or channels")
    } else if !to.accounts.audited(None, 1).await?.is_empty() {
        Some("an audit")
    } else {
        None
    })
}
