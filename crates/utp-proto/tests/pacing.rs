//! How packets are spread in time, and how rate caps are kept.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use std::num::NonZeroU32;
use std::sync::Arc;

use utp_ledbat::{Ack, Controller, ControllerFactory, Loss};
use utp_proto::{Config, Instant, Limit};
use utp_wire::PacketType;
use wire::{FULL, MS, SECOND, Sent, Wire, fixed_size};

/// A constant window that is paced.
#[derive(Clone, Copy, Debug)]
struct Paced(u64);

impl Controller for Paced {
    fn on_ack(&mut self, _ack: &Ack) {}

    fn on_loss(&mut self, _loss: &Loss) {}

    fn on_timeout(&mut self, _now: Instant, _in_flight_bytes: u64) {}

    fn window_bytes(&self) -> u64 {
        self.0
    }
}

impl ControllerFactory for Paced {
    fn name(&self) -> &'static str {
        "paced"
    }

    fn build(&self, _now: Instant, _payload_bytes_max: u16) -> Box<dyn Controller> {
        Box::new(*self)
    }
}

fn paced(window_packets: u64) -> Config {
    let mut config = fixed_size(FULL + 20);
    config.controller = Arc::new(Paced(window_packets * FULL as u64));
    config.send_buffer_bytes = 64 << 20;
    config
}

fn capped(bytes_per_second: u32) -> Config {
    let mut config = paced(1_000);
    config.send_rate_max = NonZeroU32::new(bytes_per_second);
    config
}

/// Bursts: how many packets of data went at each moment.
fn bursts(sent: &[Sent]) -> Vec<(u64, usize)> {
    let mut bursts: Vec<(u64, usize)> = Vec::new();
    for packet in sent.iter().filter(|packet| packet.is(PacketType::Data)) {
        let at = packet.at.as_micros();
        match bursts.last_mut() {
            Some((last, count)) if *last == at => *count += 1,
            _ => bursts.push((at, 1)),
        }
    }
    bursts
}

/// A path of 20 ms whose peer acks once a millisecond what has arrived.
#[derive(Debug, Default)]
struct Path {
    sent: Vec<Sent>,
    acked: usize,
}

impl Path {
    /// Lets time pass; returns what is sent meanwhile.
    fn run(&mut self, wire: &mut Wire, us: u64) -> Vec<Sent> {
        let before = self.sent.len();
        let end = wire.now.saturating_add(us);
        while wire.now < end {
            self.sent.extend(wire.take());
            wire.advance(MS);
            self.sent.extend(wire.take());
            self.ack(wire);
            wire.drain();
        }
        self.sent.extend(wire.take());
        self.sent[before..].to_vec()
    }

    fn ack(&mut self, wire: &mut Wire) {
        let arrived =
            self.sent.partition_point(|packet| packet.at.saturating_add(20 * MS) <= wire.now);
        if arrived > self.acked {
            self.acked = arrived;
            let ack_nr = self.sent[arrived - 1].header.seq_nr.0;
            wire.feed(wire.state(0, -1).ack_nr(ack_nr).wnd(64 << 20));
        }
    }
}

/// An initiator that has measured 20 ms and been idle for a moment.
fn started(config: Config) -> Wire {
    let mut wire = Wire::with(config);
    wire.recv(wire.state(0, -1).wnd(64 << 20));
    wire.advance(MS);
    wire.take();
    wire
}

// req: CC-16
#[test]
fn a_burst_after_five_idle_seconds_has_at_most_ten_packets() {
    for window in [20, 200, 1_000] {
        let (mut wire, mut path) = (started(paced(window)), Path::default());
        wire.segments_max = 64;
        wire.write(FULL * 2_000);
        path.run(&mut wire, 5 * SECOND);
        assert_eq!(wire.stats().send_buffered_bytes, 0);
        wire.advance(5 * SECOND);
        wire.take();
        wire.write(FULL * 2_000);
        wire.advance(15 * MS);
        let bursts = bursts(&wire.take());
        assert_eq!(bursts[0].1, 10, "{bursts:?}");
        let sent: usize = bursts.iter().map(|(_, count)| count).sum();
        assert!(sent > 10, "the rest follows");
    }
}

#[test]
fn a_busy_sender_never_sends_more_at_once_than_a_millisecond_is_worth() {
    // Two packets, or what a window and a quarter per round trip of 20 ms amounts to.
    for (window, at_once) in [(8, 2), (20, 2), (100, 6), (1_000, 62)] {
        let (mut wire, mut path) = (started(paced(window)), Path::default());
        wire.segments_max = 64;
        wire.write(FULL * 20_000);
        path.run(&mut wire, 200 * MS);
        let sent = path.run(&mut wire, 200 * MS);
        let most = bursts(&sent).iter().map(|(_, count)| *count).max().unwrap();
        assert!(most <= at_once, "{most} packets at once with a window of {window}");
    }
}

#[test]
fn pacing_fills_the_window() {
    for window in [8, 100, 900] {
        let (mut wire, mut path) = (started(paced(window)), Path::default());
        wire.write(FULL * 40_000);
        path.run(&mut wire, 200 * MS);
        let sent = path.run(&mut wire, 400 * MS);
        // 20 windows; acks come up to a millisecond late here.
        let expected = usize::try_from(window).unwrap() * 20;
        assert!(sent.len() >= expected * 95 / 100 - 20, "{} of {expected}", sent.len());
        assert!(sent.len() <= expected + 20, "{} of {expected}", sent.len());
    }
}

