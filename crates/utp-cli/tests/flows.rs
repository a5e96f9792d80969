//! What is taken for uTP, and what is told of it.

#[expect(dead_code, reason = "each test file uses a part of it")]
mod support;

use std::net::SocketAddr;

use support::{decode, header, packet, pcap, utp};
use utp_cli::flow::{Close, FLOWS_MAX, Findings, Flow};
use utp_wire::PacketType::{self, Data, Fin, Reset, State, Syn};
use utp_wire::{Header, TimestampDiff};

fn left() -> SocketAddr {
    ([10, 0, 0, 1], 1_000).into()
}

fn right() -> SocketAddr {
    ([10, 0, 0, 2], 2_000).into()
}

/// From left to right, or back.
#[derive(Clone, Copy)]
enum To {
    Left,
    Right,
}

fn frame(to: To, header: &Header, payload_len: usize) -> Vec<u8> {
    let datagram = utp(header, payload_len);
    match to {
        To::Left => packet(right(), left(), &datagram),
        To::Right => packet(left(), right(), &datagram),
    }
}

/// A capture of these packets, one a millisecond: where to, type, id, number, acknowledged number,
/// bytes of payload.
fn findings(packets: &[(To, PacketType, u16, u16, u16, usize)]) -> Findings {
    let frames = packets.iter().map(|&(to, packet_type, id, seq_nr, ack_nr, payload_len)| {
        frame(to, &header(packet_type, id, seq_nr, ack_nr), payload_len)
    });
    decode(&pcap(&frames.collect::<Vec<_>>())).expect("a capture")
}

fn only(findings: &Findings) -> &Flow {
    let [flow] = &findings.flows[..] else { panic!("{} flows", findings.flows.len()) };
    flow
}

#[test]
fn a_connection_is_followed_from_its_syn_to_its_last_fin() {
    let findings = findings(&[
        (To::Right, Syn, 100, 1, 0, 0),
        (To::Right, Syn, 100, 1, 0, 0),
        (To::Left, State, 100, 500, 1, 0),
        (To::Right, Data, 101, 2, 499, 1_000),
        (To::Right, Data, 101, 4, 499, 1_000),
        (To::Left, State, 100, 500, 2, 0),
        (To::Right, Data, 101, 3, 499, 1_000),
        (To::Right, Data, 101, 4, 499, 1_000),
        (To::Left, Data, 100, 500, 4, 10),
        (To::Right, Fin, 101, 5, 500, 0),
        (To::Left, Fin, 100, 501, 5, 0),
        (To::Right, State, 101, 6, 501, 0),
    ]);
    let flow = only(&findings);
    assert_eq!((flow.initiator, flow.acceptor, flow.id.0), (left(), right(), 100));
    assert_eq!((flow.handshake.syns, flow.handshake.round_trip_ns()), (2, Some(2_000_000)));
    assert_eq!((flow.first_ns, flow.last_ns), (7_000_000_000, 7_011_000_000));
    assert_eq!(flow.close(), Close::Closed);
    let sent = &flow.to_acceptor;
    assert_eq!((sent.packets, sent.types), (8, [4, 1, 1, 0, 2]));
    assert_eq!((sent.payload_bytes, sent.resent_bytes), (4_000, 1_000));
    assert_eq!((sent.resent, sent.late, sent.sequence.missing()), (2, 1, 0));
    let fin = flow.to_initiator.fin.expect("it was sent");
    assert_eq!((fin.at_ns, fin.acked_ns), (7_010_000_000, Some(7_011_000_000)));
    assert_eq!(findings.counts.utp, 12);
}

#[test]
fn a_number_behind_the_first_one_is_late_if_it_follows_the_syn() {
    let findings = findings(&[
        (To::Right, Syn, 100, 1, 0, 0),
        (To::Right, Data, 101, 3, 0, 1),
        (To::Right, Data, 101, 2, 0, 1),
    ]);
    let sent = &only(&findings).to_acceptor;
    assert_eq!((sent.late, sent.resent), (1, 0));
}

#[test]
fn a_connection_older_than_the_capture_is_known_by_its_pair_of_ids() {
    for (first, second) in [(101, 100), (100, 101)] {
        let findings = findings(&[
            (To::Right, Data, first, 70, 9, 5),
            (To::Right, Data, first, 71, 9, 5),
            (To::Left, State, second, 10, 71, 0),
        ]);
        let flow = only(&findings);
        // Who sends with the higher id has opened it.
        let initiator = if first > second { left() } else { right() };
        assert_eq!((flow.initiator, flow.id.0), (initiator, 100));
        let by_left = if first > second { &flow.to_acceptor } else { &flow.to_initiator };
        assert_eq!((by_left.packets, by_left.payload_bytes), (2, 10));
        assert!(flow.handshake.syn_ns.is_none());
        assert_eq!(flow.close(), Close::Open);
    }
}

