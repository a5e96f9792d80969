//! A validated scenario: what the engines run. Parsing and checking live beside this file.

use crate::time::Ns;
use std::path::PathBuf;

/// One scenario file: its base scenario and the variants that change some of its keys.
#[derive(Clone, Debug)]
pub struct ScenarioFile {
    /// The file's stem, the name of its results folder.
    pub name: String,
    /// Where it was read from.
    pub path: PathBuf,
    /// First 16 hexadecimal digits of the SHA-256 of the file, line endings as `\n`: says in every
    /// output which text it came from.
    pub digest: String,
    /// One line that says what the scenario shows.
    pub summary: String,
    /// What runs it.
    pub engine: Engine,
    /// The base scenario first, named `default`, then the variants in the order of the file.
    pub variants: Vec<Scenario>,
}

/// What runs a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Turmoil hosts that run the shipped tokio adapter.
    #[default]
    Turmoil,
}

impl Engine {
    /// Its name in scenario files and outputs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Turmoil => "turmoil",
        }
    }
}

/// One runnable scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// `default` or the variant's name.
    pub variant: String,
    /// Seed of every random stream of the run.
    pub seed: u64,
    /// Simulated time after which the run ends.
    pub duration: Ns,
    /// End as soon as every sized transfer has completed, before `duration`.
    pub stop_when_complete: bool,
    /// Every path's one-way delay is at least 1 ms on the turmoil engine.
    pub links: Vec<LinkSpec>,
    /// In the order of the file.
    pub flows: Vec<FlowSpec>,
    /// Spans to mark in the plots.
    pub phases: Vec<Phase>,
    /// What must hold.
    pub expectations: Vec<Expectation>,
}

/// A named link.
#[derive(Clone, Debug)]
pub struct LinkSpec {
    /// Name in the file.
    pub name: String,
    /// Its behaviour.
    pub config: LinkConfig,
}

/// How a link treats packets. Order: loss draw, queue, serialise, jitter, propagate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkConfig {
    /// Bits per second; `None` serialises in no time.
    pub rate_bps: Option<u64>,
    /// Propagation delay.
    pub delay: Ns,
    /// Largest backlog in bytes of waiting packets; `None` is unbounded.
    pub queue_bytes_max: Option<u64>,
    /// Packets lost at random, in parts per million.
    pub loss_ppm: u32,
    /// Jitter, uniform in `[0, jitter]`, added to the propagation delay.
    pub jitter: Ns,
    /// Whether jitter may reorder; otherwise a packet leaves no earlier than the one before it.
    pub jitter_reorders: bool,
}

/// A flow of packets from the left host to the right one.
#[derive(Clone, Debug)]
pub struct FlowSpec {
    /// Name in the file.
    pub name: String,
    /// What sends.
    pub kind: FlowKind,
    /// Index into `Scenario::links` of the link its data takes.
    pub via: usize,
    /// Index of the link its acks take; `None` is an ideal path with the delay of `via`.
    pub back: Option<usize>,
    /// When it starts.
    pub start: Ns,
    /// When it stops sending, if before the end.
    pub stop: Option<Ns>,
}

/// What a flow sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowKind {
    /// A bulk transfer by the shipped adapter; without `bytes` it never ends.
    Utp {
        /// Which congestion controller.
        controller: ControllerKind,
        /// Size of the transfer.
        bytes: Option<u64>,
    },
    /// TCP Reno with selective-ack recovery.
    Reno {
        /// Size of the transfer; without it never ends.
        bytes: Option<u64>,
    },
    /// A constant bit rate, as a voice call has.
    Cbr {
        /// Payload bits per second.
        rate_bps: u64,
        /// Time between packets.
        interval: Ns,
    },
}

/// The congestion controllers a scenario can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControllerKind {
    /// LEDBAT as the reference libutp runs it.
    Libutp,
    /// LEDBAT as RFC 6817 has it.
    Rfc6817,
}

/// A span of time to mark in the plots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Label.
    pub name: String,
    /// First moment.
    pub from: Ns,
    /// Last moment.
    pub to: Ns,
}

/// A bound on a metric over a window of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Dotted name, for instance `links.uplink.queue_delay_ms.p95`.
    pub metric: String,
    /// From and to; the whole run when absent.
    pub window: Option<(Ns, Ns)>,
    /// Smallest value that passes.
    pub min: Option<f64>,
    /// Largest value that passes.
    pub max: Option<f64>,
    /// Line in the file, for messages.
    pub line: usize,
}
