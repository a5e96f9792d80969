//! The UDP datagram in a frame: through Ethernet, Linux cooked or loopback headers, IPv4 or IPv6.
//!
//! Nothing is put together again: of a datagram in fragments the first one is read, as far as it
//! goes, and so is a frame that the capture has cut. Checksums are not looked at: network cards
//! fill them in behind the place of capture.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::capture::LinkType;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// A fragment of a datagram that is not its first.
    Fragment,
    /// Headers that do not fit together, or are cut.
    Malformed,
    /// Something else than UDP over IP.
    Other,
    /// A UDP datagram.
    Udp(Datagram<'a>),
    /// A header of a link that is not known here.
    UnknownLink,
}

/// A UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub source: SocketAddr,
    /// Who is to have it.
    pub destination: SocketAddr,
    /// What was captured of its payload.
    pub payload: &'a [u8],
    /// How long the payload was on the way, by the header of UDP; at least what was captured.
    pub len: usize,
    /// Whether it went in fragments, of which this is the first.
    pub is_fragmented: bool,
}

impl Datagram<'_> {
    /// Whether all of its payload is here.
    pub const fn is_whole(&self) -> bool {
        self.payload.len() == self.len
    }
}

/// Finds the datagram in a frame.
///
/// ```
/// use utp_cli::capture::LinkType;
/// use utp_cli::datagram::{Content, read};
///
/// let mut frame = vec![0x45, 0, 0, 30, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
/// frame.extend([0x1a, 0xe1, 0x1a, 0xe2, 0, 10, 0, 0, b'h', b'i']);
/// let Content::Udp(datagram) = read(LinkType::RAW, &frame) else { panic!("it is one") };
/// assert_eq!(datagram.source.to_string(), "10.0.0.1:6881");
/// assert_eq!(datagram.payload, b"hi");
/// ```
pub fn read(link: LinkType, frame: &[u8]) -> Content<'_> {
    let content = match link {
        LinkType::ETHERNET => ethernet(frame),
        LinkType::IPV4 => ipv4(frame),
        LinkType::IPV6 => ipv6(frame),
        LinkType::LINUX_SLL => cooked(frame, 14, 16),
        LinkType::LINUX_SLL2 => cooked(frame, 0, 20),
        LinkType::LOOP | LinkType::NULL => loopback(frame),
        LinkType::RAW => raw(frame),
        _ => Some(Content::UnknownLink),
    };
    content.unwrap_or(Content::Malformed)
}

/// Two addresses before the type of what follows.
fn ethernet(frame: &[u8]) -> Option<Content<'_>> {
    by_ethertype(u16_at(frame, 12)?, &frame[14..])
}

/// A header of `len` bytes with the type of what follows at `at`.
fn cooked(frame: &[u8], at: usize, len: usize) -> Option<Content<'_>> {
    by_ethertype(u16_at(frame, at)?, frame.get(len..)?)
}

/// The address family of the system that captured, in the order of its bytes. The numbers are
/// small, so that the order shows.
fn loopback(frame: &[u8]) -> Option<Content<'_>> {
    let (family, rest) = frame.split_first_chunk::<4>()?;
    match u32::from_be_bytes(*family).min(u32::from_le_bytes(*family)) {
        2 => ipv4(rest),
        // Linux, NetBSD and OpenBSD, FreeBSD, macOS.
        10 | 24 | 28 | 30 => ipv6(rest),
        _ => Some(Content::Other),
    }
}

fn raw(frame: &[u8]) -> Option<Content<'_>> {
    match frame.first()? >> 4 {
        4 => ipv4(frame),
        6 => ipv6(frame),
        _ => None,
    }
}

fn by_ethertype(mut kind: u16, mut rest: &[u8]) -> Option<Content<'_>> {
    let mut tags = 0;
    while VLAN_TAGS.contains(&kind) && tags < VLAN_TAGS_MAX {
        (kind, rest) = (u16_at(rest, 2)?, &rest[4..]);
        tags += 1;
    }
    match kind {
        0x0800 => ipv4(rest),
        0x86dd => ipv6(rest),
        _ => Some(Content::Other),
    }
}

