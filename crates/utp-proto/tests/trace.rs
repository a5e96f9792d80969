//! The trace of an endpoint: every event, in order, and only while somebody wants it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use std::sync::{Arc, Mutex};

use utp_proto::{ConnectionHandle, Instant, Limit, Trace, TraceEvent};
use wire::{FULL, MS, SECOND, Wire, plain, with_window};

/// Writes every event down as text.
#[derive(Clone, Debug, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Trace for Notes {
    fn record(&mut self, _now: Instant, _connection: ConnectionHandle, event: &TraceEvent) {
        self.0.lock().unwrap().push(event.to_string());
    }
}

impl Notes {
    fn on(wire: &mut Wire) -> Self {
        let notes = Self::default();
        wire.endpoint.set_trace(Some(Box::new(notes.clone())));
        notes
    }

    /// The names of what happened since the last look, but for the delays of every packet.
    fn take(&self) -> Vec<String> {
        let events = std::mem::take(&mut *self.0.lock().unwrap());
        let name = |event: &String| event.split(' ').next().unwrap().to_owned();
        events.iter().map(name).filter(|name| name != "delay_sample").collect()
    }
}

#[test]
fn a_loss_its_repair_and_the_end_are_told_in_order() {
    let mut wire = Wire::plain();
    let notes = Notes::on(&mut wire);
    wire.write(FULL * 4);
    assert_eq!(notes.take(), ["packet_sent"; 4]);
    wire.advance(20 * MS);
    wire.recv(wire.state(0, -1).sack(&[0b111, 0, 0, 0]));
    let expected = ["packet_received", "lost", "acked", "resent", "packet_sent"];
    assert_eq!(notes.take(), expected);
    wire.advance(SECOND);
    let told = notes.take();
    let expected = ["resent", "packet_sent", "timed_out", "resent", "packet_sent", "limited"];
    assert_eq!(told, expected, "a probe, then the time-out");
    wire.recv(wire.reset(0));
    assert_eq!(notes.take(), ["state_changed", "closed"]);
    assert_eq!(wire.stats().retransmissions_overtaken, 1);
    assert_eq!(wire.stats().retransmissions_timeout, 1);
    assert_eq!(wire.stats().retransmissions_probe, 1);
    assert_eq!(wire.stats().retransmissions, 3);
}

#[test]
fn a_connection_opens_its_trace_with_its_name() {
    let mut limits = utp_proto::EndpointConfig::default();
    limits.report_at_syn = true;
    let mut wire = Wire::idle(limits, plain(), 100, 200, 1_000);
    let notes = Notes::on(&mut wire);
    wire.recv(wire.syn(-2));
    wire.accept();
    let events = notes.0.lock().unwrap().clone();
    let opened = "opened remote=10.0.0.2:2000 id_recv=1001 id_send=1000 state=SynReceived";
    assert_eq!(events[0], opened);
    assert!(events[1].starts_with("packet_sent type=State seq_nr=100 ack_nr=198 "), "{events:?}");
}

#[test]
fn a_trace_that_was_taken_away_hears_nothing() {
    let mut wire = Wire::plain();
    let notes = Notes::on(&mut wire);
    wire.endpoint.set_trace(None);
    wire.write(10);
    assert_eq!(notes.take(), [""; 0]);
}

#[test]
fn time_is_charged_to_what_limits_sending() {
    let mut wire = Wire::with(with_window(FULL as u64 * 2));
    let before = wire.stats().limited;
    wire.advance(SECOND);
    wire.write(FULL * 3);
    assert_eq!(wire.stats().limit, Limit::CongestionWindow);
    let idle_us = wire.stats().limited.application_us - before.application_us;
    assert_eq!(idle_us, SECOND);
    wire.advance(30 * MS);
    wire.recv(wire.state(0, 1).wnd(0));
    assert_eq!(wire.stats().limit, Limit::PeerWindow);
    let limited = wire.stats().limited;
    assert_eq!(limited.congestion_window_us, 30 * MS);
    wire.advance(40 * MS);
    wire.recv(wire.state(0, 1));
    wire.recv(wire.state(0, 2));
    assert_eq!(wire.stats().limited.peer_window_us, 40 * MS);
    assert_eq!(wire.stats().limit, Limit::Application);
}

#[test]
fn totals_keep_what_connections_counted_that_are_gone() {
    let mut wire = Wire::plain();
    let before = wire.stats().bytes_acked;
    wire.write(FULL);
    wire.recv(wire.state(0, 0));
    let counted = wire.stats().counters;
    assert_eq!(wire.endpoint.totals(), counted);
    let now = wire.now;
    wire.connection_mut().abort(now);
    wire.release();
    assert_eq!(wire.endpoint.stats().connections, 0);
    assert_eq!(wire.endpoint.totals().bytes_acked, before + FULL as u64);
    assert_eq!(wire.endpoint.totals().packets_sent, counted.packets_sent + 1, "and a reset");
}
