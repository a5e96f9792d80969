//! The keys of a flow, for every kind of flow.

use super::kinds::{Choice, Drift, Flag, Other, Pace, Rate, Size, Time, Whole, Yes};
use super::{Default, Key, Keys};
use crate::packet::FLOWS_MAX;
use crate::scenario::{QuicController, Stack};
use crate::time::Ns;

/// The keys of every `[[flow]]`.
pub(crate) static FLOW: Keys =
    &[&NAME, &KIND, &VIA, &BACK, &START, &START_JITTER, &STOP, &COUNT, &STAGGER];

/// What else a flow of each kind can say.
pub(crate) static UTP: Keys =
    &[&SENDER, &RECEIVER, &CONTROLLER, &TARGET, &BYTES, &WRITE_RATE, &READ_RATE, &LIE];
/// The same where libutp sends, which has a congestion controller of its own.
pub(crate) static UTP_BY_LIBUTP: Keys =
    &[&SENDER, &RECEIVER, &BYTES, &WRITE_RATE, &READ_RATE, &LIE];
pub(crate) static TCP: Keys = &[&BYTES];
pub(crate) static CBR: Keys = &[&RATE, &INTERVAL];
pub(crate) static ON_OFF: Keys = &[&RATE, &INTERVAL, &ON, &OFF, &RANDOM];
pub(crate) static REQUEST_RESPONSE: Keys = &[&REQUEST_BYTES, &RESPONSE_BYTES, &THINK];
pub(crate) static QUIC: Keys = &[&QUIC_CONTROLLER, &BYTES];

/// What sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Cbr,
    Cubic,
    OnOff,
    Quic,
    Reno,
    RequestResponse,
    Utp,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cbr => "cbr",
            Self::Cubic => "cubic",
            Self::OnOff => "on-off",
            Self::Quic => "quic",
            Self::Reno => "reno",
            Self::RequestResponse => "request-response",
            Self::Utp => "utp",
        }
    }

    /// Its own keys.
    pub(crate) fn keys(self) -> Keys {
        match self {
            Self::Cbr => CBR,
            Self::Cubic | Self::Reno => TCP,
            Self::OnOff => ON_OFF,
            Self::Quic => QUIC,
            Self::RequestResponse => REQUEST_RESPONSE,
            Self::Utp => UTP,
        }
    }
}

pub(crate) static NAME: Key<Other> = Key {
    name: "name",
    kind: Other { name: "name", form: "1 to 24 of the characters A-Z, a-z, 0-9, - and _" },
    default: Default::Required,
    says: "What metrics, plots, variants and changes call it.",
};

pub(crate) static KIND: Key<Choice<Kind>> = Key {
    name: "kind",
    kind: Choice(&[
        (Kind::Utp.name(), Kind::Utp),
        (Kind::Reno.name(), Kind::Reno),
        (Kind::Cubic.name(), Kind::Cubic),
        (Kind::Cbr.name(), Kind::Cbr),
        (Kind::OnOff.name(), Kind::OnOff),
        (Kind::RequestResponse.name(), Kind::RequestResponse),
        (Kind::Quic.name(), Kind::Quic),
    ]),
    default: Default::Required,
    says: "What sends: the uTP stack of this project, TCP Reno, TCP CUBIC, a constant bit rate, \
           bursts of one, requests that are answered, or, in a build with the feature `quic`, a \
           real QUIC stack.",
};

pub(crate) static VIA: Key<Other> = Key {
    name: "via",
    kind: Other { name: "link or list", form: "the name of a link, or names in [ ]" },
    default: Default::Required,
    says: "The links that its data takes, in order, from the left host to the right one.",
};

pub(crate) static BACK: Key<Other> = Key {
    name: "back",
    kind: Other { name: "link or list", form: "the name of a link, or names in [ ]" },
    default: Default::None("an ideal path with the delays of `via`"),
    says: "The links that its acknowledgements take, in order.",
};

pub(crate) static START: Key<Time> = Key {
    name: "start",
    kind: Time { min: Ns::ZERO, max: RUN_MAX },
    default: Default::Is("\"0s\""),
    says: "When it starts; before the end of the run.",
};

pub(crate) static START_JITTER: Key<Time> = Key {
    name: "start_jitter",
    kind: Time { min: Ns::ZERO, max: RUN_MAX },
    default: Default::Is("\"0s\""),
    says: "The start is later by a time from 0 to this, drawn from the seed.",
};

pub(crate) static STOP: Key<Time> = Key {
    name: "stop",
    kind: Time { min: Ns(1), max: RUN_MAX },
    default: Default::None("the end of the run"),
    says: "When it stops sending; after its start.",
};

pub(crate) static COUNT: Key<Whole> = Key {
    name: "count",
    kind: Whole { min: 1, max: FLOWS_MAX as u64 },
    default: Default::None("one flow, NAME"),
    says: "So many flows that are alike, NAME-1, NAME-2 and so on.",
};

pub(crate) static STAGGER: Key<Time> = Key {
    name: "stagger",
    kind: Time { min: Ns::ZERO, max: RUN_MAX },
    default: Default::Is("\"0s\""),
    says: "Time between the starts of flows with a `count`.",
};

pub(crate) static SENDER: Key<Choice<Stack>> = Key {
    name: "sender",
    kind: STACKS,
    default: Default::Is("\"ours\""),
    says: "What sends: the stack of this project, or, on the event engine of a build with the \
           feature `reference`, the real libutp.",
};

