//! What an application does with its socket and the streams on it.

use super::Driver;
use super::stream::Stream;
use crate::event::cx::Cx;
use crate::event::socket::Socket;
use crate::event::stream::{Failure, Fin, QUEUE_BYTES_MAX, StreamId};
use crate::packet::Delivery;
use bytes::Bytes;
use std::task::Poll;
use utp_proto::Stats;

impl Socket for Driver {
    fn hand_over(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Datagram(datagram) => self.received.push_back(datagram),
            Delivery::TooBig(_) => {}
        }
    }

    fn poll(&mut self, cx: &mut Cx<'_>) {
        self.turn(cx);
    }

    fn connect(&mut self, cx: &mut Cx<'_>) -> StreamId {
        self.outside.set_now(cx.instant);
        let socket = self.context.connect(cx.peer);
        self.flush(cx);
        self.add_stream(Stream::new(socket))
    }

    fn accept(&mut self) -> Option<StreamId> {
        let next = self.accepted.pop_front();
        self.accept_is_awaited = next.is_none();
        next
    }

    fn poll_open(&mut self, id: StreamId) -> Poll<Result<(), Failure>> {
        let stream = self.stream(id);
        match stream.failure {
            Some(failure) => Poll::Ready(Err(failure)),
            None if stream.open => Poll::Ready(Ok(())),
            None => {
                stream.is_awaited = true;
                Poll::Pending
            }
        }
    }

    fn poll_room(&mut self, id: StreamId) -> Poll<Result<usize, Failure>> {
        let stream = self.stream(id);
        match stream.failure {
            Some(failure) => Poll::Ready(Err(failure)),
            None if stream.bytes < QUEUE_BYTES_MAX => {
                Poll::Ready(Ok(QUEUE_BYTES_MAX - stream.bytes))
            }
            None => {
                stream.is_awaited = true;
                Poll::Pending
            }
        }
    }

    fn write(&mut self, cx: &mut Cx<'_>, id: StreamId, bytes: Bytes) {
        let stream = self.stream(id);
        stream.bytes += bytes.len();
        stream.chunks.push_back(bytes);
        self.push_now(cx, id);
    }

    fn poll_shutdown(&mut self, cx: &mut Cx<'_>, id: StreamId) -> Poll<Result<(), Failure>> {
        let stream = self.stream(id);
        if stream.fin == Fin::Acked {
            return Poll::Ready(Ok(()));
        }
        if let Some(failure) = stream.failure {
            return Poll::Ready(Err(failure));
        }
        stream.is_awaited = true;
        if stream.fin == Fin::Open {
            stream.fin = Fin::Wanted;
            self.push_now(cx, id);
        }
        Poll::Pending
    }

    fn poll_read(
        &mut self,
        cx: &mut Cx<'_>,
        id: StreamId,
        len_max: usize,
    ) -> Poll<Result<Option<Bytes>, Failure>> {
        self.outside.set_now(cx.instant);
        let socket = self.stream(id).socket;
        let mut chunk = Bytes::new();
        self.context.read(socket, len_max, |bytes| chunk = Bytes::copy_from_slice(bytes));
        self.flush(cx);
        if !chunk.is_empty() {
            return Poll::Ready(Ok(Some(chunk)));
        }
        let stream = self.stream(id);
        match stream.failure {
            _ if stream.eof => Poll::Ready(Ok(None)),
            Some(failure) => Poll::Ready(Err(failure)),
            None => {
                stream.is_awaited = true;
                Poll::Pending
            }
        }
    }

    fn want_stats(&mut self, _: &mut Cx<'_>, _: StreamId) {}

    fn stats(&mut self, _: &mut Cx<'_>, id: StreamId) -> Stats {
        let socket = self.stream(id).socket;
        let gauges = self.context.gauges(socket);
        let mut stats = Stats::default();
        stats.window_bytes = gauges.window_bytes.into();
        stats.rtt_us = gauges.rtt_ms.saturating_mul(1_000);
        stats.base_delay_us = gauges.base_delay_us;
        stats.queuing_delay_us = gauges.queuing_delay_ms.saturating_mul(1_000);
        stats.counters.timeouts = gauges.timeouts;
        stats.counters.retransmissions = self.wire.sent_again();
        stats.counters.duplicates_received = self.wire.received_again();
        stats
    }

    fn drop_stream(&mut self, cx: &mut Cx<'_>, id: StreamId) {
        self.stream(id).released = true;
        self.push_now(cx, id);
    }

    /// The library has no way to end a connection with a reset: it is closed, and what it did not
    /// take yet is forgotten.
    fn abort_stream(&mut self, cx: &mut Cx<'_>, id: StreamId) {
        self.stream(id).discard();
        self.drop_stream(cx, id);
    }
}

impl Driver {
    fn push_now(&mut self, cx: &mut Cx<'_>, id: StreamId) {
        self.outside.set_now(cx.instant);
        self.push(id);
        self.flush(cx);
    }
}
