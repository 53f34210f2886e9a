//! Webhooks from outside: what receivers get, what admins see, and what means harm.

mod attacks;
mod manage;
mod nodes;
pub mod receiver;
mod telling;
mod trouble;
