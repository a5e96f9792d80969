//! What the congestion controller is told, and when.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use utp_ledbat::{Ack, Controller, ControllerFactory, DelaySample, Loss};
use utp_proto::Instant;
use wire::{FULL, MS, SECOND, Wire, fixed_size};

#[derive(Clone, Debug, PartialEq)]
enum Told {
    Ack(Ack),
    Delay(DelaySample),
    Limited,
    Loss(Loss),
    MoreLoss(Loss),
    Sent { bytes: u64, in_flight_bytes: u64 },
    Timeout { in_flight_bytes: u64 },
}

/// A window that the test sets; it writes down what it is told.
#[derive(Clone, Debug)]
struct Recorder {
    told: Arc<Mutex<Vec<Told>>>,
    window_bytes: Arc<AtomicU64>,
}

impl Recorder {
    fn note(&self, told: Told) {
        self.told.lock().unwrap().push(told);
    }

    fn set_window(&self, bytes: u64) {
        self.window_bytes.store(bytes, Ordering::Relaxed);
    }

    fn take(&self) -> Vec<Told> {
        std::mem::take(&mut self.told.lock().unwrap())
    }
}

impl Controller for Recorder {
    fn on_sent(&mut self, _now: Instant, bytes: u64, in_flight_bytes: u64) {
        self.note(Told::Sent { bytes, in_flight_bytes });
    }

    fn on_window_limited(&mut self, _now: Instant) {
        self.note(Told::Limited);
    }

    fn on_delay_sample(&mut self, _now: Instant, sample: DelaySample) {
        self.note(Told::Delay(sample));
    }

    fn on_ack(&mut self, ack: &Ack) {
        self.note(Told::Ack(*ack));
    }

    fn on_loss(&mut self, loss: &Loss) {
        self.note(Told::Loss(*loss));
    }

    fn on_more_loss(&mut self, loss: &Loss) {
        self.note(Told::MoreLoss(*loss));
    }

    fn on_timeout(&mut self, _now: Instant, in_flight_bytes: u64) {
        self.note(Told::Timeout { in_flight_bytes });
    }

    fn window_bytes(&self) -> u64 {
        self.window_bytes.load(Ordering::Relaxed)
    }
}

impl ControllerFactory for Recorder {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn build(&self, _now: Instant, _payload_bytes_max: u16) -> Box<dyn Controller> {
        Box::new(self.clone())
    }
}

fn recorded(window_bytes: u64) -> (Wire, Recorder) {
    let recorder = Recorder { told: Arc::default(), window_bytes: Arc::default() };
    recorder.set_window(window_bytes);
    let mut config = fixed_size(FULL + 20);
    config.controller = Arc::new(recorder.clone());
    let wire = Wire::with(config);
    recorder.take();
    (wire, recorder)
}

const FULL64: u64 = FULL as u64;

#[test]
fn sends_are_told_with_what_is_in_flight_after_them() {
    let (mut wire, recorder) = recorded(1 << 20);
    wire.write(FULL + 10);
    let sent = |bytes, in_flight_bytes| Told::Sent { bytes, in_flight_bytes };
    assert_eq!(recorder.take(), [sent(FULL64, FULL64), sent(10, FULL64 + 10)]);
    wire.recv(wire.state(0, 1));
    wire.finish();
    assert!(recorder.take().contains(&sent(0, 0)), "a FIN has no payload");
}

#[test]
fn delays_come_before_the_ack_of_the_same_packet() {
    let (mut wire, recorder) = recorded(1 << 20);
    wire.write(FULL * 2);
    recorder.take();
    wire.advance(30 * MS);
    wire.recv(wire.state(0, 1));
    let told = recorder.take();
    let [Told::Delay(sample), Told::Ack(ack)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(sample.ours.unwrap().0, 30_000);
    assert!(sample.theirs.is_some());
    assert_eq!((ack.bytes_acked, ack.in_flight_bytes), (2 * FULL64, 2 * FULL64));
    assert_eq!((ack.rtt_us, ack.delay_sampled), (Some(30_000), true));
}

#[test]
fn a_packet_without_a_delay_is_no_sample() {
    for diff in [0, 0x7fff_ffff] {
        let (mut wire, recorder) = recorded(1 << 20);
        wire.write(FULL);
        recorder.take();
        let mut raw = wire.state(0, 0).stamp(0);
        raw.diff = diff;
        wire.recv(raw);
        let told = recorder.take();
        let [Told::Delay(sample), Told::Ack(ack)] = &told[..] else { panic!("{told:?}") };
        assert_eq!(*sample, DelaySample::default());
        assert!(!ack.delay_sampled);
    }
}

#[test]
fn packets_that_are_dropped_tell_nothing() {
    let (mut wire, recorder) = recorded(1 << 20);
    wire.recv(wire.state(0, 5));
    wire.recv(wire.data(0, 700, b"x"));
    assert_eq!(recorder.take(), []);
    // An empty packet is acknowledged without a word: it has no bytes.
    wire.finish();
    recorder.take();
    wire.recv(wire.state(0, 0));
    assert!(matches!(recorder.take()[..], [Told::Delay(_)]));
}

#[test]
fn a_loss_is_told_once_per_packet_with_the_flight_before_it() {
    let (mut wire, recorder) = recorded(1 << 20);
    wire.write(FULL * 10);
    recorder.take();
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -1).sack(&[0b1110_1010, 0, 0, 0]));
    let losses: Vec<Loss> = recorder
        .take()
        .into_iter()
        .filter_map(|told| if let Told::Loss(loss) = told { Some(loss) } else { None })
        .collect();
    // 2, 4, 6, 7 and 8 are there: 0, 1, 3 and 5 are lost of the ten less five in flight.
    let expected = Loss {
        now: wire.now,
        bytes_lost: 4 * FULL64,
        in_flight_bytes: 5 * FULL64,
        srtt_us: losses[0].srtt_us,
    };
    assert_eq!(losses, [expected]);
}

