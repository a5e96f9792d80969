//! Streams that wrap several times, and packets in flight that must not.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::{Flow, pattern};
use crate::conformance::packet::Kind;
use crate::conformance::peer::{Call, Peer, WantEvent};
use crate::conformance::stop::CaseResult;
use crate::conformance::want::Want;
use crate::harness::Ability;

pub(super) fn cases() -> Vec<Case> {
    let must = |id, reference, title, run| Case::rust(id, Grade::Must, reference, title, run);
    vec![
        must(
            "WR-06",
            "BEP-29 seq_nr, 16 bits",
            "200 000 packets arrive unchanged, in each direction",
            three_wraps,
        )
        .req(&["B-09"])
        .flag(Flag::Heavy)
        .limit_s(120),
        must(
            "WR-07",
            "hardening of this stack",
            "with a window of 4 GiB no more than 32 767 packets are in flight",
            flight_is_bounded,
        )
        .req(&["H-28", "U-38"]),
    ]
}

fn three_wraps(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let mut flow = peer.open(100, 1)?;
    peer.push(&mut flow, PACKETS * 10, 10, Duration::from_secs(60))?;
    let fin = flow.fin();
    peer.send(&fin)?;
    peer.expect_event(&WantEvent::data(PACKETS * 10, 1), Duration::from_secs(5))?;
    peer.kill_shim();
    peer.forget_packets()?;

    peer.start(&Call::listen("source:10GiB"))?;
    let mut flow = peer.open(100, 1)?;
    let greeting = flow.data(500);
    peer.send(&greeting)?;
    let (mut packets, mut bytes, mut last) = (0, 0, flow.ack);
    while packets < PACKETS {
        let piece = peer.pull(&mut flow, PIECE, Duration::from_secs(20))?;
        let right = piece == pattern(1, bytes, PIECE);
        peer.check(right, || format!("other bytes came after {bytes}"))?;
        bytes += PIECE as u64;
        packets += u64::from(flow.ack.wrapping_sub(last));
        last = flow.ack;
    }
    Ok(())
}

/// The implementation is told that the peer takes 4 GiB and holds more than others do.
fn flight_is_bounded(peer: &mut Peer) -> CaseResult {
    let most = match peer.can(Ability::Controller) {
        true => sent_into_silence(peer)?,
        false => sent_on_a_long_path(peer)?,
    };
    peer.remark(format_args!("{most} packets were in flight at the most"));
    peer.check(most <= 32_767, || format!("{most} packets were in flight"))
}

/// Opens it from the side of an acceptor that has measured a round trip.
fn open_wide(peer: &mut Peer, call: &Call) -> CaseResult<Flow> {
    peer.start(call)?;
    let mut flow = Flow::initiator(100, 1);
    flow.wnd = u32::MAX;
    // Tells stacks of our kind that more packets are held than others hold.
    let syn = flow.syn().extension(2, HOLDS_MORE);
    peer.send(&syn)?;
    let want = Want::state().id(100_u16);
    let answer = peer.eventually(&want, Duration::from_millis(500))?;
    flow.ack = answer.seq.wrapping_sub(1);
    // What comes first shows how long the path is.
    peer.sleep(ROUND_TRIP)?;
    let greeting = flow.data(500);
    peer.send(&greeting)?;
    Ok(flow)
}

/// With a congestion window that is no limit either: the first bytes are acked, and then nothing
/// is, so that all that comes is in flight. Returns how many packets that were.
fn sent_into_silence(peer: &mut Peer) -> CaseResult<u16> {
    let call = Call::listen("source:100GiB").sndbuf(64 << 20);
    let mut flow = open_wide(peer, &call.option("controller", "fixed:1000000000"))?;
    peer.pull(&mut flow, 1000, Duration::from_secs(5))?;
    let (mut newest, mut most) = (flow.ack, 0);
    let end = Instant::now() + Duration::from_secs(4);
    while let Some(seen) = peer.next_packet(0, end)? {
        // What the kernel drops of such a burst is seen to be missing, and no more.
        let ahead = seen.seq.wrapping_sub(newest);
        if seen.kind == Kind::Data && (1..1 << 15).contains(&ahead) {
            newest = seen.seq;
            most = most.max(newest.wrapping_sub(flow.ack));
        }
    }
    peer.check(most >= 1000, || format!("only {most} packets came: that shows no bound"))?;
    Ok(most)
}

/// Hears what was sent a third of a second later, as over a long path without a queue, and counts
/// what is in flight while the window grows.
fn sent_on_a_long_path(peer: &mut Peer) -> CaseResult<u16> {
    let mut flow = open_wide(peer, &Call::listen("source:100GiB").sndbuf(64 << 20))?;
    let (mut newest, mut on_their_way, mut most) = (flow.ack, VecDeque::new(), 0);
    let end = Instant::now() + Duration::from_secs(9);
    while Instant::now() < end {
        let tick = Instant::now() + Duration::from_millis(5);
        while let Some(seen) = peer.next_packet(0, tick)? {
            let ahead = seen.seq.wrapping_sub(newest);
            if seen.kind == Kind::Data && (1..1 << 15).contains(&ahead) {
                newest = seen.seq;
            }
            most = most.max(newest.wrapping_sub(flow.ack));
            on_their_way.push_back(seen);
        }
        let arrived = Instant::now().checked_sub(ROUND_TRIP);
        while let Some(seen) = on_their_way.pop_front() {
            if Some(seen.at) > arrived {
                on_their_way.push_front(seen);
                break;
            }
            // One ack for each: there are windows that grow by the ack.
            flow.hear(&seen);
            let ack = flow.selective_state().diff_us(1000);
            peer.send_unseen(0, &peer.stamped(&ack).encode())?;
        }
        flow.received.clear();
    }
    Ok(most)
}

const PACKETS: u64 = 200_000;

const PIECE: usize = 1 << 20;

/// The body of extension 2 by which this stack says it.
const HOLDS_MORE: [u8; 8] = [0, 0, 2, 0, 0, 0, 0, 0];

const ROUND_TRIP: Duration = Duration::from_millis(300);
