//! Processor time that peers can make the implementation spend.

use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::Flow;
use crate::conformance::packet::{Packet, SELECTIVE_ACK};
use crate::conformance::peer::{Call, Peer};
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

/// A connection with packets in flight that nobody acks; all of it is new.
fn stalled(peer: &mut Peer, in_flight: usize) -> CaseResult<Flow> {
    peer.kill_shim();
    peer.forget_packets()?;
    peer.start(&Call::listen("source:100MiB"))?;
    let mut flow = peer.open(100, 1)?;
    peer.push(&mut flow, 500, 500, Duration::from_secs(2))?;
    peer.stall(&mut flow, in_flight)?;
    Ok(flow)
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
    let flow = stalled(peer, IN_FLIGHT)?;
    let plain = cost(peer, &flow, |flow, _| flow.state())?;
    let mut random = SplitMix64::new(24);
    // Each names other packets, as far as a mask reaches.
    let mut anything = |flow: &Flow, _| {
        let words = (0..MASK_LEN / 8).flat_map(|_| random.next_u64().to_le_bytes());
        flow.state().extension(SELECTIVE_ACK, words.collect::<Vec<u8>>())
    };
    // Every other bit, and then the others.
    let comb = |flow: &Flow, number: u32| {
        let byte = if number.is_multiple_of(2) { 0x55 } else { 0xaa };
        flow.state().extension(SELECTIVE_ACK, vec![byte; MASK_LEN])
    };
    let flow = stalled(peer, IN_FLIGHT)?;
    let random_masks = cost(peer, &flow, &mut anything)?;
    let flow = stalled(peer, IN_FLIGHT)?;
    let combs = cost(peer, &flow, comb)?;
    let words = format!("{plain:?} for plain acks, {random_masks:?} and {combs:?} with masks");
    peer.remark(&words);
    peer.check(random_masks.max(combs) <= plain * 4, || words)
}

fn flapping_windows_cost_little(peer: &mut Peer) -> CaseResult {
    let flow = stalled(peer, IN_FLIGHT)?;
    let steady = cost(peer, &flow, |flow, _| flow.state())?;
    let flow = stalled(peer, IN_FLIGHT)?;
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
