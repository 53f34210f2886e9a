//! Bad input: each with its exact status, code and field, and nothing of the inside.

mod bodies;
mod keys;
mod queries;
mod wire;
