//! Floor 2: what is known of stories from their addresses and pages.
//!
//! Fetches a page safely and reads what it says ([`Reader`]), and looks whether targets are still there ([`check`]);
//! which addresses are one article is `domain::canonical`'s. Keeps nothing and knows neither links nor stores: who
//! makes a link asks here, never the other way round.

pub mod check;
pub mod fetch;
#[cfg(test)]
mod fixture;
pub mod page;
pub mod reader;
pub mod retry;
mod settings;

pub use reader::{Reader, Reading};
pub use settings::Settings;
