//! What happened to each packet, as a stream of events and as one hash over them.

use crate::time::Ns;

/// A step in the life of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It reached the far end.
    Delivered,
    /// It is gone.
    Dropped(DropReason),
    /// The link took it.
    Enqueued,
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
    /// The loss model took it.
    Loss,
    /// It did not fit the queue.
    QueueFull,
}

impl DropReason {
    /// Its name in traces, summaries and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::QueueFull => "queue_full",
        }
    }
}

impl Step {
    const fn code(self) -> u8 {
        match self {
            Self::Delivered => 1,
            Self::Dropped(DropReason::Loss) => 2,
            Self::Dropped(DropReason::QueueFull) => 3,
            Self::Enqueued => 4,
            Self::Sent => 5,
            Self::TxDone => 6,
            Self::TxStart => 7,
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
    /// Length of the encoded form.
    pub const ENCODED_LEN: usize = 33;

    /// Fixed-width little-endian form, in the order of the fields.
    pub fn encode(&self) -> [u8; Self::ENCODED_LEN] {
        let mut bytes = [0; Self::ENCODED_LEN];
        bytes[..8].copy_from_slice(&self.at.0.to_le_bytes());
        bytes[8] = self.step.code();
        bytes[9..11].copy_from_slice(&self.link.to_le_bytes());
        bytes[11..13].copy_from_slice(&self.flow.to_le_bytes());
        bytes[13..21].copy_from_slice(&self.packet.to_le_bytes());
        bytes[21..25].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[25..].copy_from_slice(&self.queued_bytes.to_le_bytes());
        bytes
    }
}

/// Sees every event in the order in which they happen.
pub type Sink = Box<dyn FnMut(&Event) + Send>;

/// Hashes the events and shows them to a sink, if there is one.
#[derive(Default)]
pub struct Trace {
    hash: Fnv1a,
    sink: Option<Sink>,
}

impl Trace {
    /// Shows every event from here on to `sink`.
    pub fn set_sink(&mut self, sink: Sink) {
        self.sink = Some(sink);
    }

    /// An event happened.
    pub fn record(&mut self, event: &Event) {
        self.hash.update(&event.encode());
        if let Some(sink) = &mut self.sink {
            sink(event);
        }
    }

    /// Hash over all events so far.
    pub const fn hash(&self) -> u64 {
        self.hash.0
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// The 64-bit FNV-1a hash.
#[derive(Clone, Copy, Debug)]
struct Fnv1a(u64);

impl Default for Fnv1a {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv1a {
    fn update(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

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
    fn hash_matches_published_vectors() {
        let mut hash = Fnv1a::default();
        hash.update(b"");
        assert_eq!(hash.0, 0xcbf2_9ce4_8422_2325);
        hash.update(b"foobar");
        assert_eq!(hash.0, 0x8594_4171_f739_67e8);
    }

    #[test]
    fn events_encode_little_endian_in_field_order() {
        let encoded = EVENT.encode();
        assert_eq!(encoded[..8], [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(encoded[8], 6);
        assert_eq!(encoded[9..13], [0x12, 0x11, 0x22, 0x21]);
        assert_eq!(encoded[13..21], [0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31]);
        assert_eq!(encoded[21..25], [0x44, 0x43, 0x42, 0x41]);
        assert_eq!(encoded[25..], [0x58, 0x57, 0x56, 0x55, 0x54, 0x53, 0x52, 0x51]);
    }

    #[test]
    fn every_field_changes_the_hash() {
        let changed = [
            Event { at: Ns(1), ..EVENT },
            Event { step: Step::TxStart, ..EVENT },
            Event { step: Step::Dropped(DropReason::Loss), ..EVENT },
            Event { step: Step::Dropped(DropReason::QueueFull), ..EVENT },
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
