//! Leases in Redis: a string of the root lane for each, which ends by itself.
//!
//! Its end is told by the server's clock, the one clock that all nodes share. A failover may lose one: then two nodes
//! hold it until the older asks again.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::conn::{Conn, Script, read};
use super::dataset::fenced;
use super::lanes::Lanes;
use crate::store::Result;
use crate::store::leases::Leases;

static LEASE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lease.lua")));

/// Leases in the root lane.
pub struct RedisLeases {
    conn: Conn,
    lanes: Lanes,
}

impl RedisLeases {
    /// Of these lanes.
    #[must_use]
    pub fn new(conn: Conn, lanes: Lanes) -> RedisLeases {
        RedisLeases { conn, lanes }
    }

    async fn run(&self, name: &str, holder: &str, ms: u128) -> Result<bool> {
        let root = self.lanes.root();
        let keys = [self.lanes.meta(root), self.lanes.key(root, &format!("lease:{name}"))];
        let args = [self.lanes.dataset_arg(), holder.as_bytes().to_vec(), ms.to_string().into_bytes()];
        let (done, is): (i64, Vec<u8>) = read(self.conn.run(&LEASE, &keys, &args).await?)?;
        if done < 0 {
            let id = String::from_utf8_lossy(&is);
            return Err(fenced(&self.lanes, root, Some(&*id).filter(|id| !id.is_empty())));
        }
        Ok(done == 1)
    }
}

#[async_trait]
impl Leases for RedisLeases {
    async fn lease(&self, name: &str, holder: &str, _now: Timestamp, span: Duration) -> Result<bool> {
        self.run(name, holder, span.as_millis().max(1)).await
    }

    async fn release(&self, name: &str, holder: &str) -> Result<()> {
        self.run(name, holder, 0).await.map(drop)
    }
}
