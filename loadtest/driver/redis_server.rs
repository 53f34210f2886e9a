//! A `redis-server` beside a contender.
//!
//! Guarantees: it keeps an append-only file, as one that matters would, and a second start in its folder has what the
//! first one had. Refuses to know: who asks it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::process::{Process, free_address};

const LINKS_AT_ONCE: usize = 1_000;

/// One that runs.
pub(crate) struct Redis {
    process: Process,
    address: SocketAddr,
}

impl Redis {
    /// Starts one with its data in `folder`, bound to `core`.
    pub(crate) fn start(program: &Path, folder: &Path, core: Option<usize>) -> Result<Self> {
        let address = free_address()?;
        let log = folder.join("redis.out");
        let mut command = Command::new(program);
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
        command.arg("--port").arg(address.port().to_string()).arg("--dir").arg(folder);
        let mut process = Process::start(&mut command, core, &log)?;
        let client = redis::Client::open(url(address))?;
        // It takes connections before it has read its file, and then answers nothing but errors.
        process.wait(&log, || {
            Ok(client.get_connection().is_ok_and(|mut to| redis::cmd("PING").exec(&mut to).is_ok()))
        })?;
        Ok(Self { process, address })
    }

    pub(crate) fn url(&self) -> String {
        url(self.address)
    }

    pub(crate) fn client(&self) -> Result<redis::Client> {
        Ok(redis::Client::open(self.url())?)
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Leads codes to targets, as the obvious way looks them up.
    pub(crate) fn put(&self, links: impl Iterator<Item = (String, String)>) -> Result<()> {
        let mut connection = self.client()?.get_connection()?;
        let mut links = links.peekable();
        while links.peek().is_some() {
            let mut all = redis::cmd("MSET");
            for (code, target) in links.by_ref().take(LINKS_AT_ONCE) {
                all.arg(format!("link:{code}")).arg(target);
            }
            all.exec(&mut connection)?;
        }
        Ok(())
    }

    pub(crate) fn stop(self) -> Result<()> {
        self.process.stop()
    }
}

fn url(address: SocketAddr) -> String {
    format!("redis://{address}")
}
