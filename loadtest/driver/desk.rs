//! The desk of one driver thread: which connection is free, which request is due, and bringing the two together.
//!
//! Guarantees: a connection has at most one request under way; free connections are used in turn; requests that find
//! none free wait in the order of their intended starts. A request whose bytes never left is due again; one that left
//! and was not answered whole is `unknown`. Refuses to know: how connections are made and read.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::net::tcp::OwnedWriteHalf;

use crate::mix::Draw;
use crate::schedule::Schedule;
use crate::tally::Tally;

#[derive(Default)]
struct Line {
    writer: Option<OwnedWriteHalf>,
    /// The intended start of the request under way.
    under_way: Option<Instant>,
}

pub(crate) struct Desk {
    schedule: Schedule,
    draw: Draw,
    pub(crate) tally: Tally,
    lines: Vec<Line>,
    free: VecDeque<usize>,
    busy: usize,
    request: Vec<u8>,
}

impl Desk {
    pub(crate) fn new(schedule: Schedule, draw: Draw, tally: Tally, connections: usize) -> Self {
        let lines = (0..connections).map(|_| Line::default()).collect();
        let free = VecDeque::with_capacity(connections);
        Self { schedule, draw, tally, lines, free, busy: 0, request: Vec::with_capacity(2_048) }
    }

    /// A connection is there, and free.
    pub(crate) fn attach(&mut self, line: usize, writer: OwnedWriteHalf) {
        if let Some(place) = self.lines.get_mut(line) {
            place.writer = Some(writer);
            self.free.push_back(line);
        }
    }

    /// A connection is gone; what was under way on it stays without an answer.
    pub(crate) fn detach(&mut self, line: usize) {
        let Some(place) = self.lines.get_mut(line) else { return };
        place.writer = None;
        if place.under_way.take().is_some() {
            self.busy -= 1;
            self.tally.unknown += 1;
            self.tally.cut += 1;
        }
        self.free.retain(|&free| free != line);
    }

    /// A whole answer came. False if nobody had asked.
    pub(crate) fn answered(&mut self, line: usize, status: u16, now: Instant) -> bool {
        let Some(intended) = self.lines.get_mut(line).and_then(|place| place.under_way.take()) else {
            return false;
        };
        self.busy -= 1;
        self.tally.answer(status, intended, now);
        true
    }

    /// The connection takes the next request.
    pub(crate) fn release(&mut self, line: usize, now: Instant) {
        self.free.push_back(line);
        self.dispatch(now);
    }

    /// Sends all that is due, as far as connections are free.
    pub(crate) fn dispatch(&mut self, now: Instant) {
        while let Some(&line) = self.free.front() {
            let Some(intended) = self.schedule.take(now) else { return };
            self.free.pop_front();
            self.send(line, intended, now);
        }
    }

    fn send(&mut self, line: usize, intended: Instant, now: Instant) {
        self.draw.next(&mut self.request);
        let Some(place) = self.lines.get_mut(line) else { return };
        let written = place.writer.as_ref().map(|writer| writer.try_write(&self.request));
        match written {
            Some(Ok(length)) if length == self.request.len() => {
                place.under_way = Some(intended);
                self.busy += 1;
                self.tally.sent(intended, now);
            }
            // A part went out: nobody can say what becomes of it. Dropping the writer ends the connection.
            Some(Ok(length)) if length > 0 => {
                place.writer = None;
                self.tally.unknown += 1;
                self.tally.cut += 1;
            }
            _ => {
                place.writer = None;
                self.schedule.give_back(intended);
            }
        }
    }

    /// Whether all is sent and answered.
    pub(crate) fn done(&self, now: Instant) -> bool {
        self.busy == 0 && self.schedule.finished(now)
    }

    /// When to look again if nothing happens before.
    pub(crate) fn next_look(&self, now: Instant) -> Instant {
        let soon = now + Duration::from_millis(5);
        if self.schedule.finished(now) { soon } else { self.schedule.next_start().clamp(now, soon) }
    }

    /// Ends the run: what is under way is unknown, what is left was not sent.
    pub(crate) fn close(&mut self) {
        let lines = self.lines.len();
        for line in 0..lines {
            self.detach(line);
        }
        self.tally.unsent += self.schedule.left();
    }
}
