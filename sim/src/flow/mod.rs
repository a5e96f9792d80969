//! Cross traffic that lives inside the network's event loop, at exact nanoseconds, without a host.

pub mod cbr;
pub mod reno;

use crate::packet::{Body, HostId};
use crate::record::FlowRecord;
use crate::time::Ns;
use cbr::Cbr;
use reno::Reno;

/// Both ends of a flow that the network itself runs.
#[derive(Debug)]
pub enum Agent {
    /// A constant bit rate.
    Cbr(Cbr),
    /// A TCP Reno transfer.
    Reno(Box<Reno>),
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
    Ack(reno::Ack),
    /// A packet of a constant bit rate flow.
    Probe(cbr::Probe),
    /// A data segment of a TCP flow.
    Segment(reno::Segment),
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
    /// When [`Agent::handle_timer`] wants to be called next.
    pub fn deadline(&self) -> Option<Ns> {
        match self {
            Self::Cbr(cbr) => cbr.deadline(),
            Self::Reno(reno) => reno.deadline(),
        }
    }

    /// The deadline has come; a call before it does nothing.
    pub fn handle_timer(&mut self, context: &mut Context<'_>) {
        match self {
            Self::Cbr(cbr) => cbr.handle_timer(context),
            Self::Reno(reno) => reno.handle_timer(context),
        }
    }

    /// A packet that `sent` the network at that moment arrives at its destination.
    pub fn handle_packet(&mut self, context: &mut Context<'_>, sent: Ns, body: &Body) {
        match (self, body) {
            (Self::Cbr(cbr), Body::Probe(probe)) => cbr.handle_probe(context, sent, probe),
            (Self::Reno(reno), Body::Ack(ack)) => reno.handle_ack(context, ack),
            (Self::Reno(reno), Body::Segment(segment)) => reno.handle_segment(context, *segment),
            _ => unreachable!("the network hands an agent its own packets only"),
        }
    }

    /// Notes what is sampled at intervals.
    pub fn sample(&self, context: &mut Context<'_>) {
        match self {
            Self::Cbr(_) => {}
            Self::Reno(reno) => reno.sample(context),
        }
    }
}
