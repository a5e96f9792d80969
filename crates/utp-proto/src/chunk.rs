//! A run of stream bytes: handed over whole by its owner, or gathered from small pieces.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use crate::config::{EMPTY_CHUNK_BYTES_MAX, GATHER_CHUNK_BYTES, GATHER_CHUNK_BYTES_MIN};

/// A run of stream bytes.
#[derive(Debug)]
pub(crate) enum Chunk {
    /// Still has room for further small pieces; only the last chunk of a queue.
    Open(BytesMut),
    /// As it was handed over.
    Shared(Bytes),
}

/// Appends to a queue of chunks. The first to come gets room for one, as most queues hold no more:
/// what a queue takes by itself is kept until its connection has idled for long.
pub(crate) fn push(chunks: &mut VecDeque<Chunk>, chunk: Chunk) {
    if chunks.capacity() == 0 {
        chunks.reserve_exact(1);
    }
    chunks.push_back(chunk);
}

impl Chunk {
    /// A new chunk that gathers small pieces, starting with what fits of `data`; also says how
    /// much that was.
    ///
    /// It has twice the room of `last`, the chunk before it, if that gathers too: so a few bytes
    /// cost little memory and many little time.
    pub(crate) fn gather(data: &[u8], last: Option<&Self>) -> (Self, usize) {
        let room = match last {
            Some(Self::Open(last)) => last.capacity() * 2,
            Some(Self::Shared(_)) | None => GATHER_CHUNK_BYTES_MIN,
        };
        let mut bytes = BytesMut::with_capacity(room.max(data.len()).min(GATHER_CHUNK_BYTES));
        let taken = data.len().min(GATHER_CHUNK_BYTES);
        bytes.extend_from_slice(&data[..taken]);
        (Self::Open(bytes), taken)
    }

    /// Appends what fits without growing; says how much that was.
    pub(crate) fn append(&mut self, data: &[u8]) -> usize {
        let Self::Open(bytes) = self else { return 0 };
        let taken = data.len().min(bytes.capacity() - bytes.len());
        bytes.extend_from_slice(&data[..taken]);
        taken
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Open(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// The bytes, without room for more: whoever holds on to a few does not hold on to many.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Open(bytes) if bytes.capacity() > 2 * bytes.len() => {
                Bytes::copy_from_slice(&bytes)
            }
            Self::Open(bytes) => bytes.freeze(),
            Self::Shared(bytes) => bytes,
        }
    }

    /// Drops the first `len` bytes.
    pub(crate) fn advance(&mut self, len: usize) {
        match self {
            Self::Open(bytes) => bytes.advance(len),
            Self::Shared(bytes) => bytes.advance(len),
        }
    }

    /// Drops all bytes if that leaves room for a packet, and no more than that; says whether it
    /// does.
    pub(crate) fn empty(&mut self) -> bool {
        match self {
            Self::Open(bytes) if bytes.capacity() <= EMPTY_CHUNK_BYTES_MAX => {
                bytes.clear();
                true
            }
            Self::Open(_) | Self::Shared(_) => false,
        }
    }

    /// Whether it is empty, and could take only a part of `data`.
    pub(crate) fn is_too_small_for(&self, data: &[u8]) -> bool {
        match self {
            Self::Open(bytes) => bytes.is_empty() && bytes.capacity() < data.len(),
            Self::Shared(_) => false,
        }
    }

    /// Takes the first `len` bytes off.
    pub(crate) fn split_to(&mut self, len: usize) -> Bytes {
        match self {
            Self::Open(bytes) => bytes.split_to(len).freeze(),
            Self::Shared(bytes) => bytes.split_to(len),
        }
    }
}
