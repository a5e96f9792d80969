//! Packets that no connection sends: SYN-ACKs and resets. None is larger than what it answers.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use utp_wire::{EXTENSION_BITS, HEADER_LEN, Header};

use crate::config::STATELESS_REPLIES_MAX;

/// The header and one extension of eight bytes.
const REPLY_LEN_MAX: usize = HEADER_LEN + 2 + 8;

/// A packet that no connection sends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    pub(super) destination: SocketAddr,
    pub(super) source: Option<IpAddr>,
    bytes: [u8; REPLY_LEN_MAX],
    len: u8,
}

impl Reply {
    pub(super) fn new(
        destination: SocketAddr,
        source: Option<IpAddr>,
        header: &Header,
        extension_bits: Option<[u8; 8]>,
    ) -> Self {
        let mut bytes = [0; REPLY_LEN_MAX];
        let mut len = HEADER_LEN;
        let mut head = [0; HEADER_LEN];
        header.encode(extension_bits.map_or(0, |_| EXTENSION_BITS), &mut head);
        bytes[..HEADER_LEN].copy_from_slice(&head);
        if let Some(bits) = extension_bits {
            // No extension follows.
            bytes[HEADER_LEN] = 0;
            bytes[HEADER_LEN + 1] = 8;
            bytes[HEADER_LEN + 2..].copy_from_slice(&bits);
            len = REPLY_LEN_MAX;
        }
        Self { destination, source, bytes, len: u8::try_from(len).expect("a reply is short") }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// Room for as many is kept after a burst of them.
const KEPT_MAX: usize = 16;

/// Those that wait for transmission.
#[derive(Debug, Default)]
pub(super) struct Replies(VecDeque<Reply>);

impl Replies {
    pub(super) fn has_room(&self) -> bool {
        self.0.len() < STATELESS_REPLIES_MAX
    }

    /// Queues a reply; says whether there was room.
    pub(super) fn push(&mut self, reply: Reply) -> bool {
        let room = self.has_room();
        if room {
            self.0.push_back(reply);
        }
        room
    }

    pub(super) fn pop(&mut self) -> Option<Reply> {
        let reply = self.0.pop_front();
        if self.0.is_empty() && self.0.capacity() > KEPT_MAX {
            self.0 = VecDeque::new();
        }
        reply
    }
}
