//! What time alone does: the retransmission time-out, giving up, and a starved window.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::{Config, ConnectionError, Event, State};
use utp_wire::PacketType;
use wire::{FULL, MS, SECOND, Sent, Wire, plain, with_window};

/// Numbers of the DATA and FIN packets sent since the last look.
fn numbers(wire: &mut Wire) -> Vec<u16> {
    let us = wire.us;
    wire.take()
        .iter()
        .filter(|sent| !sent.is(PacketType::State))
        .map(|sent| sent.header.seq_nr.0.wrapping_sub(us))
        .collect()
}

fn offsets(sent: &[Sent], start: u64) -> Vec<u64> {
    sent.iter().map(|sent| (sent.at.as_micros() - start) / MS).collect()
}

// req: TM-02, TM-03
#[test]
fn the_time_out_doubles_and_has_a_floor() {
    Wire::everywhere(plain, |mut wire| {
        // Settle the estimate well below the floor.
        for seq in 0..20 {
            wire.write(FULL);
            wire.advance(20 * MS);
            wire.recv(wire.state(0, seq));
        }
        wire.take();
        let start = wire.now.as_micros();
        wire.write(FULL);
        wire.advance(40 * SECOND);
        let sent = wire.take();
        // The second is a probe, from which the time-out counts.
        let expected = [0, 65, 565, 1_565, 3_565, 7_565, 15_565, 23_565, 31_565, 39_565];
        assert_eq!(offsets(&sent, start), expected);
        assert!(sent.iter().all(|sent| sent.header.seq_nr.0 == wire.seq_nr_of_us(20)));
        assert_eq!(wire.stats().timeouts, 8);
    });
}

#[test]
fn a_time_out_starts_anew_when_nothing_is_left_to_ack() {
    // A mask of a stale ack names all that is outstanding; the ack itself comes later.
    let mut wire = Wire::plain();
    wire.write(FULL * 4);
    wire.recv(wire.state(0, 0));
    wire.recv(wire.state(0, -1).sack(&[0b111, 0, 0, 0]));
    wire.take();
    wire.recv(wire.state(0, 3));
    wire.advance(450 * MS);
    wire.write(FULL);
    assert_eq!(numbers(&mut wire), [4]);
    wire.advance(450 * MS);
    assert_eq!(numbers(&mut wire), [4], "a probe");
    assert_eq!(wire.stats().timeouts, 0);
}

#[test]
fn an_ack_of_a_packet_sent_once_ends_the_back_off() {
    let mut wire = Wire::plain();
    wire.write(FULL * 2);
    wire.advance(4 * SECOND);
    assert!(wire.stats().rto_us >= 4_000_000);
    wire.recv(wire.state(0, 0));
    wire.write(FULL);
    wire.advance(20 * MS);
    wire.recv(wire.state(0, 2));
    assert_eq!(wire.stats().rto_us, 500_000);
}

// req: B-33
#[test]
fn without_a_sample_the_first_time_out_is_a_second() {
    let mut wire = Wire::accepting(plain(), 100, 200, 1_000);
    wire.recv(wire.data(-1, -1, b"enough for an answer and its repeats"));
    wire.take();
    let start = wire.now.as_micros();
    wire.write(1);
    wire.advance(4 * SECOND);
    assert_eq!(offsets(&wire.take(), start), [0, 1_000, 3_000]);
}

// req: TM-06
#[test]
fn a_silent_peer_is_given_up_after_45_seconds() {
    Wire::everywhere(plain, |mut wire| {
        wire.advance(10 * SECOND);
        wire.write(FULL * 3);
        wire.advance(44_999_999);
        assert_eq!(wire.take_events(), []);
        wire.advance(1);
        assert_eq!(wire.take_events(), [Event::Closed(ConnectionError::TimedOut)]);
        wire.take();
        wire.advance(100 * SECOND);
        wire.expect(&[]);
        assert_eq!(wire.connection().state(), State::Closed);
        wire.release();
        assert_eq!(wire.endpoint.stats().connections, 0);
        assert_eq!(wire.endpoint.poll_timeout(), None);
    });
}

#[test]
fn an_outage_of_thirty_seconds_is_survived() {
    let mut wire = Wire::plain();
    wire.write(FULL * 3);
    wire.advance(30 * SECOND);
    wire.take();
    wire.advance(5 * SECOND);
    assert_eq!(numbers(&mut wire)[0], 0);
    wire.recv(wire.state(0, 0));
    wire.recv(wire.state(0, 2));
    wire.write(1);
    assert_eq!(numbers(&mut wire).last(), Some(&3));
    assert!(wire.take_events().is_empty());
}

/// A connection under LEDBAT with several packets in flight, and the number of the last acked.
fn ramped_up() -> (Wire, i32) {
    let mut wire = Wire::with(Config::default());
    let mut acked = -1;
    for _ in 0..12 {
        wire.write(FULL * 40);
        wire.advance(20 * MS);
        let sent = numbers(&mut wire);
        let Some(last) = sent.last() else { continue };
        acked = i32::from(*last);
        wire.recv(wire.state(0, acked));
    }
    // The last window is spread over most of a round trip.
    wire.advance(18 * MS);
    wire.take();
    assert!(wire.stats().in_flight_bytes > 5 * FULL as u64);
    (wire, acked)
}

