//! `[articles]`: which hosts are the newsroom's, and what is no part of an article's address.

use serde::{Deserialize, Serialize};

use crate::domain::target::Tracking;

const TRACKING: &str = include_str!("../../config/lists/tracking.toml");

/// `[articles]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The newsroom's hosts, `host` or `host:port`.
    pub allowed_hosts: Vec<String>,
    /// Tracking parameters besides the built-in ones.
    pub tracking_parameters: Vec<String>,
}

#[derive(Deserialize)]
struct List {
    parameters: Vec<String>,
}

impl Settings {
    /// Refuses what cannot work.
    ///
    /// # Errors
    /// (key, why).
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        match self.tracking_parameters.iter().any(|p| p.is_empty() || p == "*") {
            true => Err(("tracking_parameters", "a name, or a prefix and *".into())),
            false => Ok(()),
        }
    }

    /// The built-in tracking parameters and the operator's.
    ///
    /// # Errors
    /// None that a release can have: a test reads the list.
    pub fn tracking(&self) -> Result<Tracking, toml::de::Error> {
        let list: List = toml::from_str(TRACKING)?;
        Ok(Tracking::new(list.parameters.iter().chain(&self.tracking_parameters)))
    }
}
