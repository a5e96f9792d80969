//! UDP datagrams with the headers that the standards ask for, as captures have them.

use std::io;
use std::net::{IpAddr, SocketAddr};

/// An IP packet with a UDP datagram in it, checksums filled in: RFC 791 or RFC 8200, and RFC 768.
///
/// `id` is that of the packet; IPv6 has none. No router may take it apart.
///
/// ```
/// let source = ([10, 0, 0, 1], 6881).into();
/// let destination = ([10, 0, 0, 2], 6882).into();
/// let packet = utp_sim::ip::udp_packet(source, destination, 7, b"hello")?;
/// assert_eq!(packet.len(), 20 + 8 + 5);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// When the datagram is too long, or the addresses are of two families.
pub fn udp_packet(
    source: SocketAddr,
    destination: SocketAddr,
    id: u16,
    payload: &[u8],
) -> io::Result<Vec<u8>> {
    let length = |header: usize| u16::try_from(header + payload.len()).map_err(io::Error::other);
    let udp_length = length(UDP_HEADER)?;
    let mut addresses = Vec::with_capacity(32);
    let mut packet = Vec::with_capacity(IPV6_HEADER + UDP_HEADER + payload.len());
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            addresses.extend([source.octets(), destination.octets()].concat());
            // Version 4, five words of header, no service class.
            packet.extend([0x45, 0]);
            packet.extend(length(IPV4_HEADER + UDP_HEADER)?.to_be_bytes());
            packet.extend(id.to_be_bytes());
            packet.extend(DO_NOT_FRAGMENT.to_be_bytes());
            packet.extend([HOPS_MAX, PROTOCOL_UDP, 0, 0]);
            packet.extend(&addresses);
            let sum = checksum(packet.chunks(2));
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            addresses.extend([source.octets(), destination.octets()].concat());
            // Version 6, no traffic class and no flow label.
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(udp_length.to_be_bytes());
            packet.extend([PROTOCOL_UDP, HOPS_MAX]);
            packet.extend(&addresses);
        }
        _ => return Err(io::Error::other("addresses of two families")),
    }
    let start = packet.len();
    for field in [source.port(), destination.port(), udp_length, 0] {
        packet.extend(field.to_be_bytes());
    }
    packet.extend(payload);
    // What the checksum covers besides the datagram has the same sum for both families.
    let length = udp_length.to_be_bytes();
    let pseudo = [0, PROTOCOL_UDP, length[0], length[1]];
    let sum =
        checksum(addresses.chunks(2).chain(pseudo.chunks(2)).chain(packet[start..].chunks(2)));
    // Zero would mean that there is no checksum.
    let sum = if sum == 0 { u16::MAX } else { sum };
    packet[start + 6..start + 8].copy_from_slice(&sum.to_be_bytes());
    Ok(packet)
}

/// The checksum of the Internet (RFC 1071) over pairs of bytes; the last may be alone.
fn checksum<'a>(pairs: impl Iterator<Item = &'a [u8]>) -> u16 {
    let mut sum = 0_u32;
    for pair in pairs {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([pair[0], low]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("it was folded to 16 bits")
}

const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const UDP_HEADER: usize = 8;
const DO_NOT_FRAGMENT: u16 = 0x4000;
const HOPS_MAX: u8 = 64;
const PROTOCOL_UDP: u8 = 17;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_adds_everything_up_gets_nothing() {
        for (source, destination, header) in [
            ("192.168.0.1:10000", "192.168.0.2:20001", IPV4_HEADER),
            ("[fd00::1]:10000", "[fd00::2]:20001", IPV6_HEADER),
        ] {
            let ends = [source, destination].map(|end| end.parse().expect("an address"));
            let packet = udp_packet(ends[0], ends[1], 3, &[0x21, 0x00, 0x01]).expect("short");
            assert_eq!(packet.len(), header + 11);
            assert_eq!(packet[header..header + 6], [0x27, 0x10, 0x4e, 0x21, 0, 11]);
            if header == IPV4_HEADER {
                assert_eq!(packet[..10], [0x45, 0, 0, 31, 0, 3, 0x40, 0, 64, 17]);
                assert_eq!(checksum(packet[..20].chunks(2)), 0);
            } else {
                assert_eq!(packet[..8], [0x60, 0, 0, 0, 0, 11, 17, 64]);
            }
            let addresses = if header == IPV4_HEADER { 12..20 } else { 8..40 };
            let pseudo = [&packet[addresses], &[0, 17, 0, 11]].concat();
            assert_eq!(checksum(pseudo.chunks(2).chain(packet[header..].chunks(2))), 0);
        }
    }

    #[test]
    fn what_no_packet_can_be_made_of_is_an_error() {
        let v4 = ([10, 0, 0, 1], 1).into();
        let v6 = "[::1]:1".parse().expect("an address");
        udp_packet(v4, v6, 0, b"").expect_err("two families");
        udp_packet(v4, v4, 0, &[0; 65_520]).expect_err("too long for IPv4");
    }

    #[test]
    fn the_checksum_is_that_of_the_example_in_rfc_1071() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(bytes.chunks(2)), !0xddf2);
    }
}
