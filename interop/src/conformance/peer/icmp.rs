//! ICMP messages that no router has sent: about a packet of the implementation, to its host.

use std::net::SocketAddr;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::Peer;
use crate::conformance::packet::Packet;
use crate::conformance::stop::{CaseResult, Stop};
use crate::conformance::trace::SENT;
use crate::harness::Family;

impl Peer {
    /// A packet of the implementation was too large for a link that carries IP packets of so many
    /// bytes.
    pub(crate) fn tell_too_big(&mut self, about: &Packet, link_mtu: u16) -> CaseResult {
        let (kind, code) = match self.family() {
            Family::V4 => (3, 4),
            Family::V6 => (2, 0),
        };
        let text = format!("ICMP: the link carries {link_mtu} bytes, of {about}");
        self.tell(kind, code, u32::from(link_mtu), about, &text)
    }

    fn tell(&mut self, kind: u8, code: u8, word: u32, about: &Packet, text: &str) -> CaseResult {
        let Some(remote) = self.remote() else {
            return Err(Stop::Internal("nobody to tell yet".into()));
        };
        self.note(SENT, text);
        let here = self.socket_address(0);
        let mut message = vec![kind, code, 0, 0];
        message.extend(word.to_be_bytes());
        message.extend(quoted(remote, here, &about.encode()));
        let (domain, protocol) = match self.family() {
            Family::V4 => (Domain::IPV4, Protocol::ICMPV4),
            // The kernel computes the checksum of ICMPv6.
            Family::V6 => (Domain::IPV6, Protocol::ICMPV6),
        };
        if self.family() == Family::V4 {
            let sum = checksum(&message);
            message[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        let socket = Socket::new(domain, Type::RAW, Some(protocol));
        let socket = socket.map_err(|error| Stop::Skip(format!("ICMP is not allowed: {error}")))?;
        let mut to = remote;
        to.set_port(0);
        let sent = socket.send_to(&message, &SockAddr::from(to));
        sent.map(drop).map_err(|error| Stop::internal("sending ICMP", error))
    }
}

/// The datagram that a message is about, from `source` on, cut as routers do.
fn quoted(source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let len = |header: usize| {
        let len = header + UDP_HEADER_LEN + payload.len();
        u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes()
    };
    let mut bytes = match (source, destination) {
        (SocketAddr::V4(source), SocketAddr::V4(destination)) => {
            let mut header = vec![0x45, 0];
            header.extend(len(20));
            header.extend([0, 0, 0x40, 0, 64, UDP, 0, 0]);
            header.extend(source.ip().octets());
            header.extend(destination.ip().octets());
            header
        }
        (source, destination) => {
            let octets = |address: SocketAddr| match address {
                SocketAddr::V4(v4) => v4.ip().to_ipv6_mapped().octets(),
                SocketAddr::V6(v6) => v6.ip().octets(),
            };
            let mut header = vec![0x60, 0, 0, 0];
            header.extend(len(0));
            header.extend([UDP, 64]);
            header.extend(octets(source));
            header.extend(octets(destination));
            header
        }
    };
    bytes.extend(source.port().to_be_bytes());
    bytes.extend(destination.port().to_be_bytes());
    bytes.extend(len(0));
    bytes.extend([0, 0]);
    bytes.extend(&payload[..payload.len().min(QUOTED_MAX)]);
    bytes
}

/// The checksum of the internet (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}

const UDP: u8 = 17;
const UDP_HEADER_LEN: usize = 8;

/// What routers quote of a payload at least, with IPv4 and options left out.
const QUOTED_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        // The example of section 3, whose sum is ddf2.
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        assert_eq!(checksum(&[1]), !0x0100);
    }
}
