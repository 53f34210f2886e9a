//! Links in this process, so that a redirect waits for nothing.
//!
//! Guarantees: bounded by bytes; an unknown code is remembered shortly and in a place of its own, so that a scan
//! cannot push links out; concurrent misses of one code are one store read; a fill that raced a change is never
//! kept (it notes its lane's generation before it reads and takes itself out again if that moved). Links are found by
//! a hash of their code, which takes less room than the code; what is found is looked at whether it is the one. Knows
//! links, not HTTP.

mod route;

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::{Weighter, sync};

pub use self::route::{Life, Picked, Route, Routes, Shared, Withdrawn};
use super::{Error, Links, Result};
use crate::domain::code::fold;
use crate::domain::lane::lane_of;
use crate::domain::link::Found;

/// Unknown codes remembered at once.
const UNKNOWN_CODES: usize = 16 * 1024;
/// What an entry takes besides its texts: its place in the map (about 50), the link (64), and the text's allocation
/// (about 16). 139 by `loadtest cache-bench`.
const ENTRY_BYTES: u64 = 140;
/// Which part of the cache's bytes what links share may take.
const SHARED_PART: u64 = 16;

#[derive(Clone)]
struct ByBytes;

impl Weighter<u64, Arc<Routes>> for ByBytes {
    fn weight(&self, _: &u64, routes: &Arc<Routes>) -> u64 {
        ENTRY_BYTES + u64::try_from(routes.bytes()).unwrap_or(u64::MAX / 2)
    }
}

impl Weighter<Arc<Shared>, Arc<Shared>> for ByBytes {
    fn weight(&self, shared: &Arc<Shared>, _: &Arc<Shared>) -> u64 {
        u64::try_from(shared.bytes()).unwrap_or(u64::MAX / 2)
    }
}

/// Where an answer came from.
#[derive(Clone, Debug)]
pub enum Cached {
    /// These links have the code.
    Known(Arc<Routes>),
    /// None has it, as of a moment ago.
    Unknown,
    /// Not known here; ask with [`Cache::load`].
    Miss,
}

type Hasher = foldhash::fast::RandomState;
type KnownCache = sync::Cache<u64, Arc<Routes>, ByBytes, Hasher>;
type UnknownCache = sync::Cache<String, Instant, quick_cache::UnitWeighter, Hasher>;
type SharedCache = sync::Cache<Arc<Shared>, Arc<Shared>, ByBytes, Hasher>;

/// The links of this process.
pub struct Cache {
    links: Arc<dyn Links>,
    hasher: Hasher,
    /// By the hash of the folded code.
    known: KnownCache,
    unknown: UnknownCache,
    /// So that links find what others have too. One that went from here is made again, and takes room again.
    shared: SharedCache,
    unknown_for: Duration,
    deadline: Duration,
    generations: Box<[AtomicU64]>,
}

enum Absent {
    Unknown,
    Failed(Error),
}

