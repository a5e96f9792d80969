//! TCP at the level of segments: the loss-based flows that others have to live with.
//!
//! Sender and receiver are state machines without I/O; [`Tcp`] ties them to the network. Segments
//! carry 1448 bytes and take 1500 on a link, acknowledgments take 52, as with IPv4 and time stamps.

mod direction;
mod law;
mod receiver;
mod rtt;
mod scoreboard;
mod sender;
mod supply;

pub(super) use direction::Direction;
pub use law::{Cubic, Law, Progress, Reno};
pub use receiver::Receiver;
pub use sender::Sender;
pub use supply::Supply;

use super::Context;
use crate::packet::HostId;
use crate::time::Ns;

/// Payload of a full segment in bytes.
pub const MSS: u32 = 1448;

/// Bytes of IPv4 and TCP headers with the time stamp option.
pub const HEADERS: u32 = 52;

/// A data segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Number of the segment, from 0; all but the last are full.
    pub seq: u32,
    /// Payload bytes.
    pub bytes: u32,
}

/// An acknowledgment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// First segment that is missing.
    pub cumulative: u32,
    /// Runs received above it, the latest first; unused ones are empty.
    pub blocks: [Block; 3],
}

/// A run of segments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// First segment.
    pub start: u32,
    /// One past the last.
    pub end: u32,
}

/// A transfer from the left host to the right one, with its times of start and stop.
#[derive(Debug)]
pub struct Tcp {
    data: Direction,
    bytes: Option<u64>,
    delivered: u64,
    start: Option<Ns>,
    stop: Option<Ns>,
}

impl Tcp {
    /// A transfer of `bytes`, or without an end, that begins at `start` and at `stop` sends nothing
    /// new any more.
    pub fn new(law: Law, bytes: Option<u64>, start: Ns, stop: Option<Ns>) -> Self {
        Self {
            data: Direction::new(HostId::Left, law, Supply::transfer(bytes)),
            bytes,
            delivered: 0,
            start: Some(start),
            stop,
        }
    }

    pub(super) fn deadline(&self) -> Option<Ns> {
        // Until the start no other timer runs.
        self.start.or_else(|| [self.stop, self.data.poll_timeout()].into_iter().flatten().min())
    }

    pub(super) fn handle_timer(&mut self, context: &mut Context<'_>) {
        if self.start.is_some_and(|start| start > context.now) {
            return;
        }
        self.start = None;
        if self.stop.is_some_and(|stop| stop <= context.now) {
            self.data.sender.stop();
            self.stop = None;
        }
        self.data.handle_timeout(context.now);
        self.flush(context);
    }

    pub(super) fn handle_segment(&mut self, context: &mut Context<'_>, segment: Segment) {
        let bytes = self.data.handle_segment(context.now, segment);
        if bytes > 0 {
            context.record.deliver(context.now, bytes);
            self.delivered += bytes;
            if self.bytes == Some(self.delivered) {
                context.record.completed_at = Some(context.now);
            }
        }
        context.record.spurious_retransmissions = self.data.receiver.duplicates();
        self.flush(context);
    }

    pub(super) fn handle_ack(&mut self, context: &mut Context<'_>, ack: &Ack) {
        self.data.handle_ack(context.now, ack);
        self.flush(context);
    }

    pub(super) fn sample(&self, context: &mut Context<'_>) {
        if self.start.is_none() && !self.data.sender.is_done() {
            self.data.sample(context);
        }
    }

    fn flush(&mut self, context: &mut Context<'_>) {
        self.data.flush(context);
        context.record.retransmissions = self.data.sender.retransmissions();
        context.record.timeouts = self.data.sender.timeouts();
    }
}
