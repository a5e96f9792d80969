//! WR: counters that wrap.
//!
//! The first number of a peer is the runner's to choose. That of the implementation is not, so that
//! connections are opened until there is one whose number is close to its wrap.

mod clocks;
mod far;
mod probe;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::{Flow, pattern};
use crate::conformance::packet::Packet;
use crate::conformance::peer::{Call, Peer, Seen, WantEvent};
use crate::conformance::stop::CaseResult;
use crate::conformance::want::Want;

pub(super) fn cases() -> Vec<Case> {
    let must = |id, reference, title, run| Case::rust(id, Grade::Must, reference, title, run);
    let mut cases = vec![
        must(
            "WR-01",
            "BEP-29 seq_nr, 16 bits",
            "streams go on where their numbers begin again, in both directions",
            both_directions_wrap,
        )
        .req(&["B-09"]),
        must(
            "WR-03",
            "BEP-29 selective ack",
            "masks that reach across the wrap are sent and read as others are",
            masks_across_the_wrap,
        )
        .req(&["B-13"])
        .flag(Flag::Timing),
        must(
            "WR-04",
            "BEP-29 ST_FIN",
            "a FIN with number 65 535, 0 or 1 that overtakes data ends the stream after that",
            ends_at_the_wrap,
        )
        .req(&["B-19", "H-28"]),
        must(
            "WR-05",
            "BEP-29 packet loss",
            "packets on both sides of the wrap that are lost are sent again as they were",
            resends_across_the_wrap,
        )
        .req(&["B-36"])
        .flag(Flag::Timing)
        .limit_s(45),
    ];
    cases.extend(far::cases());
    cases.extend(probe::cases());
    cases.extend(clocks::cases());
    cases
}

/// A connection whose first packet from the implementation comes so long before the wrap. The SYN
/// has the number `syn_seq`.
#[track_caller]
fn before_the_wrap(
    peer: &mut Peer,
    distance: RangeInclusive<u16>,
    syn_seq: u16,
) -> CaseResult<Flow> {
    for id in (1000..).step_by(2).take(OPENINGS) {
        let flow = peer.open(id, syn_seq)?;
        let first = flow.ack.wrapping_add(1);
        if distance.contains(&first.wrapping_neg()) {
            return Ok(flow);
        }
    }
    Err(peer.fail(format!("of {OPENINGS} first numbers none is close to 65 535")))
}

fn both_directions_wrap(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("echo"))?;
    let mut flow = before_the_wrap(peer, 1..=300, 65_530)?;
    let first = flow.ack.wrapping_add(1);
    peer.push(&mut flow, ECHOED as u64, 1000, Duration::from_secs(10))?;
    let echoed = peer.pull(&mut flow, ECHOED, Duration::from_secs(10))?;
    peer.check(echoed == pattern(1, 0, ECHOED), || "other bytes came back".into())?;
    let (last, count) = (flow.ack, flow.ack.wrapping_sub(first));
    peer.check(last < first && count >= 100, || format!("{first} to {last} is no wrap"))?;
    let fin = flow.fin();
    peer.send(&fin)?;
    peer.eventually(&Want::fin(), Duration::from_secs(2))?;
    Ok(())
}

fn masks_across_the_wrap(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    // What it sends: packets are held while one before, at or behind the wrap is missing.
    for (id, gap) in [(100, 65_533_u16), (200, 65_534), (300, 65_535), (400, 0)] {
        let mut flow = peer.open(id, 65_530)?;
        let held_from = u64::from(gap.wrapping_sub(flow.seq));
        peer.push(&mut flow, held_from * 100, 100, Duration::from_secs(2))?;
        let missing = flow.data(100);
        let mut bits = Vec::new();
        for bit in 0..8 {
            let data = flow.data(100);
            if [0, 1, 2, 5, 7].contains(&bit) {
                bits.push(bit);
                peer.send(&data)?;
                let want = Want::any().id(id).ack(gap.wrapping_sub(1)).sack(&bits);
                peer.eventually(&want, Duration::from_millis(500))?;
            }
        }
        peer.send(&missing)?;
        let want = Want::any().id(id).ack(gap.wrapping_add(3));
        peer.eventually(&want, Duration::from_millis(500))?;
        peer.send(&flow.reset())?;
    }
    // What it reads.
    let (mut flow, sent) = stalled_across_the_wrap(peer)?;
    for named in 3..=5 {
        let bits: Vec<usize> = (0..named).collect();
        peer.send(&flow.state().sack(&bits))?;
    }
    peer.expect_resend(&sent[0], Duration::from_millis(300))?;
    peer.no_resend(&sent[1..=5], Duration::from_millis(100))?;
    peer.goes_on(&mut flow, &sent)
}

