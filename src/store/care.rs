//! What an operator does with a store as a whole: look at it, take the one that is there, make it anew, leave it.
//!
//! The other place beside [`super::open`] that knows which backends there are. Guarantees that nothing is changed
//! unless the call's name says so, and that what cannot be done is refused with what helps instead.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::mirror::Mirror;
use super::redis::conn::Conn;
use super::redis::lanes::Lanes;
use super::redis::tallies::RedisTallies;
use super::redis::{self, doctor};
use super::settings::Kind;
use super::tallies::{Dataset, LaneAudit, StreamState};
use super::{Error, Result, Settings, Store, Tallies, blocking, sqlite};
use crate::domain::tally::DatasetId;

/// What a store is and covers.
#[derive(Clone, Debug)]
pub struct Status {
    /// Which backend, and where.
    pub place: String,
    /// Why it cannot be worked with; None if it can.
    pub wrong: Option<String>,
    /// What it says it is.
    pub dataset: Option<Dataset>,
    /// What this node's mirror is of.
    pub mirror: Option<Mirrored>,
    /// Links, by the mirror where there is one.
    pub links: Option<u64>,
    /// Its numbers, if it can be worked with.
    pub numbers: Option<Numbers>,
    /// What its settings can lose and what else is good to know; true for a risk.
    pub findings: Vec<(bool, String)>,
}

/// A node's mirror.
#[derive(Clone, Debug)]
pub struct Mirrored {
    /// Of which store; None for one that is new.
    pub dataset: Option<Dataset>,
    /// Lanes that it has whole.
    pub complete: usize,
}

/// How far counting is.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// All streams.
    pub streams: Vec<StreamState>,
    /// Each lane's sums.
    pub audit: Vec<LaneAudit>,
}

impl Numbers {
    async fn of(tallies: &dyn Tallies) -> Result<Numbers> {
        Ok(Numbers { streams: tallies.streams().await?, audit: tallies.audit().await? })
    }
}

/// What was made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// Of which dataset.
    pub dataset: DatasetId,
    /// Lanes that were gone; for SQLite all.
    pub lanes: usize,
    /// Records put back.
    pub records: u64,
}

/// Told how much is done, and of how much if that is known.
pub type Progress<'a> = &'a (dyn Fn(u64, Option<u64>) + Sync);

/// Which backend, and where.
#[must_use]
pub fn place(dir: &Path, settings: &Settings) -> String {
    match settings.kind {
        Kind::Sqlite => format!("SQLite in {}", dir.display()),
        Kind::Redis => {
            let redis = &settings.redis;
            let urls: Vec<String> = redis.urls.iter().map(ToString::to_string).collect();
            let mode = format!("{:?}", redis.mode).to_lowercase();
            format!("Redis ({mode}) at {}, keys begin with {}", urls.join(", "), redis.prefix)
        }
    }
}

async fn open_mirror(dir: &Path, settings: &Settings) -> Result<Arc<dyn Mirror>> {
    let (dir, all) = (dir.to_path_buf(), settings.clone());
    blocking(move || sqlite::mirror::open(&dir, &all)).await
}

/// Looks at the store without changing it. `dir` is the data folder, which must be there.
///
/// # Errors
/// A file's; a store that is away or wrong is none.
pub async fn status(dir: &Path, settings: &Settings, now: Timestamp) -> Result<Status> {
    let mut status = Status {
        place: place(dir, settings),
        wrong: None,
        dataset: None,
        mirror: None,
        links: None,
        numbers: None,
        findings: vec![],
    };
    match settings.kind {
        Kind::Sqlite => sqlite_status(dir, settings, now, &mut status).await,
        Kind::Redis => {
            let mirror = open_mirror(dir, settings).await?;
            let looked = redis_status(settings, &mirror, now, &mut status).await;
            mirror.close().await?;
            looked?;
        }
    }
    Ok(status)
}

