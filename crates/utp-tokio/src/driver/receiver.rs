//! Owns the buffers that datagrams are received in, and their way into memory of their own.

use std::array;
use std::io::{self, IoSliceMut};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};

use crate::transport::{AsyncUdpSocket, RecvMeta};

/// Receives batches.
#[derive(Debug)]
pub(super) struct Receiver {
    /// Room for [`BUFFERS`] buffers. Pages nobody writes to cost nothing.
    space: Vec<u8>,
    meta: [RecvMeta; BUFFERS],
    /// Memory for what is small, which many datagrams share.
    gathered: BytesMut,
}

impl Receiver {
    pub(super) fn new() -> Self {
        Self {
            space: vec![0; BUFFERS * BUFFER_BYTES],
            meta: [RecvMeta::default(); BUFFERS],
            gathered: BytesMut::new(),
        }
    }

    /// Receives a batch; ready with the number of buffers to [`take`](Self::take).
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        transport: &dyn AsyncUdpSocket,
    ) -> Poll<io::Result<usize>> {
        let mut space = self.space.chunks_mut(BUFFER_BYTES);
        let mut bufs: [IoSliceMut<'_>; BUFFERS] =
            array::from_fn(|_| IoSliceMut::new(space.next().unwrap_or_default()));
        let count = ready!(transport.poll_recv(cx, &mut bufs, &mut self.meta))?;
        Poll::Ready(Ok(count.min(BUFFERS)))
    }

    /// The contents of buffer `index`, copied: one piece of memory for all datagrams in it.
    ///
    /// They mostly belong to one connection and are read together. Small ones, which are acks,
    /// share memory with those that come next; the core copies payloads of that size if it has to
    /// keep them.
    pub(super) fn take(&mut self, index: usize) -> (RecvMeta, Bytes) {
        let meta = self.meta[index];
        let start = index * BUFFER_BYTES;
        let filled = &self.space[start..start + meta.len.min(BUFFER_BYTES)];
        if filled.len() > GATHER_BYTES_MAX {
            return (meta, Bytes::copy_from_slice(filled));
        }
        if self.gathered.capacity() < filled.len() {
            self.gathered.reserve(GATHERED_BYTES);
        }
        self.gathered.extend_from_slice(filled);
        (meta, self.gathered.split().freeze())
    }
}

/// Buffers per receive call, as many as quinn-udp takes.
pub(super) const BUFFERS: usize = 32;

/// The largest UDP datagram, and the most that receive offload puts together.
const BUFFER_BYTES: usize = 65_536;

/// Buffers of up to this size share memory.
const GATHER_BYTES_MAX: usize = 256;

/// The size of that memory.
const GATHERED_BYTES: usize = 16 * 1024;
