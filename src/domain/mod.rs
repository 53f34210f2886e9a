//! Floor 0: what a link, a hit and a number are.
//!
//! Pure: no I/O, no async, no clock (time comes in as an argument), no axum, no SQL. Everything here can be
//! tested with plain values, and every other floor may import it.

pub mod access;
pub mod article;
pub mod calendar;
pub mod canonical;
pub mod code;
pub mod error;
pub mod facts;
pub mod history;
pub mod hit;
pub mod lane;
pub mod link;
pub mod numbers;
pub mod report;
pub mod series;
pub mod sketch;
pub mod spike;
pub mod tally;
pub mod target;
