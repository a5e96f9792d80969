//! A probe of the path MTU whose number is 0.

use std::time::{Duration, Instant};

use super::before_the_wrap;
use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::Flow;
use crate::conformance::packet::HEADER_LEN;
use crate::conformance::peer::{Call, Carried, Path, Peer};
use crate::conformance::stop::{CaseResult, Stop};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::rust(
            "WR-08",
            Grade::Must,
            "libutp",
            "a probe of the path MTU with the number 0 is a probe, whether it arrives or not",
            probe_is_number_0,
        )
        .req(&["H-36"])
        .flag(Flag::Timing)
        .limit_s(90),
    ]
}

/// The peer's window ends before the number 0 until another probe is due, so that this is the next
/// packet that can be one.
fn probe_is_number_0(peer: &mut Peer) -> CaseResult {
    for arrives in [false, true] {
        let mut probed = false;
        for _ in 0..TRIES {
            probed = probed || is_probed(peer, arrives)?;
        }
        if !probed {
            let what = "no packet that is larger than the others had the number 0";
            return Err(Stop::Skip(what.into()));
        }
    }
    Ok(())
}

/// Says whether the packet with the number 0 was a probe, which then either arrives or is lost.
fn is_probed(peer: &mut Peer, arrives: bool) -> CaseResult<bool> {
    peer.kill_shim();
    peer.forget_packets()?;
    peer.start(&Call::listen("source:100000000000"))?;
    let mut flow = before_the_wrap(peer, DISTANCE_MIN..=2 * DISTANCE_MIN, 1)?;
    let mut path = Path::new(ROUND_TRIP);
    path.tell = Some(Box::new(|late_us| late_us + BASE_US));
    let greeting = flow.data(1);
    peer.send(&greeting.diff_us(0))?;
    // The first size that comes twice is that of full packets, and what is larger is a probe.
    let twice = |path: &Path| {
        let again = |(at, one): (usize, &Carried)| {
            path.log[..at].iter().any(|before| before.size == one.size).then_some(one.size)
        };
        path.log.iter().enumerate().find_map(again)
    };
    let full = |path: &Path| twice(path).is_some();
    peer.carry_until(&mut flow, &mut path, Duration::from_secs(10), full)?;
    let usual = twice(&path).ok_or_else(|| peer.fail("no two packets have one size"))?;
    path.size_max = usual;
    path.ends_before = Some((0, usual.saturating_sub(HEADER_LEN)));
    let ends = |path: &Path| path.highest() == u16::MAX && path.in_flight() == 0;
    peer.carry_until(&mut flow, &mut path, Duration::from_secs(10), ends)?;
    // Whatever was lost before is mended, and the pause that follows a lost probe over.
    peer.carry(&mut flow, &mut path, ROUND_TRIP * 12)?;
    if !ends(&path) {
        peer.remark(format_args!("the last packet was {}, not 65 535", path.highest()));
        return Ok(false);
    }
    path.ends_before = None;
    path.log.clear();
    if arrives {
        path.size_max = usize::MAX;
    }
    peer.send(&flow.state().diff_us(BASE_US))?;
    peer.carry(&mut flow, &mut path, ROUND_TRIP * 7)?;
    let Some(probe) = path.log.iter().find(|one| one.seq == 0).copied() else {
        return Err(peer.fail("the window is open, and the number 0 does not come"));
    };
    if probe.size <= usual {
        return Ok(false);
    }
    peer.remark(format_args!("a probe of {} bytes, others have {usual}", probe.size));
    match arrives {
        true => judge_arrived(peer, &path, probe, usual),
        false => judge_lost(peer, &flow, &path, probe, usual),
    }
}

/// Packets are as large from then on.
fn judge_arrived(peer: &Peer, path: &Path, probe: Carried, usual: usize) -> CaseResult<bool> {
    let later = path.log.iter().filter(|one| one.at > probe.at + ROUND_TRIP);
    let (larger, others): (Vec<&Carried>, Vec<_>) = later.partition(|one| one.size > usual);
    let (larger, others) = (larger.len(), others.len());
    peer.check(larger > others, || {
        let size = probe.size;
        format!("one of {size} bytes arrived; of those that followed {larger} were larger than {usual}, {others} not")
    })?;
    Ok(true)
}

/// It is sent again in a size that passes, and takes nothing off the window.
fn judge_lost(
    peer: &mut Peer,
    flow: &Flow,
    path: &Path,
    probe: Carried,
    usual: usize,
) -> CaseResult<bool> {
    let mended = flow.ack < 1 << 15;
    peer.check(mended, || format!("a probe of {} bytes is lost, and not mended", probe.size))?;
    let window = |from: Instant, time| path.window(from, from + time);
    let before = window(probe.at, ROUND_TRIP / 2);
    // It is found a round trip later; half of one after that as much is acked as a cut takes.
    let after = window(probe.at + ROUND_TRIP * 8 / 5, ROUND_TRIP * 3);
    peer.remark(format_args!("{before} bytes in flight, it is lost, then {after}"));
    if before < 8 * usual {
        return Ok(false);
    }
    peer.check(after >= before, || {
        format!("of {before} bytes in flight {after} were left after the loss of a probe")
    })?;
    Ok(true)
}

/// How far before the wrap a stream begins at the least: by then its window has grown.
const DISTANCE_MIN: u16 = 300;

const ROUND_TRIP: Duration = Duration::from_millis(60);

/// The delay of an empty path, as the peer tells it.
const BASE_US: u32 = 1000;

const TRIES: u32 = 4;
