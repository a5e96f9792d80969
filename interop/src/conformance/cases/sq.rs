//! SQ: sequence numbers and acknowledgements.

use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::{Flow, pattern};
use crate::conformance::packet::{HEADER_LEN, Packet};
use crate::conformance::peer::{Call, Peer, WantEvent};
use crate::conformance::stop::CaseResult;
use crate::conformance::want::Want;
use crate::shim::{Event, pattern_sha256};

pub(super) fn cases() -> Vec<Case> {
    let must = |id, reference, title, run| Case::rust(id, Grade::Must, reference, title, run);
    let should = |id, reference, title, run| Case::rust(id, Grade::Should, reference, title, run);
    vec![
        must(
            "SQ-01",
            "BEP-29 ack_nr",
            "a thousand packets in order arrive unchanged, and each ack names the last of them",
            thousand_in_order,
        )
        .req(&["B-10", "B-17"]),
        must(
            "SQ-08",
            "BEP-29 packet loss",
            "three more STATEs with one ack have the next packet sent again within 100 ms",
            duplicate_acks_resend,
        )
        .req(&["B-27"])
        .flag(Flag::Timing),
        should(
            "SQ-09",
            "libutp",
            "DATA that repeats an ack is no sign of a loss",
            data_is_no_duplicate_ack,
        )
        .req(&["U-33"])
        .flag(Flag::Timing),
        must(
            "SQ-14",
            "BEP-29 ST_DATA",
            "payloads of each size from 1 to 1452 bytes arrive unchanged",
            every_size_arrives,
        ),
        must("SQ-15", "UDP", "the largest datagram is taken whole or not at all", largest_datagram),
        should(
            "SQ-16",
            "BEP-29 overview: a resend is never cut to another length",
            "of two packets with one number the first wins or the stream fails; they never mix",
            other_bytes_do_not_mix,
        )
        .req(&["H-04"]),
    ]
}

fn thousand_in_order(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let mut flow = peer.open(100, 1)?;
    let mut acked = flow.seq.wrapping_sub(1);
    for _ in 0..100 {
        for _ in 0..10 {
            let data = flow.data(500);
            peer.send(&data)?;
        }
        let last = flow.seq.wrapping_sub(1);
        let until = Instant::now() + Duration::from_secs(1);
        while acked != last {
            // Each ack lies between the last one and what has been sent.
            let want = Want::state().ack(i32::from(acked)..=i32::from(last)).seq(flow.ack + 1);
            acked = peer.expect_between(&want, peer.started(), until)?.ack;
        }
    }
    let fin = flow.fin();
    peer.send(&fin)?;
    peer.expect_event(&WantEvent::data(500_000, 1), Duration::from_secs(2))?;
    peer.expect_event(&WantEvent::Eof, Duration::from_secs(1))?;
    Ok(())
}

/// A connection over which the implementation sends.
fn receiving(peer: &mut Peer) -> CaseResult<Flow> {
    peer.start(&Call::listen("source:4MiB"))?;
    let mut flow = peer.open(100, 1)?;
    peer.push(&mut flow, 500, 500, Duration::from_secs(2))?;
    Ok(flow)
}

fn duplicate_acks_resend(peer: &mut Peer) -> CaseResult {
    let mut flow = receiving(peer)?;
    let sent = peer.stall(&mut flow, 6)?;
    // The first of them arrives as lost. There has been one ack of the packet before it already.
    for _ in 0..3 {
        peer.send(&flow.state())?;
    }
    peer.expect_resend(&sent[0], Duration::from_millis(100))?;
    peer.goes_on(&mut flow, &sent)
}

fn data_is_no_duplicate_ack(peer: &mut Peer) -> CaseResult {
    let mut flow = receiving(peer)?;
    let sent = peer.stall(&mut flow, 6)?;
    for _ in 0..6 {
        let data = flow.data(100);
        peer.send(&data)?;
    }
    // A time-out, which does send it again, takes longer.
    peer.no_resend(&sent[..1], Duration::from_millis(250))?;
    peer.goes_on(&mut flow, &sent)
}

fn every_size_arrives(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let mut flow = peer.open(100, 1)?;
    peer.push_sizes(&mut flow, 1..=1452, Duration::from_secs(20))?;
    let fin = flow.fin();
    peer.send(&fin)?;
    peer.expect_event(&WantEvent::data(flow.sent, 1), Duration::from_secs(2))?;
    Ok(())
}

fn largest_datagram(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let mut flow = peer.open(100, 1)?;
    peer.push(&mut flow, 1000, 500, Duration::from_secs(3))?;
    peer.forget_packets()?;
    let mut taken = flow.clone();
    let data = taken.data(65_507 - HEADER_LEN);
    peer.send(&data)?;
    let acks_it = Want::state().ack(data.seq);
    let came = peer.collect(Duration::from_millis(500))?;
    if came.iter().any(|seen| acks_it.matches(seen)) {
        peer.remark("it was taken");
        flow = taken;
    }
    peer.push(&mut flow, 1000, 500, Duration::from_secs(3))?;
    let fin = flow.fin();
    peer.send(&fin)?;
    peer.expect_event(&WantEvent::data(flow.sent, 1), Duration::from_secs(2))?;
    Ok(())
}

fn other_bytes_do_not_mix(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    // Which packet comes again with other bytes: one that was delivered, and one that is held.
    for (id, again) in [(100, 0), (200, 2), (300, 3)] {
        let mut flow = peer.open(id, 1)?;
        let packets: Vec<Packet> = (0..4).map(|_| flow.data(100)).collect();
        let other = packets[again].clone().payload(pattern(9, 0, 100));
        peer.send(&packets[0])?;
        peer.send(&packets[2])?;
        peer.send(&packets[3])?;
        peer.send(&other)?;
        peer.send(&packets[1])?;
        let fin = flow.fin();
        peer.send(&fin)?;
        expect_whole_or_error(peer, 400)?;
        peer.forget_packets()?;
    }
    Ok(())
}

/// The stream arrives whole, or it fails after bytes that are its beginning.
fn expect_whole_or_error(peer: &mut Peer, len: u64) -> CaseResult {
    let any = WantEvent::Data { bytes: None, sha256: None };
    let (ends, errors) = (WantEvent::Eof, WantEvent::Error(Vec::new()));
    let before = (peer.count_events(&ends), peer.count_events(&errors));
    if let Event::Data { n, sha256, .. } = peer.expect_event(&any, Duration::from_secs(2))? {
        let right = sha256 == pattern_sha256(1, n);
        peer.check(right, || format!("the {n} bytes that were read are not of the stream"))?;
        peer.sleep(Duration::from_millis(200))?;
        let ended = peer.count_events(&ends) > before.0;
        let failed = peer.count_events(&errors) > before.1;
        peer.check((ended && n == len) != failed, || {
            format!("{n} of {len} bytes; end of the stream: {ended}, error: {failed}")
        })?;
        peer.expect_event(if failed { &errors } else { &ends }, Duration::ZERO)?;
    }
    Ok(())
}