#[test]
fn nothing_is_held_back_on_a_path_of_a_fraction_of_a_millisecond() {
    let mut wire = Wire::connecting(paced(759), 100, 200, 1_000);
    for ack in [-2, -1] {
        wire.advance(50);
        wire.recv(wire.state(0, ack));
    }
    wire.take();
    assert_eq!(wire.stats().rtt_us, 50);
    wire.write(FULL * 2_000);
    assert_eq!(wire.take().len(), 758, "the window of the peer at once");
    assert_eq!(wire.stats().limited.pacing_us, 0);
}

#[test]
fn a_driver_that_wakes_late_does_not_slow_the_stream() {
    // Timers end on whole milliseconds and the driver is up to a millisecond behind.
    let (mut wire, mut path) = (started(paced(500)), Path::default());
    wire.segments_max = 64;
    wire.write(FULL * 40_000);
    for step in 0..500_u64 {
        path.sent.extend(wire.take());
        wire.now = wire.now.saturating_add(MS + (step * 7_919) % 400);
        path.ack(&mut wire);
        wire.endpoint.handle_timeout(wire.now);
        wire.drain();
    }
    // 1.2 ms a step: 30 round trips.
    assert!(path.sent.len() > 500 * 27, "{}", path.sent.len());
}

#[test]
fn before_a_round_trip_was_measured_ten_packets_go_and_little_more() {
    // A SYN that was repeated measures nothing.
    let mut wire = Wire::connecting(paced(100), 100, 200, 1_000);
    wire.write(FULL * 100);
    wire.advance(SECOND);
    wire.take();
    wire.recv(wire.state(0, -2));
    assert_eq!(wire.take().len(), 10);
    wire.advance(19 * MS);
    assert!(wire.take().len() <= 4);
    // With a measurement the window is filled.
    wire.recv(wire.state(0, 8));
    wire.advance(20 * MS);
    assert!(wire.stats().in_flight_bytes >= 90 * FULL as u64);
}

#[test]
fn acks_and_probes_and_the_first_packet_after_a_time_out_are_never_held_back() {
    let mut wire = started(capped(1_000));
    wire.write(FULL * 100);
    wire.take();
    assert_eq!(wire.stats().limit, Limit::Pacing);
    wire.recv(wire.data(0, -1, b"d"));
    let sent = wire.take();
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(sent[0].is(PacketType::State));
    // Ten packets went; at 1 000 bytes per second they are paid for after 14 s.
    wire.advance(600 * MS);
    let flow = wire.flow();
    assert!(flow[0].starts_with("DATA 10 "), "a probe for a lost tail: {flow:?}");
    assert!(flow[1].starts_with("DATA 0 "), "{flow:?}");
}

#[test]
fn a_cap_is_kept_to_two_per_cent_and_breaks_nothing() {
    for cap in [5_000, 100_000, 1_500_000] {
        let (mut wire, mut path) = (started(capped(cap)), Path::default());
        wire.segments_max = 64;
        wire.write(60 << 20);
        path.run(&mut wire, 10 * SECOND);
        let sent = path.run(&mut wire, 20 * SECOND);
        let bytes: u64 = sent.iter().map(|packet| packet.len as u64).sum();
        let cap = u64::from(cap);
        assert!(bytes * 100 <= cap * 20 * 102, "{bytes} bytes at {cap}");
        assert!(bytes * 100 >= cap * 20 * 98, "{bytes} bytes at {cap}");
        assert_eq!((wire.stats().timeouts, wire.stats().retransmissions), (0, 0));
        assert_eq!(wire.take_events(), []);
    }
}

#[test]
fn a_cap_can_be_changed_and_lifted() {
    let (mut wire, mut path) = (started(capped(10_000)), Path::default());
    wire.write(FULL * 2_000);
    let slow = path.run(&mut wire, SECOND).len();
    assert!((10..20).contains(&slow), "{slow}");
    wire.connection_mut().set_send_rate_max(NonZeroU32::new(500_000));
    let faster = path.run(&mut wire, SECOND).len();
    assert!((340..380).contains(&faster), "{faster}");
    wire.connection_mut().set_send_rate_max(None);
    path.run(&mut wire, SECOND);
    assert_eq!(wire.stats().send_buffered_bytes, 0);
}

// req: SK-12
#[test]
fn what_a_selective_ack_lets_go_is_no_burst() {
    let mut wire = started(paced(60));
    wire.segments_max = 64;
    wire.write(FULL * 200);
    wire.advance(40 * MS);
    assert_eq!(wire.take().len(), 60);
    // Every second one of the first 60 is missing.
    let at = wire.now;
    wire.recv(wire.state(0, -1).sack(&[0b0101_0101; 8]).wnd(64 << 20));
    let sent = wire.take();
    assert!(sent.iter().all(|packet| packet.at == at));
    let resends = sent.iter().filter(|packet| packet.header.seq_nr.0 < 160).count();
    assert!(sent.len() <= 10, "{} at once", sent.len());
    assert!((1..=7).contains(&resends), "{resends} resends at once");
    wire.advance(30 * MS);
    assert!(wire.stats().retransmissions >= 28, "the rest follows within the round trip");
}
