//! What a path carries: datagrams up to a size, larger ones in fragments or not at all.

use std::net::{IpAddr, SocketAddr};

use utp_proto::{Endpoint, IcmpError, Instant};

/// One direction of a path. The default carries everything.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// The largest UDP payload that goes through whole.
    pub datagram_bytes: usize,
    /// Whether larger ones go through that may be fragmented.
    pub fragments: bool,
    /// Only those are, which their own host has to take apart, as over IPv6.
    pub fragments_above: usize,
    /// Whether the sender is told of those that do not.
    pub icmp: bool,
    /// The largest that the sender's own host sends without fragments.
    pub host_bytes: usize,
}

impl Default for Path {
    fn default() -> Self {
        let all = usize::MAX;
        Self {
            datagram_bytes: all,
            fragments: true,
            fragments_above: 0,
            icmp: false,
            host_bytes: all,
        }
    }
}

impl Path {
    /// A path that swallows what is larger than `datagram_bytes` and may not be fragmented.
    pub fn silent(datagram_bytes: usize) -> Self {
        Self { datagram_bytes, ..Self::default() }
    }

    pub fn carries(&self, len: usize, dont_fragment: bool) -> bool {
        len <= self.datagram_bytes
            || (self.fragments && !dont_fragment && len > self.fragments_above)
    }

    /// The message that answers `datagram`, sent to `remote`.
    pub fn tell(&self, now: Instant, sender: &mut Endpoint, remote: SocketAddr, datagram: &[u8]) {
        let overhead = if matches!(remote.ip(), IpAddr::V4(_)) { 28 } else { 48 };
        let mtu = u16::try_from(self.datagram_bytes + overhead).ok();
        let quoted = &datagram[..datagram.len().min(64)];
        sender.handle_icmp(now, remote, IcmpError::MessageTooLarge { mtu }, quoted);
    }
}
