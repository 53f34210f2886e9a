//! Link checks: whether targets are still there.
//!
//! Guarantees to be gentle (the fetcher's turns, one look at a time for a host, a pause between two) and careful: a
//! site that does not let us in, or cannot be reached once, says nothing of a link. Nothing is decided here about
//! links; [`Scheduler`] says which are due and what became of them.

mod schedule;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::sync::mpsc;
use url::Url;

pub use schedule::{Due, Row, Scheduler};
pub use verdict::Verdict;

use super::fetch::{Ask, Fetcher, Outcome};
use crate::domain::canonical::{Canon, Standing, standing};

/// Between two looks at one host.
pub const PAUSE: Duration = Duration::from_secs(1);
/// Hosts that are looked at at once.
const AT_ONCE: usize = 8;

/// What one look at a target shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is there.
    Good,
    /// It is there, at another address, to which nothing but permanent redirects led.
    Moved {
        /// That address.
        to: Url,
    },
    /// It is not there.
    Broken {
        /// What its site answered; None if it leads to its home page.
        status: Option<u16>,
        /// In words.
        why: String,
    },
    /// Its site cannot be reached now.
    Unreachable {
        /// In words.
        why: String,
    },
    /// Nothing can be said: its site does not let us in, or answers oddly.
    Unknown,
}

/// Looks at one target.
pub async fn look(fetcher: &Fetcher, canon: &Canon, target: &Url, now: Instant) -> Health {
    let mut outcome = fetcher.ask(Ask::Head, target, now).await;
    // Many sites answer HEAD wrongly or not at all, so only a page settles it, or what would be the same again.
    if !matches!(outcome, Outcome::Page(_) | Outcome::TooSlow | Outcome::Refused { .. }) {
        outcome = fetcher.ask(Ask::HeadOfPage, target, now).await;
    }
    if outcome == Outcome::TooSlow && fetcher.is_slow(target, now) {
        return Health::Unreachable { why: "the site takes too long".into() };
    }
    judge(canon, target, outcome)
}

fn judge(canon: &Canon, target: &Url, outcome: Outcome) -> Health {
    match outcome {
        Outcome::Page(found) => {
            let (asked, at) = (canon.identity(target), canon.identity(&found.url));
            match (standing(&at.url), standing(&asked.url)) {
                _ if asked.url == at.url => Health::Good,
                (Standing::Home, Standing::Page | Standing::Section) if asked.site == at.site => {
                    Health::Broken { status: None, why: "it leads to the site's home page".into() }
                }
                (Standing::Login | Standing::Consent, _) => Health::Unknown,
                _ if found.moved => Health::Moved { to: found.url },
                _ => Health::Good,
            }
        }
        Outcome::Gone { status } => {
            Health::Broken { status: Some(status), why: format!("the site answers {status}") }
        }
        Outcome::Broken { status: Some(status), why } if status >= 500 => {
            Health::Broken { status: Some(status), why }
        }
        Outcome::Broken { status: None, why } => Health::Unreachable { why },
        Outcome::Broken { .. } | Outcome::NotReadable { .. } | Outcome::TooSlow | Outcome::Refused { .. } => {
            Health::Unknown
        }
    }
}

/// Looks at all that are due, a host's one after the other with a pause between, and tells of each as it is known.
/// Ends early when nobody listens any more; may be dropped at any point.
pub async fn look_at_all(
    fetcher: &Fetcher,
    canon: &Canon,
    due: Vec<Due>,
    pause: Duration,
    tell: &mpsc::Sender<(Due, Health)>,
) {
    let mut by_host: HashMap<String, Vec<Due>> = HashMap::new();
    for one in due {
        by_host.entry(fetcher.host(&one.target).unwrap_or_default()).or_default().push(one);
    }
    let hosts = by_host.into_values().map(|of_host| async move {
        for (n, one) in of_host.into_iter().enumerate() {
            if n > 0 {
                tokio::time::sleep(pause).await;
            }
            let now = tokio::time::Instant::now().into_std();
            let health = look(fetcher, canon, &one.target, now).await;
            if tell.send((one, health)).await.is_err() {
                return;
            }
        }
    });
    futures_util::stream::iter(hosts).buffer_unordered(AT_ONCE).for_each(|()| std::future::ready(())).await;
}
