//! An application that does not fill its window, or is idle.

use std::time::Duration;

use super::{GROWTH, ROUND_TRIP};
use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::peer::{Call, Path, Peer, WantEvent};
use crate::conformance::stop::CaseResult;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::rust(
            "CC-06",
            Grade::Must,
            "RFC 6817 section 2.4.2",
            "a window that the application does not fill does not grow",
            unused_window_stays,
        )
        .req(&["B-40", "R-05"])
        .flag(Flag::Timing)
        .limit_s(40),
        Case::rust(
            "CC-16",
            Grade::Should,
            "hardening of this stack",
            "after five idle seconds no more than ten packets leave at once",
            no_burst_after_idling,
        )
        .flag(Flag::Slow)
        .flag(Flag::Timing)
        .limit_s(90),
    ]
}

fn unused_window_stays(peer: &mut Peer) -> CaseResult {
    const CHUNK: usize = 4000;
    let mut path = Path::new(ROUND_TRIP);
    path.compares = false;
    let mut flow = peer.open_over(&Call::listen("script"), &mut path)?;
    peer.expect_event(&WantEvent::Accepted, Duration::from_secs(1))?;
    // One write in a round trip, a hundred times: even in the slow start of libutp, which grows
    // with the part of the window that is used, it would come to 34 000 bytes.
    for _ in 0..100 {
        let taken = path.taken + CHUNK as u64;
        peer.command(&format!("write {CHUNK} 1"))?;
        let time = Duration::from_secs(2);
        peer.carry_until(&mut flow, &mut path, time, |path| path.taken >= taken)?;
    }
    path.log.clear();
    peer.command("write 2000000 1")?;
    // Until the first ack of it is under way.
    peer.carry_until(&mut flow, &mut path, GROWTH, |path| !path.log.is_empty())?;
    peer.carry(&mut flow, &mut path, ROUND_TRIP * 9 / 10)?;
    let sent = path.log.iter().map(|one| one.in_flight).max().unwrap_or(0);
    peer.remark(format_args!("{sent} bytes were in flight at once"));
    // On a busy machine two writes may share a round trip.
    let allowed = 2 * CHUNK + ALLOWANCE;
    peer.check(sent <= allowed, || {
        format!(
            "{sent} bytes were sent at once after {CHUNK} in each round trip, {allowed} allowed"
        )
    })
}

fn no_burst_after_idling(peer: &mut Peer) -> CaseResult {
    let mut path = Path::new(ROUND_TRIP);
    path.compares = false;
    let mut flow = peer.open_over(&Call::listen("script"), &mut path)?;
    peer.expect_event(&WantEvent::Accepted, Duration::from_secs(1))?;
    let mut bursts = Vec::new();
    for _ in 0..5 {
        peer.command("write 1000000 1")?;
        let from = path.log.len();
        let all = path.taken + 1_000_000;
        peer.carry_until(&mut flow, &mut path, GROWTH, |path| path.taken >= all)?;
        let sent = path.log.get(from..).unwrap_or_default();
        let first = sent.first().map(|one| one.at);
        let first = first.ok_or_else(|| peer.fail("what was written is not sent"))?;
        bursts.push(sent.iter().filter(|one| one.at <= first + AT_ONCE).count());
        peer.carry(&mut flow, &mut path, Duration::from_secs(5))?;
    }
    // The first one was sent before there was a window. A busy machine may hold packets up, which
    // then come together: what the implementation does, it does each time.
    bursts.remove(0);
    let least = bursts.iter().min().copied().unwrap_or(0);
    peer.remark(format_args!("packets that came at once: {bursts:?}"));
    peer.check(least <= 10, || format!("{bursts:?} packets came at once, allowed are 10"))
}

/// What RFC 6817 and RFC 6928 let a sender have in flight beyond what it uses: ten packets.
const ALLOWANCE: usize = 14_600;

/// Packets that come within this time left at once.
const AT_ONCE: Duration = Duration::from_millis(1);
