//! Whether anybody watches, at any node: one key in the site lane, which ends by itself.

use std::sync::LazyLock;

use super::hashes::{Hashes, number};
use crate::store::Result;
use crate::store::redis::conn::{Script, read};

static WATCH: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("watch.lua")));

fn key(hashes: &Hashes) -> Vec<u8> {
    hashes.lanes.key(hashes.site(), "watch")
}

/// Tells all nodes that somebody watches until then.
pub(super) async fn share(hashes: &Hashes, until_ms: i64) -> Result<()> {
    let keys = [hashes.keys(hashes.site()).own(), key(hashes)];
    let args = [hashes.lanes.dataset_arg(), until_ms.to_string().into_bytes()];
    // A lane of another dataset is told nothing; who counts there finds out.
    let _: i64 = read(hashes.conn.run(&WATCH, &keys, &args).await?)?;
    Ok(())
}

/// Until when somebody watches.
pub(super) async fn until(hashes: &Hashes) -> Result<i64> {
    let mut cmd = redis::cmd("GET");
    cmd.arg(key(hashes));
    let said: Option<Vec<u8>> = read(hashes.conn.ask(cmd).await?)?;
    number(said.as_deref())
}
