//! Floor 2: what staff change while the service runs: settings and channels. The same on all nodes, because it lies in
//! the store; what the operator gave in file, environment or flags wins.
//!
//! Guarantees that a value passes exactly the checks of the configuration before it is kept; that it is in force on this
//! node before its editor hears of it and on all others within a poll of the change feed; and that what cannot be (a
//! document of another version) is left out and told, and keeps nothing from starting. HTTP is unknown here.

mod channels;
mod compose;
pub mod table;

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{Mutex, OwnedMutexGuard};

pub use channels::Channel;
pub use compose::{Composed, LeftOut, Templates, compose};
pub use table::{SETTINGS, Setting};

use crate::config::{Config, Given, Invalid};
use crate::domain::error::{Reason, Refusal};
use crate::store::documents::{Document, DocumentChange, DocumentChanged, DocumentKind};
use crate::store::{self, Documents};

/// Largest value, as JSON, in bytes.
pub const MAX_VALUE: usize = 32 * 1024;

/// Puts a configuration in force.
pub type Effect = Arc<dyn Fn(&Config) -> anyhow::Result<()> + Send + Sync>;

/// Why a call on settings failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client's to mend.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Ours.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// The usual result of a call on settings.
pub type Result<T> = std::result::Result<T, Error>;

/// A setting as it is now.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Which.
    pub setting: &'static Setting,
    /// Its value in force.
    pub value: Value,
    /// Its value without anybody's word.
    pub default: Value,
    /// Where the operator gave it; then it is not the staff's.
    pub given: Option<Given>,
    /// What staff said, in force or not.
    pub kept: Option<Document>,
    /// Why that is not in force, though nobody else gave it.
    pub problem: Option<String>,
}

/// Settings and channels. One for the whole process.
pub struct SettingsService {
    store: Arc<dyn Documents>,
    defaults: Config,
    force: Arc<Force>,
    /// One after the other: what is put in force last must be what was read last. Also if who asked for it goes away.
    order: Arc<Mutex<()>>,
}

/// What is in force, and what puts it there.
struct Force {
    now: RwLock<Arc<Composed>>,
    effect: OnceLock<Effect>,
}

impl Force {
    fn now(&self) -> Arc<Composed> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn put(&self, base: Config, documents: Vec<Document>) -> anyhow::Result<()> {
        let composed = compose(base, documents)?;
        if let Some(effect) = self.effect.get() {
            effect(&composed.config)?;
        }
        if composed.left_out != self.now().left_out {
            tell(&composed);
        }
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(composed);
        Ok(())
    }
}

/// The configuration in force for a command that works with an open store.
///
/// # Errors
/// The store's, or [`Invalid`].
pub async fn effective(base: &Config, store: &dyn Documents) -> anyhow::Result<Config> {
    let documents = ours(store).await?;
    Ok(compose(base.clone(), documents)?.config)
}

/// The documents that say something about the configuration.
async fn ours(store: &dyn Documents) -> store::Result<Vec<Document>> {
    let mut documents = store.documents().await?;
    documents.retain(|document| matches!(document.kind, DocumentKind::Setting | DocumentKind::Channel));
    Ok(documents)
}

impl SettingsService {
    /// A service over an open store and what the operator gave.
    ///
    /// # Errors
    /// The store's, or [`Invalid`].
    pub async fn open(store: Arc<dyn Documents>, base: Config) -> anyhow::Result<SettingsService> {
        let documents = ours(&*store).await?;
        let composed = tokio::task::spawn_blocking(move || compose(base, documents)).await??;
        tell(&composed);
        let force = Force { now: RwLock::new(Arc::new(composed)), effect: OnceLock::new() };
        let (defaults, force, order) = (Config::defaults()?, Arc::new(force), Arc::default());
        Ok(SettingsService { store, defaults, force, order })
    }

    /// What is in force.
    #[must_use]
    pub fn now(&self) -> Arc<Composed> {
        self.force.now()
    }

    /// Says what puts a configuration in force from now on. Only the first word counts.
    pub fn on_change(&self, effect: Effect) {
        if self.force.effect.set(effect).is_err() {
            tracing::error!("settings have two effects; the second one is not used");
        }
    }

    /// Reads what staff changed again: the change feed says that something changed.
    ///
    /// # Errors
    /// The store's; what was in force stays.
    pub async fn reload(&self) -> store::Result<()> {
        let turn = Arc::clone(&self.order).lock_owned().await;
        let documents = ours(&*self.store).await?;
        let now = self.now();
        if documents == now.documents {
            return Ok(());
        }
        match self.put_in_force(turn, now.base.clone(), documents).await {
            Ok(()) => tracing::info!("settings were read again"),
            // Not the store's fault: the next change tries again.
            Err(error) => tracing::error!(error = format!("{error:#}"), "settings were not read again"),
        }
        Ok(())
    }

    /// Takes what the operator gives now.
    ///
    /// # Errors
    /// [`Invalid`], or that of the effect; then nothing changed.
    pub async fn rebase(&self, base: Config) -> anyhow::Result<()> {
        let turn = Arc::clone(&self.order).lock_owned().await;
        let documents = self.now().documents.clone();
        self.put_in_force(turn, base, documents).await
    }

