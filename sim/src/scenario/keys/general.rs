//! The keys of a scenario file as a whole, and of its hosts, changes, phases and expectations.

use super::kinds::{
    Choice, Drift, Flag, Line, Number, Offset, Other, Pace, Time, Whole, Window, Yes,
};
use super::{Default, Key, Keys};
use crate::packet::HostId;
use crate::scenario::{Engine, Timers};
use crate::time::Ns;

/// The keys outside of every table, and the names of the tables.
pub(crate) static FILE: Keys = &[
    &SUMMARY,
    &SEED,
    &DURATION,
    &STOP_WHEN_COMPLETE,
    &ENGINE,
    &TIMERS,
    &HOSTS,
    &LINKS,
    &FLOWS,
    &AT,
    &PHASES,
    &EXPECT,
    &SWEEP,
    &VARIANTS,
];

/// The general keys that can be swept; the seed has an option of the command line.
pub(crate) static SWEPT: Keys = &[&DURATION, &STOP_WHEN_COMPLETE, &ENGINE, &TIMERS];

/// The keys of `[variant.NAME]`.
pub(crate) static VARIANT: Keys = &[
    &SEED,
    &DURATION,
    &STOP_WHEN_COMPLETE,
    &ENGINE,
    &TIMERS,
    &WITHOUT,
    &HOSTS,
    &LINKS,
    &FLOWS,
    &AT,
    &PHASES,
    &EXPECT,
];

/// The key that only a variant has.
pub(crate) static VARIANT_ONLY: Keys = &[&WITHOUT];

pub(crate) static SUMMARY: Key<Line> = Key {
    name: "summary",
    kind: Line(160),
    default: Default::Required,
    says: "What the scenario shows.",
};

pub(crate) static SEED: Key<Whole> = Key {
    name: "seed",
    kind: Whole { min: 0, max: u64::MAX },
    default: Default::Is("1"),
    says: "Seed of every random draw; `--seed` changes it.",
};

pub(crate) static DURATION: Key<Time> = Key {
    name: "duration",
    kind: Time { min: Ns::from_millis(100), max: Ns::from_secs(86_400) },
    default: Default::Required,
    says: "Simulated time after which the run ends, in steps of 100 ms.",
};

pub(crate) static STOP_WHEN_COMPLETE: Key<Flag> = Key {
    name: "stop_when_complete",
    kind: Flag,
    default: Default::Is("false"),
    says: "Whether the run ends as soon as every flow with `bytes` has delivered them.",
};

pub(crate) static ENGINE: Key<Choice<Engine>> = Key {
    name: "engine",
    kind: Choice(&[
        (Engine::Turmoil.name(), Engine::Turmoil),
        (Engine::Event.name(), Engine::Event),
    ]),
    default: Default::Is("\"turmoil\""),
    says: "What runs it: hosts that run the shipped tokio adapter, or discrete events that drive \
           the protocol core, which is faster and takes any delay.",
};

pub(crate) static TIMERS: Key<Choice<Timers>> = Key {
    name: "timers",
    kind: Choice(&[("tokio", Timers::Tokio), ("exact", Timers::Exact)]),
    default: Default::Is("\"tokio\""),
    says: "When a timer of the transport runs out: at whole milliseconds as tokio's do, or, on the \
           event engine, at its nanosecond.",
};

pub(crate) static HOSTS: Key<Other> = Key {
    name: "host",
    kind: Other { name: "tables", form: "[host.left] and [host.right]" },
    default: Default::None("clocks that run right, with a start drawn from the seed"),
    says: "The hosts at the ends of every path.",
};

pub(crate) static LINKS: Key<Other> = Key {
    name: "link",
    kind: Other { name: "tables", form: "at least one [link.NAME]" },
    default: Default::Required,
    says: "The links.",
};

pub(crate) static FLOWS: Key<Other> = Key {
    name: "flow",
    kind: Other { name: "tables", form: "at least one [[flow]]" },
    default: Default::Required,
    says: "The flows.",
};

