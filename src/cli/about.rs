//! Commands that say something: the configuration, health, the API's description, completions, the manual page.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::CommandFactory;
use clap_complete::Shell;

use super::{Arguments, Common, ConfigCommand, load};
use crate::config::Config;

/// How long a probe waits.
const PROBE: Duration = Duration::from_secs(3);

pub(super) fn config(common: &Common, command: &ConfigCommand) -> anyhow::Result<()> {
    let config = load(common)?;
    match command {
        ConfigCommand::Check => println!("the configuration is good"),
        ConfigCommand::Print => print!("{}", config.to_toml()?),
    }
    Ok(())
}

/// One request by hand: an HTTP client would be a large thing for it.
pub(super) fn healthcheck(config: Config) -> anyhow::Result<()> {
    let mut address: SocketAddr = config.server.ops_listen;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let mut stream = TcpStream::connect_timeout(&address, PROBE)
        .with_context(|| format!("nothing answers on {address}"))?;
    stream.set_read_timeout(Some(PROBE))?;
    stream.write_all(
        format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).with_context(|| format!("no answer from {address}"))?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    println!("{}", body.trim());
    match answer.starts_with("HTTP/1.1 200") {
        true => Ok(()),
        false => bail!("not ready"),
    }
}

pub(super) fn openapi() -> anyhow::Result<()> {
    println!("{}", crate::web::api::document()?);
    Ok(())
}

pub(super) fn completions(shell: Shell) -> anyhow::Result<()> {
    clap_complete::generate(shell, &mut Arguments::command(), "slugline", &mut std::io::stdout());
    Ok(())
}

pub(super) fn man() -> anyhow::Result<()> {
    clap_mangen::Man::new(Arguments::command()).render(&mut std::io::stdout())?;
    Ok(())
}
