//! Lies on single packets.

use super::*;
use utp_wire::{ConnectionId, Timestamp, TimestampDiff};

const HEADER: Header = Header {
    packet_type: PacketType::State,
    connection_id: ConnectionId(7),
    timestamp_microseconds: Timestamp(1_000_000),
    timestamp_difference_microseconds: TimestampDiff(50_000),
    wnd_size: 1 << 20,
    seq_nr: SeqNr(1),
    ack_nr: SeqNr(10),
};

fn encoded(header: &Header, first_extension: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = [0; HEADER_LEN];
    header.encode(first_extension, &mut bytes);
    [&bytes, rest].concat()
}

fn sent(packet_type: PacketType, seq_nr: u16) -> Vec<u8> {
    encoded(&Header { packet_type, seq_nr: SeqNr(seq_nr), ..HEADER }, 0, b"data")
}

fn told(liar: &mut Liar, now: Ns) -> Header {
    let bytes = liar.rewrite(now, &encoded(&HEADER, 0, &[])).expect("it is an ack");
    Packet::decode(&bytes).expect("it is still uTP").header
}

#[test]
fn an_optimist_acknowledges_the_highest_number_that_was_sent() {
    let mut liar = Liar::new(Lie::Ack);
    assert_eq!(liar.rewrite(Ns(0), &encoded(&HEADER, 0, &[])), None, "nothing was sent");
    for (packet_type, seq_nr, highest) in [
        (PacketType::Syn, 65_534, 65_534),
        (PacketType::Data, 65_535, 65_535),
        (PacketType::Data, 1, 1),
        (PacketType::Data, 0, 1),
        (PacketType::State, 9, 1),
        (PacketType::Fin, 2, 2),
        (PacketType::Syn, 500, 500),
    ] {
        liar.overhear(&sent(packet_type, seq_nr));
        assert_eq!(told(&mut liar, Ns(0)), Header { ack_nr: SeqNr(highest), ..HEADER });
    }
}

#[test]
fn an_optimist_hides_its_selective_ack_and_keeps_its_data() {
    let mut liar = Liar::new(Lie::Ack);
    liar.overhear(&sent(PacketType::Data, 30));
    let rest = [0, 4, 1, 2, 3, 4, b'd', b'a', b't', b'a'];
    let bytes = liar.rewrite(Ns(0), &encoded(&HEADER, 1, &rest)).expect("it is an ack");
    assert_eq!(bytes, encoded(&Header { ack_nr: SeqNr(30), ..HEADER }, 0, b"data"));
}

#[test]
fn a_constant_delay_is_told_whatever_was_measured() {
    let mut liar = Liar::new(Lie::Delay(1_234));
    let diff = TimestampDiff(1_234);
    let expected = Header { timestamp_difference_microseconds: diff, ..HEADER };
    assert_eq!(told(&mut liar, Ns(0)), expected);
}

#[test]
fn a_slewed_delay_shrinks_with_time_and_wraps() {
    let mut liar = Liar::new(Lie::Slew(500));
    let at = |liar: &mut Liar, now| told(liar, now).timestamp_difference_microseconds.0;
    // 500 ppm are 500 us in a second, counted from the first lie on.
    let start = Ns::from_secs(7);
    assert_eq!(at(&mut liar, start), 50_000);
    assert_eq!(at(&mut liar, start + Ns::from_secs(1)), 49_500);
    assert_eq!(at(&mut liar, start + Ns::from_secs(102)), 1_000_u32.wrapping_neg());
}

#[test]
fn a_ratchet_makes_each_packet_seem_faster_than_the_one_before() {
    let mut liar = Liar::new(Lie::Ratchet(10_000));
    for count in 1..=5 {
        let stamp = Timestamp(1_000_000 + 10_000 * count);
        let expected = Header { timestamp_microseconds: stamp, ..HEADER };
        assert_eq!(told(&mut liar, Ns(0)), expected);
    }
}

#[test]
fn without_a_measurement_no_delay_is_made_up() {
    let silent = Header { timestamp_difference_microseconds: TimestampDiff(0), ..HEADER };
    let bytes = encoded(&silent, 0, &[]);
    for lie in [Lie::Delay(5), Lie::Slew(5)] {
        assert_eq!(Liar::new(lie).rewrite(Ns(0), &bytes).as_deref(), Some(&bytes[..]));
    }
}

#[test]
fn what_acknowledges_nothing_passes() {
    let mut liar = Liar::new(Lie::Ratchet(1));
    for packet_type in [PacketType::Syn, PacketType::Reset] {
        assert_eq!(liar.rewrite(Ns(0), &sent(packet_type, 1)), None);
    }
    assert_eq!(liar.rewrite(Ns(0), b"d1:ad2:id20:abcdefghij"), None);
    assert_eq!(liar.rewrite(Ns(0), &[]), None);
}
