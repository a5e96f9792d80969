//! TM: timers and stamps.

mod stamps;

use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::Flow;
use crate::conformance::packet::Kind;
use crate::conformance::peer::{Call, Peer, Seen, WantEvent};
use crate::conformance::stop::{CaseResult, Stop};
use crate::conformance::want::Want;

pub(super) fn cases() -> Vec<Case> {
    let must = |id, reference, title, run| Case::rust(id, Grade::Must, reference, title, run);
    let mut cases = vec![
        must("TM-02", "BEP-29 timeouts", "the time-out doubles with each expiry", time_out_doubles)
            .req(&["B-34", "R-22"]),
        must(
            "TM-03",
            "BEP-29 timeouts",
            "a time-out is never shorter than 500 ms",
            time_out_has_a_floor,
        )
        .req(&["B-32"])
        .flag(Flag::Timing),
        must(
            "TM-04",
            "BEP-29 timeouts; Karn",
            "a packet that was sent again gives no sample of the round trip",
            no_sample_of_resends,
        )
        .req(&["B-31"])
        .limit_s(45),
        must(
            "TM-05",
            "BEP-29 timeouts",
            "after a time-out one packet is in flight until an ack comes",
            one_packet_after_a_time_out,
        )
        .req(&["B-35"]),
        must(
            "TM-08",
            "libutp, keepalive",
            "a STATE that acks one less is no duplicate ack, and draws one answer at the most",
            keepalive_counts_for_nothing,
        )
        .req(&["U-21", "U-22"])
        .flag(Flag::Timing),
        Case::rust(
            "TM-13",
            Grade::Should,
            "suspend, F-10",
            "after a stop of 60 s one time-out fires at the most",
            wakes_with_one_time_out,
        )
        .req(&["H-29", "F-10"])
        .limit_s(100),
    ];
    cases.extend(stamps::cases());
    cases
}

/// The implementation connects; a few of its packets have been acked after `round_trip`.
fn measured(peer: &mut Peer, round_trip: Duration) -> CaseResult<Flow> {
    peer.start(&Call::connect("script"))?;
    let syn = peer.expect(&Want::syn(), Duration::from_secs(10))?;
    peer.sleep(round_trip)?;
    let mut flow = Flow::acceptor(&syn, 500);
    peer.send(&flow.state())?;
    peer.expect_event(&WantEvent::Connected, Duration::from_secs(1))?;
    for seed in 1..=8 {
        let data = written(peer, &mut flow, seed)?;
        peer.sleep_until(data.at + round_trip)?;
        peer.send(&flow.state())?;
    }
    Ok(flow)
}

/// Has the implementation write one packet, and takes it without an ack.
fn written(peer: &mut Peer, flow: &mut Flow, seed: u64) -> CaseResult<Seen> {
    peer.command(&format!("write 500 {seed}"))?;
    let until = Instant::now() + Duration::from_secs(2);
    loop {
        let Some(seen) = peer.next_packet(0, until)? else {
            return Err(peer.fail("what was written is not sent"));
        };
        let is_new = seen.kind == Kind::Data && seen.payload.len() == 500;
        let is_new = is_new && seen.seq.wrapping_sub(flow.ack) < 1 << 15 && seen.seq != flow.ack;
        flow.hear(&seen);
        if is_new {
            return Ok(seen);
        }
    }
}

/// When the copies of a packet came, from the first on.
fn copies(first: &Seen, all: &[Seen]) -> Vec<Duration> {
    let again = all.iter().filter(|seen| seen.kind == Kind::Data && seen.seq == first.seq);
    let again = again.map(|seen| seen.at.saturating_duration_since(first.at));
    [Duration::ZERO].into_iter().chain(again).collect()
}

fn gaps(times: &[Duration]) -> Vec<Duration> {
    times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect()
}

