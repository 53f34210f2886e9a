//! Numbers: contract 6.

mod csv;
mod ranges;
mod scopes;
mod shapes;
mod top;