/// RFC 791.
fn ipv4(packet: &[u8]) -> Option<Content<'_>> {
    let (header, _) = packet.split_first_chunk::<20>()?;
    let header_len = usize::from(header[0] & 0x0f) * 4;
    if header[0] >> 4 != 4 || header_len < 20 {
        return None;
    }
    let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    // Frames that the sending card cuts into packets are captured without a length.
    let len = if len == 0 { packet.len() } else { len };
    if len < header_len {
        return None;
    }
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    if header[9] != PROTOCOL_UDP {
        return Some(Content::Other);
    }
    if fragment & 0x1fff != 0 {
        return Some(Content::Fragment);
    }
    let [.., s0, s1, s2, s3, d0, d1, d2, d3] = *header;
    let ends = [Ipv4Addr::new(s0, s1, s2, s3).into(), Ipv4Addr::new(d0, d1, d2, d3).into()];
    // Short frames are padded: what lies behind the packet is none of it.
    let packet = &packet[..packet.len().min(len)];
    udp(ends, packet.get(header_len..)?, fragment & 0x2000 != 0)
}

/// RFC 8200, with the headers that may stand before UDP.
fn ipv6(packet: &[u8]) -> Option<Content<'_>> {
    let (header, rest) = packet.split_first_chunk::<40>()?;
    if header[0] >> 4 != 6 {
        return None;
    }
    let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let len = if len == 0 { rest.len() } else { len };
    let mut rest = &rest[..rest.len().min(len)];
    let address = |at| {
        let octets: &[u8; 16] = header[at..].first_chunk().expect("the header has two addresses");
        IpAddr::V6(Ipv6Addr::from(*octets))
    };
    let ends = [address(8), address(24)];
    let mut next = header[6];
    let mut is_fragmented = false;
    for _ in 0..EXTENSIONS_MAX {
        let (unit, least) = match next {
            PROTOCOL_UDP => return udp(ends, rest, is_fragmented),
            HOP_BY_HOP | ROUTING | DESTINATION => (8, 1),
            AUTHENTICATION => (4, 2),
            FRAGMENT => {
                let offset = u16_at(rest, 2)?;
                if offset & 0xfff8 != 0 {
                    return Some(Content::Fragment);
                }
                is_fragmented = offset & 1 != 0;
                (next, rest) = (rest[0], rest.get(8..)?);
                continue;
            }
            _ => return Some(Content::Other),
        };
        let (&[following, len], _) = rest.split_first_chunk::<2>()?;
        (next, rest) = (following, rest.get((usize::from(len) + least) * unit..)?);
    }
    Some(Content::Other)
}

/// RFC 768.
fn udp(ends: [IpAddr; 2], packet: &[u8], is_fragmented: bool) -> Option<Content<'_>> {
    let (header, rest) = packet.split_first_chunk::<8>()?;
    let port = |at| u16::from_be_bytes([header[at], header[at + 1]]);
    let len = match usize::from(port(4)) {
        // Several datagrams that the sending card is to separate: one frame that is too long.
        0 => rest.len(),
        len => len.checked_sub(8)?,
    };
    Some(Content::Udp(Datagram {
        source: SocketAddr::new(ends[0], port(0)),
        destination: SocketAddr::new(ends[1], port(2)),
        payload: &rest[..rest.len().min(len)],
        len,
        is_fragmented,
    }))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_be_bytes(*pair))
}

/// IEEE 802.1Q, 802.1ad, and what was there before it.
const VLAN_TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];

/// Two are in use; a frame of nothing but tags is no reason to go on.
const VLAN_TAGS_MAX: u32 = 4;

/// IPv6 has four kinds that may be here, one of them twice.
const EXTENSIONS_MAX: u32 = 8;

const HOP_BY_HOP: u8 = 0;
const PROTOCOL_UDP: u8 = 17;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