fn time_out_doubles(peer: &mut Peer) -> CaseResult {
    let mut flow = measured(peer, Duration::from_millis(20))?;
    let first = written(peer, &mut flow, 9)?;
    let all = peer.collect(Duration::from_millis(16_500))?;
    // What comes before half a second is no time-out: a probe of the tail is allowed.
    let mut gaps = gaps(&copies(&first, &all));
    gaps.retain(|gap| *gap >= FLOOR);
    peer.check(gaps.len() >= 4, || format!("four time-outs in 16.5 s are too many for {gaps:?}"))?;
    // The first may be late by the step of the timers, which then weighs most.
    let grows = gaps[1] > gaps[0] + gaps[0] / 4;
    let doubles = gaps[1..].windows(2).all(|pair| {
        let ratio = pair[1].as_secs_f64() / pair[0].as_secs_f64();
        (1.6..=2.5).contains(&ratio)
    });
    peer.check(grows && doubles, || format!("between the copies lie {gaps:?}"))
}

fn time_out_has_a_floor(peer: &mut Peer) -> CaseResult {
    let mut flow = measured(peer, Duration::ZERO)?;
    let first = written(peer, &mut flow, 9)?;
    let all = peer.collect(Duration::from_secs(4))?;
    let gaps = gaps(&copies(&first, &all));
    peer.check(!gaps.is_empty(), || "the packet is not sent again in 4 s".into())?;
    // One probe of the tail may come sooner (RFC 8985), and the time-out counts from it.
    let early = gaps.iter().filter(|gap| **gap < FLOOR).count();
    peer.check(early <= 1 && (early == 0 || gaps[0] < FLOOR), || {
        format!("between the copies lie {gaps:?}; allowed are 500 ms")
    })
}

fn no_sample_of_resends(peer: &mut Peer) -> CaseResult {
    let mut flow = measured(peer, Duration::from_millis(5))?;
    for seed in 20..22 {
        let late = written(peer, &mut flow, seed)?;
        peer.sleep_until(late.at + Duration::from_millis(6800))?;
        let resent = peer.collect(Duration::ZERO)?;
        let resent = copies(&late, &resent).len();
        peer.check(resent >= 2, || "the packet is not sent again in 6.8 s".into())?;
        peer.send(&flow.state())?;
        peer.sleep(Duration::from_millis(200))?;
    }
    // A true sample, which ends the back-off where that is kept until then.
    written(peer, &mut flow, 30)?;
    peer.send(&flow.state())?;
    let first = written(peer, &mut flow, 31)?;
    let all = peer.collect(Duration::from_secs(5))?;
    let gaps = gaps(&copies(&first, &all));
    // The round trip is a few milliseconds: the first time-out is the shortest that there is.
    let time_out = gaps.iter().find(|gap| **gap >= FLOOR);
    peer.check(time_out.is_some_and(|gap| *gap <= Duration::from_secs(2)), || {
        format!("between the copies lie {gaps:?}; allowed are 2 s to the first time-out")
    })
}

fn one_packet_after_a_time_out(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::connect("source:10000000"))?;
    let mut flow = peer.answer(500)?;
    peer.pull(&mut flow, 300_000, Duration::from_secs(10))?;
    // What is in flight arrives, and perhaps a probe of the tail; then there are time-outs.
    peer.sleep(FLOOR)?;
    peer.forget_packets()?;
    let all = peer.collect(Duration::from_secs(9))?;
    let data: Vec<&Seen> = all.iter().filter(|seen| seen.kind == Kind::Data).collect();
    peer.check(data.len() >= 2, || format!("{} time-outs in 9 s", data.len()))?;
    for pair in data.windows(2) {
        let gap = pair[1].at.saturating_duration_since(pair[0].at);
        peer.check(gap >= FLOOR, || {
            let (one, other) = (pair[0].seq, pair[1].seq);
            format!("packet {one} and {gap:?} later packet {other}, without an ack")
        })?;
    }
    Ok(())
}

