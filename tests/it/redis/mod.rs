//! The Redis store against real `redis-server` processes.

mod conn;
mod dataset;
mod doctor;
mod examples;
mod failover;
mod faults;
pub mod process;
pub mod proxy;
pub mod servers;
mod tallies;
mod tls;
