//! The keys of a queue, for every kind of queue.

use super::kinds::{Choice, Size, Time, Whole};
use super::link::{BYTES_MAX, FULL_PACKET};
use super::{Default, Key, Keys};
use crate::time::Ns;

pub(crate) static QUEUE_KIND: Key<Choice<QueueKind>> = Key {
    name: "kind",
    kind: Choice(&[
        ("droptail", QueueKind::Droptail),
        ("codel", QueueKind::Codel),
        ("fq-codel", QueueKind::FqCodel),
        ("pie", QueueKind::Pie),
    ]),
    default: Default::Required,
    says: "First in, first out; CoDel (RFC 8289); FQ-CoDel (RFC 8290); PIE (RFC 8033).",
};

/// The disciplines of queues.
#[derive(Clone, Copy)]
pub(crate) enum QueueKind {
    Codel,
    Droptail,
    FqCodel,
    Pie,
}

/// The keys of `queue` of each kind.
pub(crate) static DROPTAIL: Keys = &[&QUEUE_KIND, &BYTES_LIMIT, &PACKETS_LIMIT];
pub(crate) static CODEL: Keys = &[&QUEUE_KIND, &CODEL_TARGET, &CODEL_INTERVAL, &BYTES_LIMIT];
pub(crate) static FQ_CODEL: Keys =
    &[&QUEUE_KIND, &CODEL_TARGET, &CODEL_INTERVAL, &QUANTUM, &FLOWS, &FQ_PACKETS_LIMIT];
pub(crate) static PIE: Keys = &[&QUEUE_KIND, &PIE_TARGET, &PIE_UPDATE, &PIE_BURST, &BYTES_LIMIT];

pub(crate) static BYTES_LIMIT: Key<Size> = Key {
    name: "bytes_max",
    kind: Size { min: FULL_PACKET, max: BYTES_MAX },
    default: Default::None("no limit"),
    says: "Bytes that can wait; at least one full packet.",
};

pub(crate) static PACKETS_LIMIT: Key<Whole> = Key {
    name: "packets_max",
    kind: Whole { min: 1, max: PACKETS_MAX },
    default: Default::None("no limit"),
    says: "Packets that can wait.",
};

pub(crate) static CODEL_TARGET: Key<Time> = Key {
    name: "target",
    kind: Time { min: Ns::from_micros(1), max: AQM_MAX },
    default: Default::Is("\"5ms\""),
    says: "Standing delay that is acceptable; below `interval`.",
};

pub(crate) static CODEL_INTERVAL: Key<Time> = Key {
    name: "interval",
    kind: Time { min: Ns::from_micros(1), max: AQM_MAX },
    default: Default::Is("\"100ms\""),
    says: "Time in which the delay has to come below the target.",
};

pub(crate) static QUANTUM: Key<Whole> = Key {
    name: "quantum",
    kind: Whole { min: 256, max: 1_000_000 },
    default: Default::Is("1514"),
    says: "Bytes that a queue may send in a turn.",
};

pub(crate) static FLOWS: Key<Whole> = Key {
    name: "flows",
    kind: Whole { min: 1, max: 65_536 },
    default: Default::Is("1024"),
    says: "Queues that flows are hashed into.",
};

pub(crate) static FQ_PACKETS_LIMIT: Key<Whole> = Key {
    name: "packets_max",
    kind: Whole { min: 1, max: PACKETS_MAX },
    default: Default::Is("10240"),
    says: "Packets that can wait in all queues together.",
};

pub(crate) static PIE_TARGET: Key<Time> = Key {
    name: "target",
    kind: Time { min: Ns::from_micros(1), max: AQM_MAX },
    default: Default::Is("\"15ms\""),
    says: "Delay that the chance of a drop steers towards.",
};

pub(crate) static PIE_UPDATE: Key<Time> = Key {
    name: "update",
    kind: Time { min: Ns::from_micros(100), max: AQM_MAX },
    default: Default::Is("\"15ms\""),
    says: "Time between two updates of the chance of a drop.",
};

pub(crate) static PIE_BURST: Key<Time> = Key {
    name: "burst",
    kind: Time { min: Ns::ZERO, max: AQM_MAX },
    default: Default::Is("\"150ms\""),
    says: "Length of a burst that is let through after idle times.",
};

/// No queue discipline works in longer times.
const AQM_MAX: Ns = Ns::from_secs(10);

/// More than any device holds.
const PACKETS_MAX: u64 = 1_000_000_000;