async fn sqlite_status(dir: &Path, settings: &Settings, now: Timestamp, status: &mut Status) {
    if !sqlite::care::is_there(dir) {
        status.wrong = Some("there is no store yet: the first start makes one".into());
        return;
    }
    let looked = async {
        // The zone is asked for only where a store is made.
        let store = super::open(dir, settings, now, "UTC").await?;
        let looked = look_into(&store, status).await;
        store.close().await?;
        looked
    };
    if let Err(error) = looked.await {
        status.wrong = Some(error.to_string());
    }
}

async fn look_into(store: &Store, status: &mut Status) -> Result<()> {
    status.dataset = Some(store.tallies.dataset().await?);
    status.links = Some(store.links.count().await?);
    status.numbers = Some(Numbers::of(store.tallies.as_ref()).await?);
    Ok(())
}

async fn redis_status(
    settings: &Settings,
    mirror: &Arc<dyn Mirror>,
    now: Timestamp,
    status: &mut Status,
) -> Result<()> {
    let known = mirror.dataset().await?;
    let complete = mirror.followed().await?.iter().filter(|lane| lane.complete).count();
    status.links = Some(mirror.links().count().await?);
    status.mirror = Some(Mirrored { dataset: known.clone(), complete });
    let conn = Conn::open(&settings.redis).await?;
    let looked = async {
        let found = redis::care::look(&conn, &settings.redis.prefix, known.as_ref()).await?;
        status.wrong = found.wrongs(known.as_ref().map(|known| known.id));
        status.dataset = found.dataset;
        let findings = doctor::examine(&conn, now).await?.into_iter();
        status.findings = findings.map(|finding| (finding.risk, finding.text)).collect();
        if let (Some(dataset), None) = (&status.dataset, &status.wrong) {
            let lanes = Lanes::new(&settings.redis.prefix, dataset.id, dataset.lanes);
            status.numbers = Some(Numbers::of(&RedisTallies::new(conn.clone(), lanes)).await?);
        }
        Ok::<(), Error>(())
    };
    if let Err(error) = looked.await {
        status.wrong.get_or_insert(error.to_string());
    }
    conn.close().await;
    Ok(())
}

/// Takes the store that is there for the right one. Gives in words what that means. The caller holds the data
/// folder's lock.
///
/// # Errors
/// `Refused` where there is nothing to take.
pub async fn adopt(dir: &Path, settings: &Settings) -> Result<String> {
    match settings.kind {
        Kind::Sqlite => {
            let dir = dir.to_path_buf();
            let to = blocking(move || sqlite::care::adopt(&dir)).await?;
            Ok(format!(
                "the store is in use again; it had been migrated to {to}, which goes its own way from here"
            ))
        }
        Kind::Redis => {
            let mirror = open_mirror(dir, settings).await?;
            let adopted = redis::care::adopt(&settings.redis, mirror.as_ref()).await;
            mirror.close().await?;
            let adopted = adopted?;
            let id = adopted.now.id;
            Ok(match (adopted.moved, adopted.before) {
                (Some(to), _) => format!("dataset {id} is in use again; it had been migrated to {to}"),
                (None, Some(before)) if before != id => format!(
                    "this node works with dataset {id} from now on; what its mirror had of dataset {before} is gone, \
                     and hits that its journal has of that are not counted here"
                ),
                (None, _) => format!("this node works with dataset {id}"),
            })
        }
    }
}