// req: TM-05
#[test]
fn a_packet_lost_at_the_time_out_goes_out_alone_until_an_ack_comes() {
    let (mut wire, acked) = ramped_up();
    let first = u16::try_from(acked + 1).unwrap();
    wire.advance(SECOND);
    let numbers_sent = numbers(&mut wire);
    assert_eq!(numbers_sent[1..], [first], "after the probe, one packet until an ack comes");
    wire.recv(wire.state(0, acked + 1));
    assert!(!numbers(&mut wire).is_empty(), "the ack lets the next go");
}

// req: TM-05
#[test]
fn a_time_out_takes_back_the_resends_that_an_ack_allowed() {
    let (mut wire, acked) = ramped_up();
    let first = u16::try_from(acked + 1).unwrap();
    wire.advance(20 * MS);
    wire.recv(wire.state(0, acked).sack(&[0b1111, 0, 0, 0]));
    assert!(numbers(&mut wire).contains(&first));
    wire.advance(SECOND);
    let numbers_sent = numbers(&mut wire);
    assert_eq!(numbers_sent[1..], [first], "after the probe, one packet until an ack comes");
}

#[test]
fn a_starved_window_lets_one_packet_go_per_time_out_without_back_off() {
    for window in [1, 10, 1_000, 1_381] {
        let mut wire = Wire::with(with_window(window));
        wire.write(FULL * 10);
        let start = wire.now.as_micros();
        let mut at = Vec::new();
        for seq in 0..8 {
            // Nothing is in flight: the next packet is granted.
            while wire.take().is_empty() {
                wire.advance(10 * MS);
                assert!(wire.now.as_micros() - start < 20 * SECOND, "it stands still");
            }
            at.push((wire.now.as_micros() - start) / MS);
            wire.recv(wire.state(0, seq));
        }
        let gaps: Vec<u64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| (490..=510).contains(gap)), "{gaps:?}");
        assert_eq!(wire.stats().timeouts, 0);
        assert!(wire.stats().starved_sends >= 8);
    }
}

#[test]
fn a_lost_packet_in_a_starved_window_is_resent() {
    let mut wire = Wire::with(with_window(10));
    wire.write(FULL * 3);
    wire.advance(SECOND);
    assert_eq!(numbers(&mut wire)[0], 0);
    wire.advance(10 * SECOND);
    assert!(numbers(&mut wire).iter().all(|number| *number == 0));
    wire.recv(wire.state(0, 0));
    wire.advance(SECOND);
    assert!(numbers(&mut wire).iter().all(|number| *number == 1));
}

#[test]
fn settings_of_nothing_at_all_keep_no_driver_busy() {
    let mut config = with_window(1);
    config.keepalive_us = 0;
    config.rto_min_us = 0;
    config.linger_us = 0;
    config.give_up_us = 0;
    let mut wire = Wire::with(config);
    wire.advance(10 * SECOND);
    assert!(wire.take().len() <= 10, "keepalives");
    wire.write(10);
    wire.advance(10 * SECOND);
    assert_eq!(wire.connection().state(), State::Closed);
    let mut config = plain();
    config.connect_timeout_us = 0;
    let mut wire = Wire::connecting(config, 100, 200, 1_000);
    wire.advance(0);
    assert_eq!(wire.connection().state(), State::Closed);
}

// req: TM-13, F-10
#[test]
fn a_driver_that_stood_still_gets_one_time_out_and_not_the_missed_ones() {
    let mut wire = Wire::plain();
    wire.write(FULL * 3);
    wire.take();
    // Twenty seconds pass without a call.
    wire.now = wire.now.saturating_add(20 * SECOND);
    wire.endpoint.handle_timeout(wire.now);
    wire.drain();
    assert_eq!(numbers(&mut wire), [2], "the probe, which was due first");
    wire.endpoint.handle_timeout(wire.now);
    wire.drain();
    wire.expect(&[]);
    assert_eq!(wire.stats().timeouts, 0);
    wire.advance(500 * MS);
    assert_eq!(numbers(&mut wire), [0]);
    assert_eq!(wire.stats().timeouts, 1);
}

// req: H-29
#[test]
fn a_clock_that_runs_backwards_is_taken_to_stand_still() {
    let mut wire = Wire::plain();
    wire.write(FULL);
    let ahead = wire.now;
    wire.now = utp_proto::Instant::from_micros(1);
    wire.recv(wire.data(0, -1, b"a"));
    wire.recv(wire.state(1, 0));
    assert_eq!(wire.stats().rtt_min_us, 0);
    wire.write(FULL);
    wire.now = ahead;
    let rto_us = wire.stats().rto_us;
    wire.advance(rto_us - 1);
    assert_eq!(wire.stats().timeouts, 0);
    wire.advance(rto_us);
    assert_eq!(wire.stats().timeouts, 1);
}
