//! The Redis store against real `redis-server` processes.

mod conn;
mod dataset;
mod doctor;
mod failover;
pub mod process;
pub mod proxy;
pub mod servers;
mod tallies;
mod tls;
