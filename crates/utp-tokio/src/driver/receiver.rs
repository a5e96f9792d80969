//! Owns the buffers that datagrams are received in. The core copies what it keeps.

use std::array;
use std::io::{self, IoSliceMut};
use std::mem;
use std::ops::Range;
use std::task::{Context, Poll, ready};

use crate::transport::{AsyncUdpSocket, RecvMeta};

/// Receives batches.
#[derive(Debug)]
pub(super) struct Receiver {
    /// Room for [`BUFFERS`] buffers. Pages nobody writes to cost nothing.
    space: Vec<u8>,
    meta: [RecvMeta; BUFFERS],
}

impl Receiver {
    pub(super) fn new() -> Self {
        Self { space: vec![0; BUFFERS * BUFFER_BYTES], meta: [RecvMeta::default(); BUFFERS] }
    }

    /// Receives a batch; ready with the number of buffers that are [`filled`](Self::filled).
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

    /// Lends the buffers out, each with what is known of it, until [`Self::give_back`]: the driver
    /// that handles them is the one that owns them.
    pub(super) fn lend(&mut self) -> Vec<u8> {
        mem::take(&mut self.space)
    }

    pub(super) fn give_back(&mut self, space: Vec<u8>) {
        self.space = space;
    }

    /// What is known of buffer `index`, and where in the lent space it is.
    pub(super) fn filled(&self, index: usize) -> (RecvMeta, Range<usize>) {
        let meta = self.meta[index];
        let start = index * BUFFER_BYTES;
        (meta, start..start + meta.len.min(BUFFER_BYTES))
    }
}

/// Buffers per receive call, as many as quinn-udp takes.
pub(super) const BUFFERS: usize = 32;

/// The largest UDP datagram, and the most that receive offload puts together.
const BUFFER_BYTES: usize = 65_536;
