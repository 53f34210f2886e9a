//! Floor 2: a redirect becomes a number, once.
//!
//! Every hit is appended to the journal before its redirect is answered; what follows is done behind it.
//! Knows the domain and the stores; knows nothing of HTTP.

pub mod journal;
