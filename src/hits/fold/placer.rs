//! Where hits fall in time.

use crate::domain::calendar::{Calendar, Place};

/// Remembers the minute of the last hit: hits come in order, and a time zone is slow to ask.
pub struct Placer {
    calendar: Calendar,
    last: Place,
}

impl Placer {
    /// Over a calendar.
    #[must_use]
    pub fn new(calendar: Calendar) -> Placer {
        let last = calendar.place(0);
        Placer { calendar, last }
    }

    /// The calendar.
    #[must_use]
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Minute, hour and day of a time in milliseconds since 1970.
    pub fn place(&mut self, at_ms: i64) -> Place {
        if !(0..60_000).contains(&(at_ms - self.last.minute * 1000)) {
            self.last = self.calendar.place(at_ms);
        }
        self.last
    }
}
