//! Owns the user's end of the two queues of a stream: [`ReadSide`] and [`WriteSide`], which streams
//! and halves of streams are made of.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::num::{NonZeroU8, NonZeroU32};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::ReadBuf;
use utp_proto::Stats;

use crate::shared::{Fin, ReadEnd, SocketShared, StreamShared, StreamWishes, Tx};

/// The user's claim on a connection. When it is dropped the connection is released.
#[derive(Debug)]
pub(crate) struct Owner {
    stream: Arc<StreamShared>,
    socket: Arc<SocketShared>,
}

impl Owner {
    pub(crate) const fn new(stream: Arc<StreamShared>, socket: Arc<SocketShared>) -> Self {
        Self { stream, socket }
    }

    pub(crate) fn peer_addr(&self) -> SocketAddr {
        self.stream.remote
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        let mut address = self.socket.local_addr;
        if let Some(ip) = self.stream.local_ip.get() {
            address.set_ip(*ip);
        }
        address
    }

    pub(crate) fn stats(&self) -> Stats {
        self.tell_driver();
        *self.stream.stats()
    }

    /// Wants a reset, for this reason if there is one. Only the first call counts.
    pub(crate) fn abort(&self, reason: Option<u16>) {
        self.stream.aborted.get_or_init(|| reason);
        self.tell_driver();
    }

    pub(crate) fn set_weight(&self, weight: NonZeroU8) {
        self.wish(|wishes| wishes.weight = Some(weight));
    }

    pub(crate) fn set_send_rate_max(&self, bytes_per_second: Option<NonZeroU32>) {
        self.wish(|wishes| wishes.send_rate_max = Some(bytes_per_second));
    }

    fn wish(&self, wish: impl FnOnce(&mut StreamWishes)) {
        wish(&mut self.stream.tx().wishes);
        self.tell_driver();
    }

    fn tell_driver(&self) {
        self.socket.list(&self.stream);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.stream.released.store(true, Ordering::Release);
        self.tell_driver();
    }
}

/// The readable end.
#[derive(Debug)]
pub(crate) struct ReadSide {
    owner: Arc<Owner>,
    /// Taken out of the shared queue, to be read without a lock.
    chunks: VecDeque<Bytes>,
}

impl ReadSide {
    pub(crate) const fn new(owner: Arc<Owner>) -> Self {
        Self { owner, chunks: VecDeque::new() }
    }

    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Fills `buf` with what is there.
    pub(crate) fn poll_read(
        &mut self,
        cx: &Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 || !ready!(self.poll_chunks(cx))? {
            return Poll::Ready(Ok(()));
        }
        let mut read = 0;
        while let Some(chunk) = self.chunks.front_mut() {
            let len = chunk.len().min(buf.remaining());
            buf.put_slice(&chunk[..len]);
            read += len;
            if len < chunk.len() {
                let _taken = chunk.split_to(len);
                break;
            }
            self.chunks.pop_front();
        }
        self.consumed(read);
        Poll::Ready(Ok(()))
    }

    /// Takes the next bytes, at most `len_max` and as they arrived; none at the end of the stream.
    pub(crate) fn poll_read_chunk(
        &mut self,
        cx: &Context<'_>,
        len_max: usize,
    ) -> Poll<io::Result<Option<Bytes>>> {
        if len_max == 0 {
            return Poll::Ready(Ok(Some(Bytes::new())));
        }
        if !ready!(self.poll_chunks(cx))? {
            return Poll::Ready(Ok(None));
        }
        let chunk = match self.chunks.front_mut() {
            Some(front) if front.len() > len_max => Some(front.split_to(len_max)),
            _ => self.chunks.pop_front(),
        };
        self.consumed(chunk.as_ref().map_or(0, Bytes::len));
        Poll::Ready(Ok(chunk))
    }

    /// Waits until there are chunks; false at the end of the stream.
    fn poll_chunks(&mut self, cx: &Context<'_>) -> Poll<io::Result<bool>> {
        if !self.chunks.is_empty() {
            return Poll::Ready(Ok(true));
        }
        let mut rx = self.owner.stream.rx();
        if !rx.chunks.is_empty() {
            std::mem::swap(&mut rx.chunks, &mut self.chunks);
            if std::mem::take(&mut rx.more) {
                drop(rx);
                self.owner.stream.wants_more.store(true, Ordering::Release);
                self.owner.tell_driver();
            }
            return Poll::Ready(Ok(true));
        }
        match rx.end {
            None => {
                rx.wait(cx);
                Poll::Pending
            }
            Some(ReadEnd::Failed(failure)) => Poll::Ready(Err(failure.into())),
            Some(ReadEnd::Finished) => Poll::Ready(Ok(false)),
        }
    }

    fn consumed(&self, bytes: usize) {
        if self.owner.stream.consume(bytes) {
            self.owner.tell_driver();
        }
    }
}

