//! Processor time that peers can make the implementation spend.

use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::Flow;
use crate::conformance::packet::{Packet, SELECTIVE_ACK};
use crate::conformance::peer::{Call, Peer, WantEvent};
use crate::conformance::stop::CaseResult;
use crate::shim::SplitMix64;

pub(super) fn cases() -> Vec<Case> {
    let should = |id, title, run| {
        let case = Case::rust(id, Grade::Should, "hardening of this stack", title, run);
        case.flag(Flag::Heavy).limit_s(60)
    };
    vec![
        should(
            "HO-08",
            "the worst masks cost four times what plain acks cost at the most",
            masks_cost_little,
        )
        .req(&["H-25"]),
        should(
            "HO-13",
            "a window that flaps ten thousand times a second costs twice a steady one at the most",
            flapping_windows_cost_little,
        )
        .req(&["H-19"]),
    ]
}

/// A connection with packets in flight that nobody acks, and how many that are.
fn stalled(peer: &mut Peer) -> CaseResult<(Flow, usize)> {
    peer.kill_shim();
    peer.forget_packets()?;
    peer.start(&Call::listen("source:100MiB"))?;
    let mut flow = peer.open(100, 1)?;
    peer.push(&mut flow, 500, 500, Duration::from_secs(2))?;
    let in_flight = peer.stall(&mut flow, IN_FLIGHT)?.len();
    Ok((flow, in_flight))
}

/// Processor time for packets that are sent at ten thousand a second.
fn cost(
    peer: &mut Peer,
    flow: &Flow,
    mut packet: impl FnMut(&Flow, u32) -> Packet,
) -> CaseResult<Duration> {
    let before = peer.cpu_time()?;
    let start = Instant::now();
    for number in 0..PACKETS {
        let bytes = peer.stamped(&packet(flow, number)).encode();
        peer.send_unseen(0, &bytes)?;
        if number % 10 == 9 {
            peer.sleep_until(start + Duration::from_micros(100) * (number + 1))?;
            peer.forget_packets()?;
        }
    }
    peer.sleep(Duration::from_millis(100))?;
    Ok(peer.cpu_time()?.saturating_sub(before))
}

fn masks_cost_little(peer: &mut Peer) -> CaseResult {
    let (flow, _) = stalled(peer)?;
    let plain = cost(peer, &flow, |flow, _| flow.state())?;
    let mut random = SplitMix64::new(24);
    // What is in flight, some of it or every other packet, in masks that reach much farther. What
    // was not sent may not be named: that would be a lie, and the end.
    let (flow, in_flight) = stalled(peer)?;
    let anything = cost(peer, &flow, |flow, _| {
        let word = random.next_u64();
        longest_mask(flow, (1..in_flight).filter(|place| word >> (place % 64) & 1 == 1))
    })?;
    let (flow, in_flight) = stalled(peer)?;
    let combs = cost(peer, &flow, |flow, number| {
        longest_mask(flow, (1 + number as usize % 2..in_flight).step_by(2))
    })?;
    peer.no_event(&WantEvent::Error(Vec::new()), Duration::from_millis(100))?;
    let words = format!("{plain:?} for plain acks, {anything:?} and {combs:?} with masks");
    peer.remark(&words);
    peer.check(anything.max(combs) <= plain * 4, || words)
}

/// An ack of nothing new that names these of the packets in flight, the first of which has place 0.
fn longest_mask(flow: &Flow, places: impl Iterator<Item = usize>) -> Packet {
    let mut mask = vec![0; MASK_LEN];
    for bit in places.map(|place| place - 1) {
        mask[bit / 8] |= 1 << (bit % 8);
    }
    flow.state().extension(SELECTIVE_ACK, mask)
}

fn flapping_windows_cost_little(peer: &mut Peer) -> CaseResult {
    let (flow, _) = stalled(peer)?;
    let steady = cost(peer, &flow, |flow, _| flow.state())?;
    let (flow, _) = stalled(peer)?;
    let flapping = cost(peer, &flow, |flow, number| {
        flow.state().wnd(if number.is_multiple_of(2) { 0 } else { u32::MAX })
    })?;
    let words = format!("{flapping:?} with windows that flap, {steady:?} with steady ones");
    peer.remark(&words);
    peer.check(flapping <= steady * 2, || words)
}

const PACKETS: u32 = 10_000;

const IN_FLIGHT: usize = 60;

/// The longest mask of whole words that an extension has room for.
const MASK_LEN: usize = 248;
