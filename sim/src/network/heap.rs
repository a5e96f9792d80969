//! The network's pending events, in an order that does not depend on how they came in.
//!
//! A heap of small entries orders them; packets lie beside it. Of the packets that cross a link
//! only the one that arrives next is in the heap: nearly all arrive in the order of leaving, and
//! wait for their turn in a line of their link.

use crate::packet::{HostId, Packet};
use crate::time::Ns;
use std::cmp::Reverse;
use std::collections::binary_heap::PeekMut;
use std::collections::{BinaryHeap, VecDeque};

/// Something that will happen inside the network.
#[derive(Debug)]
pub(super) enum Event {
    /// The scenario changes a link.
    Change {
        /// Index of the change.
        index: u32,
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

/// A priority queue of events: by time, rank, then order of insertion.
#[derive(Debug, Default)]
pub(super) struct Heap {
    entries: BinaryHeap<Reverse<Entry>>,
    inserted: u64,
    packets: Slab,
    /// Of each link what crosses it and arrives in the order of leaving.
    lines: Vec<VecDeque<Crossing>>,
}

/// An event without its packet. No two have the same order, so that the place decides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Ns,
    /// From the highest bit: class, index of flow or link, receiving end, number of insertion.
    order: u64,
    /// Where the packet is, or which change it is.
    place: u32,
}

#[derive(Debug)]
struct Crossing {
    at: Ns,
    order: u64,
    packet: Packet,
}

/// The place of a packet that is the first of its line.
const IN_LINE: u32 = u32::MAX;

impl Heap {
    pub(super) fn push(&mut self, at: Ns, event: Event) {
        let order = event.rank() << INSERTED_BITS | self.inserted;
        self.inserted += 1;
        let place = match event {
            Event::Change { index } => index,
            Event::Timer { .. } | Event::Depart { .. } => 0,
            Event::Send { packet } => self.packets.insert(packet),
            Event::Arrive { link, packet } => {
                let line = self.line(link);
                match line.back().map(|last| last.at <= at) {
                    Some(false) => self.packets.insert(packet),
                    last => {
                        line.push_back(Crossing { at, order, packet });
                        if last.is_some() {
                            return;
                        }
                        IN_LINE
                    }
                }
            }
        };
        self.entries.push(Reverse(Entry { at, order, place }));
    }

    /// When the next event happens.
    pub(super) fn next_at(&self) -> Option<Ns> {
        self.entries.peek().map(|Reverse(entry)| entry.at)
    }

    /// The next event if it happens before `until`.
    pub(super) fn pop_before(&mut self, until: Ns) -> Option<(Ns, Event)> {
        let mut first = self.entries.peek_mut()?;
        let Entry { at, order, place } = first.0;
        if at >= until {
            return None;
        }
        let index = index_of(order);
        if place == IN_LINE {
            let line = &mut self.lines[usize::from(index)];
            let Crossing { packet, .. } = line.pop_front().expect("its entry was in the heap");
            // The next of the line takes the place of this one.
            match line.front() {
                Some(&Crossing { at, order, .. }) => first.0 = Entry { at, order, place },
                None => {
                    PeekMut::pop(first);
                }
            }
            return Some((at, Event::Arrive { link: index, packet }));
        }
        PeekMut::pop(first);
        let event = match order >> CLASS_SHIFT {
            CHANGE => Event::Change { index: place },
            TIMER => Event::Timer { flow: index },
            DEPART => Event::Depart { link: index },
            ARRIVE => Event::Arrive { link: index, packet: self.packets.remove(place) },
            _ => Event::Send { packet: self.packets.remove(place) },
        };
        Some((at, event))
    }

    fn line(&mut self, link: u16) -> &mut VecDeque<Crossing> {
        let link = usize::from(link);
        if self.lines.len() <= link {
            self.lines.resize_with(link + 1, VecDeque::new);
        }
        &mut self.lines[link]
    }
}

impl Event {
    /// Order of what falls on one nanosecond: changes, timers, then the links, then what was sent;
    /// among equals the index of the link or flow. What both hosts send for one flow comes from the
    /// left one first, so that it does not matter which of them an engine runs first.
    fn rank(&self) -> u64 {
        let (class, index, second) = match self {
            Self::Change { .. } => (CHANGE, 0, false),
            Self::Timer { flow } => (TIMER, *flow, false),
            Self::Depart { link } => (DEPART, *link, false),
            Self::Arrive { link, .. } => (ARRIVE, *link, false),
            Self::Send { packet } => (SEND, packet.flow, packet.to == HostId::Left),
        };
        class << 17 | u64::from(index) << 1 | u64::from(second)
    }
}

fn index_of(order: u64) -> u16 {
    u16::try_from(order >> (INSERTED_BITS + 1) & 0xffff).expect("it was masked")
}

const CHANGE: u64 = 0;
const TIMER: u64 = 1;
const DEPART: u64 = 2;
const ARRIVE: u64 = 3;
const SEND: u64 = 4;

/// Enough for months of a run.
const INSERTED_BITS: u32 = 44;

const CLASS_SHIFT: u32 = INSERTED_BITS + 17;

/// Packets that wait for a moment, in places that are used again.
#[derive(Debug, Default)]
struct Slab {
    packets: Vec<Option<Packet>>,
    free: Vec<u32>,
}

impl Slab {
    fn insert(&mut self, packet: Packet) -> u32 {
        if let Some(place) = self.free.pop() {
            self.packets[place as usize] = Some(packet);
            return place;
        }
        self.packets.push(Some(packet));
        let place = u32::try_from(self.packets.len() - 1).ok().filter(|&place| place != IN_LINE);
        place.expect("fewer packets than memory holds")
    }

