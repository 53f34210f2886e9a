//! The Redis store against real `redis-server` processes.

mod conformance;
mod conn;
mod dataset;
mod doctor;
mod failover;
mod house;
mod links;
pub mod process;
pub mod proxy;
pub mod servers;
mod tallies;
