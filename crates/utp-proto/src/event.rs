//! What a connection tells its owner, as bits: an event that waits is not queued twice.

use crate::error::ConnectionError;

/// Something the owner of a connection wants to know. Edge-triggered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The connection ended with an error; bytes that arrived before stay readable.
    Closed(ConnectionError),
    /// The handshake is complete: at the initiator with the SYN-ACK, at the acceptor with the
    /// ack of it.
    Connected,
    /// The peer has acknowledged our FIN and with it every byte written.
    Finished,
    /// Bytes, or the end of the stream, can be read.
    Readable,
    /// There is room in the send buffer again after a write was blocked.
    Writable,
}

/// The pending events of one connection. The order of delivery is that of the constants.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EventBits(u8);

const CONNECTED: u8 = 1;
const READABLE: u8 = 2;
const WRITABLE: u8 = 4;
const FINISHED: u8 = 8;
const CLOSED: u8 = 16;

impl EventBits {
    pub(crate) fn connected(&mut self) {
        self.0 |= CONNECTED;
    }

    pub(crate) fn readable(&mut self) {
        self.0 |= READABLE;
    }

    pub(crate) fn writable(&mut self) {
        self.0 |= WRITABLE;
    }

    pub(crate) fn finished(&mut self) {
        self.0 |= FINISHED;
    }

    pub(crate) fn closed(&mut self) {
        self.0 |= CLOSED;
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Takes the next event; `error` says why a closed connection closed.
    pub(crate) fn pop(&mut self, error: Option<ConnectionError>) -> Option<Event> {
        let lowest = self.0 & self.0.wrapping_neg();
        self.0 &= !lowest;
        match lowest {
            CONNECTED => Some(Event::Connected),
            READABLE => Some(Event::Readable),
            WRITABLE => Some(Event::Writable),
            FINISHED => Some(Event::Finished),
            CLOSED => Some(Event::Closed(error.unwrap_or(ConnectionError::LocallyClosed))),
            _ => None,
        }
    }
}
