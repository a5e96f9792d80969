//! One direction of a connection: a sender at one host, a receiver at the other.

use super::{Ack, HEADERS, Law, Receiver, Segment, Sender, Supply};
use crate::flow::{Context, Load, Outgoing};
use crate::packet::HostId;
use crate::time::Ns;

/// Sender and receiver of the data that goes from one host to its peer.
#[derive(Debug)]
pub(in crate::flow) struct Direction {
    from: HostId,
    pub(in crate::flow) sender: Sender,
    pub(in crate::flow) receiver: Receiver,
}

impl Direction {
    pub(in crate::flow) fn new(from: HostId, law: Law, supply: Supply) -> Self {
        Self { from, sender: Sender::new(law, supply), receiver: Receiver::default() }
    }

    /// When [`Direction::handle_timeout`] wants to be called.
    pub(in crate::flow) fn poll_timeout(&self) -> Option<Ns> {
        let timers = [self.sender.poll_timeout(), self.receiver.poll_timeout()];
        timers.into_iter().flatten().min()
    }

    /// A timer may have run out; a call before it does nothing.
    pub(in crate::flow) fn handle_timeout(&mut self, now: Ns) {
        self.sender.handle_timeout(now);
        self.receiver.handle_timeout(now);
    }

    /// A segment arrives at the receiver; returns the bytes that it puts in order.
    pub(in crate::flow) fn handle_segment(&mut self, now: Ns, segment: Segment) -> u64 {
        self.receiver.handle_segment(now, segment)
    }

    /// An acknowledgment arrives at the sender.
    pub(in crate::flow) fn handle_ack(&mut self, now: Ns, ack: &Ack) {
        self.sender.handle_ack(now, ack);
    }

    /// Sends what is due.
    pub(in crate::flow) fn flush(&mut self, context: &mut Context<'_>) {
        while let Some(ack) = self.receiver.poll_ack() {
            let load = Load::Ack(ack);
            context.outbox.push(Outgoing { from: self.from.peer(), bytes: HEADERS, load });
        }
        while let Some(segment) = self.sender.poll_transmit(context.now) {
            context.outbox.push(Outgoing {
                from: self.from,
                bytes: segment.bytes + HEADERS,
                load: Load::Segment(segment),
            });
        }
    }

    /// Notes window and round-trip time.
    pub(in crate::flow) fn sample(&self, context: &mut Context<'_>) {
        context.record.window_bytes.push((context.now, self.sender.window_bytes()));
        if let Some(rtt) = self.sender.smoothed_rtt() {
            context.record.rtt_us.push((context.now, rtt.as_micros_u32()));
        }
    }
}
