//! What happened to links, told to whoever wants to hear of it.
//!
//! Guarantees that it is told after it is durable and before the caller is answered. Who hears decides what to do with
//! it, and must not make the caller wait for anybody outside; nothing of it can make the change fail.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::LinkService;
use crate::domain::link::{Broken, Found, Link};

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// It was made.
    Created,
    /// It was changed by somebody: what they did, and each field with what it was and is.
    Changed {
        /// "changed", "reverted", "retired".
        action: String,
        /// By field, `{from, to}`.
        changes: Map<String, Value>,
    },
    /// Its target is not there any more, or lives elsewhere now.
    Broken(Broken),
    /// Its target is there again; what was wrong before.
    Mended(Broken),
}

/// Something that happened to a link.
#[derive(Clone, Debug)]
pub struct News {
    /// What.
    pub what: What,
    /// The link as it is after it.
    pub found: Found,
    /// Who did it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Who wants to hear.
#[async_trait]
pub trait Hears: Send + Sync {
    /// True if anything at all is wanted: else nothing is put together.
    fn listens(&self) -> bool;

    /// Takes note. Returns soon, whatever becomes of it.
    async fn hear(&self, news: Vec<News>);
}

impl LinkService {
    /// The same, telling what happens to links.
    #[must_use]
    pub fn telling(self, hears: Arc<dyn Hears>) -> LinkService {
        LinkService { hears: Some(hears), ..self }
    }

    /// Who hears, if they want to.
    pub(super) fn listener(&self) -> Option<&Arc<dyn Hears>> {
        self.hears.as_ref().filter(|hears| hears.listens())
    }

    pub(super) async fn tell_created<'a>(
        &self,
        made: impl Iterator<Item = &'a Found>,
        by: &str,
        at: Timestamp,
    ) {
        let Some(hears) = self.listener() else { return };
        let news =
            made.map(|found| News { what: What::Created, found: found.clone(), by: by.to_owned(), at });
        let news: Vec<News> = news.collect();
        if !news.is_empty() {
            hears.hear(news).await;
        }
    }

    pub(super) async fn tell_of(&self, what: What, found: &Found, by: &str, at: Timestamp) {
        if let Some(hears) = self.listener() {
            hears.hear(vec![News { what, found: found.clone(), by: by.to_owned(), at }]).await;
        }
    }

    /// What a check changed of what is said of a link's target; None if it was said before.
    pub(super) fn turned(before: &Link, after: Option<&Broken>) -> Option<What> {
        match (&before.broken, after) {
            (None, Some(now)) => Some(What::Broken(now.clone())),
            (Some(was), None) => Some(What::Mended(was.clone())),
            _ => None,
        }
    }
}