pub(crate) static AT: Key<Other> = Key {
    name: "at",
    kind: Other { name: "tables", form: "[[at]] headers" },
    default: Default::None("nothing changes"),
    says: "What happens during the run.",
};

pub(crate) static PHASES: Key<Other> = Key {
    name: "phase",
    kind: Other { name: "tables", form: "[[phase]] headers" },
    default: Default::None("none"),
    says: "Spans to mark in the plots.",
};

pub(crate) static EXPECT: Key<Other> = Key {
    name: "expect",
    kind: Other { name: "tables", form: "[[expect]] headers" },
    default: Default::None("nothing"),
    says: "What must hold.",
};

pub(crate) static SWEEP: Key<Other> = Key {
    name: "sweep",
    kind: Other { name: "table", form: "a [sweep] header" },
    default: Default::None("one run of each variant"),
    says: "Dotted keys in quotes with lists of values: every variant runs at every combination.",
};

pub(crate) static VARIANTS: Key<Other> = Key {
    name: "variant",
    kind: Other { name: "tables", form: "[variant.NAME] headers" },
    default: Default::None("none"),
    says: "The scenario again, with other values of some keys.",
};

pub(crate) static WITHOUT: Key<Other> = Key {
    name: "without",
    kind: Other { name: "list", form: "names of flows in [ ]" },
    default: Default::Is("[]"),
    says: "Flows that are left out.",
};

/// The keys of `[host.left]` and `[host.right]`.
pub(crate) static HOST: Keys = &[&CLOCK_OFFSET, &CLOCK_DRIFT];

pub(crate) static CLOCK_OFFSET: Key<Time> = Key {
    name: "clock_offset",
    kind: Time { min: Ns::ZERO, max: Ns::from_secs(86_400) },
    default: Default::None("drawn from the seed"),
    says: "What its clock shows at the start, in whole microseconds. Time stamps wrap every \
           4294.967296 s.",
};

pub(crate) static CLOCK_DRIFT: Key<Drift> = Key {
    name: "clock_drift",
    kind: Drift { min: -DRIFT_MAX_PPM, max: DRIFT_MAX_PPM },
    default: Default::Is("\"0ppm\""),
    says: "How much faster than true its clock runs, or slower when negative.",
};

/// A hundredth is twenty times as wrong as the worst clock in use.
const DRIFT_MAX_PPM: i32 = 10_000;

/// The keys that every `[[at]]` has, and those of each subject.
pub(crate) static AT_TIME: Keys = &[&TIME];
pub(crate) static AT_LINK: Keys = &[&AT_LINK_NAME];
pub(crate) static AT_HOST: Keys = &[&AT_HOST_NAME, &EVENT, &CLOCK_STEP, &AT_CLOCK_DRIFT];
pub(crate) static AT_FLOW: Keys = &[&AT_FLOW_NAME, &NAT_REBIND, &AT_READ_RATE, &AT_WRITE_RATE];

pub(crate) static TIME: Key<Time> = Key {
    name: "time",
    kind: Time { min: Ns::ZERO, max: Ns::from_secs(86_400) },
    default: Default::Required,
    says: "When; before the end of the run. What happens at one time happens in the order of the \
           file.",
};

pub(crate) static AT_LINK_NAME: Key<Other> = Key {
    name: "link",
    kind: Other { name: "link", form: "the name of a link" },
    default: Default::None("another subject"),
    says: "The link that changes, along with any key of a link; it keeps all others.",
};

pub(crate) static AT_HOST_NAME: Key<Choice<HostId>> = Key {
    name: "host",
    kind: Choice(&[("left", HostId::Left), ("right", HostId::Right)]),
    default: Default::None("another subject"),
    says: "The host to which something happens: one of the three keys below.",
};

pub(crate) static EVENT: Key<Choice<Event>> = Key {
    name: "event",
    kind: Choice(&[
        ("crash", Event::Crash),
        ("restart", Event::Restart),
        ("pause", Event::Pause),
        ("resume", Event::Resume),
    ]),
    default: Default::None("none"),
    says: "It is gone without a word; comes back and knows nothing; stands still while what arrives \
           waits; goes on.",
};

