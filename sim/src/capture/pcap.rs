//! Classic pcap with nanosecond stamps and raw IPv4 packets, as Wireshark and tshark read it.
//!
//! The headers of IP and UDP are made up here, since the network model only counts their bytes.
//! Every datagram is as long as its headers say, with correct checksums.

use crate::packet::Datagram;
use crate::taps::{Captured, address};
use crate::time::Ns;
use std::io::{self, Write};
use std::net::IpAddr;

/// Writes the datagrams of one host.
///
/// ```
/// use bytes::Bytes;
/// use utp_sim::capture::Pcap;
/// use utp_sim::packet::{Datagram, HostId, UDP_OVERHEAD_V4};
/// use utp_sim::taps::{Captured, Direction};
/// use utp_sim::time::Ns;
///
/// let payload = Bytes::from_static(b"hello");
/// let overhead = UDP_OVERHEAD_V4;
/// let (source, destination, dont_fragment) = (10_000, 20_000, true);
/// let datagram = Datagram { source, destination, overhead, dont_fragment, payload };
/// let mut file = Vec::new();
/// let mut pcap = Pcap::new(&mut file)?;
/// pcap.write(&Captured {
///     at: Ns::from_millis(1_500),
///     host: HostId::Left,
///     direction: Direction::Sent,
///     datagram: &datagram,
/// })?;
/// pcap.finish()?;
/// assert_eq!(file.len(), 24 + 16 + 20 + 8 + 5);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Pcap<W> {
    output: W,
    packets: u16,
}

impl<W: Write> Pcap<W> {
    /// Begins a capture.
    ///
    /// # Errors
    ///
    /// Those of the output, here and below.
    pub fn new(mut output: W) -> io::Result<Self> {
        output.write_all(&MAGIC_NANOSECONDS.to_le_bytes())?;
        for version in [2_u16, 4] {
            output.write_all(&version.to_le_bytes())?;
        }
        for field in [0, 0, SNAP_LENGTH, LINK_TYPE_RAW] {
            output.write_all(&field.to_le_bytes())?;
        }
        Ok(Self { output, packets: 0 })
    }

    /// Adds a datagram; they come in the order of time.
    ///
    /// # Errors
    ///
    /// Those of the output, or a datagram longer than IPv4 allows.
    pub fn write(&mut self, captured: &Captured<'_>) -> io::Result<()> {
        let sender = captured.sender();
        let ends = [address(sender), address(sender.peer())];
        let packet = packet(captured.datagram, ends, self.packets)?;
        self.packets = self.packets.wrapping_add(1);
        let (seconds, nanos) = stamp(captured.at);
        let length = u32::try_from(packet.len()).map_err(io::Error::other)?;
        for field in [seconds, nanos, length, length] {
            self.output.write_all(&field.to_le_bytes())?;
        }
        self.output.write_all(&packet)
    }

    /// Writes what is still in memory, and returns the output.
    ///
    /// # Errors
    ///
    /// Those of the output.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.flush()?;
        Ok(self.output)
    }
}

/// Seconds, which end in 2106, and nanoseconds.
fn stamp(at: Ns) -> (u32, u32) {
    let part = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    (part(at.0 / 1_000_000_000), part(at.0 % 1_000_000_000))
}

/// The datagram with its headers: RFC 791 and RFC 768.
fn packet(datagram: &Datagram, ends: [IpAddr; 2], id: u16) -> io::Result<Vec<u8>> {
    let length =
        |header: usize| u16::try_from(header + datagram.payload.len()).map_err(io::Error::other);
    let (ip_length, udp_length) = (length(IP_HEADER + UDP_HEADER)?, length(UDP_HEADER)?);
    let mut addresses = Vec::with_capacity(8);
    for end in ends {
        let IpAddr::V4(end) = end else { return Err(io::Error::other("not IPv4")) };
        addresses.extend(end.octets());
    }
    let mut packet = Vec::with_capacity(usize::from(ip_length));
    // Version 4, five words of header, no service class.
    packet.extend([0x45, 0]);
    packet.extend(ip_length.to_be_bytes());
    packet.extend(id.to_be_bytes());
    packet.extend(DO_NOT_FRAGMENT.to_be_bytes());
    packet.extend([HOPS_MAX, PROTOCOL_UDP, 0, 0]);
    packet.extend(&addresses);
    let sum = checksum(packet.chunks(2));
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    let mut udp = Vec::with_capacity(usize::from(udp_length));
    for field in [datagram.source, datagram.destination, udp_length, 0] {
        udp.extend(field.to_be_bytes());
    }
    udp.extend(&datagram.payload);
    let length = udp_length.to_be_bytes();
    let pseudo = [0, PROTOCOL_UDP, length[0], length[1]];
    let sum = checksum(addresses.chunks(2).chain(pseudo.chunks(2)).chain(udp.chunks(2)));
    // Zero would mean that there is no checksum.
    let sum = if sum == 0 { u16::MAX } else { sum };
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    packet.extend(udp);
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

/// Little-endian fields, nanoseconds.
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
/// Longest packet in a capture.
const SNAP_LENGTH: u32 = 65_535;
/// Packets begin with the header of IP.
const LINK_TYPE_RAW: u32 = 101;
const IP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const DO_NOT_FRAGMENT: u16 = 0x4000;
const HOPS_MAX: u8 = 64;
const PROTOCOL_UDP: u8 = 17;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{HostId, UDP_OVERHEAD_V4};
    use crate::taps::Direction;
    use bytes::Bytes;

    fn captured(datagram: &Datagram) -> Captured<'_> {
        let at = Ns(3_000_000_007);
        Captured { at, host: HostId::Right, direction: Direction::Received, datagram }
    }

    #[test]
    fn a_datagram_has_the_headers_that_the_standards_ask_for() {
        let payload = Bytes::from_static(&[0x21, 0x00, 0x01]);
        let datagram = Datagram {
            source: 10_000,
            destination: 20_001,
            overhead: UDP_OVERHEAD_V4,
            dont_fragment: true,
            payload,
        };
        let mut file = Vec::new();
        let mut pcap = Pcap::new(&mut file).expect("memory");
        pcap.write(&captured(&datagram)).expect("memory");
        pcap.finish().expect("memory");
        assert_eq!(file[..4], [0x4d, 0x3c, 0xb2, 0xa1]);
        assert_eq!(file[20..24], [101, 0, 0, 0]);
        assert_eq!(file[24..32], [3, 0, 0, 0, 7, 0, 0, 0]);
        assert_eq!(file[32..40], [31, 0, 0, 0, 31, 0, 0, 0]);
        let packet = &file[40..];
        assert_eq!(packet[..10], [0x45, 0, 0, 31, 0, 0, 0x40, 0, 64, 17]);
        // It came from the left host.
        assert_eq!(packet[12..20], [192, 168, 0, 1, 192, 168, 0, 2]);
        assert_eq!(packet[20..26], [0x27, 0x10, 0x4e, 0x21, 0, 11]);
        // A receiver that adds everything up, checksum included, gets nothing.
        assert_eq!(checksum(packet[..20].chunks(2)), 0);
        let pseudo = [&packet[12..20], &[0, 17, 0, 11]].concat();
        assert_eq!(checksum(pseudo.chunks(2).chain(packet[20..].chunks(2))), 0);
        assert_eq!(packet[28..], [0x21, 0x00, 0x01]);
    }

    #[test]
    fn the_checksum_is_that_of_the_example_in_rfc_1071() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(bytes.chunks(2)), !0xddf2);
    }
}
