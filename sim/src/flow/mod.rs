//! Cross traffic that lives inside the network's event loop, at exact nanoseconds, without a host.

pub mod cbr;
pub mod tcp;

use crate::packet::{Body, HostId, Packet};
use crate::record::FlowRecord;
use crate::rng::Stream;
use crate::scenario::{FlowKind, FlowSpec};
use crate::time::Ns;
use cbr::Cbr;
use tcp::{Law, Tcp};

/// Both ends of a flow that the network itself runs.
#[derive(Debug)]
pub enum Agent {
    /// A constant bit rate.
    Cbr(Cbr),
    /// A TCP transfer.
    Tcp(Box<Tcp>),
}

/// What an agent may touch when it is called.
#[derive(Debug)]
pub struct Context<'a> {
    /// The moment of the call.
    pub now: Ns,
    /// What the flow leaves behind.
    pub record: &'a mut FlowRecord,
    /// Packets to send now, in order.
    pub outbox: &'a mut Vec<Outgoing>,
}

/// A packet that an agent sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The end that sends it.
    pub from: HostId,
    /// Bytes on the link, headers included.
    pub bytes: u32,
    /// What it carries.
    pub load: Load,
}

/// What the packets of agents carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// An acknowledgment of a TCP flow.
    Ack(tcp::Ack),
    /// A packet of a constant bit rate flow.
    Probe(cbr::Probe),
    /// A data segment of a TCP flow.
    Segment(tcp::Segment),
}

impl From<Load> for Body {
    fn from(load: Load) -> Self {
        match load {
            Load::Ack(ack) => Self::Ack(ack),
            Load::Probe(probe) => Self::Probe(probe),
            Load::Segment(segment) => Self::Segment(segment),
        }
    }
}

impl Agent {
    /// Both ends of the flow that `spec` describes, which begins at `start` and draws from `random`;
    /// `None` when it runs between hosts.
    pub fn new(spec: &FlowSpec, start: Ns, _random: Stream) -> Option<Self> {
        let tcp = |law, bytes| Self::Tcp(Box::new(Tcp::new(law, bytes, start, spec.stop)));
        Some(match spec.kind {
            FlowKind::Cbr { rate_bps, interval } => {
                Self::Cbr(Cbr::new(rate_bps, interval, start, spec.stop))
            }
            FlowKind::Cubic { bytes } => tcp(Law::cubic(), bytes),
            FlowKind::Reno { bytes } => tcp(Law::reno(), bytes),
            FlowKind::OnOff { .. } | FlowKind::Quic { .. } | FlowKind::RequestResponse { .. } => {
                unreachable!("the loader knows no such kind")
            }
            FlowKind::Utp(_) => return None,
        })
    }

    /// When [`Agent::handle_timer`] wants to be called next.
    pub fn deadline(&self) -> Option<Ns> {
        match self {
            Self::Cbr(cbr) => cbr.deadline(),
            Self::Tcp(tcp) => tcp.deadline(),
        }
    }

    /// The deadline has come; a call before it does nothing.
    pub fn handle_timer(&mut self, context: &mut Context<'_>) {
        match self {
            Self::Cbr(cbr) => cbr.handle_timer(context),
            Self::Tcp(tcp) => tcp.handle_timer(context),
        }
    }

    /// One of its packets arrives at its destination.
    pub fn handle_packet(&mut self, context: &mut Context<'_>, packet: &Packet) {
        match (self, &packet.body) {
            (Self::Cbr(cbr), Body::Probe(probe)) => cbr.handle_probe(context, packet.sent, probe),
            (Self::Tcp(tcp), Body::Ack(ack)) => tcp.handle_ack(context, ack),
            (Self::Tcp(tcp), Body::Segment(segment)) => tcp.handle_segment(context, *segment),
            _ => unreachable!("the network hands an agent its own packets only"),
        }
    }

    /// Notes what is sampled at intervals.
    pub fn sample(&self, context: &mut Context<'_>) {
        match self {
            Self::Cbr(_) => {}
            Self::Tcp(tcp) => tcp.sample(context),
        }
    }
}