impl Cache {
    /// A cache over `links`, of at most about `bytes`, for a store of `lanes` lanes. Unknown codes are remembered
    /// for `unknown_for`; a store read may take `deadline`.
    pub fn new(
        links: Arc<dyn Links>,
        lanes: u16,
        bytes: u64,
        unknown_for: Duration,
        deadline: Duration,
    ) -> Cache {
        let items = usize::try_from(bytes / (2 * ENTRY_BYTES)).unwrap_or(usize::MAX).clamp(64, 20_000_000);
        let hasher = Hasher::default;
        Cache {
            links,
            hasher: hasher(),
            known: sync::Cache::with(items, bytes, ByBytes, hasher(), sync::DefaultLifecycle::default()),
            unknown: sync::Cache::with(
                UNKNOWN_CODES,
                u64::try_from(UNKNOWN_CODES).unwrap_or(u64::MAX),
                quick_cache::UnitWeighter,
                hasher(),
                sync::DefaultLifecycle::default(),
            ),
            shared: sync::Cache::with(
                items / 16,
                bytes / SHARED_PART,
                ByBytes,
                hasher(),
                sync::DefaultLifecycle::default(),
            ),
            unknown_for,
            deadline,
            generations: (0..lanes.max(1)).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// What this process knows of a code, without asking anyone.
    #[must_use]
    pub fn get(&self, code: &str) -> Cached {
        let key = fold(code);
        if let Some(routes) = self.known.get(&self.hash(&key)).filter(|routes| routes.are_of(&key)) {
            return Cached::Known(routes);
        }
        match self.unknown.get(&*key) {
            Some(until) if Instant::now() < until => Cached::Unknown,
            _ => Cached::Miss,
        }
    }

    /// Asks the store and remembers the answer; None if no link has the code.
    ///
    /// # Errors
    /// [`Error::Unavailable`] also when the deadline passes.
    pub async fn load(&self, code: &str) -> Result<Option<Arc<Routes>>> {
        let key = fold(code);
        let hash = self.hash(&key);
        let generation = self.generation(&key);
        let before = generation.load(Ordering::SeqCst);
        let mut answer = self.known.get_or_insert_async(&hash, self.read(&key)).await;
        if answer.as_ref().is_ok_and(|routes| !routes.are_of(&key)) {
            // Another code with the same hash is kept; this one is not.
            answer = self.read(&key).await;
        }
        let unchanged = || generation.load(Ordering::SeqCst) == before;
        match answer {
            Ok(routes) => {
                if !unchanged() {
                    self.known.remove(&hash);
                }
                Ok(Some(routes))
            }
            Err(Absent::Unknown) => {
                self.unknown.insert(key.clone().into_owned(), Instant::now() + self.unknown_for);
                if !unchanged() {
                    self.unknown.remove(&*key);
                }
                Ok(None)
            }
            Err(Absent::Failed(error)) => Err(error),
        }
    }

    /// Forgets what is known of these folded codes: they changed. The generation moves first, so that a fill
    /// under way either sees it or has already put its entry where this takes it out.
    pub fn invalidate<'k>(&self, keys: impl IntoIterator<Item = &'k str>) {
        for key in keys {
            self.generation(key).fetch_add(1, Ordering::SeqCst);
            self.known.remove(&self.hash(key));
            self.unknown.remove(key);
        }
    }

    /// Forgets everything: what changed is not known.
    pub fn clear(&self) {
        for generation in &self.generations {
            generation.fetch_add(1, Ordering::SeqCst);
        }
        self.known.clear();
        self.unknown.clear();
    }

    /// Links kept, and their estimated bytes.
    #[must_use]
    pub fn size(&self) -> (usize, u64) {
        (self.known.len(), self.known.weight())
    }

    /// How many lanes the store has, without the site lane.
    #[must_use]
    pub fn lanes(&self) -> u16 {
        u16::try_from(self.generations.len()).unwrap_or(u16::MAX)
    }

    /// What these links look like here, without keeping it.
    #[must_use]
    pub fn routes(&self, found: &[Found]) -> Arc<Routes> {
        let routes = found.iter().map(|found| Route::new(found, self.lanes(), |shared| self.share(shared)));
        Arc::new(Routes::new(routes))
    }

    /// The same from another link, or itself and that it is new.
    fn share(&self, shared: Shared) -> (Arc<Shared>, bool) {
        if let Some(known) = self.shared.get(&shared) {
            return (known, false);
        }
        let new = Arc::new(shared);
        self.shared.insert(Arc::clone(&new), Arc::clone(&new));
        (new, true)
    }

    /// What the store has of a folded code.
    async fn read(&self, key: &str) -> std::result::Result<Arc<Routes>, Absent> {
        let found = tokio::time::timeout(self.deadline, self.links.find(key))
            .await
            .unwrap_or_else(|_| Err(Error::Unavailable("a look-up took too long".into())));
        match found {
            Ok(found) if found.is_empty() => Err(Absent::Unknown),
            Ok(found) => Ok(self.routes(&found)),
            Err(error) => Err(Absent::Failed(error)),
        }
    }

    fn hash(&self, key: &str) -> u64 {
        self.hasher.hash_one(key)
    }

    fn generation(&self, key: &str) -> &AtomicU64 {
        &self.generations[usize::from(lane_of(key, self.lanes()))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance::{ask, at, created, run};

    /// Does `work` with the cache of a store with three links: c0 and c1 of one channel, c2 of another.
    fn with_links(work: impl AsyncFnOnce(Cache)) {
        run(async {
            let dir = tempfile::tempdir().unwrap();
            let (kind, page_cache) = (crate::store::settings::Kind::Sqlite, crate::units::Size(1 << 20));
            let settings =
                crate::store::Settings { kind, lanes: 1, readers: 1, page_cache, redis: Default::default() };
            let store = crate::store::open(dir.path(), &settings, at(0), "UTC").await.unwrap();
            for (n, channel) in [(0, "mail"), (1, "mail"), (2, "print")] {
                let mut new = ask(n, &format!("s{n}"), &[&format!("c{n}")]);
                new.link.channel = Some(channel.to_owned());
                created(&store, new).await;
            }
            let second = Duration::from_secs(1);
            work(Cache::new(Arc::clone(&store.links), 1, 1 << 20, second, second)).await;
            store.close().await.unwrap();
        });
    }

    async fn load(cache: &Cache, code: &str) -> Picked {
        cache.load(code).await.unwrap().unwrap().pick(code, false).unwrap()
    }

    #[test]
    fn what_links_share_is_kept_and_weighed_once() {
        with_links(async |cache| {
            let mut loaded = vec![];
            for code in ["c0", "c1", "c2"] {
                let before = cache.size().1;
                let route = load(&cache, code).await;
                let texts = ENTRY_BYTES + u64::try_from(code.len() + route.target().len()).unwrap();
                loaded.push((cache.size().1 - before - texts, route));
            }
            let [(first, one), (again, other), (third, another)] = &loaded[..] else { panic!() };
            assert!(Arc::ptr_eq(&one.shared, &other.shared) && !Arc::ptr_eq(&one.shared, &another.shared));
            let bytes = |route: &Picked| u64::try_from(route.shared.bytes()).unwrap();
            assert_eq!((*first, *again, *third), (bytes(one), 0, bytes(another)));
        });
    }

    #[test]
    fn codes_with_the_same_hash_are_told_apart() {
        with_links(async |cache| {
            load(&cache, "c0").await;
            let other = cache.known.get(&cache.hash("c0")).unwrap();
            cache.known.insert(cache.hash("c1"), other);
            for _ in 0..2 {
                assert!(matches!(cache.get("c1"), Cached::Miss));
                assert_eq!(load(&cache, "C1").await.code(), "c1");
            }
            cache.invalidate(["c1"]);
            load(&cache, "c1").await;
            assert!(matches!(cache.get("C1"), Cached::Known(_)));
        });
    }
}