#[test]
fn a_time_out_is_told_with_the_flight_before_it() {
    let (mut wire, recorder) = recorded(1 << 20);
    wire.write(FULL * 3);
    recorder.take();
    wire.advance(600 * MS);
    let told = recorder.take();
    assert_eq!(told[0], Told::Sent { bytes: FULL64, in_flight_bytes: 3 * FULL64 }, "a probe");
    assert_eq!(told[1], Told::Timeout { in_flight_bytes: 3 * FULL64 });
}

#[test]
fn only_the_congestion_window_counts_as_its_limit() {
    let limited = |recorder: &Recorder| recorder.take().contains(&Told::Limited);
    let (mut wire, recorder) = recorded(3_000);
    wire.write(FULL * 2);
    assert!(!limited(&recorder), "it just fits");
    wire.write(FULL);
    assert!(limited(&recorder));
    let (mut wire, recorder) = recorded(1 << 20);
    wire.recv(wire.state(0, -1).wnd(3_000));
    wire.write(FULL * 5);
    assert!(!limited(&recorder), "the window of the peer is the limit");
    wire.advance(SECOND);
    let (mut wire, recorder) = recorded(1 << 20);
    wire.write(10);
    assert!(!limited(&recorder), "the application is the limit");
}

#[test]
fn a_window_below_one_packet_is_told_after_a_time_out_and_not_once_it_has_opened() {
    let (mut wire, recorder) = recorded(10);
    wire.write(FULL * 3);
    recorder.take();
    wire.advance(500 * MS);
    assert!(recorder.take().contains(&Told::Timeout { in_flight_bytes: 0 }));
    wire.recv(wire.state(0, 0));
    wire.advance(10 * MS);
    // Starved again, but the next packet opens the window before its time.
    recorder.set_window(1 << 20);
    wire.recv(wire.data(0, 0, b"d"));
    wire.recv(wire.state(1, 2));
    recorder.take();
    wire.advance(SECOND);
    assert_eq!(recorder.take(), []);
}

#[test]
fn four_losses_are_resent_at_once_whatever_the_window() {
    let (mut wire, recorder) = recorded(1 << 20);
    wire.write(FULL * 20);
    wire.take();
    wire.advance(20 * MS);
    recorder.set_window(FULL64);
    // 0 to 9 are lost, 16 to 19 are on their way.
    wire.recv(wire.state(0, -1).sack(&[0, 0b0111_1110, 0, 0]));
    assert_eq!(wire.take().len(), 4);
    wire.recv(wire.state(0, -1).sack(&[0, 0b0111_1110, 0, 0]));
    assert_eq!(wire.take().len(), 0);
}

#[test]
fn no_more_is_resent_past_the_window_than_has_arrived() {
    let (mut wire, recorder) = recorded(1 << 20);
    wire.write(FULL * 20);
    wire.take();
    wire.advance(20 * MS);
    recorder.set_window(FULL64);
    // 0 to 9 are lost, and one packet has made room in the network.
    wire.recv(wire.state(0, -1).sack(&[0, 0b0000_1000, 0, 0]));
    assert_eq!(wire.take().len(), 1);
    // 10 as well.
    wire.recv(wire.state(0, -1).sack(&[0, 0b0001_1000, 0, 0]));
    assert_eq!(wire.take().len(), 1);
    // 11 as well, and three have arrived.
    wire.recv(wire.state(0, -1).sack(&[0, 0b1111_1000, 0, 0]));
    assert_eq!(wire.take().len(), 3);
}

/// How often it was told of losses, and of more losses.
fn losses(recorder: &Recorder) -> (usize, usize) {
    let told = recorder.take();
    let count = |is: fn(&Told) -> bool| told.iter().filter(|told| is(told)).count();
    (count(|told| matches!(told, Told::Loss(_))), count(|told| matches!(told, Told::MoreLoss(_))))
}

#[test]
fn losses_among_the_packets_of_one_round_trip_are_told_once_and_then_as_more() {
    let (mut wire, recorder) = recorded(1 << 20);
    wire.write(FULL * 12);
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -1).sack(&[0b0000_0111]));
    assert_eq!(losses(&recorder), (1, 0), "0 is lost");
    wire.advance(5 * MS);
    wire.recv(wire.state(0, -1).sack(&[0b0000_0111]));
    assert_eq!(losses(&recorder), (0, 0), "that is no news");
    wire.recv(wire.state(0, -1).sack(&[0b0111_0111]));
    assert_eq!(losses(&recorder), (0, 1), "4 was sent before the cut, too");
    assert_eq!(wire.stats().losses_detected, 2);
    wire.write(FULL * 6);
    wire.advance(20 * MS);
    // 12 was sent after the cut.
    wire.recv(wire.state(0, 11).sack(&[0b111]));
    assert_eq!(losses(&recorder), (1, 0));
}
