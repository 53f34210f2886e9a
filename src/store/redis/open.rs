//! Opening the store: connection, dataset, mirror, feed, and what stands on them.
//!
//! Guarantees that a node which has worked with the store before starts without it, from its mirror; that one which
//! has not waits for it for a while and then says why it cannot; and that keys are those of the store, where it
//! answers, before anything is served.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::accounts::RedisAccounts;
use super::conn::Conn;
use super::day_keys::RedisDayKeys;
use super::documents::RedisDocuments;
use super::feed::Feed;
use super::lanes::Lanes;
use super::leases::RedisLeases;
use super::links::RedisLinks;
use super::records::Records;
use super::tallies::RedisTallies;
use super::tokens::RedisTokens;
use super::webhooks::{RedisDeliveries, RedisWebhooks};
use super::{dataset, doctor, settings};
use crate::domain::tally::DatasetId;
use crate::store::mirror::Mirror;
use crate::store::tallies::Dataset;
use crate::store::{Backend, Error, Result, Settings, Store, Trouble};

/// Lanes of a store that is made now, unless the settings say another number.
const LANES: u16 = 64;
/// How long a node without a mirror waits for the store at its start.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between two tries then.
const PAUSE: Duration = Duration::from_millis(250);
/// How long a start waits for its keys to be the store's.
const KEYS: Duration = Duration::from_secs(10);

/// Opens the store that `settings` name, or makes it there, then with `zone`; `mirror` is this node's copy of it.
///
/// # Errors
/// `Unavailable` if the store cannot be reached and the mirror cannot stand in for it.
pub async fn open(settings: &Settings, mirror: Arc<dyn Mirror>, now: Timestamp, zone: &str) -> Result<Store> {
    let conn = Conn::open(&settings.redis).await?;
    let opened = over(settings, &conn, &mirror, now, zone).await;
    if opened.is_err() {
        conn.close().await;
        mirror.close().await?;
    }
    opened
}

async fn over(
    settings: &Settings,
    conn: &Conn,
    mirror: &Arc<dyn Mirror>,
    now: Timestamp,
    zone: &str,
) -> Result<Store> {
    let new = Dataset {
        id: random_id()?,
        lanes: if settings.lanes == 0 { LANES } else { settings.lanes },
        zones: vec![(0, zone.to_owned())],
        created_at: now,
    };
    let (lanes, standing) = stand(conn, &settings.redis, mirror, new, now).await?;
    let fence = match &standing {
        Standing::Fenced(why) => Some(why.clone()),
        Standing::There | Standing::Away => None,
    };
    let feed = Arc::new(Feed::start(conn.clone(), lanes.clone(), Arc::clone(mirror), fence).await?);
    if matches!(standing, Standing::There)
        && !feed.in_step(lanes.root(), KEYS).await
        && !mirror.followed().await?.get(usize::from(lanes.root())).is_some_and(|root| root.complete)
    {
        feed.close().await;
        return Err(Error::Unavailable("the store's keys and users could not be read".into()));
    }
    let records = Records::new(conn.clone(), lanes.clone(), Arc::<Feed>::clone(&feed));
    Ok(Store {
        links: Arc::new(RedisLinks::new(records.clone(), Arc::clone(&feed), Arc::clone(mirror))),
        day_keys: Arc::new(RedisDayKeys::new(conn.clone(), lanes.clone())),
        leases: Arc::new(RedisLeases::new(conn.clone(), lanes.clone())),
        webhooks: Arc::new(RedisWebhooks::new(records.clone(), Arc::clone(mirror))),
        tokens: Arc::new(RedisTokens::new(records.clone())),
        deliveries: Arc::new(RedisDeliveries::new(records.clone())),
        tallies: Arc::new(RedisTallies::new(conn.clone(), lanes).beside(Arc::clone(mirror))),
        documents: Arc::new(RedisDocuments::new(records.clone(), Arc::clone(mirror))),
        accounts: Arc::new(RedisAccounts::new(records, Arc::clone(mirror))),
        backend: Arc::new(Joined { conn: conn.clone(), feed, mirror: Arc::clone(mirror) }),
    })
}

/// How the store was found.
enum Standing {
    There,
    Away,
    /// Another one answers, or a part is gone.
    Fenced(String),
}

/// The lanes of the dataset that this node works with.
async fn stand(
    conn: &Conn,
    settings: &settings::Redis,
    mirror: &Arc<dyn Mirror>,
    new: Dataset,
    now: Timestamp,
) -> Result<(Lanes, Standing)> {
    let known = mirror.dataset().await?;
    let id = known.as_ref().map(|known| known.id);
    let found = find(conn, settings, new, id, now).await;
    let (known, error) = match (found, known) {
        (Ok((lanes, dataset)), _) => {
            mirror.set_dataset(dataset).await?;
            return Ok((lanes, Standing::There));
        }
        (Err(error), None) => return Err(error),
        (Err(error), Some(known)) => (known, error),
    };
    let lanes = Lanes::new(&settings.prefix, known.id, known.lanes);
    let has_keys = mirror.followed().await?.get(usize::from(lanes.root())).is_some_and(|root| root.complete);
    let standing = match error {
        Error::Fenced(why) => Standing::Fenced(why),
        Error::Unavailable(_) if has_keys => Standing::Away,
        error => return Err(error),
    };
    match &standing {
        Standing::Fenced(why) => {
            tracing::error!(%why, "the store is fenced; this node redirects from its mirror")
        }
        _ => tracing::warn!("the store is away; this node redirects from its mirror until it is there"),
    }
    Ok((lanes, standing))
}

/// Opens the dataset, and says what the servers can lose. Who has a mirror does not wait for a store that is away.
async fn find(
    conn: &Conn,
    settings: &settings::Redis,
    new: Dataset,
    known: Option<DatasetId>,
    now: Timestamp,
) -> Result<(Lanes, Dataset)> {
    let begin = Instant::now();
    loop {
        let passed = SignedDuration::try_from(begin.elapsed()).unwrap_or_default();
        let found = async {
            // First: a server that is too old does not know the scripts.
            match doctor::examine(conn, now + passed).await {
                Ok(findings) => doctor::tell(&findings),
                // One that may not be looked at may be used all the same.
                Err(Error::Unavailable(why)) => tracing::info!(%why, "the servers could not be examined"),
                Err(error) => return Err(error),
            }
            dataset::open(conn, &settings.prefix, new.clone(), known).await
        };
        match found.await {
            Err(Error::Unavailable(_)) if known.is_none() && begin.elapsed() < PATIENCE => {
                tokio::time::sleep(PAUSE).await;
            }
            found => return found,
        }
    }
}

fn random_id() -> Result<DatasetId> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| Error::Unavailable(format!("no random numbers: {e}")))?;
    Ok(DatasetId(u128::from_le_bytes(bytes)))
}

/// What holds the parts together.
struct Joined {
    conn: Conn,
    feed: Arc<Feed>,
    mirror: Arc<dyn Mirror>,
}

#[async_trait]
impl Backend for Joined {
    async fn close(&self) -> Result<()> {
        self.feed.close().await;
        self.conn.close().await;
        self.mirror.close().await
    }

    async fn snapshot(&self, _to: &Path) -> Result<Vec<String>> {
        Err(Error::Refused(
            "a store in Redis is backed up there (BGSAVE, or its append-only file); `slugline export` writes all of \
             it as lines"
                .into(),
        ))
    }

    fn troubles(&self) -> Vec<Trouble> {
        self.feed.troubles()
    }
}
