//! What people do with pages, in a real browser.

mod button;
mod driver;
mod page;
mod readers;

pub use page::{Key, Page, Setting};
