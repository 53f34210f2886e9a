//! The Redis store against real `redis-server` processes.

mod alike;
pub mod alone;
mod care;
mod coherent;
mod conformance;
mod conn;
mod dataset;
mod doctor;
mod examples;
mod failover;
mod faults;
mod house;
mod late;
mod links;
mod losses;
mod nodes;
pub mod process;
pub mod proxy;
mod readers;
pub mod servers;
mod tallies;
mod tls;
mod topologies;