fn keepalive_counts_for_nothing(peer: &mut Peer) -> CaseResult {
    let mut flow = measured(peer, Duration::from_millis(200))?;
    peer.sleep(Duration::from_secs(1))?;
    peer.forget_packets()?;
    let mut keepalive = flow.state();
    keepalive.ack = keepalive.ack.wrapping_sub(1);
    for _ in 0..3 {
        peer.send(&keepalive)?;
        let answers = peer.collect(Duration::from_millis(500))?.len();
        peer.check(answers <= 1, || format!("{answers} packets answer a keepalive"))?;
    }
    // With data in flight, which such a STATE could be taken to miss.
    let first = written(peer, &mut flow, 9)?;
    for _ in 0..5 {
        peer.sleep(Duration::from_millis(5))?;
        peer.send(&keepalive)?;
    }
    peer.none_of(&Want::data().seq(first.seq), Duration::from_millis(200))?;
    peer.send(&flow.state())?;
    peer.none_of(&Want::data(), Duration::from_secs(1))
}

/// Two streams are stopped in the middle: what is in flight of the first is acked meanwhile, so
/// that it needs no resend at all; of the other it is not.
fn wakes_with_one_time_out(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("source:100000000"))?;
    let other = peer.open_socket()?;
    let mut acked = peer.open(100, 1)?;
    let mut silent = peer.open_on(other, 200, 1)?;
    for flow in [&mut acked, &mut silent] {
        let greeting = flow.data(1000);
        peer.send_on(flow.socket, &greeting)?;
        peer.pull(flow, 200_000, Duration::from_secs(10))?;
    }
    // In the middle of a burst it would go on with that when it wakes.
    comes_to_rest(peer, other)?;
    peer.suspend_shim()?;
    while let Some(seen) = peer.next_packet(0, Instant::now() + Duration::from_millis(100))? {
        acked.hear(&seen);
    }
    peer.send(&acked.state())?;
    peer.sleep(Duration::from_secs(60))?;
    peer.forget_packets()?;
    peer.wake_shim()?;
    let all = peer.collect(Duration::from_millis(450))?;
    let resends = |flow: &Flow| {
        let data = all.iter().filter(|seen| seen.socket == flow.socket && seen.kind == Kind::Data);
        data.filter(|seen| flow.ack.wrapping_sub(seen.seq) < 1 << 15).count()
    };
    let data = all.iter().filter(|seen| seen.socket == other && seen.kind == Kind::Data).count();
    peer.check(data <= 1, || format!("{data} packets where nothing was acked; allowed is one"))?;
    let (again, allowed) = (resends(&acked), 1);
    peer.check(again <= allowed, || format!("{again} packets came again that were acked"))?;
    // The stream that was acked goes on, whatever the other makes of a minute without an ack.
    let came: Vec<Seen> = all.into_iter().filter(|seen| seen.socket == 0).collect();
    came.iter().for_each(|seen| acked.hear(seen));
    peer.send(&acked.state())?;
    acked.received.clear();
    peer.pull(&mut acked, 100_000, Duration::from_secs(10))?;
    Ok(())
}

/// Waits until nothing has come on a socket for a while and the implementation had nothing to do:
/// on a busy machine it is silent, too, while it waits for the processor.
fn comes_to_rest(peer: &mut Peer, socket: usize) -> CaseResult {
    let end = Instant::now() + Duration::from_secs(3);
    let mut since = Instant::now();
    while since.elapsed() < Duration::from_millis(50) {
        if Instant::now() > end {
            return Err(Stop::Late("the implementation never comes to rest".into()));
        }
        let step = Instant::now() + Duration::from_millis(5);
        if peer.next_packet(socket, step)?.is_some() || !peer.shim_sleeps() {
            since = Instant::now();
        }
    }
    Ok(())
}

/// What BEP-29 asks of a time-out, less what arrivals are uncertain by.
const FLOOR: Duration = Duration::from_millis(480);