/// Makes anew what is gone of the store, under the same dataset: in Redis the lanes that are gone, with all their
/// records, from this node's mirror; for SQLite a tallies.db with the lanes that `lanes` says for the dataset and the
/// days of `zone`. Numbers begin at 0 there, and the journals bring what they have.
///
/// # Errors
/// `Refused` where nothing is gone, or where it cannot be made.
pub async fn rebuild(
    dir: &Path,
    settings: &Settings,
    zone: &str,
    lanes: impl Fn(DatasetId) -> u16 + Send + 'static,
    now: Timestamp,
    progress: Progress<'_>,
) -> Result<Rebuilt> {
    match settings.kind {
        Kind::Sqlite => {
            let (dir, all, zone) = (dir.to_path_buf(), settings.clone(), zone.to_owned());
            let made = blocking(move || sqlite::care::rebuild(&dir, &all, &zone, &lanes, now)).await?;
            Ok(Rebuilt { dataset: made, lanes: 0, records: 0 })
        }
        Kind::Redis => {
            let mirror = open_mirror(dir, settings).await?;
            let made = redis::care::rebuild(&settings.redis, mirror.as_ref(), now, progress).await;
            mirror.close().await?;
            let redis::care::Rebuilt { dataset, lanes, records } = made?;
            Ok(Rebuilt { dataset, lanes, records })
        }
    }
}

/// Whether there is a store, as far as that can be said without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing of one: opening would make it.
    Nothing,
    /// There is one.
    There,
    /// There is one, and it was left for this other one.
    Left(String),
}

/// Looks whether there is a store. `dir` is the data folder, which must be there.
///
/// # Errors
/// A file's; `Unavailable` if it cannot be asked.
pub async fn standing(dir: &Path, settings: &Settings) -> Result<Standing> {
    match settings.kind {
        Kind::Sqlite => {
            let dir = dir.to_path_buf();
            blocking(move || sqlite::care::standing(&dir)).await
        }
        Kind::Redis => redis::care::standing(&settings.redis).await,
    }
}

/// Leaves the store, which is `dataset`, for another one: it is not opened again without the operator's word. Done
/// twice it is done once, also if the first time was cut short.
///
/// # Errors
/// The backend's; `Fenced` if it is another dataset by now.
pub async fn leave(dir: &Path, settings: &Settings, dataset: DatasetId, to: &str) -> Result<()> {
    match settings.kind {
        Kind::Sqlite => {
            let (dir, to) = (dir.to_path_buf(), to.to_owned());
            blocking(move || sqlite::care::leave(&dir, dataset, &to)).await
        }
        Kind::Redis => redis::care::leave(&settings.redis, dataset, to).await,
    }
}

/// The folder of a view's own mirror, in the data folder.
const VIEW: &str = "view";

/// A store as somebody sees it who has never worked with it: nothing comes from what this node remembers.
pub struct View {
    /// The store.
    pub store: Store,
    folder: Option<PathBuf>,
}

impl View {
    /// Opens a store that is there. `dir` is the data folder; the caller holds its lock.
    ///
    /// # Errors
    /// The backend's, or the folder's.
    pub async fn open(dir: &Path, settings: &Settings, now: Timestamp) -> Result<View> {
        // The zone is asked for only where a store is made.
        let open = async |dir: &Path| super::open(dir, settings, now, "UTC").await;
        match settings.kind {
            Kind::Sqlite => Ok(View { store: open(dir).await?, folder: None }),
            Kind::Redis => {
                let folder = dir.join(VIEW);
                let new = folder.clone();
                blocking(move || {
                    clear(&new)?;
                    std::fs::create_dir(&new).map_err(|e| unavailable(&new, &e))
                })
                .await?;
                Ok(View { store: open(&folder).await?, folder: Some(folder) })
            }
        }
    }

    /// Closes it, and removes what it needed.
    ///
    /// # Errors
    /// The backend's, or the folder's.
    pub async fn close(self) -> Result<()> {
        let closed = self.store.close().await;
        if let Some(folder) = self.folder {
            blocking(move || clear(&folder)).await?;
        }
        closed
    }
}

fn clear(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(unavailable(folder, &e)),
        _ => Ok(()),
    }
}

fn unavailable(folder: &Path, error: &std::io::Error) -> Error {
    Error::Unavailable(format!("{}: {error}", folder.display()))
}
