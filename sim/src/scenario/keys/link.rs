//! The keys of a link, and of the tables in it.

use super::kinds::{Choice, Flag, Other, Rate, Share, Size, Time, Whole};
use super::{Default, Key, Keys};
use crate::scenario::LinkState;
use crate::time::Ns;

/// The keys of `[link.NAME]`, in the order in which a packet meets them after `rate` and `delay`.
pub(crate) static LINK: Keys = &[
    &RATE,
    &DELAY,
    &STATE,
    &MTU,
    &LOSS,
    &POLICER,
    &QUEUE,
    &AGGREGATION,
    &JITTER,
    &REORDER,
    &CORRUPT,
    &DUPLICATE,
];

pub(crate) static RATE: Key<Other> = Key {
    name: "rate",
    kind: Other {
        name: "rate or table",
        form: "a number above 0 with bit, kbit, mbit or gbit, such as \"10mbit\"; \"unlimited\"; \
               { schedule = [[\"0s\", \"20mbit\"], [\"10s\", \"5mbit\"]] }; or { trace = \"FILE\" }",
    },
    default: Default::Is("\"unlimited\""),
    says: "How fast bits leave: constant, by a schedule, or as a recorded trace of deliveries says. \
           Without a limit nothing ever waits.",
};

pub(crate) static DELAY: Key<Time> = Key {
    name: "delay",
    kind: Time { min: Ns::from_micros(1), max: DELAY_MAX },
    default: Default::Required,
    says: "Time from one end to the other, once the last bit has left. On the turmoil engine the \
           last link of a path between hosts takes at least 1 ms.",
};

pub(crate) static STATE: Key<Choice<LinkState>> = Key {
    name: "state",
    kind: Choice(&[
        ("up", LinkState::Up),
        ("down", LinkState::Down),
        ("stalled", LinkState::Stalled),
    ]),
    default: Default::Is("\"up\""),
    says: "Whether it works. Down, it loses what is offered and what waits; stalled, nothing leaves \
           and the queue fills.",
};

pub(crate) static MTU: Key<Other> = Key {
    name: "mtu",
    kind: Other { name: "table", form: "{ bytes = 1280, icmp = false }, or \"none\"" },
    default: Default::Is("\"none\""),
    says: "The largest packet that the link carries; larger ones are dropped.",
};

pub(crate) static LOSS: Key<Other> = Key {
    name: "loss",
    kind: Other {
        name: "share or table",
        form: "0% to 100% in steps of 0.0001%, such as \"0.5%\"; \
               { to_bad = \"1%\", to_good = \"25%\" }; or { list = [3, 17] }",
    },
    default: Default::Is("\"0%\""),
    says: "Packets lost before the queue: each on its own, in bursts (Gilbert-Elliott), or listed.",
};

pub(crate) static POLICER: Key<Other> = Key {
    name: "policer",
    kind: Other { name: "table", form: "{ rate = \"10mbit\", burst_bytes = 15_000 }, or \"none\"" },
    default: Default::Is("\"none\""),
    says: "A token bucket that drops what exceeds it instead of queueing it.",
};

pub(crate) static QUEUE: Key<Other> = Key {
    name: "queue",
    kind: Other {
        name: "table",
        form: "{ kind = \"droptail\", bytes_max = 125_000 }, or one of the kinds \"codel\", \
               \"fq-codel\" and \"pie\"; or \"none\"",
    },
    default: Default::Is("\"none\""),
    says: "What waits for the transmitter, and what is dropped of it. Without one packets wait in \
           order and none is dropped.",
};

pub(crate) static AGGREGATION: Key<Other> = Key {
    name: "aggregation",
    kind: Other {
        name: "table",
        form: "{ hold_min = \"1ms\", hold_max = \"8ms\", gap_min = \"2ms\", gap_max = \"20ms\" }, \
               or \"none\"",
    },
    default: Default::Is("\"none\""),
    says: "Wi-Fi-like bursts: now and then the medium is away, and what left the transmitter \
           meanwhile arrives together.",
};

