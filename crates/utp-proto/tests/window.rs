//! Flow control: the window that is announced, the window of the peer, and what both bound.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::Config;
use utp_wire::PacketType;
use wire::{FULL, SECOND, Wire, plain, with_window};

fn with_buffer(receive_buffer_bytes: u32) -> Config {
    let mut config = plain();
    config.receive_buffer_bytes = receive_buffer_bytes;
    config
}

/// The window the endpoint announced last.
fn announced(wire: &mut Wire) -> u32 {
    wire.take().last().expect("something was sent").header.wnd_size
}

// req: WN-01, WN-12
#[test]
fn the_announced_window_is_the_free_buffer() {
    let mut wire = Wire::with(with_buffer(10_000));
    for seq in 0..6 {
        wire.recv(wire.data(seq, -1, &[7; 1_000]));
        let free = 10_000 - 1_000 * (u32::try_from(seq).unwrap() + 1);
        assert_eq!(announced(&mut wire), free);
    }
    // Out-of-order bytes count.
    wire.recv(wire.data(10, -1, &[7; 1_000]));
    assert_eq!(announced(&mut wire), 10_000 - 6_000 - 1_000);
    // Less than a packet is announced as nothing (libutp never uses it).
    wire.recv(wire.data(6, -1, &[7; 1_400]));
    wire.recv(wire.data(7, -1, &[7; 200]));
    assert_eq!(announced(&mut wire), 0);
}

// req: WN-06
#[test]
fn a_window_that_opens_after_a_stop_is_told_at_once() {
    let mut wire = Wire::with(with_buffer(10_000));
    for seq in 0..9 {
        wire.recv(wire.data(seq, -1, &[7; 1_000]));
    }
    assert_eq!(announced(&mut wire), 0);
    let now = wire.now;
    for _ in 0..2 {
        wire.connection_mut().read_chunk(now, 700).unwrap();
        wire.drain();
    }
    // 2 400 bytes are free: more than a packet, less than a quarter of the buffer.
    wire.expect(&[]);
    wire.connection_mut().read_chunk(now, 700).unwrap();
    wire.drain();
    let update = wire.take();
    assert_eq!(update.len(), 1);
    assert!(update[0].is(PacketType::State));
    assert_eq!(update[0].header.wnd_size, 10_000 - 9_000 + 1_000 + 700);
    assert_eq!(wire.read().len(), 9_000 - 1_700);
    assert_eq!(announced(&mut wire), 10_000);
}

#[test]
fn taken_bytes_hold_the_window_until_they_are_consumed() {
    let mut wire = Wire::with(with_buffer(10_000));
    wire.recv(wire.data(0, -1, &[7; 5_000]));
    let now = wire.now;
    assert_eq!(wire.connection_mut().take_chunk(usize::MAX).unwrap().len(), 5_000);
    wire.recv(wire.data(1, -1, &[7; 1_000]));
    assert_eq!(announced(&mut wire), 4_000);
    wire.connection_mut().consume(now, 5_000);
    wire.drain();
    assert_eq!(announced(&mut wire), 9_000);
}

// req: WN-07
#[test]
fn small_reads_send_no_update() {
    let mut wire = Wire::plain();
    for seq in 0..100 {
        wire.recv(wire.data(seq, -1, &[7; 100]));
        wire.take();
        wire.read();
        wire.expect(&[]);
    }
}

// req: WN-10
#[test]
fn in_order_data_beyond_the_window_is_bounded_by_one_datagram() {
    for len in [1, 600, 1_400, 9_000, 65_487] {
        let mut wire = Wire::with(with_buffer(50_000));
        for seq in 0..800 {
            wire.recv(wire.data(seq, -1, &vec![7; len]));
            assert!(wire.stats().receive_charged_bytes < 50_000 + len as u64);
        }
        assert_eq!(wire.stats().bytes_received, wire.read().len() as u64);
    }
}

