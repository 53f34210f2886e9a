//! What readers see (pages in their language, guesses, the button's file), and what staff's pages refuse.

mod button;
mod guesses;
mod numbers;
mod readers;
mod staff;
