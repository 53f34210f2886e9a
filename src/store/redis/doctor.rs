//! Looks at the servers at start and says plainly what their settings can lose.
//!
//! Guarantees that a server too old to keep our promises is refused. What it may not read it says as well; it
//! changes nothing.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;
use redis::Value;

use super::conn::{Conn, read};
use crate::store::{Error, Result};

/// The oldest server: scripts that declare their keys came with it.
const OLDEST: (u64, u64) = (7, 0);
/// A clock that differs by more is told, in milliseconds.
const CLOCKS: i64 = 1_000;

/// Something that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// True if it can lose what was answered; else it is only good to know.
    pub risk: bool,
    /// In plain words, with the server it is about.
    pub text: String,
}

/// Examines every server that takes writes. `now` is the time as this call begins.
///
/// # Errors
/// `Refused` for a server that is too old; `Unavailable`.
pub async fn examine(conn: &Conn, now: Timestamp) -> Result<Vec<Finding>> {
    let began = Instant::now();
    let mut findings = vec![];
    let infos = conn.ask_each(redis::cmd("INFO")).await?;
    for (server, info) in infos {
        let info: String = read(info)?;
        let info: BTreeMap<&str, &str> = info.lines().filter_map(|line| line.split_once(':')).collect();
        version(&server, &info)?;
        let mut about = About { server, findings: &mut findings };
        about.memory(&info);
        about.replicas(&info);
    }
    let asked = ["maxmemory-policy", "appendonly", "appendfsync", "save"];
    match conn.ask_each(redis::cmd("CONFIG").arg("GET").arg(&asked).to_owned()).await {
        Ok(configs) => {
            for (server, config) in configs {
                let config: BTreeMap<String, String> = read(config)?;
                About { server, findings: &mut findings }.disk(&config);
            }
        }
        // Managed servers forbid it, and some users may not.
        Err(error) => findings.push(Finding {
            risk: false,
            text: format!("the servers' settings cannot be read ({error}); see that they write to disk"),
        }),
    }
    let times = conn.ask_each(redis::cmd("TIME")).await?;
    let ours = now.as_millisecond() + i64::try_from(began.elapsed().as_millis()).unwrap_or(0);
    for (server, time) in times {
        About { server, findings: &mut findings }.clock(time, ours)?;
    }
    Ok(findings)
}

/// Writes findings into the log.
pub fn tell(findings: &[Finding]) {
    for Finding { risk, text } in findings {
        if *risk {
            tracing::warn!("{text}");
        } else {
            tracing::info!("{text}");
        }
    }
}

fn version(server: &str, info: &BTreeMap<&str, &str>) -> Result<()> {
    // Valkey says here with which Redis it is compatible.
    let said = info.get("redis_version").copied().unwrap_or_default();
    let mut parts = said.split('.').map_while(|part| part.parse::<u64>().ok());
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if version < OLDEST {
        return Err(Error::Refused(format!(
            "the Redis server {server} has version {said}; Slugline needs {}.{} or later",
            OLDEST.0, OLDEST.1
        )));
    }
    Ok(())
}

/// What is found out about one server.
struct About<'f> {
    server: String,
    findings: &'f mut Vec<Finding>,
}

impl About<'_> {
    fn risk(&mut self, text: &str) {
        self.findings.push(Finding { risk: true, text: format!("Redis at {}: {text}", self.server) });
    }

    fn note(&mut self, text: &str) {
        self.findings.push(Finding { risk: false, text: format!("Redis at {}: {text}", self.server) });
    }

    fn memory(&mut self, info: &BTreeMap<&str, &str>) {
        let policy = info.get("maxmemory_policy").copied().unwrap_or("noeviction");
        if policy != "noeviction" {
            self.risk(&format!(
                "maxmemory-policy is {policy}: when its memory is full it throws links and numbers away. Set it to \
                 noeviction"
            ));
        }
    }

    fn replicas(&mut self, info: &BTreeMap<&str, &str>) {
        if info.get("connected_slaves").is_none_or(|n| *n == "0") {
            self.note("no replica follows it: if its machine is lost, so is what is not in a backup");
        }
    }

    fn disk(&mut self, config: &BTreeMap<String, String>) {
        let is = |name: &str, value: &str| config.get(name).is_some_and(|v| v == value);
        match (is("appendonly", "yes"), is("appendfsync", "always")) {
            (true, true) => {}
            (true, false) => self.note(
                "appendfsync is not always: a power cut takes about the last second. Hits are counted again; a link \
                 made in it is put back by a node that has it",
            ),
            (false, _) if is("save", "") => self.risk(
                "it writes nothing to disk (appendonly no, no save): a restart loses every link that no node's \
                 mirror has. Set appendonly yes",
            ),
            (false, _) => self.risk(
                "appendonly is no: a crash loses what was written since its last snapshot. Set appendonly yes",
            ),
        }
    }

    fn clock(&mut self, time: Value, ours: i64) -> Result<()> {
        let (seconds, micros): (i64, i64) = read(time)?;
        let ahead = seconds * 1_000 + micros / 1_000 - ours;
        if ahead.abs() > CLOCKS {
            self.note(&format!("its clock is {ahead} ms ahead of ours; nothing depends on it but logs"));
        }
        Ok(())
    }
}
