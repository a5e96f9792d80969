//! Whose turn it is to send, and what is handed to the driver then.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;

use utp_wire::Instant;

use super::{ConnectionHandle, Endpoint};

/// Datagrams to send: `buf[start..start + size]` of the buffer given to
/// [`Endpoint::poll_transmit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// The connection that sends; `None` for an answer that belongs to none.
    pub connection: Option<ConnectionHandle>,
    /// Where to.
    pub destination: SocketAddr,
    /// Which of this host's addresses to send from, where that is known to matter.
    pub source: Option<IpAddr>,
    /// Where the bytes begin in the buffer.
    pub start: usize,
    /// How many bytes there are.
    pub size: usize,
    /// If set, there are several datagrams of this size each, the last may be shorter.
    pub segment_size: Option<usize>,
    /// Whether the datagrams are to go whole or not at all. Unset only for one that was made when
    /// the path carried larger ones, which no other can replace.
    pub dont_fragment: bool,
}

impl Endpoint {
    /// Appends the next datagrams to send to `buf`: at most `max_datagrams`, all to one
    /// destination, all of one size but for the last. `None` when nothing is to be sent now.
    ///
    /// Connections take turns by their [weights](crate::Config::weight).
    pub fn poll_transmit(
        &mut self,
        now: Instant,
        max_datagrams: NonZeroUsize,
        buf: &mut Vec<u8>,
    ) -> Option<Transmit> {
        let now = self.advance(now);
        let start = buf.len();
        if let Some(reply) = self.replies.pop() {
            buf.extend_from_slice(reply.bytes());
            return Some(Transmit {
                connection: None,
                destination: reply.destination,
                source: reply.source,
                start,
                size: reply.bytes().len(),
                segment_size: None,
                dont_fragment: true,
            });
        }
        let capped = self.shares.is_capped();
        while let Some(handle) = self.transmit_queue.pop_front() {
            let turn_bytes = self.shares.turn_bytes();
            let Some(entry) = self.entry_mut(handle).filter(|entry| entry.transmit_queued) else {
                continue;
            };
            entry.transmit_queued = false;
            // Under a cap data waits for its turn below; what else there is goes.
            let share = if capped { 0 } else { entry.begin_turn(turn_bytes) };
            if !capped && share <= 0 {
                entry.transmit_queued = true;
                self.transmit_queue.push_back(handle);
                continue;
            }
            let transmit = self.poll_connection(now, handle, share, max_datagrams, buf);
            if transmit.is_some() {
                return transmit;
            }
        }
        capped.then(|| self.poll_waiting(now, max_datagrams, buf)).flatten()
    }
}
