//! The command line (contract 1). The only place that prints.
//!
//! Exit codes: 0 done, 1 failed, 2 usage, 64 bad configuration (the key at fault is named).
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the command line")]

mod about;
mod accounts;
mod classify;
mod data;
mod demo;
mod inspect;
mod migrate;
mod serve;
mod store;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::{Config, Invalid};
use crate::domain::access::Role;

/// Exit code for a bad configuration.
const BAD_CONFIGURATION: u8 = 64;

/// Short URLs for newsrooms: every hit counted exactly once, people, previews and bots apart.
#[derive(Debug, Parser)]
#[command(name = "slugline", version, about, propagate_version = true)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What every command takes.
#[derive(Debug, Args)]
struct Common {
    /// A TOML file over the defaults.
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One option over everything else; may be given again.
    #[arg(long = "set", global = true, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the server; also what happens without a command.
    Serve,
    /// Checks or prints the effective configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Makes, lists and ends API keys; works beside a running server.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Adds, lists and disables staff; works beside a running server.
    #[command(subcommand)]
    User(UserCommand),
    /// Writes all that is kept as JSON lines; works beside a running server.
    Export {
        /// Where to; - is stdout.
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Reads what export wrote, into an empty store. Goes on where it was cut short.
    Import {
        /// Where from; - is stdin.
        #[arg(default_value = "-")]
        file: PathBuf,
        /// Reads and checks everything, and writes nothing.
        #[arg(long)]
        dry_run: bool,
        /// Adds links to a store that is not empty; leaves all else out.
        #[arg(long)]
        merge: bool,
    },
    /// Copies store and journal into an empty folder; consistent beside a running server.
    Backup {
        /// Where to.
        dir: PathBuf,
    },
    /// Puts a backup into an empty data folder.
    Restore {
        /// Where from.
        dir: PathBuf,
    },
    /// Moves everything into another, new store, compares both, and leaves this one for good: its next start says
    /// where it went, and `store adopt` takes it back. Goes on where it was cut short. No server may run on either.
    Migrate {
        /// The configuration file of the other store, with a data.dir of its own. Environment and --set are for
        /// this store alone.
        #[arg(long, value_name = "CONFIG")]
        to: PathBuf,
    },
    /// Checks that the numbers add up, and recounts what the journal still has.
    Verify,
    /// Says what the store is and covers; the operator's word after a flush or a wrong database.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Says what made the requests on stdin (one a line: a user agent, or JSON), from where, and with what.
    Classify,
    /// Reads an article's page and says what it is known by and what it says, as JSON.
    Inspect {
        /// The page's address; it is fetched.
        #[arg(required_unless_present = "html", value_name = "URL")]
        address: Option<String>,
        /// Reads this file instead and fetches nothing; - is stdin.
        #[arg(long, value_name = "FILE", requires = "url", conflicts_with = "address")]
        html: Option<PathBuf>,
        /// The address that the file was read at.
        #[arg(long, requires = "html")]
        url: Option<String>,
    },
    /// Serves a newsroom with believable data, and a site of its own whose articles have the button.
    Demo(demo::Options),
    /// Asks a running server whether it lives and redirects.
    Healthcheck,
    /// Prints the description of the API (OpenAPI 3.1).
    Openapi,
    /// Prints completions for a shell.
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Prints the manual page.
    Man,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Reads all layers and says what is wrong.
    Check,
    /// Prints the effective configuration, secrets redacted. What staff changed lies in the store and is not in it; the
    /// API's /settings shows both.
    Print,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Says what the store is, whether it can be worked with, and what its settings can lose.
    Status,
    /// Takes the store that is there for the right one.
    Adopt {
        /// Without asking.
        #[arg(long)]
        yes: bool,
    },
    /// Makes anew what is gone of the store: links from this node's mirror, numbers from the journals.
    Rebuild {
        /// Without asking.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Makes a key and prints it, once.
    Create {
        /// What it is for.
        name: String,
        /// What it may: viewer, creator, editor or admin.
        #[arg(long)]
        role: Role,
    },
    /// Lists keys, without their secrets.
    List,
    /// Ends a key.
    Revoke {
        /// Its id, as `list` shows it.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Adds a member of staff.
    Add {
        /// Sign-in name.
        name: String,
        /// What they may: viewer, creator, editor or admin.
        #[arg(long)]
        role: Role,
    },
    /// Lists staff.
    List,
    /// Sets a password: asked for on a terminal, else the first line of stdin.
    Passwd {
        /// Sign-in name.
        name: String,
    },
    /// Prints a link that signs someone in, once, within the hour.
    Link {
        /// Sign-in name.
        name: String,
    },
    /// Lets someone in again who was disabled.
    Enable {
        /// Sign-in name.
        name: String,
    },
    /// Ends what someone may do, their sessions and keys too; links and history stay.
    Disable {
        /// Sign-in name.
        name: String,
    },
}

/// Runs the command line of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let common = arguments.common;
    let outcome = match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(&common),
        Command::Config(command) => about::config(&common, &command),
        Command::Key(command) => with_config(&common, |config| accounts::key(config, command)),
        Command::User(command) => with_config(&common, |config| accounts::user(config, command)),
        Command::Export { file } => with_config(&common, |config| data::export(config, &file)),
        Command::Import { file, dry_run, merge } => {
            let options = crate::transfer::import::Options { dry_run, merge };
            with_config(&common, |config| data::import(config, &file, options))
        }
        Command::Backup { dir } => with_config(&common, |config| data::backup(config, &dir)),
        Command::Restore { dir } => with_config(&common, |config| data::restore(config, &dir)),
        Command::Migrate { to } => with_config(&common, |config| migrate::migrate(&config, &to)),
        Command::Verify => with_config(&common, data::verify),
        Command::Store(StoreCommand::Status) => with_config(&common, store::status),
        Command::Store(StoreCommand::Adopt { yes }) => {
            with_config(&common, |config| store::adopt(config, yes))
        }
        Command::Store(StoreCommand::Rebuild { yes }) => {
            with_config(&common, |config| store::rebuild(config, yes))
        }
        Command::Classify => with_config(&common, classify::classify),
        Command::Inspect { address, html, url } => {
            let address = address.or(url).unwrap_or_default();
            with_config(&common, |config| inspect::inspect(&config, &address, html.as_deref()))
        }
        Command::Demo(options) => demo::demo(&common, &options),
        Command::Healthcheck => with_config(&common, about::healthcheck),
        Command::Openapi => about::openapi(),
        Command::Completions { shell } => about::completions(shell),
        Command::Man => about::man(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("slugline: {error:#}");
            match error.downcast_ref::<Invalid>() {
                Some(_) => ExitCode::from(BAD_CONFIGURATION),
                None => ExitCode::FAILURE,
            }
        }
    }
}

fn load(common: &Common) -> Result<Config, Invalid> {
    Config::load(common.config.as_deref(), std::env::vars(), &common.set)
}

fn with_config(common: &Common, command: impl FnOnce(Config) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let config = load(common)?;
    crate::telemetry::init_logs(&crate::config::Log { filter: "warn".into(), ..config.log.clone() });
    command(config)
}

/// A runtime for a command that works for a moment.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }
}
