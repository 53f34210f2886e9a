//! What operators need: health, metrics, the command line, starting and stopping.

mod addresses;
mod classify;
mod commands;
mod demo;
mod listener;
mod program;
