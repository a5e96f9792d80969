//! What ICMP says of datagrams that were sent.

use std::net::SocketAddr;

use libutp_rs2_sys as sys;
use socket2::SockAddr;

use super::{Context, one_call};

/// What an ICMP message says of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IcmpError {
    /// It did not fit the next link.
    TooLarge {
        /// Bytes of the largest IP packet that would have, 0 if that was not said.
        next_hop_mtu: u16,
    },
    /// Host, port or network cannot be reached.
    Unreachable,
}

impl Context {
    /// Hands in an ICMP message about a datagram, of which it quotes the beginning, to `remote`.
    /// False when no socket has sent such a datagram.
    pub fn process_icmp(&mut self, quoted: &[u8], remote: SocketAddr, error: IcmpError) -> bool {
        let (address, context) = (SockAddr::from(remote), self.raw.as_ptr());
        let (to, to_len) = (address.as_ptr().cast(), address.len());
        let (start, len) = (quoted.as_ptr(), quoted.len());
        let _one = one_call();
        // SAFETY: the context is alive; quotation and address are only read during the call.
        let mine = unsafe {
            match error {
                IcmpError::TooLarge { next_hop_mtu: mtu } => {
                    sys::utp_process_icmp_fragmentation(context, start, len, to, to_len, mtu)
                }
                IcmpError::Unreachable => {
                    sys::utp_process_icmp_error(context, start, len, to, to_len)
                }
            }
        };
        mine != 0
    }
}