pub(crate) static RECEIVER: Key<Choice<Stack>> = Key {
    name: "receiver",
    kind: STACKS,
    default: Default::Is("\"ours\""),
    says: "What receives, likewise.",
};

pub(crate) static CONTROLLER: Key<Other> = Key {
    name: "controller",
    kind: Other { name: "controller", form: "the name of a congestion controller" },
    default: Default::Is("\"utp\""),
    says: "The congestion controller of the sender, unless that is libutp.",
};

pub(crate) static TARGET: Key<Time> = Key {
    name: "target",
    kind: Time { min: Ns::from_millis(1), max: Ns::from_millis(100) },
    default: Default::None("that of the law"),
    says: "The queueing delay that the controller steers for, where the law lets it be chosen; \
           whole microseconds.",
};

pub(crate) static BYTES: Key<Size> = Key {
    name: "bytes",
    kind: Size { min: 1, max: BYTES_MAX },
    default: Default::None("it never ends"),
    says: "Size of the transfer.",
};

pub(crate) static WRITE_RATE: Key<Pace> = Key {
    name: "write_rate",
    kind: Pace,
    default: Default::Is("\"unlimited\""),
    says: "Payload bits per second that the sending application produces at most.",
};

pub(crate) static READ_RATE: Key<Pace> = Key {
    name: "read_rate",
    kind: Pace,
    default: Default::Is("\"unlimited\""),
    says: "Payload bits per second that the receiving application reads at most.",
};

pub(crate) static LIE: Key<Other> = Key {
    name: "lie",
    kind: Other {
        name: "table",
        form: "one of { ack = true }, { delay = \"50ms\" }, { slew = \"500ppm\" } and \
               { ratchet = \"10ms\" }",
    },
    default: Default::None("an honest receiver"),
    says: "What the receiver's acknowledgements lie about.",
};

/// The keys of `lie`, one at a time.
pub(crate) static LIES: Keys = &[&LIE_ACK, &LIE_DELAY, &LIE_SLEW, &LIE_RATCHET];

pub(crate) static LIE_ACK: Key<Yes> = Key {
    name: "ack",
    kind: Yes,
    default: Default::None("honest"),
    says: "It acknowledges everything that was sent, arrived or not.",
};

pub(crate) static LIE_DELAY: Key<Time> = Key {
    name: "delay",
    kind: Time { min: Ns::ZERO, max: LIE_MAX },
    default: Default::None("honest"),
    says: "It reports this one delay for ever.",
};

pub(crate) static LIE_SLEW: Key<Drift> = Key {
    name: "slew",
    kind: Drift { min: 1, max: 1_000_000 },
    default: Default::None("honest"),
    says: "Its clock seems to run slower by so much: each reported delay shrinks as time goes on.",
};

pub(crate) static LIE_RATCHET: Key<Time> = Key {
    name: "ratchet",
    kind: Time { min: Ns::from_micros(1), max: LIE_MAX },
    default: Default::None("honest"),
    says: "Its own packets seem to become faster by so much with every acknowledgement.",
};

pub(crate) static RATE: Key<Rate> = Key {
    name: "rate",
    kind: Rate,
    default: Default::Required,
    says: "Payload bits per second; with `interval`, 1 to 1400 whole bytes a packet.",
};

pub(crate) static INTERVAL: Key<Time> = Key {
    name: "interval",
    kind: Time { min: Ns(1), max: RUN_MAX },
    default: Default::Is("\"20ms\""),
    says: "Time between packets.",
};

pub(crate) static ON: Key<Time> = Key {
    name: "on",
    kind: Time { min: Ns::from_millis(1), max: RUN_MAX },
    default: Default::Required,
    says: "Length of a burst; the mean of a random one.",
};

pub(crate) static OFF: Key<Time> = Key {
    name: "off",
    kind: Time { min: Ns::from_millis(1), max: RUN_MAX },
    default: Default::Required,
    says: "Length of the silence between bursts; the mean of a random one.",
};

pub(crate) static RANDOM: Key<Flag> = Key {
    name: "random",
    kind: Flag,
    default: Default::Is("false"),
    says: "Whether lengths are drawn from an exponential distribution.",
};

pub(crate) static REQUEST_BYTES: Key<Size> = Key {
    name: "request_bytes",
    kind: Size { min: 1, max: BYTES_MAX },
    default: Default::Required,
    says: "Payload of a request, which goes along `back`.",
};

pub(crate) static RESPONSE_BYTES: Key<Size> = Key {
    name: "response_bytes",
    kind: Size { min: 1, max: BYTES_MAX },
    default: Default::Required,
    says: "Payload of a response, which goes along `via`.",
};

pub(crate) static THINK: Key<Time> = Key {
    name: "think",
    kind: Time { min: Ns::ZERO, max: RUN_MAX },
    default: Default::Is("\"0s\""),
    says: "Time between a response and the next request.",
};

pub(crate) static QUIC_CONTROLLER: Key<Choice<QuicController>> = Key {
    name: "controller",
    kind: Choice(&[("cubic", QuicController::Cubic), ("bbr", QuicController::Bbr)]),
    default: Default::Is("\"cubic\""),
    says: "The congestion controller of the sender.",
};

/// Both ends have the same choice.
const STACKS: Choice<Stack> = Choice(&[("ours", Stack::Ours), ("libutp", Stack::Libutp)]);

/// The longest run.
const RUN_MAX: Ns = Ns::from_secs(86_400);

/// More than any run can move.
const BYTES_MAX: u64 = 1_000_000_000_000;

/// The time stamps of uTP cannot show more.
const LIE_MAX: Ns = Ns::from_secs(3_600);
