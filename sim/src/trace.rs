//! What happened to each packet, as a stream of events and as one hash over them.

use crate::time::Ns;

/// A step in the life of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It reached the far end of a link.
    Delivered,
    /// It is gone.
    Dropped(DropReason),
    /// The link took it.
    Enqueued,
    /// It came from another link and was offered to this one.
    Forwarded,
    /// It entered the network and was offered to the link.
    Sent,
    /// Its last bit left.
    TxDone,
    /// Its first bit left.
    TxStart,
}

/// Why a packet is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// The queue's management chose it before the queue was full.
    Aqm,
    /// It was corrupted on its way, and its receiver saw it.
    Corrupt,
    /// The link was down.
    Down,
    /// The loss model took it.
    Loss,
    /// It was larger than the link carries.
    Mtu,
    /// It was sent to an address that a middlebox had forgotten when it came there.
    Nat,
    /// It exceeded the policer's rate.
    Policer,
    /// It did not fit the queue.
    QueueFull,
}

impl DropReason {
    /// Every reason, in the order of their names.
    pub const ALL: [Self; 8] = [
        Self::Aqm,
        Self::Corrupt,
        Self::Down,
        Self::Loss,
        Self::Mtu,
        Self::Nat,
        Self::Policer,
        Self::QueueFull,
    ];

    /// Its name in traces, summaries and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aqm => "aqm",
            Self::Corrupt => "corrupt",
            Self::Down => "down",
            Self::Loss => "loss",
            Self::Mtu => "mtu",
            Self::Nat => "nat",
            Self::Policer => "policer",
            Self::QueueFull => "queue_full",
        }
    }
}

impl Step {
    const fn code(self) -> u64 {
        match self {
            Self::Delivered => 1,
            Self::Dropped(DropReason::Loss) => 2,
            Self::Dropped(DropReason::QueueFull) => 3,
            Self::Enqueued => 4,
            Self::Sent => 5,
            Self::TxDone => 6,
            Self::TxStart => 7,
            Self::Forwarded => 8,
            Self::Dropped(DropReason::Aqm) => 9,
            Self::Dropped(DropReason::Corrupt) => 10,
            Self::Dropped(DropReason::Down) => 11,
            Self::Dropped(DropReason::Mtu) => 12,
            Self::Dropped(DropReason::Nat) => 13,
            Self::Dropped(DropReason::Policer) => 14,
        }
    }
}

/// One step of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Ns,
    /// What.
    pub step: Step,
    /// Index of the link; links without a name in the scenario come after the named ones.
    pub link: u16,
    /// Index of the flow.
    pub flow: u16,
    /// Number of the packet.
    pub packet: u64,
    /// Its bytes on the link.
    pub bytes: u32,
    /// Bytes waiting at the link after the step.
    pub queued_bytes: u64,
}

impl Event {
    /// The fields in five words, in their order, small ones together.
    const fn words(&self) -> [u64; 5] {
        let place = self.step.code() | (self.link as u64) << 8 | (self.flow as u64) << 24;
        [self.at.0, place, self.packet, self.bytes as u64, self.queued_bytes]
    }
}

/// Sees every event in the order in which they happen.
pub type Sink = Box<dyn FnMut(&Event) + Send>;

/// Hashes the events and shows them to a sink, if there is one.
#[derive(Default)]
pub struct Trace {
    hash: Hash,
    sink: Option<Sink>,
}

impl Trace {
    /// Shows every event from here on to `sink`.
    pub fn set_sink(&mut self, sink: Sink) {
        self.sink = Some(sink);
    }

    /// An event happened.
    pub fn record(&mut self, event: &Event) {
        self.hash.update(event.words());
        if let Some(sink) = &mut self.sink {
            sink(event);
        }
    }

    /// Hash over all events so far.
    pub const fn hash(&self) -> u64 {
        self.hash.finish()
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").field("hash", &self.hash()).finish_non_exhaustive()
    }
}

/// A hash over 64-bit words: each is mixed in by one multiplication, as FNV-1a does with bytes,
/// after a rotation that brings the high half of the state down again.
///
/// It tells runs apart and withstands nobody. A run has millions of events, which is why it does
/// not take them byte by byte.
#[derive(Clone, Copy, Debug)]
struct Hash(u64);

impl Default for Hash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hash {
    fn update(&mut self, words: [u64; 5]) {
        for word in words {
            self.0 = (self.0.rotate_left(29) ^ word).wrapping_mul(MULTIPLIER);
        }
    }

    /// Every bit of the state moves every bit of the result.
    const fn finish(self) -> u64 {
        let folded = (self.0 ^ self.0 >> 32).wrapping_mul(MULTIPLIER);
        folded ^ folded >> 29
    }
}

/// Odd, and without a pattern in its bits: those of the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    const EVENT: Event = Event {
        at: Ns(0x0102_0304_0506_0708),
        step: Step::TxDone,
        link: 0x1112,
        flow: 0x2122,
        packet: 0x3132_3334_3536_3738,
        bytes: 0x4142_4344,
        queued_bytes: 0x5152_5354_5556_5758,
    };

    #[test]
    fn a_hash_is_the_same_on_every_machine() {
        let mut trace = Trace::default();
        trace.record(&EVENT);
        // Computed apart from this code, by the definition.
        assert_eq!(trace.hash(), 0x434f_bca9_da62_32e8);
    }

    #[test]
    fn the_order_of_events_changes_the_hash() {
        let hash_of = |events: [Event; 2]| {
            let mut trace = Trace::default();
            events.iter().for_each(|event| trace.record(event));
            trace.hash()
        };
        let other = Event { packet: 2, ..EVENT };
        assert_ne!(hash_of([EVENT, other]), hash_of([other, EVENT]));
    }

    #[test]
    fn every_field_changes_the_hash() {
        let changed = [
            Event { at: Ns(1), ..EVENT },
            Event { step: Step::TxStart, ..EVENT },
            Event { step: Step::Dropped(DropReason::Loss), ..EVENT },
            Event { step: Step::Dropped(DropReason::QueueFull), ..EVENT },
            Event { step: Step::Dropped(DropReason::Nat), ..EVENT },
            Event { link: 1, ..EVENT },
            Event { flow: 1, ..EVENT },
            Event { packet: 1, ..EVENT },
            Event { bytes: 1, ..EVENT },
            Event { queued_bytes: 1, ..EVENT },
        ];
        let hash_of = |event: &Event| {
            let mut trace = Trace::default();
            trace.record(event);
            trace.hash()
        };
        for event in &changed {
            assert_ne!(hash_of(event), hash_of(&EVENT), "{event:?}");
        }
    }

    #[test]
    fn a_sink_sees_every_event() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut trace = Trace::default();
        let store = Arc::clone(&seen);
        trace.set_sink(Box::new(move |event| store.lock().expect("one thread").push(*event)));
        trace.record(&EVENT);
        trace.record(&Event { packet: 2, ..EVENT });
        let packets: Vec<u64> = seen.lock().expect("one thread").iter().map(|e| e.packet).collect();
        assert_eq!(packets, [EVENT.packet, 2]);
    }
}
