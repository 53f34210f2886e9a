//! Reading of articles' pages: a newsroom's site on this machine, what is believed of it, and what means harm.

mod attacks;
mod identity;
mod inspect;
mod life;
pub mod newsroom;
mod nodes;
mod pages;
mod patience;
mod secrets;
pub mod site;
mod stories;
