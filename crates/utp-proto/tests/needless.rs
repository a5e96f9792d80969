//! What was taken for lost and had arrived: how it is told, and that nothing is left of the cut.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::State;
use utp_wire::PacketType;
use wire::{FULL, MS, SECOND, Wire};

/// Numbers of the DATA and FIN packets sent since the last look.
fn numbers(wire: &mut Wire) -> Vec<u16> {
    let us = wire.us;
    let mut sent = wire.take();
    sent.retain(|sent| !sent.is(PacketType::State));
    sent.iter().map(|sent| sent.header.seq_nr.0.wrapping_sub(us)).collect()
}

/// A connection under LEDBAT with twenty packets in flight, on a path with a round trip of 20 ms.
fn ramped_up() -> Wire {
    let mut law = utp_ledbat::Config::libutp();
    law.window_initial = utp_ledbat::Size::Bytes(20 * 1_382);
    let mut config = wire::fixed_size(FULL + 20);
    config.controller = std::sync::Arc::new(law);
    let mut wire = Wire::with(config);
    wire.write(FULL * 100);
    wire.advance(20 * MS);
    assert_eq!(numbers(&mut wire), (0..20).collect::<Vec<_>>());
    wire
}

// req: F-07
#[test]
fn acks_of_first_copies_after_a_time_out_restore_the_window_and_the_flight() {
    let mut wire = ramped_up();
    let before = wire.stats();
    wire.advance(600 * MS);
    assert_eq!(*numbers(&mut wire).last().unwrap(), 0);
    assert_eq!(wire.stats().timeouts, 1);
    assert_eq!(wire.stats().window_bytes, FULL as u64);
    // The path was late. The ack of 0 may be that of either copy.
    wire.advance(300 * MS);
    wire.recv(wire.state(0, 0));
    assert_eq!(numbers(&mut wire)[0], 1);
    assert_eq!(wire.stats().cuts_undone, 0);
    // That of 1 comes sooner than any round trip after its second.
    wire.advance(MS);
    wire.recv(wire.state(0, 1));
    let after = wire.stats();
    assert_eq!((after.cuts_undone, after.retransmissions_spurious), (1, 1));
    assert!(after.window_bytes >= before.window_bytes);
    assert!(numbers(&mut wire).iter().all(|number| *number > 5), "nothing more is sent again");
}

#[test]
fn acks_of_second_copies_after_a_time_out_restore_nothing() {
    let mut wire = ramped_up();
    wire.advance(600 * MS);
    wire.take();
    for ack in 0..4 {
        wire.advance(20 * MS);
        wire.recv(wire.state(0, ack));
    }
    assert_eq!(wire.stats().cuts_undone, 0);
    assert!(wire.stats().window_bytes < 8 * FULL as u64);
}

// req: F-04
#[test]
fn a_path_that_became_shorter_takes_in_only_one_time_out() {
    // 5 ms of round trip now, where 20 ms were the least that was ever seen; everything is lost,
    // and the peer keeps nothing that comes early.
    let mut wire = ramped_up();
    for ack in 0..6 {
        let resent = (0..10_000).any(|_| {
            wire.advance(MS);
            numbers(&mut wire).contains(&ack)
        });
        assert!(resent, "{ack} is waited for");
        wire.advance(5 * MS);
        wire.recv(wire.state(0, i32::from(ack)));
    }
    let stats = wire.stats();
    assert_eq!(stats.cuts_undone, 1);
    assert!(stats.timeouts <= 3, "{} time-outs", stats.timeouts);
}

#[test]
fn a_cut_is_undone_when_every_packet_of_it_had_arrived() {
    let mut wire = ramped_up();
    let before = wire.stats();
    wire.recv(wire.state(0, -1).sack(&[0b1_1101, 0, 0, 0]));
    assert!(wire.stats().window_bytes < before.window_bytes);
    let resent = numbers(&mut wire);
    assert_eq!(resent[..2], [0, 2], "0 and 2 were overtaken");
    wire.advance(MS);
    wire.recv(wire.state(0, 0).sack(&[0b110, 0, 0, 0]));
    assert_eq!(wire.stats().cuts_undone, 0, "2 may be lost still");
    wire.recv(wire.state(0, 5));
    assert_eq!((wire.stats().cuts_undone, wire.stats().retransmissions_spurious), (1, 2));
    assert!(wire.stats().window_bytes >= before.window_bytes);
}

