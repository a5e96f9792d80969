//! CoDel (RFC 8289): drops from the head when the time that packets wait has stayed above a target
//! for a whole interval, and then ever more often until it comes below.

use super::backlog::{Backlog, Waiting};
use crate::link::Dropped;
use crate::time::Ns;
use crate::trace::DropReason;

/// When to drop, and what the backlog has told so far (RFC 8289 section 5.3).
#[derive(Clone, Debug, Default)]
pub(super) struct Control {
    /// When the waiting time will have been above the target for an interval.
    first_above: Option<Ns>,
    dropping: bool,
    drop_next: Ns,
    /// Drops since the dropping state was entered; what the control law divides by.
    count: u64,
    /// `count` when the state was entered last.
    count_before: u64,
    /// The largest packet seen: so much has to wait for a queue to stand.
    packet_max: u64,
}

/// What CoDel aims at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Aim {
    pub(super) target: Ns,
    pub(super) interval: Ns,
}

impl Control {
    /// The next packet to send at `now`; those that are dropped before it go to `dropped`.
    pub(super) fn pop(
        &mut self,
        aim: Aim,
        backlog: &mut Backlog,
        now: Ns,
        dropped: &mut Vec<Dropped>,
    ) -> Option<Waiting> {
        let (mut packet, mut may_drop) = self.take(aim, backlog, now);
        if self.dropping {
            self.dropping = may_drop;
            while self.dropping && now >= self.drop_next {
                dropped.extend(packet.map(|packet| packet.dropped(DropReason::Aqm)));
                self.count += 1;
                (packet, may_drop) = self.take(aim, backlog, now);
                self.dropping = may_drop;
                if may_drop {
                    self.drop_next += spacing(aim.interval, self.count);
                }
            }
        } else if may_drop {
            dropped.extend(packet.map(|packet| packet.dropped(DropReason::Aqm)));
            (packet, _) = self.take(aim, backlog, now);
            self.dropping = true;
            // Soon after an earlier dropping state, its rate of drops is where this one begins.
            let delta = self.count - self.count_before;
            let recent = now.saturating_sub(self.drop_next) < Ns(16 * aim.interval.0);
            self.count = if delta > 1 && recent { delta } else { 1 };
            self.drop_next = now + spacing(aim.interval, self.count);
            self.count_before = self.count;
        }
        packet
    }

    /// A packet from the head, and whether its waiting time allows to drop it.
    fn take(&mut self, aim: Aim, backlog: &mut Backlog, now: Ns) -> (Option<Waiting>, bool) {
        let Some(packet) = backlog.pop() else {
            self.first_above = None;
            return (None, false);
        };
        self.packet_max = self.packet_max.max(u64::from(packet.packet.bytes));
        let waited = now.saturating_sub(packet.since);
        if waited < aim.target || backlog.bytes() <= self.packet_max {
            self.first_above = None;
            return (Some(packet), false);
        }
        let due = *self.first_above.get_or_insert(now + aim.interval);
        // At the moment it is set an interval has yet to pass.
        (Some(packet), now >= due)
    }
}

/// The control law: `interval / sqrt(count)`, rounded down exactly.
fn spacing(interval: Ns, count: u64) -> Ns {
    let square = u128::from(interval.0) * u128::from(interval.0) / u128::from(count.max(1));
    Ns(u64::try_from(square.isqrt()).expect("a root of at most the square of 64 bits"))
}

/// One queue under CoDel.
#[derive(Debug)]
pub(in crate::link) struct Codel {
    control: Control,
    backlog: Backlog,
    aim: Aim,
    bytes_max: u64,
}

impl Codel {
    pub(super) fn new(aim: Aim, bytes_max: Option<u64>) -> Self {
        let bytes_max = bytes_max.unwrap_or(u64::MAX);
        Self { control: Control::default(), backlog: Backlog::default(), aim, bytes_max }
    }

    /// Goes on with another aim and the state that it has.
    pub(super) fn set(&mut self, aim: Aim, bytes_max: Option<u64>) {
        (self.aim, self.bytes_max) = (aim, bytes_max.unwrap_or(u64::MAX));
    }

    /// Appends a packet that fits whole.
    pub(super) fn push(&mut self, waiting: Waiting) -> Result<(), Dropped> {
        self.backlog.push_within(self.bytes_max, u64::MAX, waiting)
    }

    pub(super) fn pop(&mut self, now: Ns, dropped: &mut Vec<Dropped>) -> Option<Waiting> {
        self.control.pop(self.aim, &mut self.backlog, now, dropped)
    }

    pub(super) const fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    pub(super) fn drain(&mut self) -> Vec<Waiting> {
        self.control.first_above = None;
        self.backlog.drain()
    }
}

#[cfg(test)]
mod tests;