#[test]
fn what_only_looks_like_a_header_is_other_traffic() {
    let findings = findings(&[
        // One side only, and an answer whose id fits nothing.
        (To::Right, Data, 100, 70, 9, 5),
        (To::Right, State, 900, 71, 9, 0),
        (To::Left, State, 100, 10, 71, 0),
        // A SYN with a payload.
        (To::Right, Syn, 300, 1, 0, 900),
    ]);
    assert!(findings.flows.is_empty());
    assert_eq!((findings.counts.utp, findings.counts.other_udp), (0, 4));
    let dht = packet(left(), right(), b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aae");
    assert_eq!(decode(&pcap(&[dht])).expect("a capture").counts.other_udp, 1);
}

#[test]
fn connections_with_neighbouring_ids_between_the_same_ports_are_told_apart() {
    let findings = findings(&[
        (To::Right, Syn, 100, 1, 0, 0),
        (To::Right, Syn, 101, 50, 0, 0),
        // The id that the right host sends to the first is that which the left sends to the third.
        (To::Left, Syn, 101, 30_000, 0, 0),
        (To::Left, State, 100, 900, 1, 0),
        (To::Left, State, 101, 800, 50, 0),
        (To::Right, Data, 101, 2, 900, 10),
        (To::Left, Data, 102, 30_001, 50, 30),
        (To::Right, Data, 102, 51, 800, 20),
        (To::Right, Data, 101, 3, 900, 10),
    ]);
    let bytes: Vec<u64> =
        findings.flows.iter().map(|flow| flow.to_acceptor.payload_bytes).collect();
    assert_eq!(bytes, [20, 20, 30]);
    let bytes: Vec<u64> =
        findings.flows.iter().map(|flow| flow.to_initiator.payload_bytes).collect();
    assert_eq!(bytes, [0, 0, 0]);
}

#[test]
fn a_syn_with_another_number_opens_another_connection() {
    let findings = findings(&[
        (To::Right, Syn, 100, 1, 0, 0),
        (To::Left, State, 100, 900, 1, 0),
        (To::Right, Syn, 100, 7_000, 0, 0),
        (To::Left, State, 100, 90, 7_000, 0),
        (To::Right, Data, 101, 7_001, 89, 4),
    ]);
    let bytes: Vec<u64> =
        findings.flows.iter().map(|flow| flow.to_acceptor.payload_bytes).collect();
    assert_eq!(bytes, [0, 4]);
}

#[test]
fn a_reset_belongs_to_the_connection_whichever_of_its_ids_it_has() {
    for id in [100, 101] {
        let findings = findings(&[(To::Right, Syn, 100, 1, 0, 0), (To::Left, Reset, id, 0, 1, 0)]);
        let flow = only(&findings);
        assert_eq!((flow.close(), flow.to_initiator.packets), (Close::Reset, 1), "id {id}");
    }
}

#[test]
fn delays_are_those_that_the_other_side_told() {
    let mut frames = vec![frame(To::Right, &header(Syn, 100, 1, 0), 0)];
    for (seq_nr, delay) in (500..).zip([40_000_u32, 30_000, 50_000, 0, 0x7fff_ffff]) {
        let mut header = header(State, 100, seq_nr, 1);
        header.timestamp_difference_microseconds = TimestampDiff(delay);
        frames.push(frame(To::Left, &header, 0));
    }
    let findings = decode(&pcap(&frames)).expect("a capture");
    let delays = &only(&findings).to_acceptor.delays;
    assert_eq!(
        (delays.count(), delays.above_base_us(50), delays.max_us()),
        (3, Some(10_000), Some(20_000))
    );
    assert_eq!(only(&findings).to_initiator.delays.count(), 0);
}

#[test]
fn packets_that_were_captured_in_part_count_with_their_length_on_the_way() {
    let mut cut = frame(To::Right, &header(Data, 101, 2, 0), 1_000);
    cut.truncate(28 + 20 + 10);
    // A selective ack is announced, and lies behind the cut.
    let mut ack = frame(To::Left, &header(State, 100, 2, 2), 6);
    ack[28 + 1] = 1;
    ack[28 + 21] = 4;
    ack.truncate(28 + 20 + 3);
    let syn = frame(To::Right, &header(Syn, 100, 1, 0), 0);
    let findings = decode(&pcap(&[syn, cut, ack])).expect("a capture");
    let flow = only(&findings);
    assert_eq!((flow.to_acceptor.payload_bytes, flow.to_initiator.payload_bytes), (1_000, 0));
    assert_eq!((findings.counts.cut, flow.to_initiator.malformed), (2, 0));
}

#[test]
fn extensions_beyond_the_end_of_a_packet_are_malformed() {
    let mut bad = utp(&header(State, 100, 2, 1), 2);
    (bad[1], bad[21]) = (1, 9);
    let syn = frame(To::Right, &header(Syn, 100, 1, 0), 0);
    let bad = packet(right(), left(), &bad);
    let findings = decode(&pcap(&[bad.clone(), syn, bad])).expect("a capture");
    let flow = only(&findings);
    assert_eq!((flow.to_initiator.malformed, flow.to_initiator.packets), (1, 1));
    assert_eq!(findings.counts.other_udp, 1, "nothing begins with such a packet");
}

#[test]
fn flows_beyond_the_limit_are_counted_and_take_no_memory() {
    let mut frames = Vec::new();
    for port in 0..10_000_u16 {
        let to = SocketAddr::new(right().ip(), port);
        frames.push(packet(left(), to, &utp(&header(Syn, 100, 1, 0), 0)));
        frames.push(packet(to, left(), &utp(&header(State, 100, 1, 1), 0)));
    }
    for port in 10_000..30_000_u16 {
        let to = SocketAddr::new(right().ip(), port);
        frames.push(packet(left(), to, &utp(&header(Data, 100, 1, 0), 7)));
    }
    // The stamps of the helper end after a second.
    let mut file = pcap(&frames[..1]);
    for frame in &frames[1..] {
        file.extend(support::classic_record(u32::to_be_bytes, [8, 0], frame));
    }
    let findings = decode(&file).expect("a capture");
    assert_eq!(findings.flows.len(), FLOWS_MAX);
    let counts = findings.counts;
    assert_eq!(counts.utp, 2 * FLOWS_MAX as u64);
    assert_eq!(counts.beyond_flows_max, 2 * (10_000 - FLOWS_MAX as u64));
    assert_eq!(counts.other_udp, 20_000);
}