#[test]
fn one_true_loss_keeps_the_cut() {
    let mut wire = ramped_up();
    let before = wire.stats();
    wire.recv(wire.state(0, -1).sack(&[0b1_1101, 0, 0, 0]));
    wire.take();
    wire.advance(MS);
    wire.recv(wire.state(0, 0).sack(&[0b110, 0, 0, 0]));
    wire.advance(20 * MS);
    wire.recv(wire.state(0, 5));
    assert_eq!((wire.stats().cuts_undone, wire.stats().retransmissions_spurious), (0, 1));
    assert!(wire.stats().window_bytes < before.window_bytes);
}

// req: TM-04
#[test]
fn acks_without_a_sample_leave_up_to_three_doublings() {
    let mut wire = Wire::plain();
    wire.write(FULL * 2);
    wire.advance(20 * SECOND);
    assert_eq!(wire.stats().rto_us, 8_000_000, "no longer than that");
    wire.recv(wire.state(0, 0));
    assert_eq!(wire.stats().rto_us, 4_000_000, "Karn: the path may be slow");
    wire.advance(20 * MS);
    wire.recv(wire.state(0, 1));
    wire.write(FULL);
    wire.advance(30 * MS);
    wire.recv(wire.state(0, 2));
    assert_eq!(wire.stats().rto_us, 500_000);
}

// req: TM-04
#[test]
fn an_ack_that_a_resend_set_free_measures_nothing() {
    // 0 is lost, and so are the acks that name the others, for a second.
    let mut wire = Wire::plain();
    wire.write(FULL * 8);
    wire.advance(SECOND);
    wire.recv(wire.state(0, 7));
    assert_eq!((wire.stats().rtt_us, wire.stats().rtt_min_us), (20_000, 20_000));
}

// req: TM-13, F-10
#[test]
fn after_a_minute_without_running_acks_are_read_before_any_time_out() {
    let mut wire = Wire::plain();
    wire.write(FULL * 8);
    wire.take();
    wire.now = wire.now.saturating_add(60 * SECOND);
    for ack in 0..4 {
        wire.feed(wire.state(0, ack));
    }
    wire.endpoint.handle_timeout(wire.now);
    wire.drain();
    let stats = wire.stats();
    assert_eq!((stats.timeouts, stats.retransmissions), (0, 0));
    assert_eq!(stats.rtt_us, 20_000, "a minute of sleep is no round trip");
    wire.advance(10 * MS);
    wire.recv(wire.state(0, 7));
    assert_eq!(wire.stats().in_flight_bytes, 0);
}

// req: TM-13, F-10
#[test]
fn after_a_minute_without_running_or_acks_one_packet_goes_and_nothing_is_given_up() {
    for seconds in [1, 10, 60] {
        let mut wire = Wire::plain();
        wire.write(FULL * 8);
        wire.advance(600 * MS);
        wire.take();
        let timeouts = wire.stats().timeouts;
        wire.now = wire.now.saturating_add(seconds * SECOND);
        wire.endpoint.handle_timeout(wire.now);
        wire.drain();
        assert_eq!(wire.stats().timeouts, timeouts + 1);
        // Beside it, a peer that was silent for a minute is asked for a sign of life.
        assert_eq!(numbers(&mut wire)[..1], [0]);
        assert_eq!(wire.connection().state(), State::Connected);
        wire.advance(20 * MS);
        wire.recv(wire.state(0, 7));
        assert_eq!(wire.stats().in_flight_bytes, 0);
    }
}

#[test]
fn a_path_that_became_shorter_takes_in_only_three_probes() {
    // 5 ms of round trip now, where 20 ms were the least that was ever seen. All is lost, so that
    // whatever is acknowledged was sent twice, and acknowledged sooner than ever.
    let mut wire = Wire::plain();
    wire.write(FULL * 30);
    wire.advance(30 * MS);
    assert_eq!(numbers(&mut wire).first(), Some(&0));
    let mut mask = [0; 4];
    for probed in (27..30).rev() {
        let sent = (0..100).map(|_| {
            wire.advance(MS);
            numbers(&mut wire)
        });
        assert_eq!(sent.flatten().next(), Some(probed), "one at a time");
        wire.advance(5 * MS);
        mask[usize::from(probed - 1) / 8] |= 1 << ((probed - 1) % 8);
        wire.recv(wire.state(0, -1).sack(&mask));
    }
    wire.advance(5 * MS);
    assert_eq!(numbers(&mut wire), (0..27).collect::<Vec<_>>());
    assert_eq!(wire.stats().timeouts, 0);
}
