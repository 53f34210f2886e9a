//! Append-only files are written anew after a restart of their server.
//!
//! A server whose file ends within a transaction (a power cut) starts without that transaction, as it should, but Redis
//! (seen with 7.0.15) and Valkey before <https://github.com/valkey-io/valkey/pull/4342> leave its first commands in the
//! file, and a *later* start runs them together with whatever was appended: half a batch, half a link. A file that was
//! written anew holds what the server has and nothing else. Guarantees that this is asked of a server at most once
//! after each of its starts; what it may not ask it says. Knows no key.

use std::collections::BTreeMap;

use super::conn::{Conn, read};
use crate::store::Result;

/// Has the append-only files of restarted servers written anew.
///
/// # Errors
/// `Unavailable`: then it is to be called again.
pub async fn renew(conn: &Conn) -> Result<()> {
    let restarted = restarted(conn).await?;
    if restarted.is_empty() {
        return Ok(());
    }
    let asked = conn.ask_each(redis::cmd("BGREWRITEAOF")).await;
    let servers = restarted.join(", ");
    match asked {
        Ok(_) => tracing::info!(
            servers,
            "the append-only files of servers that were restarted are written anew: one that was cut within a \
             transaction would bring back a part of it at the next start"
        ),
        // Another node was faster.
        Err(_) if self::restarted(conn).await?.is_empty() => {}
        Err(error) => tracing::warn!(
            servers, %error,
            "servers were restarted and cannot be asked to write their append-only files anew; run BGREWRITEAOF there: \
             a file that was cut within a transaction would bring back a part of it at the next start"
        ),
    }
    Ok(())
}

/// Servers with an append-only file that was not written anew since they started, and is not about to be.
async fn restarted(conn: &Conn) -> Result<Vec<String>> {
    let mut restarted = vec![];
    for (server, info) in conn.ask_each(redis::cmd("INFO").arg("persistence").to_owned()).await? {
        let info: String = read(info)?;
        let info: BTreeMap<&str, &str> = info.lines().filter_map(|line| line.split_once(':')).collect();
        let is = |field: &str, value: &str| info.get(field).is_some_and(|said| *said == value);
        let busy = is("aof_rewrite_in_progress", "1") || is("aof_rewrite_scheduled", "1");
        if is("aof_enabled", "1") && is("aof_rewrites", "0") && !busy {
            restarted.push(server);
        }
    }
    Ok(restarted)
}
