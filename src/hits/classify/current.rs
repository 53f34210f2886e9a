//! The tables in use, which an operator may change while it runs.
//!
//! Guarantees that who asks gets whole tables, old or new. The request path asks only for what a query needs; who
//! counts looks between two batches.

use std::sync::{Arc, PoisonError, RwLock};

use super::params::Cut;
use super::tables::Tables;

/// The tables in use.
#[derive(Debug)]
pub struct Current(RwLock<Arc<Tables>>);

impl Current {
    /// These.
    #[must_use]
    pub fn new(tables: Arc<Tables>) -> Current {
        Current(RwLock::new(tables))
    }

    /// The tables.
    #[must_use]
    pub fn get(&self) -> Arc<Tables> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts others in place.
    pub fn set(&self, tables: Arc<Tables>) {
        let old = std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), tables);
        drop(old);
    }

    /// What of a query matters.
    #[inline]
    #[must_use]
    pub fn cut(&self, query: Option<&str>) -> Cut {
        match query {
            None | Some("") => Cut::NONE,
            some => self.get().params().cut(some),
        }
    }
}
