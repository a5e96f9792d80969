//! Stamps and delays of 32 bits that wrap.

use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::Flow;
use crate::conformance::peer::{Call, Peer};
use crate::conformance::stop::CaseResult;
use crate::shim::SplitMix64;

pub(super) fn cases() -> Vec<Case> {
    let must = |id, reference, title, run| Case::rust(id, Grade::Must, reference, title, run);
    vec![
        must(
            "WR-09",
            "BEP-29 timestamp_microseconds, 32 bits",
            "a stream goes on as before when the stamps of the peer wrap, and a window opens",
            stamps_wrap,
        )
        .req(&["B-05"])
        .flag(Flag::Timing),
        must(
            "WR-10",
            "libutp",
            "delays on both sides of 2^31 and of 2^32 are close to each other",
            delays_wrap,
        )
        .req(&["B-06"])
        .flag(Flag::Timing),
    ]
}

fn stamps_wrap(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("source:10GiB"))?;
    let wrap = wraps_in(peer, Duration::from_millis(2500));
    let mut flow = peer.open(100, 1)?;
    // Slow enough to leave the machine to others.
    flow.wnd = 64 << 10;
    let greeting = flow.data(500);
    peer.send(&greeting)?;
    receive(peer, &mut flow, wrap - Duration::from_secs(1))?;
    let before = receive(peer, &mut flow, wrap)?;
    let after = receive(peer, &mut flow, wrap + Duration::from_secs(1))?;
    let pause = before.longest_pause.max(after.longest_pause);
    peer.remark(format_args!("{before:?}, then {after:?}"));
    // A window that collapsed would be a twentieth.
    peer.check(after.bytes * 4 >= before.bytes && pause <= PAUSE_MAX, || {
        format!("{before:?} before the wrap, {after:?} behind it")
    })?;
    // A window that was shut before the wrap is opened behind it, with nothing else to tell.
    let wrap = wraps_in(peer, Duration::from_millis(800));
    receive(peer, &mut flow, wrap - Duration::from_millis(300))?;
    flow.wnd = 0;
    receive(peer, &mut flow, wrap + Duration::from_millis(100))?;
    flow.wnd = 64 << 10;
    let opened = receive(peer, &mut flow, Instant::now() + Duration::from_millis(300))?;
    peer.check(opened.bytes >= 20_000, || format!("{opened:?} after the window was opened"))
}

/// Sets the clock of the peer so that it wraps so soon; returns when.
fn wraps_in(peer: &mut Peer, time: Duration) -> Instant {
    let wrap = Instant::now() + time;
    peer.shift_clock_us(peer.clock_us(wrap).wrapping_neg());
    wrap
}

/// What came in a time.
#[derive(Debug)]
struct Received {
    bytes: usize,
    longest_pause: Duration,
}

/// Receives until then, with an ack every ten milliseconds.
fn receive(peer: &mut Peer, flow: &mut Flow, until: Instant) -> CaseResult<Received> {
    let mut received = Received { bytes: 0, longest_pause: Duration::ZERO };
    let mut last = Instant::now();
    while Instant::now() < until {
        peer.send_unseen(flow.socket, &peer.stamped(&flow.state()).encode())?;
        let next = Instant::now() + Duration::from_millis(10);
        while let Some(seen) = peer.next_packet(flow.socket, next)? {
            let pause = seen.at.saturating_duration_since(last);
            received.longest_pause = received.longest_pause.max(pause);
            last = seen.at;
            flow.hear(&seen);
        }
        received.bytes += flow.received.len();
        flow.received.clear();
    }
    Ok(received)
}

fn delays_wrap(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("source:10GiB"))?;
    let usual = bytes_with(peer, 100, 1_000_000)?;
    for (id, middle_us) in [(200, 1 << 31), (300, 0)] {
        let bytes = bytes_with(peer, id, middle_us)?;
        peer.remark(format_args!("{bytes} bytes with delays about {middle_us} us, else {usual}"));
        peer.check(bytes * 2 >= usual, || {
            format!("{bytes} bytes with delays about {middle_us} us, {usual} with others")
        })?;
    }
    Ok(())
}

/// How many bytes come in some round trips if the delays that are reported lie a few milliseconds
/// to both sides of a value, once the window has grown.
fn bytes_with(peer: &mut Peer, id: u16, middle_us: u32) -> CaseResult<usize> {
    let mut random = SplitMix64::new(11);
    let mut flow = peer.open(id, 1)?;
    flow.wnd = 256 << 10;
    let greeting = flow.data(500);
    peer.send(&greeting)?;
    let mut bytes = 0;
    for round in 0..2 * ROUNDS {
        let end = Instant::now() + Duration::from_millis(15);
        while let Some(seen) = peer.next_packet(flow.socket, end)? {
            if seen.id == id {
                flow.hear(&seen);
            }
        }
        if round >= ROUNDS {
            bytes += flow.received.len();
        }
        flow.received.clear();
        let [low, high, ..] = random.next_u64().to_le_bytes();
        let off_us = u32::from(u16::from_le_bytes([low, high]) % 8000);
        let report =
            flow.selective_state().diff_us(middle_us.wrapping_sub(4000).wrapping_add(off_us));
        peer.send(&report)?;
    }
    peer.send(&flow.reset())?;
    Ok(bytes)
}

/// Less than any time-out.
const PAUSE_MAX: Duration = Duration::from_millis(400);

/// How many round trips the window has to grow, and how many are counted.
const ROUNDS: u32 = 40;
