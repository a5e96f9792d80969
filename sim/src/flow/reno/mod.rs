//! A TCP Reno transfer at the level of segments: the loss-based flow that others have to live with.
//!
//! Both halves are state machines without I/O; [`Reno`] ties them to the network. Segments carry
//! 1448 bytes and take 1500 on a link, acknowledgments take 52, as with IPv4 and time stamps.

mod receiver;
mod rtt;
mod scoreboard;
mod sender;

pub use receiver::Receiver;
pub use sender::Sender;

use super::{Context, Load, Outgoing};
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

/// Sender and receiver of one flow, with its times of start and stop.
#[derive(Debug)]
pub struct Reno {
    sender: Sender,
    receiver: Receiver,
    bytes: Option<u64>,
    delivered: u64,
    start: Option<Ns>,
    stop: Option<Ns>,
}

impl Reno {
    /// A transfer of `bytes`, or without an end, that begins at `start` and at `stop` sends nothing
    /// new any more.
    pub fn new(bytes: Option<u64>, start: Ns, stop: Option<Ns>) -> Self {
        Self {
            sender: Sender::new(bytes),
            receiver: Receiver::default(),
            bytes,
            delivered: 0,
            start: Some(start),
            stop,
        }
    }

    pub(super) fn deadline(&self) -> Option<Ns> {
        // Until the start no other timer runs.
        self.start.or_else(|| {
            let timers = [self.stop, self.sender.poll_timeout(), self.receiver.poll_timeout()];
            timers.into_iter().flatten().min()
        })
    }

    pub(super) fn handle_timer(&mut self, context: &mut Context<'_>) {
        if self.start.is_some_and(|start| start > context.now) {
            return;
        }
        self.start = None;
        if self.stop.is_some_and(|stop| stop <= context.now) {
            self.sender.stop();
            self.stop = None;
        }
        self.sender.handle_timeout(context.now);
        self.receiver.handle_timeout(context.now);
        self.flush(context);
    }

    pub(super) fn handle_segment(&mut self, context: &mut Context<'_>, segment: Segment) {
        let bytes = self.receiver.handle_segment(context.now, segment);
        if bytes > 0 {
            context.record.deliver(context.now, bytes);
            self.delivered += bytes;
            if self.bytes == Some(self.delivered) {
                context.record.completed_at = Some(context.now);
            }
        }
        context.record.spurious_retransmissions = self.receiver.duplicates();
        self.flush(context);
    }

    pub(super) fn handle_ack(&mut self, context: &mut Context<'_>, ack: &Ack) {
        self.sender.handle_ack(context.now, ack);
        self.flush(context);
    }

    pub(super) fn sample(&self, context: &mut Context<'_>) {
        if self.start.is_some() || self.sender.is_done() {
            return;
        }
        context.record.window_bytes.push((context.now, self.sender.window_bytes()));
        if let Some(rtt) = self.sender.smoothed_rtt() {
            context.record.rtt_us.push((context.now, rtt.as_micros_u32()));
        }
    }

    fn flush(&mut self, context: &mut Context<'_>) {
        while let Some(ack) = self.receiver.poll_ack() {
            let load = Load::Ack(ack);
            context.outbox.push(Outgoing { from: HostId::Right, bytes: HEADERS, load });
        }
        while let Some(segment) = self.sender.poll_transmit(context.now) {
            context.outbox.push(Outgoing {
                from: HostId::Left,
                bytes: segment.bytes + HEADERS,
                load: Load::Segment(segment),
            });
        }
        context.record.retransmissions = self.sender.retransmissions();
        context.record.timeouts = self.sender.timeouts();
    }
}
