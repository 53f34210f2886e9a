//! What Slugline promises, seen from outside: real HTTP, the real program, real files.
//!
//! One binary. Every test is written from the contract, starts its own server on a free port in a folder of its
//! own, and waits for what it waits for instead of sleeping.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::print_stdout,
    reason = "a test that cannot go on fails, and says what it did"
)]

mod faults;
mod harness;

mod articles;
mod browser;
mod digest;
mod first_minute;
mod links;
mod migrate;
mod operations;
mod pages;
mod readers;
mod redirect;
mod redis;
mod refused;
mod reports;
mod sessions;
mod settings;
mod tidy;
mod webhooks;
