//! Flow control: the window that is announced, the window of the peer, and what both bound.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::{Config, ConnectionError, Event};
use utp_wire::PacketType;
use wire::{FULL, MS, SECOND, Wire, plain, with_window};

fn with_buffer(receive_buffer_bytes: u32) -> Config {
    let mut config = plain();
    config.receive_buffer_bytes = receive_buffer_bytes;
    config
}

/// The window the endpoint announced last.
fn announced(wire: &mut Wire) -> u32 {
    wire.take().last().expect("something was sent").header.wnd_size
}

#[test]
fn the_announced_window_is_the_free_buffer() {
    let mut wire = Wire::with(with_buffer(10_000));
    for seq in 0..6 {
        wire.recv(wire.data(seq, -1, &[7; 1_000]));
        let free = 10_000 - 1_000 * (u32::try_from(seq).unwrap() + 1);
        assert_eq!(announced(&mut wire), free);
    }
    // Out-of-order bytes count, and a little for the packet they came in.
    wire.recv(wire.data(10, -1, &[7; 1_000]));
    assert_eq!(announced(&mut wire), 10_000 - 6_000 - 1_064);
    // Less than a packet is announced as nothing (libutp never uses it).
    wire.recv(wire.data(6, -1, &[7; 1_400]));
    wire.recv(wire.data(7, -1, &[7; 200]));
    assert_eq!(announced(&mut wire), 0);
}

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

#[test]
fn out_of_order_data_beyond_the_window_is_bounded() {
    for len in [1, 64, 600, 1_400, 9_000, 65_487] {
        let mut wire = Wire::with(with_buffer(100_000));
        for seq in 1..1_024 {
            wire.feed(wire.data(seq, -1, &vec![7; len]));
        }
        wire.drain();
        assert!(wire.stats().receive_charged_bytes <= 100_000);
    }
}

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
fn a_shut_window_is_probed_with_an_empty_packet() {
    Wire::everywhere(plain, |mut wire| {
        wire.recv(wire.state(0, -1).wnd(0));
        wire.write(FULL * 2);
        wire.expect(&[]);
        let mut gaps = Vec::new();
        for seq in 0..7 {
            let before = wire.now;
            while wire.stats().window_probes <= u64::try_from(seq).unwrap() {
                wire.advance(100 * MS);
                assert!(wire.now.saturating_since(before) <= 60 * SECOND);
            }
            gaps.push(wire.now.saturating_since(before) / SECOND);
            let mut flow = wire.flow();
            flow.retain(|sent| sent.starts_with("DATA"));
            assert_eq!(flow, [format!("DATA {seq} ack -1")]);
            wire.recv(wire.state(0, seq).wnd(0));
        }
        assert_eq!(gaps, [1, 2, 4, 8, 16, 32, 60]);
        assert!(wire.events.is_empty(), "it lives as long as the peer answers");
        wire.recv(wire.state(0, 6).wnd(1 << 20));
        wire.expect(&["DATA 7 ack -1 len 1382", "DATA 8 ack -1 len 1382"]);
    });
}

#[test]
fn a_window_that_fits_exactly_is_used_up() {
    let mut wire = Wire::plain();
    wire.recv(wire.state(0, -1).wnd(3 * 1_382));
    wire.write(FULL * 5);
    assert_eq!(wire.take().len(), 3);
}

#[test]
fn a_window_that_opens_ends_the_probing_and_its_back_off() {
    let mut wire = Wire::plain();
    wire.recv(wire.state(0, -1).wnd(0));
    wire.write(FULL);
    for seq in 0..4 {
        wire.advance(9 * SECOND);
        wire.recv(wire.state(0, seq).wnd(0));
    }
    assert_eq!(wire.stats().window_probes, 4);
    wire.take();
    wire.recv(wire.state(0, 3).wnd(1 << 20));
    wire.expect(&["DATA 4 ack -1 len 1382"]);
    wire.recv(wire.state(0, 4).wnd(1 << 20));
    wire.advance(20 * SECOND);
    wire.write(FULL);
    wire.expect(&["DATA 5 ack -1 len 1382"]);
    assert_eq!(wire.stats().window_probes, 4, "a probe that is not needed");
    wire.recv(wire.state(0, 5).wnd(0));
    wire.write(FULL);
    wire.advance(1_100 * MS);
    wire.expect(&["DATA 6 ack -1"]);
}

