//! What travels through the network: hosts, packets and what they carry.

use crate::flow::{cbr::Probe, tcp};
use crate::time::Ns;
use bytes::Bytes;

/// Bytes that IPv4 and UDP headers add to a datagram on a link.
pub const UDP_OVERHEAD_V4: u32 = 28;

/// Bytes that IPv6 and UDP headers add to a datagram on a link.
pub const UDP_OVERHEAD_V6: u32 = 48;

/// Largest datagram payload that fits an Ethernet frame with IPv4.
pub const DATAGRAM_MAX: usize = 1472;

/// One of the two ends of every path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostId {
    /// Where all senders are.
    Left,
    /// Where all receivers are.
    Right,
}

impl HostId {
    /// Both, in order.
    pub const ALL: [Self; 2] = [Self::Left, Self::Right];

    /// 0 for left, 1 for right.
    pub const fn index(self) -> usize {
        match self {
            Self::Left => 0,
            Self::Right => 1,
        }
    }

    /// The other end.
    pub const fn peer(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    /// The UDP port at this host that belongs to the flow with index `flow`.
    pub const fn port(self, flow: u16) -> u16 {
        match self {
            Self::Left => LEFT_PORTS + flow,
            Self::Right => RIGHT_PORTS + flow,
        }
    }

    /// The flow that owns `port` at this host, if the port is in the host's range.
    pub const fn flow_of_port(self, port: u16) -> Option<u16> {
        let first = match self {
            Self::Left => LEFT_PORTS,
            Self::Right => RIGHT_PORTS,
        };
        if port >= first && port < first + FLOWS_MAX { Some(port - first) } else { None }
    }
}

/// Most flows a network can hold: each has one port per host.
pub const FLOWS_MAX: u16 = 1000;

const LEFT_PORTS: u16 = 10_000;
const RIGHT_PORTS: u16 = 20_000;

/// A UDP datagram between the two hosts, as their sockets see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Port at the sending host.
    pub source: u16,
    /// Port at the receiving host.
    pub destination: u16,
    /// Bytes that headers add on a link, [`UDP_OVERHEAD_V4`] or [`UDP_OVERHEAD_V6`].
    pub overhead: u32,
    /// Whether a link that it does not fit drops it. Otherwise routers take it apart and the other
    /// host puts it together: it passes whole, and the headers of the pieces are left out.
    pub dont_fragment: bool,
    /// The payload.
    pub payload: Bytes,
}

impl Datagram {
    /// Its bytes on a link, headers included.
    pub fn bytes(&self) -> u32 {
        u32::try_from(self.payload.len()).map_or(u32::MAX, |len| len.saturating_add(self.overhead))
    }
}

/// What the network has for a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A datagram arrives.
    Datagram(Datagram),
    /// A datagram that the host sent did not fit a link.
    TooBig(TooBig),
}

/// The ICMP message of a router (RFC 792, RFC 1191; "packet too big" of RFC 4443).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooBig {
    /// Port that the datagram was sent from.
    pub source: u16,
    /// Port that it was sent to.
    pub destination: u16,
    /// Largest IP packet that the link takes.
    pub mtu: u32,
    /// The beginning of the datagram's payload.
    pub quoted: Bytes,
}

/// A packet inside the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Number of the packet in the order of entering the network, from 0.
    pub id: u64,
    /// Index of its flow.
    pub flow: u16,
    /// Where it goes.
    pub to: HostId,
    /// How many links of its path lie behind it.
    pub hop: u8,
    /// Whether a bit of it was flipped.
    pub corrupt: bool,
    /// Bytes on the link, headers included.
    pub bytes: u32,
    /// When it entered the network.
    pub sent: Ns,
    /// What it carries.
    pub body: Body,
}

/// What a packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// An acknowledgment of a TCP flow.
    Ack(tcp::Ack),
    /// A datagram between hosts.
    Datagram(Datagram),
    /// A packet of a flow that sends at a constant bit rate, always or in bursts.
    Probe(Probe),
    /// A datagram of a QUIC flow.
    #[cfg(feature = "quic")]
    Quic(Bytes),
    /// A data segment of a TCP flow.
    Segment(tcp::Segment),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_name_host_and_flow() {
        for host in HostId::ALL {
            for flow in [0, 1, FLOWS_MAX - 1] {
                assert_eq!(host.flow_of_port(host.port(flow)), Some(flow));
                assert_eq!(host.peer().flow_of_port(host.port(flow)), None);
            }
            assert_eq!(host.flow_of_port(host.port(0) - 1), None);
            assert_eq!(host.flow_of_port(host.port(0) + FLOWS_MAX), None);
        }
    }

    #[test]
    fn a_packet_stays_small_enough_to_move() {
        assert!(size_of::<Packet>() <= 80, "{}", size_of::<Packet>());
    }
}
