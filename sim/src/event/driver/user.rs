//! What an application does with its socket and the streams on it.

use super::Driver;
use crate::event::cx::Cx;
use crate::event::socket::Socket;
use crate::event::stream::{Failure, Fin, ReadEnd, StreamId};
use crate::packet::Delivery;
use bytes::Bytes;
use std::mem;
use std::task::Poll;
use utp_proto::Stats;

impl Socket for Driver {
    fn hand_over(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Datagram(datagram) => self.received.push_back(datagram),
            Delivery::TooBig(message) => self.too_big.push_back(message),
        }
    }

    fn poll(&mut self, cx: &mut Cx<'_>) {
        self.turn(cx);
    }

    fn connect(&mut self, cx: &mut Cx<'_>) -> StreamId {
        let id = self.add_stream();
        self.connects.push(id);
        cx.tasks.wake(cx.driver_task);
        id
    }

    fn accept(&mut self) -> Option<StreamId> {
        let next = self.accepted.pop_front();
        self.accept_is_awaited = next.is_none();
        next
    }

    fn poll_open(&mut self, id: StreamId) -> Poll<Result<(), Failure>> {
        let tx = &mut self.stream(id).tx;
        if let Some(failure) = tx.failure {
            return Poll::Ready(Err(failure));
        }
        if tx.open {
            return Poll::Ready(Ok(()));
        }
        tx.is_awaited = true;
        Poll::Pending
    }

    fn poll_room(&mut self, id: StreamId) -> Poll<Result<usize, Failure>> {
        let tx = &mut self.stream(id).tx;
        if let Some(failure) = tx.failure {
            return Poll::Ready(Err(failure));
        }
        match tx.room() {
            0 => {
                tx.is_awaited = true;
                Poll::Pending
            }
            room => Poll::Ready(Ok(room)),
        }
    }

    fn write(&mut self, cx: &mut Cx<'_>, id: StreamId, bytes: Bytes) {
        let tx = &mut self.stream(id).tx;
        tx.push(bytes);
        if !tx.core_is_full {
            self.list(cx, id);
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Cx<'_>, id: StreamId) -> Poll<Result<(), Failure>> {
        let tx = &mut self.stream(id).tx;
        if tx.fin == Fin::Acked {
            return Poll::Ready(Ok(()));
        }
        if let Some(failure) = tx.failure {
            return Poll::Ready(Err(failure));
        }
        tx.is_awaited = true;
        if tx.fin == Fin::Open {
            tx.fin = Fin::Wanted;
            self.list(cx, id);
        }
        Poll::Pending
    }

    fn poll_read(
        &mut self,
        cx: &mut Cx<'_>,
        id: StreamId,
        len_max: usize,
    ) -> Poll<Result<Option<Bytes>, Failure>> {
        let rx = &mut self.stream(id).rx;
        if rx.taken.is_empty() {
            if rx.chunks.is_empty() {
                return match rx.end {
                    None => {
                        rx.is_awaited = true;
                        Poll::Pending
                    }
                    Some(ReadEnd::Failed(failure)) => Poll::Ready(Err(failure)),
                    Some(ReadEnd::Finished) => Poll::Ready(Ok(None)),
                };
            }
            mem::swap(&mut rx.chunks, &mut rx.taken);
            if mem::take(&mut rx.more) {
                self.stream(id).wants_more = true;
                self.list(cx, id);
            }
        }
        let stream = self.stream(id);
        let chunk = match stream.rx.taken.front_mut() {
            Some(front) if front.len() > len_max => Some(front.split_to(len_max)),
            _ => stream.rx.taken.pop_front(),
        };
        if stream.consume(chunk.as_ref().map_or(0, Bytes::len)) {
            self.list(cx, id);
        }
        Poll::Ready(Ok(chunk))
    }

    fn want_stats(&mut self, cx: &mut Cx<'_>, id: StreamId) {
        self.stream(id).is_sampled = true;
        self.list(cx, id);
    }

    fn stats(&mut self, cx: &mut Cx<'_>, id: StreamId) -> Stats {
        self.list(cx, id);
        let stream = self.stream(id);
        stream.is_sampled = false;
        stream.stats
    }

    fn drop_stream(&mut self, cx: &mut Cx<'_>, id: StreamId) {
        let stream = self.stream(id);
        stream.rx.discard = true;
        let unread = stream.rx.chunks.drain(..).chain(stream.rx.taken.drain(..));
        stream.consumed += unread.map(|chunk| chunk.len()).sum::<usize>();
        stream.tx.fin = stream.tx.fin.max(Fin::Wanted);
        stream.released = true;
        self.list(cx, id);
    }

    fn abort_stream(&mut self, cx: &mut Cx<'_>, id: StreamId) {
        self.stream(id).aborted = true;
        self.drop_stream(cx, id);
    }
}

impl Driver {
    /// Has the driver look at a stream.
    fn list(&mut self, cx: &mut Cx<'_>, id: StreamId) {
        if !mem::replace(&mut self.stream(id).listed, true) {
            self.changed.push(id);
            cx.tasks.wake(cx.driver_task);
        }
    }
}
