//! What is done about calls to send that the kernel refuses.

use std::io;

use crate::transport::{is_out_of_buffers, is_too_large};

/// Repeats a call that fails for something else than what it is to do.
///
/// A socket that reports ICMP messages fails the next call for each, whatever peer that is about;
/// the message itself stays in the error queue. A signal interrupts a call. Both pass.
// req: F-19
pub(super) fn insist(mut send: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let mut tries = 0;
    loop {
        let result = send();
        tries += 1;
        let enough = match &result {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(error) if is_out_of_buffers(error) => true,
            // What it says is acted upon, and a router can say it of another peer.
            Err(error) if is_too_large(error) => tries >= SIZE_TRIES,
            Err(_) => tries >= SEND_TRIES,
        };
        if enough {
            return result;
        }
    }
}

/// Whether what a call refused goes out in another call or in other packets.
pub(super) fn is_kept(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || is_too_large(error) || is_out_of_buffers(error)
}

/// Attempts to send before an error counts. Two would do unless ICMP messages come in quickly.
pub(super) const SEND_TRIES: usize = 3;

/// The same before a datagram is taken to be too large for this host's link.
pub(super) const SIZE_TRIES: usize = 8;
