//! A transfer by a real QUIC stack, quinn-proto, as cross traffic.
//!
//! Client and server are the state machines of quinn-proto, fed with packets and virtual time. The
//! client is at the left host and sends on one stream; its congestion controller is one of the
//! stack's own. Runs of one seed give the same packets at the same moments: what the stack draws
//! comes from the flow's stream, and what it or TLS take from the operating system, such as keys,
//! has a fixed length and decides nothing. The one draw of quinn's BBR, where its cycle of gains
//! begins, only moves a pacing rate that quinn's pacer does not read.
//!
//! The stack computes with floating-point functions that the C library provides, a cube root among
//! them: other platforms may differ in the last bit, and so in a packet.
//!
//! quinn calls its BBR experimental. Where it starts behind a full queue it takes that for the
//! path, and being deaf to loss it then sends twice what the link carries. It runs as it ships.
//!
//! Path MTU discovery is on as in any application of quinn: payloads grow from 1200 bytes to 1452,
//! what an Ethernet frame takes with IPv6. Flow control never limits, and idle connections stay.

mod end;
mod setup;

use super::{Context, Load, Outgoing};
use crate::packet::{HostId, UDP_OVERHEAD_V4};
use crate::rng::Stream;
use crate::scenario::QuicController;
use crate::time::Ns;
use bytes::{Bytes, BytesMut};
use end::End;
use quinn_proto::Connection;
use std::fmt;
use std::time::Instant;

/// Client and server of one transfer.
pub struct Quic {
    /// What the stack's moments are counted from; only differences matter to it.
    base: Instant,
    ends: [End; 2],
    bytes: Option<u64>,
    written: u64,
    delivered: u64,
    controller: QuicController,
    start: Option<Ns>,
    stop: Option<Ns>,
    deadline: Option<Ns>,
}

impl fmt::Debug for Quic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quic")
            .field("controller", &self.controller)
            .field("bytes", &self.bytes)
            .field("written", &self.written)
            .field("delivered", &self.delivered)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl Quic {
    /// A transfer of `bytes`, or without an end, that connects at `start` and at `stop` gives up
    /// what has not arrived; the stack draws from `random`.
    pub fn new(
        controller: QuicController,
        bytes: Option<u64>,
        random: Stream,
        start: Ns,
        stop: Option<Ns>,
    ) -> Self {
        Self {
            base: Instant::now(),
            ends: setup::ends(random),
            bytes,
            written: 0,
            delivered: 0,
            controller,
            start: Some(start),
            stop,
            deadline: Some(start),
        }
    }

    pub(super) const fn deadline(&self) -> Option<Ns> {
        self.deadline
    }

    pub(super) fn handle_timer(&mut self, context: &mut Context<'_>) {
        if self.deadline.is_none_or(|deadline| deadline > context.now) {
            return;
        }
        let now = self.instant(context.now);
        if self.start.take().is_some() {
            self.ends[0].connect(now, setup::client(self.controller));
        }
        if self.stop.is_some_and(|stop| stop <= context.now) {
            self.stop = None;
            self.ends[0].abandon();
        }
        for end in &mut self.ends {
            end.handle_timeout(now);
        }
        self.drive(context);
    }

    /// A datagram arrives at the host `to`.
    pub(super) fn handle_datagram(&mut self, context: &mut Context<'_>, to: HostId, data: &Bytes) {
        let now = self.instant(context.now);
        self.ends[to.index()].handle_datagram(now, BytesMut::from(&data[..]));
        self.drive(context);
    }

    pub(super) fn sample(&self, context: &mut Context<'_>) {
        let client = &self.ends[0];
        let sends = |connection: &&Connection| !connection.is_handshaking() && !client.is_done();
        let Some(connection) = client.connection().filter(sends) else { return };
        let path = connection.stats().path;
        context.record.window_bytes.push((context.now, path.cwnd));
        let rtt = Ns::from_duration(path.rtt);
        context.record.rtt_us.push((context.now, rtt.as_micros_u32()));
    }

    fn instant(&self, now: Ns) -> Instant {
        self.base + now.as_duration()
    }

    /// Lets both applications and both stacks do all that can be done now.
    fn drive(&mut self, context: &mut Context<'_>) {
        let now = self.instant(context.now);
        self.write();
        self.read(context);
        for (host, end) in HostId::ALL.into_iter().zip(&mut self.ends) {
            while let Some(datagram) = end.poll_transmit(now) {
                let bytes = u32::try_from(datagram.len()).expect("a datagram is short");
                context.outbox.push(Outgoing {
                    from: host,
                    bytes: bytes + UDP_OVERHEAD_V4,
                    load: Load::Quic(datagram),
                });
            }
        }
        if let Some(connection) = self.ends[0].connection() {
            context.record.retransmissions = connection.stats().path.lost_packets;
        }
        let base = self.base;
        let timeouts = self.ends.iter_mut().filter_map(End::poll_timeout);
        let timeouts = timeouts.map(|at| Ns::from_duration(at.saturating_duration_since(base)));
        self.deadline = timeouts.chain(self.stop).min();
    }

    /// The application at the left host writes as much as the stack takes.
    fn write(&mut self) {
        let left = self.bytes.map_or(u64::MAX, |bytes| bytes - self.written);
        self.written += self.ends[0].write(left);
    }

    /// The application at the right host reads all there is.
    fn read(&mut self, context: &mut Context<'_>) {
        let bytes = self.ends[1].read();
        if bytes > 0 {
            context.record.deliver(context.now, bytes);
            self.delivered += bytes;
            if self.bytes == Some(self.delivered) {
                context.record.completed_at = Some(context.now);
            }
        }
    }
}

#[cfg(test)]
mod tests;
