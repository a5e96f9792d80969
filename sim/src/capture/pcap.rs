//! Classic pcap with nanosecond stamps and raw IPv4 packets, as Wireshark and tshark read it.
//!
//! The headers of IP and UDP are made up here, since the network model only counts their bytes.
//! Every datagram is as long as its headers say, with correct checksums.

use crate::ip::udp_packet;
use crate::taps::{Captured, address};
use crate::time::Ns;
use std::io::{self, Write};
use std::net::SocketAddr;

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
        let datagram = captured.datagram;
        let source = SocketAddr::new(address(sender), datagram.source);
        let destination = SocketAddr::new(address(sender.peer()), datagram.destination);
        let packet = udp_packet(source, destination, self.packets, &datagram.payload)?;
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

/// Little-endian fields, nanoseconds.
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
/// Longest packet in a capture.
const SNAP_LENGTH: u32 = 65_535;
/// Packets begin with the header of IP.
const LINK_TYPE_RAW: u32 = 101;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Datagram, HostId, UDP_OVERHEAD_V4};
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
        // It came from the left host.
        assert_eq!(packet[12..20], [192, 168, 0, 1, 192, 168, 0, 2]);
        assert_eq!(packet[20..26], [0x27, 0x10, 0x4e, 0x21, 0, 11]);
        assert_eq!(packet[28..], [0x21, 0x00, 0x01]);
    }
}