    fn remove(&mut self, place: u32) -> Packet {
        self.free.push(place);
        self.packets[place as usize].take().expect("an entry has its packet")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::tests::packet;
    use crate::rng::Streams;
    use std::collections::BTreeSet;

    fn order(heap: &mut Heap) -> Vec<(u64, String)> {
        std::iter::from_fn(|| heap.pop_before(Ns(u64::MAX)))
            .map(|(at, event)| {
                let event = match event {
                    Event::Arrive { link, packet } => format!("Arrive {link} {}", packet.id),
                    Event::Send { packet } => format!("Send {} {}", packet.flow, packet.id),
                    event => format!("{event:?}"),
                };
                (at.0, event)
            })
            .collect()
    }

    fn arrive(link: u16, id: u64) -> Event {
        Event::Arrive { link, packet: packet(id, 100) }
    }

    #[test]
    fn events_come_by_time_then_class_then_index_then_insertion() {
        let mut heap = Heap::default();
        let to_left = |id| Packet { to: HostId::Left, ..packet(id, 100) };
        heap.push(Ns(2), Event::Timer { flow: 0 });
        heap.push(Ns(1), Event::Send { packet: to_left(8) });
        heap.push(Ns(1), Event::Send { packet: packet(9, 100) });
        heap.push(Ns(1), Event::Send { packet: packet(7, 100) });
        heap.push(Ns(1), arrive(1, 3));
        heap.push(Ns(1), arrive(0, 4));
        heap.push(Ns(1), Event::Depart { link: 1 });
        heap.push(Ns(1), Event::Depart { link: 0 });
        heap.push(Ns(1), Event::Timer { flow: 7 });
        heap.push(Ns(1), Event::Change { index: 5 });
        heap.push(Ns(1), Event::Change { index: 4 });
        let expected = [
            (1, "Change { index: 5 }"),
            (1, "Change { index: 4 }"),
            (1, "Timer { flow: 7 }"),
            (1, "Depart { link: 0 }"),
            (1, "Depart { link: 1 }"),
            (1, "Arrive 0 4"),
            (1, "Arrive 1 3"),
            (1, "Send 0 9"),
            (1, "Send 0 7"),
            (1, "Send 0 8"),
            (2, "Timer { flow: 0 }"),
        ];
        assert_eq!(order(&mut heap), expected.map(|(at, event)| (at, event.to_owned())));
    }

    #[test]
    fn arrivals_in_and_out_of_the_order_of_leaving_come_by_time_and_insertion() {
        let mut heap = Heap::default();
        let mut draws = Streams::new(1).host(0);
        let mut expected = BTreeSet::new();
        for id in 0..3_000_u64 {
            // Mostly later than the last, sometimes earlier, often at the same moment.
            let at = 100 + id / 3 + draws.below(2) * draws.below(20);
            let link = u16::try_from(draws.below(3)).expect("below three");
            heap.push(Ns(at), arrive(link, id));
            expected.insert((at, link, id));
            let until = id / 3 + 80;
            while let Some((at, event)) = heap.pop_before(Ns(until)) {
                let Event::Arrive { link, packet } = event else { panic!("{event:?}") };
                assert_eq!(Some((at.0, link, packet.id)), expected.pop_first());
            }
            assert!(expected.first().is_none_or(|first| first.0 >= until));
        }
        let expected: Vec<(u64, String)> =
            expected.iter().map(|(at, link, id)| (*at, format!("Arrive {link} {id}"))).collect();
        assert!(expected.len() > 50, "{}", expected.len());
        assert_eq!(order(&mut heap), expected);
    }

    #[test]
    fn places_of_packets_are_used_again() {
        let mut heap = Heap::default();
        for id in 0..1_000 {
            heap.push(Ns(id), Event::Send { packet: packet(id, 100) });
            heap.push(Ns(id), Event::Send { packet: packet(id, 100) });
            assert_eq!(order(&mut heap).len(), 2);
        }
        assert_eq!(heap.packets.packets.len(), 2);
    }

    #[test]
    fn the_bound_is_exclusive() {
        let mut heap = Heap::default();
        heap.push(Ns(5), Event::Timer { flow: 0 });
        assert!(heap.pop_before(Ns(5)).is_none());
        assert_eq!(heap.next_at(), Some(Ns(5)));
        assert!(heap.pop_before(Ns(6)).is_some());
        assert!(heap.pop_before(Ns(u64::MAX)).is_none());
    }
}
