//! Slugline gives every article of a newsroom one short URL, sends readers on from it, and counts each of them
//! exactly once. ARCHITECTURE.md is the map; floors import downwards only.

pub mod accounts;
pub mod app;
pub mod articles;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod digest;
pub mod domain;
pub mod hits;
pub mod links;
pub mod live;
pub mod orphans;
pub mod priority;
pub mod reports;
pub mod secret;
pub mod sessions;
pub mod settings;
pub mod store;
pub mod telemetry;
pub mod transfer;
pub mod units;
pub mod web;
pub mod webhooks;