fn ends_at_the_wrap(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    for (id, end) in [(100, 65_535_u16), (200, 0), (300, 1), (400, 2)] {
        for (id, order) in [(id, [4, 3, 1, 2]), (id + 50, [3, 4, 2, 1])] {
            peer.forget_packets()?;
            // The last of five packets is the FIN.
            let mut flow = peer.open(id, end.wrapping_sub(5))?;
            let mut packets: Vec<Packet> = (0..4).map(|_| flow.data(100)).collect();
            packets.push(flow.fin());
            peer.send(&packets[0])?;
            for index in order {
                peer.send(&packets[index])?;
            }
            peer.eventually(&Want::any().id(id).ack(end), Duration::from_secs(1))?;
            peer.expect_event(&WantEvent::data(400, 1), Duration::from_secs(1))?;
            peer.expect_event(&WantEvent::Eof, Duration::from_secs(1))?;
        }
    }
    Ok(())
}

fn resends_across_the_wrap(peer: &mut Peer) -> CaseResult {
    // A mask proves the loss of the packets on both sides of the wrap.
    let (mut flow, sent) = stalled_across_the_wrap(peer)?;
    peer.ack_all(&mut flow, &sent[..WRAP - 1])?;
    let bits: Vec<usize> = (1..sent.len() - WRAP).collect();
    peer.send(&flow.state().sack(&bits))?;
    let until = Instant::now() + Duration::from_millis(300);
    for lost in &sent[WRAP - 1..=WRAP] {
        peer.expect_resend(lost, until.saturating_duration_since(Instant::now()))?;
    }
    peer.goes_on(&mut flow, &sent)?;
    // So does a time-out, of one after the other.
    let (mut flow, sent) = stalled_across_the_wrap(peer)?;
    let mut acked = 0;
    for lost in [0, WRAP - 1, WRAP] {
        peer.ack_all(&mut flow, &sent[acked..lost])?;
        peer.expect_resend(&sent[lost], Duration::from_secs(6))?;
        acked = lost;
    }
    peer.goes_on(&mut flow, &sent)
}

/// A new implementation with a connection over which it sends, and packets in flight across the
/// wrap, see [`stall_across_the_wrap`]. A stack may keep a packet back to see whether it is acked
/// even so: where that is among them, another connection is tried.
#[track_caller]
fn stalled_across_the_wrap(peer: &mut Peer) -> CaseResult<(Flow, Vec<Seen>)> {
    for _ in 0..TRIES {
        peer.kill_shim();
        peer.forget_packets()?;
        peer.start(&Call::listen("source:4MiB"))?;
        let mut flow = before_the_wrap(peer, 150..=600, 1)?;
        let greeting = flow.data(500);
        peer.send(&greeting)?;
        if let Some(sent) = stall_across_the_wrap(peer, &mut flow)? {
            return Ok((flow, sent));
        }
    }
    Err(peer.fail("there were never enough packets in flight across the wrap"))
}

/// Acks what comes until the window has grown and a packet [`WRAP`] places before the number 0 is
/// the oldest that is in flight. Returns it with all that follow it, none of them acked or heard.
fn stall_across_the_wrap(peer: &mut Peer, flow: &mut Flow) -> CaseResult<Option<Vec<Seen>>> {
    let until = Instant::now() + GROWTH;
    let (mut kept, mut acked) = (BTreeMap::new(), None);
    while Instant::now() < until {
        let pause = Duration::from_millis(20);
        while let Some(seen) = peer.next_packet(flow.socket, Instant::now() + pause)? {
            let place = seen.seq.wrapping_sub(OLDEST);
            if seen.id != flow.recv_id || !seen.kind.is_numbered() {
                continue;
            }
            if place < 1 << 15 {
                kept.entry(place).or_insert(seen);
            } else {
                flow.hear(&seen);
            }
        }
        let in_row = (0..).take_while(|place| kept.contains_key(place)).count();
        if flow.ack.wrapping_add(1) == OLDEST && in_row >= WRAP + 5 {
            return Ok(Some(kept.into_values().take(in_row).collect()));
        }
        // Said again it would be the sign of a loss.
        if acked != Some(flow.ack) {
            peer.send(&flow.selective_state())?;
            acked = Some(flow.ack);
        }
    }
    Ok(None)
}

/// The number 0 has this place among the packets that are in flight across the wrap.
const WRAP: usize = 4;
const OLDEST: u16 = 65_532;

/// How long the window may take to grow: the first 600 packets take a fraction of it.
const GROWTH: Duration = Duration::from_millis(1500);

const TRIES: u32 = 6;

/// How many connections are opened at the most to find one; libutp takes 3 000.
const OPENINGS: usize = 2_500;

/// So much that it takes hundreds of packets.
const ECHOED: usize = 500_000;