// req: WN-10
#[test]
fn a_reader_that_pauses_for_minutes_does_not_end_a_sender_that_knows_no_probes() {
    // libutp sends a packet every 15 s into a window that is shut, repeats it after 1, 2, 4 and
    // 8 s, and gives up after 31 s in which nobody takes it.
    let buffer = 50_000;
    let mut wire = Wire::with(with_buffer(buffer));
    let mut next = 0;
    while wire.stats().bytes_received < buffer.into() {
        wire.recv(wire.data(next, -1, &[7; 1_000]));
        next += 1;
    }
    assert_eq!(announced(&mut wire), 0);
    let taken = |wire: &Wire| wire.stats().bytes_received;
    for _ in 0..20 {
        let before = taken(&wire);
        for pause in [15, 1, 2, 4, 8] {
            wire.advance(pause * SECOND);
            wire.recv(wire.data(next, -1, &[8; 1_382]));
            if taken(&wire) > before {
                break;
            }
        }
        assert!(taken(&wire) > before, "packet {next}");
        next += 1;
        // No more than one at a time, and no probe of one byte.
        wire.recv(wire.data(next, -1, &[9; 1_382]));
        wire.advance(10 * SECOND);
        wire.recv(wire.data(next, -1, &[9]));
        assert_eq!(taken(&wire), before + 1_382);
        assert_eq!(announced(&mut wire), 0);
    }
    // Nor without an end.
    for seq in 0..100 {
        wire.advance(15 * SECOND);
        wire.recv(wire.data(next + seq, -1, &[8; 1_382]));
    }
    assert!(wire.stats().receive_charged_bytes <= 50_000 + 32 * 1_024);
    assert_eq!(wire.stats().bytes_received, wire.read().len() as u64);
}

// req: WN-10, HO-07
#[test]
fn out_of_order_data_beyond_the_window_is_bounded() {
    for len in [1, 64, 600, 1_400, 9_000, 65_487] {
        let mut wire = Wire::with(with_buffer(100_000));
        for seq in 1..1_024 {
            wire.feed(wire.data(seq, -1, &vec![7; len]));
        }
        wire.drain();
        assert!(wire.stats().receive_charged_bytes <= 100_000 + 100_000 / 16);
    }
}

// req: WN-10
#[test]
fn what_was_promised_is_held_and_taken_while_nothing_is_consumed() {
    // A full window of full packets with a gap at its beginning; then the gap, in one batch, before
    // the application reads anything.
    let buffer = 100_000;
    for len in [1_024, 1_200, 1_432, 1_452] {
        for gap in [1, 2, 10, 40] {
            let mut wire = Wire::with(with_buffer(buffer));
            let count = i32::try_from(buffer).unwrap() / len;
            // What comes early leaves room for one of the largest packets.
            let early = (count - gap).min((100_000 - 1_452) / len);
            let payload = vec![7; usize::try_from(len).unwrap()];
            for seq in (gap..count).chain(0..gap) {
                wire.feed(wire.data(seq, -1, &payload));
            }
            wire.drain();
            let received = wire.stats().bytes_received;
            assert_eq!(received, u64::try_from((gap + early) * len).unwrap(), "{gap} of {len}");
        }
    }
}

// req: WN-12
#[test]
fn early_packets_never_take_the_room_of_the_one_they_wait_for() {
    for buffer in [4_096, 10_000, 65_536, 100_000] {
        for len in [1, 100, 500, 936, 1_000, 1_382, 1_452] {
            let mut wire = Wire::with(with_buffer(buffer));
            for seq in 1..1_024 {
                wire.feed(wire.data(seq, -1, &vec![7; len]));
            }
            wire.drain();
            assert!(announced(&mut wire) > 0, "the sender may send it");
            wire.recv(wire.data(0, -1, &vec![7; len]));
            assert!(wire.stats().bytes_received > 0, "buffer {buffer}, packets of {len}");
        }
    }
}

// req: WN-02
#[test]
fn no_more_is_in_flight_than_the_peer_allows() {
    Wire::everywhere(plain, |mut wire| {
        wire.recv(wire.state(0, -1).wnd(5_000));
        wire.write(FULL * 20);
        assert_eq!(wire.stats().in_flight_bytes, 3 * FULL as u64);
        wire.recv(wire.state(0, 0).wnd(5_000));
        assert_eq!(wire.stats().in_flight_bytes, 3 * FULL as u64);
        wire.recv(wire.state(0, 0).wnd(10_000));
        assert_eq!(wire.stats().in_flight_bytes, 7 * FULL as u64);
    });
}

#[test]
fn a_window_that_fits_exactly_is_used_up() {
    let mut wire = Wire::plain();
    wire.recv(wire.state(0, -1).wnd(3 * 1_382));
    wire.write(FULL * 5);
    assert_eq!(wire.take().len(), 3);
}

