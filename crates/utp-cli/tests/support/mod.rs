//! Captures made by hand: frames from the uTP header down, and files around them.

use std::net::{IpAddr, SocketAddr};

use utp_cli::capture::{Capture, CaptureError};
use utp_cli::flow::{Findings, Tracker};
use utp_wire::{ConnectionId, HEADER_LEN, Header, PacketType, SeqNr, Timestamp, TimestampDiff};

/// A header with the fields that tests ask for, and no payload.
pub(crate) fn header(packet_type: PacketType, id: u16, seq_nr: u16, ack_nr: u16) -> Header {
    Header {
        packet_type,
        connection_id: ConnectionId(id),
        timestamp_microseconds: Timestamp(1_000),
        timestamp_difference_microseconds: TimestampDiff(0),
        wnd_size: 1 << 20,
        seq_nr: SeqNr(seq_nr),
        ack_nr: SeqNr(ack_nr),
    }
}

/// The datagram of a header with a payload of zeros.
pub(crate) fn utp(header: &Header, payload_len: usize) -> Vec<u8> {
    let mut datagram = vec![0; HEADER_LEN + payload_len];
    header.encode(0, datagram.first_chunk_mut().expect("a header fits"));
    datagram
}

/// UDP, without a checksum.
pub(crate) fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).expect("short");
    let mut datagram = Vec::new();
    for field in [source, destination, len, 0] {
        datagram.extend(field.to_be_bytes());
    }
    datagram.extend(payload);
    datagram
}

/// The packet of a datagram, in the family of the addresses.
pub(crate) fn packet(source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let udp = udp(source.port(), destination.port(), payload);
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            ipv4([source.octets(), destination.octets()], 0, &udp)
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend(u16::try_from(udp.len()).expect("short").to_be_bytes());
            packet.extend([17, 64]);
            packet.extend(source.octets());
            packet.extend(destination.octets());
            packet.extend(udp);
            packet
        }
        _ => panic!("two families"),
    }
}

/// A packet of IPv4 with these flags and this offset of a fragment.
pub(crate) fn ipv4(ends: [[u8; 4]; 2], fragment: u16, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(20 + body.len()).expect("short");
    let mut packet = vec![0x45, 0];
    packet.extend(len.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, 17, 0, 0]);
    packet.extend(ends.concat());
    packet.extend(body);
    packet
}

/// A pcap file of raw packets, one a millisecond.
pub(crate) fn pcap(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = classic_head(0xa1b2_3c4d, u32::to_be_bytes, 101);
    for (ms, packet) in (0..).zip(packets) {
        file.extend(classic_record(u32::to_be_bytes, [7, ms * 1_000_000], packet));
    }
    file
}

/// The head of a classic pcap file.
pub(crate) fn classic_head(magic: u32, order: fn(u32) -> [u8; 4], link: u32) -> Vec<u8> {
    let version = match order(1) {
        [0, 0, 0, 1] => [0, 2, 0, 4],
        _ => [2, 0, 4, 0],
    };
    let mut head = order(magic).to_vec();
    head.extend(version);
    head.extend([0, 0, 262_144, link].into_iter().flat_map(order));
    head
}

/// A record of a classic pcap file.
pub(crate) fn classic_record(order: fn(u32) -> [u8; 4], at: [u32; 2], packet: &[u8]) -> Vec<u8> {
    let len = u32::try_from(packet.len()).expect("short");
    let mut record: Vec<u8> = [at[0], at[1], len, len].into_iter().flat_map(order).collect();
    record.extend(packet);
    record
}

/// A block of pcapng with its lengths.
pub(crate) fn block(order: fn(u32) -> [u8; 4], kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let len = order(u32::try_from(12 + padded).expect("short"));
    let mut block = [order(kind), len].concat();
    block.extend(body);
    block.resize(8 + padded, 0);
    block.extend(len);
    block
}

/// What is in a capture.
pub(crate) fn decode(file: &[u8]) -> Result<Findings, CaptureError> {
    let mut capture = Capture::open(file)?;
    let mut tracker = Tracker::default();
    while let Some(frame) = capture.next_frame()? {
        tracker.handle(&frame);
    }
    Ok(tracker.finish())
}
