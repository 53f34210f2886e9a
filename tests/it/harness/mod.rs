//! What every test stands on: a server in this process, the real program, a client that hides nothing.

pub mod api;
pub mod app;
pub mod cli;
pub mod http;
pub mod process;
pub mod program;
pub mod raw;
pub mod smtp;
pub mod wait;

pub use api::Api;
pub use app::TestApp;
pub use http::Answer;
pub use program::Program;
pub use serde_json::{Value, json};
pub use wait::{eventually, eventually_within};

/// A person's browser.
pub const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

/// A program.
pub const CURL: &str = "curl/8.14.1";
