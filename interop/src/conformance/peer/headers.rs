//! Which datagrams are taken apart, or may be: a socket does not tell, the headers of IP do.
//!
//! A raw socket sees them before any other does. It sees those of the whole network, which is why
//! it takes one of the case's own.

use std::collections::HashSet;
use std::io::Read as _;

use socket2::{Domain, Protocol, Socket, Type};

use crate::conformance::packet::Packet;
use crate::conformance::stop::{CaseResult, Stop};
use crate::harness::Family;

/// What the headers of IP have said.
pub(crate) struct Headers {
    socket: Socket,
    cuttable: fn(&[u8]) -> Option<Packet>,
    buffer: Vec<u8>,
    /// Number and stamp of packets that pass in fragments.
    pass_in_fragments: HashSet<(u16, Option<u32>)>,
}

impl Headers {
    /// Sees every datagram of a family from here on.
    pub(crate) fn watch(family: Family) -> CaseResult<Self> {
        let open = || {
            let socket = match family {
                Family::V4 => Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP))?,
                // A raw socket of IPv6 tells no headers.
                Family::V6 => {
                    let protocol = Protocol::from(i32::from(ETHER_TYPE_IPV6.to_be()));
                    Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol))?
                }
            };
            socket.set_nonblocking(true)?;
            socket.set_recv_buffer_size(BUFFER_BYTES)?;
            Ok::<_, std::io::Error>(socket)
        };
        let socket = open().map_err(|error| Stop::internal("a raw socket", error))?;
        let cuttable = match family {
            Family::V4 => cuttable_v4,
            Family::V6 => cut_v6,
        };
        Ok(Self { socket, cuttable, buffer: vec![0; 1 << 16], pass_in_fragments: HashSet::new() })
    }

    /// Whether a packet that has come would pass where only small ones do: a router may take it
    /// apart, or it came in fragments that every link of IPv6 carries.
    pub(super) fn pass_in_fragments(&mut self, packet: &Packet) -> bool {
        while let Ok(len) = self.socket.read(&mut self.buffer) {
            let Some(packet) = (self.cuttable)(&self.buffer[..len]) else { continue };
            self.pass_in_fragments.insert((packet.seq, packet.stamp_us));
        }
        self.pass_in_fragments.contains(&(packet.seq, packet.stamp_us))
    }
}

/// The packet in a datagram of IPv4 without the flag that keeps it whole.
fn cuttable_v4(datagram: &[u8]) -> Option<Packet> {
    let header = usize::from(datagram.first()? & 0x0f) * 4;
    let is_whole = datagram.get(6)? & 0x40 != 0;
    if is_whole { None } else { Packet::decode(datagram.get(header + UDP_HEADER_LEN..)?) }
}

/// The beginning of the packet whose first fragment of IPv6 this is, if every link carries it.
fn cut_v6(fragment: &[u8]) -> Option<Packet> {
    let is_fragment = *fragment.get(6)? == FRAGMENT_HEADER;
    let is_first = fragment.get(42..44)? == [0, 1];
    let passes = fragment.len() <= IPV6_LINK_BYTES_MIN;
    (is_fragment && is_first && passes).then_some(())?;
    Packet::decode(fragment.get(48 + UDP_HEADER_LEN..)?)
}

const UDP_HEADER_LEN: usize = 8;

/// Marks a header of a fragment (RFC 8200 section 4.5).
const FRAGMENT_HEADER: u8 = 44;

/// What every link of IPv6 carries (RFC 8200 section 5).
const IPV6_LINK_BYTES_MIN: usize = 1280;

/// The type of IPv6 in a frame of Ethernet.
const ETHER_TYPE_IPV6: u16 = 0x86dd;

const BUFFER_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::packet::Kind;

    #[test]
    fn only_a_datagram_without_the_flag_may_be_taken_apart() {
        let packet = Packet::new(Kind::Data).seq(7).stamp_us(9).diff_us(1).payload([1; 5]);
        let mut datagram = vec![0; 28];
        datagram[0] = 0x45;
        datagram.extend(packet.encode());
        assert_eq!(cuttable_v4(&datagram), Some(packet));
        datagram[6] = 0x40;
        assert_eq!(cuttable_v4(&datagram), None);
        assert_eq!(cuttable_v4(&datagram[..20]), None);
    }

    #[test]
    fn a_first_fragment_tells_the_packet_and_must_pass_every_link() {
        let packet = Packet::new(Kind::Data).seq(7).stamp_us(9).diff_us(1).payload([1; 1000]);
        let mut fragment = vec![0; 56];
        fragment[6] = FRAGMENT_HEADER;
        fragment[43] = 1;
        fragment.extend(packet.encode());
        assert_eq!(cut_v6(&fragment), Some(packet));
        let mut later = fragment.clone();
        later[42] = 1;
        assert_eq!(cut_v6(&later), None);
        let mut whole = fragment.clone();
        whole[6] = 17;
        assert_eq!(cut_v6(&whole), None);
        fragment.resize(IPV6_LINK_BYTES_MIN, 1);
        assert!(cut_v6(&fragment).is_some());
        fragment.push(1);
        assert_eq!(cut_v6(&fragment), None);
    }
}
