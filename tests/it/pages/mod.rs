//! What readers see (pages in their language, guesses, the button's file), and what staff's pages refuse.

mod button;
mod desk;
mod guesses;
mod readers;
mod staff;