#[test]
fn a_tiny_window_makes_progress_within_a_minute() {
    for window in [1, 100, 700, 1_381] {
        let mut wire = Wire::plain();
        wire.recv(wire.state(0, -1).wnd(window));
        wire.write(50_000);
        let mut seq = 0;
        for _ in 0..4 {
            let before = wire.stats().bytes_acked;
            for _ in 0..600 {
                wire.advance(100 * MS);
                for sent in wire.take().iter().filter(|sent| sent.is(PacketType::Data)) {
                    assert_eq!(sent.header.seq_nr.0, wire.seq_nr_of_us(seq));
                    assert!(sent.payload.len() <= window as usize);
                    wire.recv(wire.state(0, seq).wnd(window));
                    seq += 1;
                }
            }
            assert!(wire.stats().bytes_acked > before, "window {window}");
        }
    }
}

#[test]
fn a_lost_probe_is_resent_and_a_dead_peer_is_given_up() {
    let mut wire = Wire::plain();
    wire.recv(wire.state(0, -1).wnd(0));
    wire.write(10);
    wire.advance(2 * SECOND);
    assert!(wire.take().len() >= 2);
    wire.advance(45 * SECOND);
    assert_eq!(wire.take_events().len(), 1);
}

#[test]
fn an_acceptor_that_starts_with_a_shut_window_is_unlocked() {
    let mut wire = Wire::connecting(plain(), 100, 200, 1_000);
    wire.write(10);
    wire.take();
    wire.recv(wire.state(0, -2).wnd(0));
    wire.expect(&[]);
    wire.advance(SECOND);
    wire.expect(&["DATA -1 ack -1"]);
}

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

#[test]
fn a_peer_that_shuts_its_window_on_what_is_in_flight_is_not_taken_for_dead() {
    // It had no room for what was on its way, and its application takes five minutes.
    let mut wire = Wire::plain();
    wire.write(FULL * 6);
    wire.advance(20 * MS);
    for _ in 0..300 {
        wire.recv(wire.state(0, -1).wnd(0));
        wire.advance(SECOND);
    }
    assert_eq!(wire.take_events(), []);
    wire.take();
    wire.recv(wire.state(0, -1).wnd(1 << 20));
    wire.advance(60 * SECOND);
    assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::TimedOut)], "now it is silent");
    assert!(wire.take().iter().any(|sent| sent.is(PacketType::Data)), "it was tried again");
}

#[test]
fn huge_windows_are_large_and_nothing_else() {
    for window in [1 << 31, u32::MAX] {
        let mut config = with_window(u64::MAX / 2);
        config.send_buffer_bytes = u32::MAX;
        config.datagram_bytes_v4 = 150;
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
    config.datagram_bytes_v4 = 150;
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
fn an_abandoned_connection_does_not_wait_for_ever_for_a_window() {
    let mut wire = Wire::plain();
    wire.write(FULL * 4);
    wire.take();
    wire.recv(wire.state(0, 3).wnd(0));
    wire.write(FULL * 4);
    wire.release();
    // Every probe is acked, and no window comes with the ack.
    let mut ack = 3;
    for _ in 0..700 {
        wire.advance(SECOND / 2);
        let probes = wire.take().iter().any(|packet| packet.header.packet_type == PacketType::Data);
        if probes {
            ack += 1;
            wire.recv(wire.state(0, ack).wnd(0));
        }
    }
    assert!(ack > 5, "it probes");
    assert_eq!(wire.endpoint.stats().connections, 0);
}
