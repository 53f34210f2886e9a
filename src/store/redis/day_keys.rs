//! Keys of the day in Redis: one string each in the site lane, which ends by itself.
//!
//! Guarantees that nodes which share at the same moment get one key, and that nothing is put into a store that is not
//! the one this node knows. Copied by nothing of ours; a copy that Redis makes of itself has the keys of three days.

use std::sync::LazyLock;

use async_trait::async_trait;
use jiff::Timestamp;

use super::conn::{Conn, Script, read};
use super::dataset::fenced;
use super::lanes::Lanes;
use crate::domain::calendar::Day;
use crate::store::day_keys::{DayKey, DayKeys};
use crate::store::{Error, Result};

static SHARE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("share.lua")));

/// Keys in the site lane.
pub struct RedisDayKeys {
    conn: Conn,
    lanes: Lanes,
}

impl RedisDayKeys {
    /// Of these lanes.
    #[must_use]
    pub fn new(conn: Conn, lanes: Lanes) -> RedisDayKeys {
        RedisDayKeys { conn, lanes }
    }
}

#[async_trait]
impl DayKeys for RedisDayKeys {
    async fn share(&self, day: Day, ours: DayKey, ends: Timestamp, _now: Timestamp) -> Result<DayKey> {
        let site = self.lanes.site();
        let keys = [self.lanes.meta(site), self.lanes.key(site, &format!("k:{day}"))];
        let ends = ends.as_millisecond().to_string().into_bytes();
        let args = [self.lanes.dataset_arg(), ours.0.to_vec(), ends];
        let (done, is): (i64, Vec<u8>) = read(self.conn.run(&SHARE, &keys, &args).await?)?;
        match done {
            1 => match is.try_into() {
                Ok(key) => Ok(DayKey(key)),
                Err(_) => Err(Error::Corrupt(format!("the key of day {day} is not 16 bytes"))),
            },
            0 => Err(Error::Unavailable(format!("by the clock of Redis the key of day {day} has ended"))),
            _ => {
                let id = String::from_utf8_lossy(&is);
                Err(fenced(&self.lanes, site, Some(&*id).filter(|id| !id.is_empty())))
            }
        }
    }
}
