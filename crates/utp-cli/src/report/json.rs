//! The report for programs. Keys stay as they are, and more may come.

use serde::Serialize;
use utp_wire::PacketType;

use super::{SIDES, Subject, seconds};
use crate::flow::{Close, Counts, Findings, Flow, Samples, Way};

/// Findings as they are written as JSON. Times are in seconds since the first frame.
#[derive(Clone, Debug, Serialize)]
pub struct Summary<'a> {
    file: &'a str,
    format: &'a str,
    /// When the first frame passed, in nanoseconds since 1970.
    first_ns: u64,
    seconds: f64,
    frames: Frames,
    flows: Vec<FlowSummary>,
}

#[derive(Clone, Debug, Serialize)]
struct Frames {
    total: u64,
    utp: u64,
    beyond_flows_max: u64,
    other_udp: u64,
    later_fragments: u64,
    not_udp: u64,
    malformed: u64,
    unknown_link: u64,
    fragmented: u64,
    cut: u64,
}

#[derive(Clone, Debug, Serialize)]
struct FlowSummary {
    flow: usize,
    initiator: String,
    acceptor: String,
    initiator_sends_id: u16,
    acceptor_sends_id: u16,
    first_s: f64,
    last_s: f64,
    handshake: HandshakeSummary,
    close: &'static str,
    sent: Vec<WaySummary>,
}

#[derive(Clone, Debug, Serialize)]
struct HandshakeSummary {
    syn_s: Option<f64>,
    syns: u64,
    answered_after_s: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
struct WaySummary {
    by: &'static str,
    packets: u64,
    syn: u64,
    data: u64,
    fin: u64,
    state: u64,
    reset: u64,
    malformed: u64,
    payload_bytes: u64,
    resent: u64,
    resent_bytes: u64,
    late: u64,
    missing: u64,
    selective_acks: u64,
    closed_windows: u64,
    last_window_bytes: u32,
    delay_us: Option<Delay>,
    fin_s: Option<f64>,
    fin_acked_s: Option<f64>,
    reset_s: Option<f64>,
    close_reason: Option<u16>,
}

/// Delays above the least one, in microseconds. The least one has the unknown offset between two
/// clocks in it, modulo 2^32.
#[derive(Clone, Debug, Serialize)]
struct Delay {
    samples: u64,
    base: u32,
    p50: u32,
    p95: u32,
    max: u32,
}

impl<'a> Summary<'a> {
    /// The findings of a capture.
    pub fn new(subject: Subject<'a>, findings: &Findings) -> Self {
        let Findings { counts, first_ns, last_ns, flows, .. } = findings;
        let told = (1..).zip(flows).filter(|(number, _)| subject.includes(*number));
        Self {
            file: subject.file,
            format: subject.format,
            first_ns: *first_ns,
            seconds: seconds(*first_ns, *last_ns),
            frames: Frames::from(counts),
            flows: told.map(|(number, flow)| FlowSummary::new(number, flow, *first_ns)).collect(),
        }
    }
}

impl From<&Counts> for Frames {
    fn from(counts: &Counts) -> Self {
        Self {
            total: counts.frames,
            utp: counts.utp,
            beyond_flows_max: counts.beyond_flows_max,
            other_udp: counts.other_udp,
            later_fragments: counts.fragments,
            not_udp: counts.not_udp,
            malformed: counts.malformed,
            unknown_link: counts.unknown_link,
            fragmented: counts.fragmented,
            cut: counts.cut,
        }
    }
}

impl FlowSummary {
    fn new(number: usize, flow: &Flow, start_ns: u64) -> Self {
        let at = |at_ns| seconds(start_ns, at_ns);
        Self {
            flow: number,
            initiator: flow.initiator.to_string(),
            acceptor: flow.acceptor.to_string(),
            initiator_sends_id: flow.id.next().0,
            acceptor_sends_id: flow.id.0,
            first_s: at(flow.first_ns),
            last_s: at(flow.last_ns),
            handshake: HandshakeSummary {
                syn_s: flow.handshake.syn_ns.map(at),
                syns: flow.handshake.syns,
                answered_after_s: flow.handshake.round_trip_ns().map(|span| seconds(0, span)),
            },
            close: match flow.close() {
                Close::Closed => "closed",
                Close::HalfClosed => "half-closed",
                Close::Open => "open",
                Close::Reset => "reset",
            },
            sent: SIDES.map(|(role, by)| WaySummary::new(by, flow.way(role), start_ns)).into(),
        }
    }
}

impl WaySummary {
    fn new(by: &'static str, way: &Way, start_ns: u64) -> Self {
        let at = |at_ns| seconds(start_ns, at_ns);
        let of = |packet_type: PacketType| way.types[packet_type as usize];
        Self {
            by,
            packets: way.packets,
            syn: of(PacketType::Syn),
            data: of(PacketType::Data),
            fin: of(PacketType::Fin),
            state: of(PacketType::State),
            reset: of(PacketType::Reset),
            malformed: way.malformed,
            payload_bytes: way.payload_bytes,
            resent: way.resent,
            resent_bytes: way.resent_bytes,
            late: way.late,
            missing: way.sequence.missing(),
            selective_acks: way.selective_acks,
            closed_windows: way.closed_windows,
            last_window_bytes: way.window,
            delay_us: Delay::of(&way.delays),
            fin_s: way.fin.map(|fin| at(fin.at_ns)),
            fin_acked_s: way.fin.and_then(|fin| fin.acked_ns).map(at),
            reset_s: way.reset_ns.map(at),
            close_reason: way.close_reason,
        }
    }
}

impl Delay {
    fn of(samples: &Samples) -> Option<Self> {
        Some(Self {
            samples: samples.count(),
            base: samples.base()?.0,
            p50: samples.above_base_us(50)?,
            p95: samples.above_base_us(95)?,
            max: samples.max_us()?,
        })
    }
}
