//! The store that many nodes share: Redis 7.0 or later, or Valkey; one server, Sentinel or a cluster.
//!
//! Guarantees that only scripts fenced by ordinal, version or tag and idempotent commands are ever sent, because
//! the client of a cluster sends again on its own; that every key of a script is declared and in one lane; and that
//! a store which is not the one this node knows is left alone. Knows the domain and `store`, no other backend.

pub mod accounts;
mod aof;
pub mod care;
pub mod conn;
pub mod dataset;
pub mod day_keys;
pub mod doctor;
pub mod documents;
pub mod feed;
pub mod lanes;
pub mod leases;
pub mod links;
mod open;
pub mod records;
pub mod settings;
pub mod tags;
pub mod tallies;
pub mod tokens;
pub mod webhooks;

pub use open::open;
pub use settings::Redis as Settings;
