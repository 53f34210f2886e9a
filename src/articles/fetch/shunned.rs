//! Hosts that are left alone for a while. Bounded: of too many, those whose time is over first are forgotten.

use std::collections::HashMap;
use std::time::Instant;

/// Hosts that are remembered.
pub(super) const MAX_SHUNNED: usize = 1_024;

/// Hosts, each with the time until which it is left alone.
#[derive(Default)]
pub(in crate::articles) struct Shunned(HashMap<String, Instant>);

impl Shunned {
    /// True if this host is left alone now.
    pub fn has(&self, host: &str, now: Instant) -> bool {
        self.0.get(host).is_some_and(|until| now < *until)
    }

    /// Leaves a host alone until then.
    pub fn add(&mut self, host: &str, now: Instant, until: Instant) {
        if self.0.len() >= MAX_SHUNNED {
            self.0.retain(|_, until| now < *until);
        }
        if self.0.len() >= MAX_SHUNNED {
            let first = self.0.iter().min_by_key(|(_, until)| **until).map(|(host, _)| host.clone());
            first.and_then(|host| self.0.remove(&host));
        }
        self.0.insert(host.to_owned(), until);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn not_for_ever_and_not_too_many() {
        let (mut shunned, now, minute) = (Shunned::default(), Instant::now(), Duration::from_secs(60));
        shunned.add("a", now, now + minute);
        assert!(shunned.has("a", now) && !shunned.has("a", now + minute) && !shunned.has("b", now));
        (0..2 * MAX_SHUNNED).for_each(|n| shunned.add(&n.to_string(), now, now + minute));
        assert!(shunned.0.len() <= MAX_SHUNNED);
        assert!(shunned.has(&(2 * MAX_SHUNNED - 1).to_string(), now));
        shunned.add("b", now + minute, now + 2 * minute);
        assert_eq!(shunned.0.len(), 1, "those whose time is over go first");
    }
}
