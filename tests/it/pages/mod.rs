//! What readers see (pages in their language, guesses, the button's file), and what staff's pages refuse.

mod attacks;
mod button;
mod changes;
mod desk;
pub mod forms;
mod guesses;
mod links;
mod markup;
mod numbers;
mod readers;
pub mod routes;
mod staff;
