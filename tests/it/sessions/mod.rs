//! Who is signed in: how one comes in, what one may then, and who does not.

mod attacks;
pub mod browser;
mod grants;
mod links;
mod listener;
mod nodes;
mod proxy;
mod signing;
mod users;
