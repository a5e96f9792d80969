//! The stamps of packets, and the clocks behind them.

use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::{Flow, pattern};
use crate::conformance::peer::{Call, Peer};
use crate::conformance::stop::CaseResult;
use crate::conformance::want::{Field, Want};

pub(super) fn cases() -> Vec<Case> {
    let must = |id, reference, title, run| Case::rust(id, Grade::Must, reference, title, run);
    vec![
        must(
            "TM-10",
            "BEP-29 header",
            "stamps follow real time within two in a hundred",
            stamps_follow_real_time,
        )
        .req(&["B-05"]),
        must(
            "TM-11",
            "BEP-29 header",
            "the difference is 0 first, then arrival less stamp, by the clock of its own stamps",
            difference_is_arrival_less_stamp,
        )
        .req(&["B-06", "R-01", "U-17"])
        .flag(Flag::Timing),
        must(
            "TM-12",
            "libutp",
            "a stamp of 0 gives no difference, and the stream works",
            stream_without_stamps,
        )
        .req(&["U-16", "U-39"]),
        Case::rust(
            "TM-14",
            Grade::Should,
            "clock steps, F-11",
            "two minutes after the peer's clock jumped by an hour, half of the goodput is back",
            clock_jumps,
        )
        .req(&["F-11"])
        .flag(Flag::Slow)
        .limit_s(300),
    ]
}

fn stamps_follow_real_time(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let mut flow = peer.open(100, 1)?;
    let mut stamps = Vec::new();
    for _ in 0..11 {
        let data = flow.data(10);
        peer.send(&data)?;
        let ack = peer.eventually(&Want::state().ack(data.seq), Duration::from_millis(500))?;
        stamps.push((ack.at, ack.stamp_us.unwrap_or(0)));
        peer.sleep(Duration::from_secs(1))?;
    }
    for pair in stamps.windows(2) {
        check_pace(peer, pair[0], pair[1], 0.1)?;
    }
    check_pace(peer, stamps[0], stamps[stamps.len() - 1], 0.02)
}

fn check_pace(peer: &Peer, from: (Instant, u32), to: (Instant, u32), tolerance: f64) -> CaseResult {
    let real_s = to.0.saturating_duration_since(from.0).as_secs_f64();
    let stamped_s = f64::from(to.1.wrapping_sub(from.1)) / 1e6;
    peer.check((stamped_s / real_s - 1.0).abs() <= tolerance, || {
        format!("the stamps say {stamped_s:.4} s where {real_s:.4} s went by")
    })
}

fn difference_is_arrival_less_stamp(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    for (id, shift_us) in [(100, 0), (200, 1_000_000), (300, 0x7000_0000), (400, 0xc000_0000)] {
        peer.shift_clock_us(shift_us);
        let mut flow = Flow::initiator(id, 1);
        peer.send(&flow.syn())?;
        let answer = peer.expect(&Want::state().id(id), Duration::from_millis(500))?;
        flow.ack = answer.seq.wrapping_sub(1);
        peer.check(answer.diff_us == Some(0), || "a first packet has a difference".into())?;
        let mut errors_us = Vec::new();
        for _ in 0..9 {
            let sent_us = peer.clock_us(Instant::now());
            let data = flow.data(10).stamp_us(sent_us);
            peer.send(&data)?;
            let want = Want::state().id(id).ack(data.seq);
            let ack = peer.eventually(&want, Duration::from_millis(500))?;
            // Its clock, when the packet arrived there, seen from its stamp on the answer.
            let since = peer.clock_us(ack.at).wrapping_sub(sent_us);
            let arrival = ack.stamp_us.unwrap_or(0).wrapping_sub(since);
            let expected = arrival.wrapping_sub(sent_us);
            errors_us.push(ack.diff_us.unwrap_or(0).wrapping_sub(expected).cast_signed());
        }
        // The machine may have been busy at one of them.
        errors_us.sort_by_key(|error_us| error_us.unsigned_abs());
        let middle_us = errors_us[errors_us.len() / 2];
        peer.check(middle_us.unsigned_abs() <= 5000, || {
            format!("the differences are off by {errors_us:?} us; allowed are 5 ms")
        })?;
    }
    Ok(())
}

fn stream_without_stamps(peer: &mut Peer) -> CaseResult {
    peer.lose_clock();
    peer.start(&Call::listen("echo"))?;
    let mut flow = peer.open(100, 1)?;
    let data = flow.data(1000);
    peer.send(&data)?;
    let no_sample = Want::any().field(Field::Diff, 0_u32);
    for _ in 0..20 {
        let until = Instant::now() + Duration::from_millis(100);
        let Some(seen) = peer.next_packet(0, until)? else { break };
        flow.hear(&seen);
        peer.check(no_sample.matches(&seen), || format!("there is a sample in {}", *seen))?;
    }
    peer.send(&flow.state())?;
    let mut back = peer.pull(&mut flow, 1000, Duration::from_secs(5))?;
    for _ in 0..10 {
        peer.push(&mut flow, 20_000, 1000, Duration::from_secs(10))?;
        back.extend(peer.pull(&mut flow, 20_000, Duration::from_secs(10))?);
    }
    peer.check(back == pattern(1, 0, 201_000), || "other bytes came back".into())
}

fn clock_jumps(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::connect("source:100000000000"))?;
    let mut flow = peer.answer(500)?;
    // Slow enough to leave the machine to others.
    flow.wnd = 64 << 10;
    goodput(peer, &mut flow, Duration::from_secs(10))?;
    let usual = goodput(peer, &mut flow, Duration::from_secs(5))?;
    for hour_us in [HOUR_US, HOUR_US.wrapping_neg()] {
        peer.shift_clock_us(hour_us);
        let until = Instant::now() + Duration::from_secs(120);
        loop {
            let now = goodput(peer, &mut flow, Duration::from_secs(5))?;
            if now * 2 >= usual {
                break;
            }
            peer.check(Instant::now() < until, || {
                format!("{now} bytes in 5 s, {usual} before the clock jumped")
            })?;
        }
        goodput(peer, &mut flow, Duration::from_secs(5))?;
    }
    Ok(())
}

/// How many bytes come in a time, with an ack every ten milliseconds.
fn goodput(peer: &mut Peer, flow: &mut Flow, time: Duration) -> CaseResult<usize> {
    let until = Instant::now() + time;
    let mut bytes = 0;
    while Instant::now() < until {
        let next = Instant::now() + Duration::from_millis(10);
        while let Some(seen) = peer.next_packet(flow.socket, next)? {
            flow.hear(&seen);
        }
        bytes += flow.received.len();
        flow.received.clear();
        peer.send_unseen(flow.socket, &peer.stamped(&flow.state()).encode())?;
    }
    Ok(bytes)
}

/// An hour, as far as 32 bits of microseconds tell.
const HOUR_US: u32 = 3_600_000_000;
