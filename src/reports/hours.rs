//! The last day of links, hour by hour: what a table shows of each in a small picture.

use jiff::Timestamp;

use super::ReportService;
use crate::domain::tally::{Scope, Series};
use crate::store::Result;

/// Hours of a small picture.
pub const HOURS: usize = 24;
const HOUR: i64 = 3_600;

impl ReportService {
    /// Clicks in each of the last [`HOURS`] hours, this one last, for each of these scopes.
    ///
    /// # Errors
    /// The store's.
    pub async fn last_hours(&self, scopes: &[Scope], now: Timestamp) -> Result<Vec<[u64; HOURS]>> {
        let end = (now.as_second().div_euclid(HOUR) + 1) * HOUR;
        let span = i64::try_from(HOURS).unwrap_or(0) * HOUR;
        let mut all = Vec::with_capacity(scopes.len());
        for scope in scopes {
            let mut hours = [0; HOURS];
            for row in self.tallies.rows(scope, Series::Hour, end - span, end).await? {
                let at = usize::try_from((row.bucket - (end - span)) / HOUR).unwrap_or(HOURS);
                if let Some(hour) = hours.get_mut(at) {
                    *hour += row.counts.clicks;
                }
            }
            all.push(hours);
        }
        Ok(all)
    }
}
