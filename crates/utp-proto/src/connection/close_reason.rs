//! Why a stream ended, in a number that applications agree on: an extension of libtorrent, on FINs
//! and resets.

use utp_wire::{EXTENSION_CLOSE_REASON, Instant};

use super::{Connection, LocalFin};

/// What both sides gave as the reason.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CloseReasons {
    ours: Option<u16>,
    theirs: Option<u16>,
}

impl Connection {
    /// As [`Self::finish`], and tells the peer why. Libtorrent shows the number to its application;
    /// libutp ignores it.
    ///
    /// After [`Self::finish`] it is too late: every copy of a FIN says the same.
    pub fn finish_with_reason(&mut self, now: Instant, reason: u16) {
        if self.local_fin == LocalFin::Open {
            self.reasons.ours = Some(reason);
        }
        self.finish(now);
    }

    /// As [`Self::abort`], and tells the peer why.
    pub fn abort_with_reason(&mut self, now: Instant, reason: u16) {
        self.reasons.ours.get_or_insert(reason);
        self.abort(now);
    }

    /// Why the peer says that it ended the stream, if it did.
    pub const fn close_reason(&self) -> Option<u16> {
        self.reasons.theirs
    }

    pub(crate) fn hear_close_reason(&mut self, reason: Option<u16>) {
        self.reasons.theirs = reason.or(self.reasons.theirs);
    }

    /// The extensions that tell the reason, behind a header whose first extension is that of the
    /// bits: libutp takes a packet for another protocol's whose first extension is the reason
    /// (libutp behaviour, quirk Q6), and skips the reason behind its own.
    // req: CL-13
    pub(super) fn reason_to_tell(&self) -> Option<[u8; 16]> {
        let [high, low] = self.reasons.ours?.to_be_bytes();
        let mut bytes = [0; 16];
        bytes[..2].copy_from_slice(&[EXTENSION_CLOSE_REASON, 8]);
        bytes[10..].copy_from_slice(&[0, 4, 0, 0, high, low]);
        Some(bytes)
    }

    /// How much longer that makes a FIN.
    pub(super) fn reason_len(&self) -> usize {
        self.reason_to_tell().map_or(0, |reason| reason.len())
    }
}
