//! Floor 2: digests, by mail to those of staff who want one, and to webhooks.
//!
//! Who wants one is a document of the store ([`subscribe`]), what it says is put together once for all who get it
//! ([`contents`]), and one node sends it ([`send`]). Guarantees that an address gets nothing before somebody who reads
//! its mail said yes (or an admin), that a digest says nothing confidential, and that each is sent once: a process that
//! dies between a sending and the note of it sends that one again, with the same Message-ID. HTTP is unknown here.

pub mod contents;
mod letters;
pub mod mail;
pub mod period;
pub mod send;
mod settings;
mod subscribe;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::Notify;

pub use period::{Every, Period};
pub use settings::{Digests, Mail, Security};
pub use subscribe::{Asked, Standing, Subscription, Wanted};

use crate::accounts::AccountService;
use crate::domain::error::Refusal;
use crate::links::LinkService;
use crate::reports::ReportService;
use crate::settings::SettingsService;
use crate::store::{self, Documents, Tokens};
use crate::webhooks::WebhookService;
use crate::{links, reports};
use mail::Mailer;

/// Why a call on digests failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client's to mend.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Ours.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A letter could not be written.
    #[error("a letter could not be written: {0}")]
    Writing(#[from] askama::Error),
}

impl From<reports::Error> for Error {
    fn from(error: reports::Error) -> Error {
        match error {
            reports::Error::Refused(refusal) => Error::Refused(refusal),
            reports::Error::Store(error) => Error::Store(error),
        }
    }
}

impl From<links::Error> for Error {
    fn from(error: links::Error) -> Error {
        match error {
            links::Error::Refused(refusal) => Error::Refused(refusal),
            links::Error::Store(error) => Error::Store(error),
        }
    }
}

/// The usual result of a call on digests.
pub type Result<T> = std::result::Result<T, Error>;

/// What digests need of the process.
pub struct Needs {
    /// Who wants one.
    pub documents: Arc<dyn Documents>,
    /// What they are confirmed and ended with, and which were sent.
    pub tokens: Arc<dyn Tokens>,
    /// Who there is.
    pub accounts: Arc<AccountService>,
    /// Numbers.
    pub reports: Arc<ReportService>,
    /// Stories and links.
    pub links: Arc<LinkService>,
    /// Who else is told.
    pub webhooks: Arc<WebhookService>,
    /// Whose newsroom it is.
    pub settings: Arc<SettingsService>,
    /// Scheme, host and port of staff's pages, without a slash at its end.
    pub staff_url: Arc<str>,
    /// `[mail]`.
    pub mail: Mail,
    /// `[digest]`.
    pub digests: Digests,
}

/// Digests. One for the whole process.
pub struct DigestService {
    needs: Needs,
    mailer: Option<Mailer>,
    /// Who wants one has changed.
    wake: Notify,
}

impl DigestService {
    /// A service over an open store.
    ///
    /// # Errors
    /// (key, why) of `[mail]`.
    pub fn new(needs: Needs) -> std::result::Result<DigestService, (&'static str, String)> {
        let mailer = Mailer::new(&needs.mail)?;
        Ok(DigestService { needs, mailer, wake: Notify::new() })
    }

    /// Whether mail can be sent at all.
    #[must_use]
    pub fn has_mail(&self) -> bool {
        self.mailer.is_some()
    }

    /// The hour of those who chose none.
    #[must_use]
    pub fn usual_hour(&self) -> i8 {
        self.needs.digests.hour
    }

    fn newsroom(&self) -> String {
        mail::one_line(&self.needs.settings.now().config.newsroom.name)
    }
}