    /// Away from the runtime's threads: files are read.
    async fn put_in_force(
        &self,
        turn: OwnedMutexGuard<()>,
        base: Config,
        documents: Vec<Document>,
    ) -> anyhow::Result<()> {
        let force = Arc::clone(&self.force);
        let putting = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            force.put(base, documents)
        });
        putting.await?
    }

    /// All settings.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self) -> Result<Vec<Shown>> {
        self.reload().await?;
        let now = self.now();
        Ok(SETTINGS.iter().map(|setting| self.shown(setting, &now)).collect())
    }

    /// One setting.
    ///
    /// # Errors
    /// `unknown_field` for a name that is none of the staff's.
    pub fn read(&self, name: &str) -> Result<Shown> {
        Ok(self.shown(find(name)?, &self.now()))
    }

    fn shown(&self, setting: &'static Setting, now: &Composed) -> Shown {
        let given = now.base.explicit.of(setting.name).cloned();
        let problem = now.why_not(DocumentKind::Setting, setting.name).map(str::to_owned);
        Shown {
            setting,
            value: setting.get(&now.config),
            default: setting.get(&self.defaults),
            given,
            kept: now.document(DocumentKind::Setting, setting.name).cloned(),
            problem,
        }
    }

    /// Gives a setting a value; `seen` is the version that was read.
    ///
    /// # Errors
    /// `unknown_field`, `conflict` (locked), `wrong_type`, `invalid_value`, `out_of_range`, `stale`.
    pub async fn change(
        &self,
        name: &str,
        value: Value,
        seen: Option<u64>,
        by: &str,
        at: Timestamp,
    ) -> Result<Shown> {
        let setting = find(name)?;
        self.reload().await?;
        let now = self.now();
        unlocked(now.base.explicit.of(setting.name), setting.name)?;
        let value = checked_aside(setting, now, value).await?;
        self.write(DocumentKind::Setting, name, Some(value), seen, by, at).await?;
        self.read(name)
    }

    /// Takes a setting back to its default; again is the same.
    ///
    /// # Errors
    /// `unknown_field`, `conflict` (locked).
    pub async fn remove(&self, name: &str, by: &str, at: Timestamp) -> Result<()> {
        let setting = find(name)?;
        unlocked(self.now().base.explicit.of(setting.name), setting.name)?;
        self.write(DocumentKind::Setting, name, None, None, by, at).await.map(drop)
    }

    /// Changes a document and puts it in force here. False if there is none and never was.
    async fn write(
        &self,
        kind: DocumentKind,
        name: &str,
        value: Option<Value>,
        seen: Option<u64>,
        by: &str,
        at: Timestamp,
    ) -> Result<bool> {
        let change = DocumentChange { kind, name: name.to_owned(), value, seen, by: by.to_owned(), at };
        match self.store.change_document(change).await? {
            DocumentChanged::Done(_) => {
                self.reload().await?;
                Ok(true)
            }
            DocumentChanged::Unknown => Ok(false),
            DocumentChanged::Stale(version) => {
                let detail = format!("somebody changed it meanwhile: it is at version {version}");
                Err(Refusal::field(Reason::Stale, "version", detail).with_version(version).into())
            }
            DocumentChanged::Full => {
                let detail = "too many names were given already; use one of them again";
                Err(Refusal::field(Reason::OutOfRange, "name", detail).into())
            }
        }
    }
}

fn find(name: &str) -> Result<&'static Setting> {
    let unknown = || {
        let detail = format!("\"{name}\" is no setting that can be changed here");
        Refusal::field(Reason::UnknownField, "name", detail).into()
    };
    Setting::find(name).ok_or_else(unknown)
}

/// Refuses what the operator gave.
fn unlocked(given: Option<&Given>, what: &str) -> Result<()> {
    let Some(Given { layer, place }) = given else { return Ok(()) };
    let detail = format!("{what} is given by the operator ({}: {place}), which wins", layer.as_str());
    Err(Refusal::field(Reason::Conflict, "name", detail).into())
}

/// The value as it is kept: what the configuration with it reads.
fn checked(setting: &Setting, now: &Composed, value: Value) -> std::result::Result<Value, Refusal> {
    if value.to_string().len() > MAX_VALUE {
        let detail = format!("at most {} KiB", MAX_VALUE / 1024);
        return Err(Refusal::field(Reason::OutOfRange, "value", detail));
    }
    let mut config = now.config.clone();
    setting.set(&mut config, value).map_err(|misfit| {
        let reason = if misfit.other_type { Reason::WrongType } else { Reason::InvalidValue };
        Refusal::field(reason, format!("value{}", misfit.at), misfit.why)
    })?;
    let wrong = |Invalid { key, why }| Refusal::field(Reason::InvalidValue, "value", format!("{key}: {why}"));
    config.check().map_err(wrong)?;
    Ok(setting.get(&config))
}

/// Away from the runtime's threads: a configuration names files.
async fn checked_aside(setting: &'static Setting, now: Arc<Composed>, value: Value) -> Result<Value> {
    let checking = tokio::task::spawn_blocking(move || checked(setting, &now, value));
    Ok(checking.await.map_err(|_| store::Error::Corrupt("a check did not come to its end".into()))??)
}

fn tell(composed: &Composed) {
    for LeftOut { kind, name, why } in &composed.left_out {
        tracing::warn!(kind = kind.as_str(), name, why, "what staff have set cannot be and is left out");
    }
}

#[cfg(test)]
mod tests;
