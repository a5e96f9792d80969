//! Cross traffic that lives inside the network's event loop, at exact nanoseconds, without a host.

pub mod cbr;
pub mod on_off;
#[cfg(feature = "quic")]
pub mod quic;
pub mod request_response;
pub mod tcp;

use crate::packet::{Body, HostId, Packet};
use crate::record::FlowRecord;
use crate::rng::Stream;
use crate::scenario::{FlowKind, FlowSpec};
use crate::time::Ns;
use cbr::Cbr;
use on_off::{OnOff, Pattern};
use request_response::RequestResponse;
use tcp::{Law, Tcp};

/// Both ends of a flow that the network itself runs.
#[derive(Debug)]
pub enum Agent {
    /// A constant bit rate.
    Cbr(Cbr),
    /// Bursts of a constant bit rate.
    OnOff(Box<OnOff>),
    /// A transfer by a QUIC stack.
    #[cfg(feature = "quic")]
    Quic(Box<quic::Quic>),
    /// Requests and their answers.
    RequestResponse(Box<RequestResponse>),
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The end that sends it.
    pub from: HostId,
    /// Bytes on the link, headers included.
    pub bytes: u32,
    /// What it carries.
    pub load: Load,
}

/// What the packets of agents carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Load {
    /// An acknowledgment of a TCP flow.
    Ack(tcp::Ack),
    /// A packet of a flow that sends at a constant bit rate, always or in bursts.
    Probe(cbr::Probe),
    /// A datagram of a QUIC flow.
    #[cfg(feature = "quic")]
    Quic(bytes::Bytes),
    /// A data segment of a TCP flow.
    Segment(tcp::Segment),
}

impl From<Load> for Body {
    fn from(load: Load) -> Self {
        match load {
            Load::Ack(ack) => Self::Ack(ack),
            Load::Probe(probe) => Self::Probe(probe),
            #[cfg(feature = "quic")]
            Load::Quic(data) => Self::Quic(data),
            Load::Segment(segment) => Self::Segment(segment),
        }
    }
}

impl Agent {
    /// Both ends of the flow that `spec` describes, which begins at `start` and draws from
    /// `random`; `None` when it runs between hosts.
    pub fn new(spec: &FlowSpec, start: Ns, random: Stream) -> Option<Self> {
        let tcp = |law, bytes| Self::Tcp(Box::new(Tcp::new(law, bytes, start, spec.stop)));
        Some(match spec.kind {
            FlowKind::Cbr { rate_bps, interval } => {
                Self::Cbr(Cbr::new(rate_bps, interval, start, spec.stop))
            }
            FlowKind::Cubic { bytes } => tcp(Law::cubic(), bytes),
            FlowKind::Reno { bytes } => tcp(Law::reno(), bytes),
            FlowKind::OnOff { rate_bps, interval, on, off, random: draws } => {
                let pattern = Pattern { rate_bps, interval, on, off };
                let lengths = draws.then_some(random);
                Self::OnOff(Box::new(OnOff::new(pattern, lengths, start, spec.stop)))
            }
            #[cfg(feature = "quic")]
            FlowKind::Quic { controller, bytes } => {
                let flow = quic::Quic::new(controller, bytes, random, start, spec.stop);
                Self::Quic(Box::new(flow))
            }
            #[cfg(not(feature = "quic"))]
            FlowKind::Quic { .. } => unreachable!("the loader asks for the feature `quic`"),
            FlowKind::RequestResponse { request_bytes, response_bytes, think } => {
                let bytes = [request_bytes, response_bytes];
                let flow = RequestResponse::new(bytes, think, start, spec.stop);
                Self::RequestResponse(Box::new(flow))
            }
            FlowKind::Utp(_) => return None,
        })
    }

    /// When [`Agent::handle_timer`] wants to be called next.
    pub fn deadline(&self) -> Option<Ns> {
        match self {
            Self::Cbr(cbr) => cbr.deadline(),
            Self::OnOff(flow) => flow.deadline(),
            #[cfg(feature = "quic")]
            Self::Quic(flow) => flow.deadline(),
            Self::RequestResponse(flow) => flow.deadline(),
            Self::Tcp(tcp) => tcp.deadline(),
        }
    }

    /// The deadline has come; a call before it does nothing.
    pub fn handle_timer(&mut self, context: &mut Context<'_>) {
        match self {
            Self::Cbr(cbr) => cbr.handle_timer(context),
            Self::OnOff(flow) => flow.handle_timer(context),
            #[cfg(feature = "quic")]
            Self::Quic(flow) => flow.handle_timer(context),
            Self::RequestResponse(flow) => flow.handle_timer(context),
            Self::Tcp(tcp) => tcp.handle_timer(context),
        }
    }

    /// One of its packets arrives at its destination.
    pub fn handle_packet(&mut self, context: &mut Context<'_>, packet: &Packet) {
        match (self, &packet.body) {
            (Self::Cbr(_) | Self::OnOff(_), Body::Probe(probe)) => {
                cbr::handle_probe(context, packet.sent, probe);
            }
            #[cfg(feature = "quic")]
            (Self::Quic(flow), Body::Quic(data)) => {
                flow.handle_datagram(context, packet.to, data);
            }
            (Self::RequestResponse(flow), Body::Ack(ack)) => {
                flow.handle_ack(context, packet.to, ack);
            }
            (Self::RequestResponse(flow), Body::Segment(segment)) => {
                flow.handle_segment(context, packet.to, *segment);
            }
            (Self::Tcp(tcp), Body::Ack(ack)) => tcp.handle_ack(context, ack),
            (Self::Tcp(tcp), Body::Segment(segment)) => tcp.handle_segment(context, *segment),
            _ => unreachable!("the network hands an agent its own packets only"),
        }
    }

    /// Notes what is sampled at intervals.
    pub fn sample(&self, context: &mut Context<'_>) {
        match self {
            Self::Cbr(_) | Self::OnOff(_) => {}
            #[cfg(feature = "quic")]
            Self::Quic(flow) => flow.sample(context),
            Self::RequestResponse(flow) => flow.sample(context),
            Self::Tcp(tcp) => tcp.sample(context),
        }
    }
}

#[cfg(test)]
mod tests;
