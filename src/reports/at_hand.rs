//! Top lists for pages that do not wait for them.
//!
//! Guarantees that such a page is not held up for longer than a moment, and that a list is summed once however many ask
//! for it meanwhile. Knows nothing of what is in a list.

use std::sync::Arc;
use std::time::Duration;

use super::top::{By, Order, Top};
use super::{Question, ReportService};

/// So long a page waits for a list that it has an older one of: a small newsroom's is summed by then.
const AT_HAND: Duration = Duration::from_millis(1);
/// And so long for one that it has none of.
const AT_FIRST: Duration = Duration::from_millis(20);

impl ReportService {
    /// A top list for a page that does not wait: one that is still good at once; while a newer one is summed, which those
    /// who come next see, one of the last minutes, see its `as_of`; and nothing while the first is summed, or if it cannot
    /// be, which is logged.
    pub async fn top_at_hand(
        self: &Arc<Self>,
        question: &Question,
        by: By,
        order: Order,
        limit: usize,
    ) -> Option<Arc<Top>> {
        let asked = self.asked(question, by, order, limit);
        if let Some(good) = self.tops.get(&asked) {
            return Some(good);
        }
        let stale = self.tops.get_stale(&asked);
        if !self.tops.renew(&asked) {
            return stale;
        }
        let (reports, question) = (Arc::clone(self), question.clone());
        // A task of its own: it goes on when the page has been sent. It only reads, so nothing waits for it at a stop.
        let newer = self.renewals.spawn(async move {
            let newer = reports.top(&question, by, order, limit).await;
            reports.tops.renewed(&asked);
            newer.inspect_err(|error| tracing::warn!(%error, "a list could not be summed anew")).ok()
        });
        let patience = if stale.is_some() { AT_HAND } else { AT_FIRST };
        match tokio::time::timeout(patience, newer).await {
            Ok(Ok(Some(newer))) => Some(newer),
            _ => stale,
        }
    }
}
