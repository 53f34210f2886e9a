//! `[mail]` and `[digest]`: who takes mail from us, and when digests go out.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::mail::{Mailer, mailbox};
use crate::secret::Secret;
use crate::units::Span;

/// `[mail]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// The server that takes mail from us; empty for none.
    pub host: String,
    /// Its port; 0 for the usual one.
    pub port: u16,
    /// How it is spoken to.
    pub security: Security,
    /// Who we are to it; empty for nobody.
    pub user: String,
    /// Our password there.
    pub password: Secret,
    /// Whom mail is from.
    pub from: String,
    /// A PEM file with the authorities that may have signed its certificate; empty for the public ones.
    pub tls_ca: String,
    /// A mail is sent by then.
    pub deadline: Span,
    /// Pauses between the tries of a mail.
    pub retry_after: Vec<Span>,
}

/// How a mail server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// Encrypted from the first byte on.
    Tls,
    /// Encrypted before anything is said.
    Starttls,
    /// Not encrypted: for a server on this machine.
    None,
}

impl Security {
    /// The port that is usual for it.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Security::Tls => 465,
            Security::Starttls => 587,
            Security::None => 25,
        }
    }
}

/// `[digest]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digests {
    /// The hour at which webhooks get theirs, and people who chose no other.
    pub hour: i8,
}

impl Mail {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// (key, why).
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if self.deadline.0 < Duration::from_millis(100) || self.deadline.0 > Duration::from_secs(120) {
            return Err(("deadline", "100ms to 120s".into()));
        }
        if self.retry_after.is_empty() || self.retry_after.len() > 20 {
            return Err(("retry_after", "1 to 20 pauses".into()));
        }
        if self.retry_after.iter().any(|pause| pause.0 < Duration::from_millis(10)) {
            return Err(("retry_after", "a pause is at least 10ms".into()));
        }
        if self.host.is_empty() {
            return Ok(());
        }
        mailbox(&self.from).map_err(|why| ("from", why))?;
        if self.user.is_empty() != self.password.reveal().is_none() {
            return Err(("user", "user and password belong together".into()));
        }
        if !self.user.is_empty() && self.security == Security::None {
            return Err(("security", "a password is not sent unencrypted".into()));
        }
        Mailer::new(self).map(drop)
    }

    /// What the file of authorities has.
    pub(super) fn authorities(&self) -> Result<Option<Vec<u8>>, String> {
        if self.tls_ca.is_empty() {
            return Ok(None);
        }
        let read = std::fs::read(Path::new(&self.tls_ca));
        read.map(Some).map_err(|error| format!("{}: {error}", self.tls_ca))
    }
}

impl Digests {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// (key, why).
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        (0..24).contains(&self.hour).then_some(()).ok_or_else(|| ("hour", "0 to 23".into()))
    }
}
