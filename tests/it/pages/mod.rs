//! What readers see: pages in their language, guesses, the button's file.

mod button;
mod guesses;
mod readers;
