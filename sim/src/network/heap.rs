//! The network's pending events, in an order that does not depend on how they came in.

use crate::packet::{HostId, Packet};
use crate::time::Ns;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Something that will happen inside the network.
#[derive(Debug)]
pub(super) enum Event {
    /// The scenario changes a link.
    Change {
        /// Index of the change.
        index: usize,
    },
    /// A flow's own timer.
    Timer {
        /// Index of the flow.
        flow: u16,
    },
    /// A link's transmission ends.
    Depart {
        /// Index of the link.
        link: u16,
    },
    /// A packet reaches the far end of a link.
    Arrive {
        /// Index of the link.
        link: u16,
        /// The packet; without its payload if a host gets it.
        packet: Packet,
    },
    /// A packet enters the network.
    Send {
        /// The packet.
        packet: Packet,
    },
}

impl Event {
    /// Order of what falls on one nanosecond: changes, timers, then the links, then what was sent;
    /// among equals the index of the link or flow. What both hosts send for one flow comes from the
    /// left one first, so that it does not matter which of them an engine runs first.
    fn rank(&self) -> u32 {
        let (class, index, second) = match self {
            Self::Change { .. } => (0, 0, false),
            Self::Timer { flow } => (1, *flow, false),
            Self::Depart { link } => (2, *link, false),
            Self::Arrive { link, .. } => (3, *link, false),
            Self::Send { packet } => (4, packet.flow, packet.to == HostId::Left),
        };
        class << 17 | u32::from(index) << 1 | u32::from(second)
    }
}

/// A priority queue of events: by time, rank, then order of insertion.
#[derive(Debug, Default)]
pub(super) struct Heap {
    entries: BinaryHeap<Reverse<Entry>>,
    inserted: u64,
}

#[derive(Debug)]
struct Entry {
    key: (Ns, u32, u64),
    event: Event,
}

impl Heap {
    pub(super) fn push(&mut self, at: Ns, event: Event) {
        let key = (at, event.rank(), self.inserted);
        self.inserted += 1;
        self.entries.push(Reverse(Entry { key, event }));
    }

    /// When the next event happens.
    pub(super) fn next_at(&self) -> Option<Ns> {
        self.entries.peek().map(|Reverse(entry)| entry.key.0)
    }

    /// The next event if it happens before `until`.
    pub(super) fn pop_before(&mut self, until: Ns) -> Option<(Ns, Event)> {
        if self.entries.peek()?.0.key.0 >= until {
            return None;
        }
        let Reverse(entry) = self.entries.pop()?;
        Some((entry.key.0, entry.event))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_then_class_then_index_then_insertion() {
        let mut heap = Heap::default();
        heap.push(Ns(2), Event::Timer { flow: 0 });
        heap.push(Ns(1), Event::Depart { link: 1 });
        heap.push(Ns(1), Event::Depart { link: 0 });
        heap.push(Ns(1), Event::Timer { flow: 7 });
        let order: Vec<(u64, String)> = std::iter::from_fn(|| heap.pop_before(Ns(9)))
            .map(|(at, event)| (at.0, format!("{event:?}")))
            .collect();
        let expected = [
            (1, "Timer { flow: 7 }"),
            (1, "Depart { link: 0 }"),
            (1, "Depart { link: 1 }"),
            (2, "Timer { flow: 0 }"),
        ];
        assert_eq!(order, expected.map(|(at, event)| (at, event.to_owned())));
    }

    #[test]
    fn the_bound_is_exclusive() {
        let mut heap = Heap::default();
        heap.push(Ns(5), Event::Timer { flow: 0 });
        assert!(heap.pop_before(Ns(5)).is_none());
        assert!(heap.pop_before(Ns(6)).is_some());
        assert!(heap.pop_before(Ns(u64::MAX)).is_none());
    }
}
