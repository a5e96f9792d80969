//! A stream between an application and libutp.

use crate::event::stream::{Failure, Fin};
use bytes::Bytes;
use std::collections::VecDeque;
use utp_reference::SocketId;

/// What an application and the driver share of a stream. What has arrived stays in the library's
/// inbox until the application reads it, so that the window shows it.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) socket: SocketId,
    /// What was written and the library did not take yet.
    pub(super) chunks: VecDeque<Bytes>,
    /// Bytes in there.
    pub(super) bytes: usize,
    /// The library takes bytes.
    pub(super) open: bool,
    /// It took no more, and will say when to go on.
    pub(super) is_full: bool,
    pub(super) fin: Fin,
    /// The peer's stream ends after what is in the inbox.
    pub(super) eof: bool,
    pub(super) failure: Option<Failure>,
    /// The application waits for something.
    pub(super) is_awaited: bool,
    /// The application has dropped it.
    pub(super) released: bool,
}

impl Stream {
    pub(super) const fn new(socket: SocketId) -> Self {
        Self {
            socket,
            chunks: VecDeque::new(),
            bytes: 0,
            open: false,
            is_full: false,
            fin: Fin::Open,
            eof: false,
            failure: None,
            is_awaited: false,
            released: false,
        }
    }

    /// Ends both directions.
    pub(super) fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
        self.discard();
    }

    /// Forgets what the library did not take.
    pub(super) fn discard(&mut self) {
        self.chunks.clear();
        self.bytes = 0;
    }
}
