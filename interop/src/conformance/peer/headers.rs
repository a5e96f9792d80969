//! Which datagrams may be taken apart on their way: a socket does not tell, the headers of IP do.
//!
//! A raw socket sees them before any other does. It sees those of the whole network, which is why
//! it takes one of the case's own. Over IPv6 nobody on the way takes anything apart.

use std::collections::HashSet;
use std::io::Read as _;

use socket2::{Domain, Protocol, Socket, Type};

use crate::conformance::packet::Packet;
use crate::conformance::stop::{CaseResult, Stop};

/// What the headers of IPv4 have said.
pub(crate) struct Headers {
    socket: Socket,
    buffer: Vec<u8>,
    /// Number and stamp of packets that may come in fragments.
    may_be_cut: HashSet<(u16, Option<u32>)>,
}

impl Headers {
    /// Sees every datagram of IPv4 from here on.
    pub(crate) fn watch() -> CaseResult<Self> {
        let open = || {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP))?;
            socket.set_nonblocking(true)?;
            socket.set_recv_buffer_size(BUFFER_BYTES)?;
            Ok::<_, std::io::Error>(socket)
        };
        let socket = open().map_err(|error| Stop::internal("a raw socket", error))?;
        Ok(Self { socket, buffer: vec![0; 1 << 16], may_be_cut: HashSet::new() })
    }

    /// Whether a packet that has come may be taken apart by a router.
    pub(super) fn may_be_cut(&mut self, packet: &Packet) -> bool {
        while let Ok(len) = self.socket.read(&mut self.buffer) {
            let Some(packet) = cuttable(&self.buffer[..len]) else { continue };
            self.may_be_cut.insert((packet.seq, packet.stamp_us));
        }
        self.may_be_cut.contains(&(packet.seq, packet.stamp_us))
    }
}

/// The packet in a datagram of IPv4 without the flag that keeps it whole.
fn cuttable(datagram: &[u8]) -> Option<Packet> {
    let header = usize::from(datagram.first()? & 0x0f) * 4;
    let is_whole = datagram.get(6)? & 0x40 != 0;
    if is_whole { None } else { Packet::decode(datagram.get(header + UDP_HEADER_LEN..)?) }
}

const UDP_HEADER_LEN: usize = 8;

const BUFFER_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::packet::Kind;

    #[test]
    fn only_a_datagram_without_the_flag_may_be_cut() {
        let packet = Packet::new(Kind::Data).seq(7).stamp_us(9).diff_us(1).payload([1; 5]);
        let mut datagram = vec![0; 28];
        datagram[0] = 0x45;
        datagram.extend(packet.encode());
        assert_eq!(cuttable(&datagram), Some(packet));
        datagram[6] = 0x40;
        assert_eq!(cuttable(&datagram), None);
        assert_eq!(cuttable(&datagram[..20]), None);
    }
}