pub(crate) static JITTER: Key<Other> = Key {
    name: "jitter",
    kind: Other { name: "table", form: "{ max = \"20ms\", reorder = false }, or \"none\"" },
    default: Default::Is("\"none\""),
    says: "Random addition to the delay, uniform from 0 to `max`.",
};

pub(crate) static REORDER: Key<Other> = Key {
    name: "reorder",
    kind: Other { name: "table", form: "{ share = \"2%\", delay = \"10ms\" }, or \"none\"" },
    default: Default::Is("\"none\""),
    says: "Single packets that are delayed on their own, so that later ones overtake them.",
};

pub(crate) static CORRUPT: Key<Other> = Key {
    name: "corrupt",
    kind: Other { name: "table", form: "{ header = \"0.1%\", payload = \"0%\" }, or \"none\"" },
    default: Default::Is("\"none\""),
    says: "Packets in which one bit is flipped, as a broken middlebox does behind the checksum.",
};

pub(crate) static DUPLICATE: Key<Share> = Key {
    name: "duplicate",
    kind: Share,
    default: Default::Is("\"0%\""),
    says: "Packets that arrive twice.",
};

/// `rate = { … }` by a schedule.
pub(crate) static SCHEDULED_RATE: Keys = &[&SCHEDULE, &REPEAT];

pub(crate) static SCHEDULE: Key<Other> = Key {
    name: "schedule",
    kind: Other {
        name: "list",
        form: "pairs of a time and a rate, such as [[\"0s\", \"20mbit\"], [\"10s\", \"5mbit\"]]",
    },
    default: Default::Required,
    says: "From when on which rate holds, the first from \"0s\", in order; times count from the \
           moment at which the schedule is set.",
};

pub(crate) static REPEAT: Key<Time> = Key {
    name: "repeat",
    kind: Time { min: Ns::from_millis(1), max: RUN_MAX },
    default: Default::None("the last rate stays"),
    says: "The schedule begins again after this time.",
};

/// `rate = { … }` by a trace.
pub(crate) static TRACED_RATE: Keys = &[&TRACE];

pub(crate) static TRACE: Key<Other> = Key {
    name: "trace",
    kind: Other { name: "file", form: "the name of a file, relative to the scenario file" },
    default: Default::Required,
    says: "A trace in the form of Mahimahi: each line is a millisecond at which one packet of 1500 \
           bytes can leave; it repeats after the last.",
};

/// The keys of `mtu`.
pub(crate) static MTU_KEYS: Keys = &[&MTU_BYTES, &MTU_ICMP];

pub(crate) static MTU_BYTES: Key<Whole> = Key {
    name: "bytes",
    kind: Whole { min: 68, max: 65_535 },
    default: Default::Required,
    says: "Bytes of the largest packet, IP and UDP headers included.",
};

pub(crate) static MTU_ICMP: Key<Flag> = Key {
    name: "icmp",
    kind: Flag,
    default: Default::Is("false"),
    says: "Whether the sender of a packet that is too large hears of it.",
};

/// The keys of `loss` in bursts.
pub(crate) static BURST_LOSS: Keys = &[&TO_BAD, &TO_GOOD, &LOSS_GOOD, &LOSS_BAD];

pub(crate) static TO_BAD: Key<Share> = Key {
    name: "to_bad",
    kind: Share,
    default: Default::Required,
    says: "Chance of going from the good state to the bad one, for each packet.",
};

pub(crate) static TO_GOOD: Key<Share> = Key {
    name: "to_good",
    kind: Share,
    default: Default::Required,
    says: "Chance of going from the bad state to the good one, for each packet.",
};

pub(crate) static LOSS_GOOD: Key<Share> = Key {
    name: "loss_good",
    kind: Share,
    default: Default::Is("\"0%\""),
    says: "Packets lost in the good state.",
};

pub(crate) static LOSS_BAD: Key<Share> = Key {
    name: "loss_bad",
    kind: Share,
    default: Default::Is("\"100%\""),
    says: "Packets lost in the bad state.",
};

/// The keys of listed `loss`.
pub(crate) static LISTED_LOSS: Keys = &[&LOSS_LIST];

