//! Owns what the driver does with what comes from the network: datagrams, ICMP messages and
//! connects from outside.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use utp_proto::{Disposition, IcmpError, Incoming, RecvMeta};
use utp_wire::Instant;

use super::{Backlog, Driver};
use crate::shared::StreamShared;
use crate::stream::UtpStream;
use crate::transport::{self, canonical};
use crate::unclaimed::Unclaimed;

impl Driver {
    /// Receives a batch and hands it to the core, datagram by datagram.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        now: Instant,
    ) -> Poll<io::Result<()>> {
        let count = ready!(self.receiver.poll(cx, &*self.transport))?;
        self.stats.receives += 1;
        self.endpoint.refuse_connects(!self.has_backlog());
        self.stats.buffers_received += count as u64;
        let space = self.receiver.lend();
        for index in 0..count {
            let (meta, filled) = self.receiver.filled(index);
            let bytes = &space[filled];
            self.stats.bytes_received += bytes.len() as u64;
            let stride = meta.stride.max(1);
            let meta = RecvMeta {
                remote: canonical(meta.source),
                local_ip: meta.local_ip.map(|ip| ip.to_canonical()),
                received_at: meta.age.map(|age| {
                    let age_us = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
                    Instant::from_micros(now.as_micros().saturating_sub(age_us))
                }),
            };
            // An empty datagram is one, too.
            let (first, rest) = bytes.split_at(bytes.len().min(stride));
            self.handle_datagram(now, meta, first);
            for datagram in rest.chunks(stride) {
                self.handle_datagram(now, meta, datagram);
            }
        }
        self.receiver.give_back(space);
        Poll::Ready(Ok(()))
    }

    fn handle_datagram(&mut self, now: Instant, meta: RecvMeta, datagram: &[u8]) {
        match self.endpoint.handle_datagram(now, meta, datagram) {
            Disposition::Incoming(incoming) => self.handle_incoming(now, incoming),
            Disposition::NotUtp => self.hand_out(&meta, datagram),
            _ => {}
        }
    }

    pub(super) fn handle_icmp(&mut self, cx: &mut Context<'_>, now: Instant) {
        for _ in 0..ICMP_PER_ROUND {
            let Poll::Ready(message) = self.transport.poll_icmp(cx) else { return };
            self.stats.icmp_received += 1;
            let error = match message.error {
                transport::IcmpError::MessageTooLarge { mtu } => IcmpError::MessageTooLarge { mtu },
                transport::IcmpError::Unreachable => IcmpError::Unreachable,
            };
            let destination = canonical(message.destination);
            self.endpoint.handle_icmp(now, destination, error, message.quoted());
        }
        cx.waker().wake_by_ref();
    }

    /// Somebody wants to connect.
    fn handle_incoming(&mut self, now: Instant, incoming: Incoming) {
        // There was room when its SYN was answered, and there is more than was told then: who has
        // connected is not turned away because others were quicker.
        let queue = self.backlog.as_ref().map(|backlog| &backlog.queue);
        if queue.is_none_or(|queue| queue.capacity() == 0) {
            self.stats.connects_refused += 1;
            self.endpoint.refuse(now, incoming);
            return;
        }
        let stream = StreamShared::new(incoming.remote(), &self.config);
        stream.tx().open = true;
        if let Some(ip) = incoming.local_ip() {
            stream.local_ip.get_or_init(|| ip);
        }
        let Ok(handle) = self.endpoint.accept(now, incoming, Arc::clone(&self.config)) else {
            return;
        };
        let stream = Arc::new(stream);
        self.streams.insert(&self.endpoint, handle, Arc::clone(&stream), !self.accept_at_syn);
        if self.accept_at_syn {
            self.offer(now, stream);
        }
    }

    fn has_backlog(&self) -> bool {
        self.backlog.as_ref().is_some_and(Backlog::has_room)
    }

    /// Puts a stream into the backlog. If nobody accepts any more the peer is told.
    pub(super) fn offer(&mut self, now: Instant, stream: Arc<StreamShared>) {
        let handle = stream.handle.get().copied();
        let offered = UtpStream::new(stream, Arc::clone(&self.shared));
        let backlog = self.backlog.as_ref();
        if backlog.is_some_and(|backlog| backlog.queue.try_send(offered).is_ok()) {
            return;
        }
        self.stats.connects_refused += 1;
        let Some(handle) = handle else { return };
        if let Some(mut connection) = self.endpoint.connection_mut(handle) {
            connection.abort(now);
        }
        self.streams.release(now, &mut self.endpoint, handle);
    }

    /// Gives a datagram that is not uTP to whoever reads those.
    fn hand_out(&mut self, meta: &RecvMeta, datagram: &[u8]) {
        let unclaimed = Unclaimed::new(meta.remote, meta.local_ip, datagram, &self.shared);
        let taken = unclaimed.is_some_and(|unclaimed| self.unclaimed.try_send(unclaimed).is_ok());
        if !taken {
            self.stats.unclaimed_dropped += 1;
        }
    }
}

/// ICMP messages handled before anything else gets a turn.
const ICMP_PER_ROUND: usize = 64;