/// What can happen to a host as a whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Crash,
    Pause,
    Restart,
    Resume,
}

pub(crate) static CLOCK_STEP: Key<Offset> = Key {
    name: "clock_step",
    kind: Offset,
    default: Default::None("none"),
    says: "Its clock is set forward, or back when negative; its timers do not notice.",
};

pub(crate) static AT_CLOCK_DRIFT: Key<Drift> = Key {
    name: "clock_drift",
    kind: Drift { min: -DRIFT_MAX_PPM, max: DRIFT_MAX_PPM },
    default: Default::None("as before"),
    says: "How much faster than true its clock runs from now on.",
};

pub(crate) static AT_FLOW_NAME: Key<Other> = Key {
    name: "flow",
    kind: Other { name: "flow", form: "the name of a utp flow" },
    default: Default::None("another subject"),
    says: "The utp flow to which something happens, all of them when it has a `count`: one of the \
           three keys below.",
};

pub(crate) static NAT_REBIND: Key<Yes> = Key {
    name: "nat_rebind",
    kind: Yes,
    default: Default::None("no"),
    says: "A middlebox forgets the sender's address and gives it a new one.",
};

pub(crate) static AT_READ_RATE: Key<Pace> = Key {
    name: "read_rate",
    kind: Pace,
    default: Default::None("as before"),
    says: "As the key of the flow, from now on.",
};

pub(crate) static AT_WRITE_RATE: Key<Pace> = Key {
    name: "write_rate",
    kind: Pace,
    default: Default::None("as before"),
    says: "As the key of the flow, from now on.",
};

/// The keys of `[[phase]]`.
pub(crate) static PHASE: Keys = &[&PHASE_NAME, &FROM, &TO];

pub(crate) static PHASE_NAME: Key<Line> =
    Key { name: "name", kind: Line(40), default: Default::Required, says: "Its label." };

pub(crate) static FROM: Key<Time> = Key {
    name: "from",
    kind: Time { min: Ns::ZERO, max: Ns::from_secs(86_400) },
    default: Default::Required,
    says: "Its start, in steps of 100 ms.",
};

pub(crate) static TO: Key<Time> = Key {
    name: "to",
    kind: Time { min: Ns::ZERO, max: Ns::from_secs(86_400) },
    default: Default::Required,
    says: "Its end, in steps of 100 ms.",
};

/// The keys of `[[expect]]`.
pub(crate) static EXPECTATION: Keys = &[&METRIC, &WINDOW, &MIN, &MAX, &ABOUT, &WHEN];

pub(crate) static METRIC: Key<Other> = Key {
    name: "metric",
    kind: Other { name: "metric", form: "the name of a metric" },
    default: Default::Required,
    says: "What is measured.",
};

pub(crate) static WINDOW: Key<Window> = Key {
    name: "window",
    kind: Window,
    default: Default::None("the whole run"),
    says: "Over which time it is measured; counters cover the whole run only.",
};

pub(crate) static MIN: Key<Number> = Key {
    name: "min",
    kind: Number,
    default: Default::None("no bound"),
    says: "Smallest value that passes; one of `min` and `max` has to be there.",
};

pub(crate) static MAX: Key<Number> = Key {
    name: "max",
    kind: Number,
    default: Default::None("no bound"),
    says: "Largest value that passes.",
};

pub(crate) static ABOUT: Key<Other> = Key {
    name: "variants",
    kind: Other { name: "list of names", form: "names of variants in [ ]" },
    default: Default::None("the base scenario alone"),
    says: "The variants of which it must hold, `default` for the base scenario; for expectations at \
           the top level.",
};

pub(crate) static WHEN: Key<Other> = Key {
    name: "when",
    kind: Other { name: "table", form: "{ \"link.NAME.delay\" = \"5ms\" }" },
    default: Default::None("at every point of a sweep"),
    says: "Swept keys and the values at which it must hold, written as in the sweep.",
};
