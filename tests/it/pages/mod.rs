//! What readers see (pages in their language, guesses, the button's file), and what staff's pages refuse.

mod button;
pub mod forms;
mod guesses;
mod readers;
mod staff;