impl Drop for ReadSide {
    fn drop(&mut self) {
        let mut rx = self.owner.stream.rx();
        rx.discard = true;
        let unread = std::mem::take(&mut rx.chunks);
        drop(rx);
        let bytes = unread.iter().chain(&self.chunks).map(Bytes::len).sum();
        self.owner.stream.consume(bytes);
        self.owner.tell_driver();
    }
}

/// The writable end.
#[derive(Debug)]
pub(crate) struct WriteSide {
    owner: Arc<Owner>,
}

impl WriteSide {
    pub(crate) const fn new(owner: Arc<Owner>) -> Self {
        Self { owner }
    }

    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Waits for the end of the handshake.
    pub(crate) fn poll_open(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let mut tx = self.owner.stream.tx();
        if let Some(failure) = tx.failure {
            return Poll::Ready(Err(failure.into()));
        }
        if tx.open {
            return Poll::Ready(Ok(()));
        }
        tx.wait(cx);
        Poll::Pending
    }

    /// Takes a copy of as much of `data` as there is room for.
    pub(crate) fn poll_write(&self, cx: &Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let room = ready!(self.poll_room(cx))?;
        let data = &data[..data.len().min(room)];
        if data.len() < GATHER_BELOW_BYTES {
            self.push_small(data);
            return Poll::Ready(Ok(data.len()));
        }
        for piece in data.chunks(CHUNK_BYTES_MAX) {
            self.push_chunk(Bytes::copy_from_slice(piece));
        }
        Poll::Ready(Ok(data.len()))
    }

    /// Takes the front of `chunk`, without a copy unless it is small; ready when nothing is left of
    /// it.
    pub(crate) fn poll_write_chunk(
        &self,
        cx: &Context<'_>,
        chunk: &mut Bytes,
    ) -> Poll<io::Result<()>> {
        while !chunk.is_empty() {
            // One chunk may overshoot: it is there already, and smaller ones cost more.
            ready!(self.poll_room(cx))?;
            self.push_chunk(chunk.split_to(chunk.len().min(CHUNK_BYTES_MAX)));
        }
        Poll::Ready(Ok(()))
    }

    /// Ends our direction; ready when the peer has all of it. The reason is told if this is the
    /// first call.
    pub(crate) fn poll_shutdown(
        &self,
        cx: &Context<'_>,
        reason: Option<u16>,
    ) -> Poll<io::Result<()>> {
        let mut tx = self.owner.stream.tx();
        if tx.fin == Fin::Acked {
            return Poll::Ready(Ok(()));
        }
        if let Some(failure) = tx.failure {
            return Poll::Ready(Err(failure.into()));
        }
        tx.wait(cx);
        let first = tx.fin == Fin::Open;
        if first {
            tx.fin = Fin::Wanted;
            tx.reason = reason;
        }
        drop(tx);
        if first {
            self.owner.tell_driver();
        }
        Poll::Pending
    }

    /// Waits until a byte may be written, and says how many may be at most.
    fn poll_room(&self, cx: &Context<'_>) -> Poll<io::Result<usize>> {
        let mut tx = self.owner.stream.tx();
        if let Some(failure) = tx.failure {
            return Poll::Ready(Err(failure.into()));
        }
        if tx.fin != Fin::Open {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        match tx.room() {
            0 => {
                tx.wait(cx);
                Poll::Pending
            }
            room => Poll::Ready(Ok(room)),
        }
    }

    fn push_small(&self, data: &[u8]) {
        self.push(|tx| {
            tx.tail.extend_from_slice(data);
            if tx.tail.len() >= CHUNK_BYTES_MAX {
                tx.flush_tail();
            }
            data.len()
        });
    }

    fn push_chunk(&self, chunk: Bytes) {
        if chunk.len() < GATHER_BELOW_BYTES {
            return self.push_small(&chunk);
        }
        self.push(|tx| {
            let len = chunk.len();
            tx.flush_tail();
            tx.chunks.push_back(chunk);
            len
        });
    }

    /// Puts bytes into the queue. Only this side does, so that room found is room kept; and if the
    /// stream fails meanwhile, the next call says so.
    fn push(&self, put: impl FnOnce(&mut Tx) -> usize) {
        let mut tx = self.owner.stream.tx();
        if tx.failure.is_some() {
            return;
        }
        let bytes = tx.bytes() + put(&mut tx);
        tx.set_bytes(bytes);
        let core_is_full = tx.core_is_full;
        drop(tx);
        if !core_is_full {
            self.owner.tell_driver();
        }
    }
}

impl Drop for WriteSide {
    fn drop(&mut self) {
        let mut tx = self.owner.stream.tx();
        tx.fin = tx.fin.max(Fin::Wanted);
        drop(tx);
        self.owner.tell_driver();
    }
}

/// The largest chunk handed to the core, which may overshoot its send buffer by one of them.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// Smaller writes are gathered, so that they do not cost a chunk each.
const GATHER_BELOW_BYTES: usize = 4 * 1024;