pub(crate) static LOSS_LIST: Key<Other> = Key {
    name: "list",
    kind: Other { name: "list", form: "ascending integers from 0, such as [3, 17]" },
    default: Default::Required,
    says: "Numbers of the packets that are lost, in the order of being offered to the link, from 0.",
};

/// The keys of `policer`.
pub(crate) static POLICER_KEYS: Keys = &[&POLICER_RATE, &POLICER_BURST];

pub(crate) static POLICER_RATE: Key<Rate> = Key {
    name: "rate",
    kind: Rate,
    default: Default::Required,
    says: "Bits per second that pass in the long run.",
};

pub(crate) static POLICER_BURST: Key<Size> = Key {
    name: "burst_bytes",
    kind: Size { min: FULL_PACKET, max: BYTES_MAX },
    default: Default::Required,
    says: "Bytes that pass at once after a pause; at least one full packet.",
};

/// The keys of `aggregation`.
pub(crate) static AGGREGATION_KEYS: Keys = &[&HOLD_MIN, &HOLD_MAX, &GAP_MIN, &GAP_MAX];

pub(crate) static HOLD_MIN: Key<Time> = Key {
    name: "hold_min",
    kind: Time { min: Ns::ZERO, max: DELAY_MAX },
    default: Default::Required,
    says: "Shortest time for which packets are held.",
};

pub(crate) static HOLD_MAX: Key<Time> = Key {
    name: "hold_max",
    kind: Time { min: Ns::from_micros(1), max: DELAY_MAX },
    default: Default::Required,
    says: "Longest time for which packets are held.",
};

pub(crate) static GAP_MIN: Key<Time> = Key {
    name: "gap_min",
    kind: Time { min: Ns::ZERO, max: DELAY_MAX },
    default: Default::Required,
    says: "Shortest time between two holds.",
};

pub(crate) static GAP_MAX: Key<Time> = Key {
    name: "gap_max",
    kind: Time { min: Ns::from_micros(1), max: DELAY_MAX },
    default: Default::Required,
    says: "Longest time between two holds.",
};

/// The keys of `jitter`.
pub(crate) static JITTER_KEYS: Keys = &[&JITTER_MAX, &JITTER_REORDER];

pub(crate) static JITTER_MAX: Key<Time> = Key {
    name: "max",
    kind: Time { min: Ns::ZERO, max: DELAY_MAX },
    default: Default::Required,
    says: "Largest addition.",
};

pub(crate) static JITTER_REORDER: Key<Flag> = Key {
    name: "reorder",
    kind: Flag,
    default: Default::Is("false"),
    says: "Whether packets may overtake each other; otherwise each waits for the one before.",
};

/// The keys of `reorder`.
pub(crate) static REORDER_KEYS: Keys = &[&REORDER_SHARE, &REORDER_DELAY];

pub(crate) static REORDER_SHARE: Key<Share> = Key {
    name: "share",
    kind: Share,
    default: Default::Required,
    says: "How many packets come late.",
};

pub(crate) static REORDER_DELAY: Key<Time> = Key {
    name: "delay",
    kind: Time { min: Ns::from_micros(1), max: DELAY_MAX },
    default: Default::Required,
    says: "By how much.",
};

/// The keys of `corrupt`.
pub(crate) static CORRUPT_KEYS: Keys = &[&CORRUPT_HEADER, &CORRUPT_PAYLOAD];

pub(crate) static CORRUPT_HEADER: Key<Share> = Key {
    name: "header",
    kind: Share,
    default: Default::Is("\"0%\""),
    says: "Packets in which a bit of the transport's header is flipped.",
};

pub(crate) static CORRUPT_PAYLOAD: Key<Share> = Key {
    name: "payload",
    kind: Share,
    default: Default::Is("\"0%\""),
    says: "Packets in which a bit of the payload is flipped.",
};

/// Longer than any path that a transport is built for.
const DELAY_MAX: Ns = Ns::from_secs(60);

/// The longest run.
const RUN_MAX: Ns = Ns::from_secs(86_400);

/// A smaller queue would lose every packet that finds the link busy.
pub(super) const FULL_PACKET: u64 = 1_500;

/// More than any device holds.
pub(super) const BYTES_MAX: u64 = 1_000_000_000_000;
