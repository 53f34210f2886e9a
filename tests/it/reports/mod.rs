//! Numbers: contract 6.

mod attack;
mod csv;
mod curve;
mod live;
mod orphans;
mod ranges;
mod readers;
mod reasons;
mod scopes;
mod shapes;
mod top;
