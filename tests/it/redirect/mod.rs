//! What readers get: contract 3.

mod answers;
mod closed;
mod paths;
mod plain;
mod query;
mod seen;
mod time;
