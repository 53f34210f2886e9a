//! The Redis store against real `redis-server` processes.

mod alone;
mod care;
mod coherent;
mod conformance;
mod conn;
mod dataset;
mod doctor;
mod failover;
mod house;
mod late;
mod links;
mod losses;
mod nodes;
pub mod process;
pub mod proxy;
pub mod servers;
mod tallies;
mod tls;