// req: WN-08
#[test]
fn a_window_that_shrinks_below_what_is_in_flight_only_stops_new_data() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(FULL * 10);
        wire.take();
        for seq in 0..9 {
            wire.recv(wire.state(0, seq).wnd(1));
            wire.write(FULL);
            wire.expect(&[]);
        }
        wire.recv(wire.state(0, 9).wnd(0));
        wire.expect(&[]);
        wire.recv(wire.state(0, 9).wnd(u32::MAX));
        assert_eq!(wire.take().len(), 9);
    });
}

// req: WR-07, U-38, WN-09
#[test]
fn huge_windows_are_large_and_nothing_else() {
    for window in [1 << 31, u32::MAX] {
        let mut config = with_window(u64::MAX / 2);
        config.send_buffer_bytes = u32::MAX;
        config.datagram_bytes_max_v4 = 150;
        Wire::everywhere(
            || config.clone(),
            |mut wire| {
                wire.recv(wire.state(0, -1).wnd(window));
                wire.write(130 * 5_000);
                assert_eq!(wire.take().len(), 1_023, "never more than the peer can hold");
                wire.recv(wire.state(0, 1_022).wnd(window));
                assert_eq!(wire.take().len(), 1_023);
            },
        );
    }
}

#[test]
fn a_fin_needs_a_slot_too() {
    let mut config = with_window(u64::MAX / 2);
    config.datagram_bytes_max_v4 = 150;
    let mut wire = Wire::with(config);
    wire.recv(wire.state(0, -1).wnd(u32::MAX));
    wire.write(130 * 1_023);
    wire.finish();
    assert_eq!(wire.take().len(), 1_023);
    wire.recv(wire.state(0, 0).wnd(u32::MAX));
    wire.expect(&["FIN 1023 ack -1"]);
}

#[test]
fn an_old_packet_does_not_bring_an_old_window_back() {
    let mut wire = Wire::plain();
    wire.write(FULL * 4);
    wire.recv(wire.state(0, 1).wnd(8_000).stamp(5_000));
    wire.recv(wire.state(0, 1).wnd(3).stamp(4_999));
    wire.recv(wire.state(0, 0).wnd(3).stamp(6_000));
    assert_eq!(wire.stats().peer_window_bytes, 8_000);
    wire.recv(wire.state(0, 1).wnd(9_000).stamp(5_001));
    assert_eq!(wire.stats().peer_window_bytes, 9_000);
}

// req: HO-13
#[test]
fn a_window_counts_across_the_wrap_of_the_stamps() {
    let mut wire = Wire::plain();
    wire.write(FULL * 4);
    wire.recv(wire.state(0, 1).wnd(8_000).stamp(u32::MAX - 5));
    wire.recv(wire.state(0, 1).wnd(9_000).stamp(10));
    assert_eq!(wire.stats().peer_window_bytes, 9_000);
    wire.recv(wire.state(0, 1).wnd(3).stamp(u32::MAX));
    assert_eq!(wire.stats().peer_window_bytes, 9_000);
}

#[test]
fn a_flapping_window_keeps_the_stream_in_order() {
    let mut wire = Wire::plain();
    wire.write(FULL * 300);
    let mut next = 0;
    let mut sent = 0;
    for round in 0..1_000u32 {
        for packet in wire.take() {
            assert_eq!(packet.header.seq_nr.0, wire.seq_nr_of_us(sent));
            sent += 1;
        }
        if next < sent && round % 3 == 0 {
            next += 1;
        }
        let window = if round % 2 == 0 { 0 } else { u32::MAX };
        wire.recv(wire.state(0, next - 1).wnd(window));
        wire.advance(100);
    }
    assert_eq!(sent, 300);
}

#[test]
fn a_full_buffer_still_takes_packets_without_payload() {
    let mut wire = Wire::with(with_buffer(10_000));
    for seq in 0..10 {
        wire.recv(wire.data(seq, -1, &[7; 1_000]));
    }
    wire.recv(wire.data(10, -1, b"too much"));
    assert_eq!(wire.take().last().unwrap().header.ack_nr.0, wire.seq_nr_of_them(9));
    wire.recv(wire.data(10, -1, b""));
    wire.recv(wire.fin(11, -1));
    assert_eq!(wire.take().last().unwrap().header.ack_nr.0, wire.seq_nr_of_them(11));
    assert_eq!(wire.read().len(), 10_000);
}
