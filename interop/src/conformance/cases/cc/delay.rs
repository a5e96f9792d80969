//! What the delay does to the window.

use std::time::Duration;

use super::{ENDLESS, ROUND_TRIP, grown_out_of_slow_start};
use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::Flow;
use crate::conformance::peer::{Call, Path, Peer};
use crate::conformance::stop::CaseResult;
use crate::shim::SplitMix64;

pub(super) fn cases() -> Vec<Case> {
    let must = |id, reference, title, run| {
        Case::rust(id, Grade::Must, reference, title, run).flag(Flag::Timing)
    };
    vec![
        must(
            "CC-04",
            "RFC 6817 section 2.5",
            "alone on a link the sender keeps no longer queue than 100 ms",
            queue_stays_at_the_target,
        )
        .req(&["B-38", "R-13"])
        .limit_s(60),
        must(
            "CC-05",
            "RFC 6817 section 2.4.2",
            "a delay of twice the target makes the window fall",
            window_falls_above_the_target,
        )
        .req(&["B-38", "R-09"])
        .limit_s(40),
        must(
            "CC-07",
            "libutp",
            "differences of 0 and 0x7fffffff are no samples: nothing grows by them, or falls",
            no_sample,
        )
        .req(&["R-17", "U-16"])
        .limit_s(40),
        must(
            "CC-09",
            "go-ethereum fork Erigon, issue 23293",
            "differences of any kind neither stop a stream nor let it pass its bounds",
            any_difference,
        )
        .req(&["R-06", "H-17"])
        .limit_s(90),
        Case::rust(
            "CC-10",
            Grade::Should,
            "libutp",
            "slow start ends when the queue comes near the target",
            slow_start_ends,
        )
        .flag(Flag::Timing),
    ]
}

fn queue_stays_at_the_target(peer: &mut Peer) -> CaseResult {
    let deep = Duration::from_secs(3);
    let mut path = Path::new(Duration::from_millis(40)).bottleneck(4_000_000, deep);
    let mut flow = peer.open_over(&Call::listen(ENDLESS), &mut path)?;
    peer.carry(&mut flow, &mut path, Duration::from_secs(20))?;
    path.log.clear();
    peer.carry(&mut flow, &mut path, Duration::from_secs(8))?;
    let mut queues: Vec<Duration> = path.log.iter().map(|one| one.queue).collect();
    queues.sort_unstable();
    let middle = queues.get(queues.len() / 2).copied().unwrap_or_default();
    peer.remark(format_args!("of {} packets half waited {middle:?} or less", queues.len()));
    // The granularity of windows and timers, on a busy machine.
    let allowed = TARGET_MAX + TARGET_MAX / 8;
    peer.check(middle <= allowed && !queues.is_empty(), || {
        format!("half of the packets waited {middle:?} or longer, allowed are {TARGET_MAX:?}")
    })
}

fn window_falls_above_the_target(peer: &mut Peer) -> CaseResult {
    let mut path = Path::new(ROUND_TRIP);
    let mut flow = grown_out_of_slow_start(peer, &mut path, 100_000)?;
    let before = path.window_now(1);
    path.detour = 2 * TARGET_MAX;
    let round_trip = ROUND_TRIP + path.detour;
    peer.carry(&mut flow, &mut path, round_trip * 20)?;
    let after = path.window_now(1);
    peer.remark(format_args!("{before} bytes in flight, 20 long round trips later {after}"));
    peer.check(after * 5 <= before * 4, || {
        format!("{before} bytes were in flight, and {after} after 20 round trips of 200 ms delay")
    })
}

fn no_sample(peer: &mut Peer) -> CaseResult {
    let mut path = Path::new(ROUND_TRIP);
    let mut flow = grown_out_of_slow_start(peer, &mut path, 80_000)?;
    peer.carry(&mut flow, &mut path, ROUND_TRIP * 10)?;
    let before = path.window_now(2);
    let largest = path.log.iter().map(|one| one.size).max().unwrap_or(0);
    let mut acks: u32 = 0;
    path.tell = Some(Box::new(move |_| {
        acks += 1;
        if acks.is_multiple_of(2) { 0 } else { 0x7fff_ffff }
    }));
    // What is in flight still brings samples; then there is none for twenty round trips.
    peer.carry(&mut flow, &mut path, ROUND_TRIP * 20)?;
    let without = path.window_now(2);
    let steady = before.saturating_sub(2 * largest)..=before + 4 * largest;
    peer.check(steady.contains(&without), || {
        format!("{before} bytes were in flight, and {without} after 20 round trips without sample")
    })?;
    // Neither value has become the least delay, nor a delay.
    path.tell = None;
    peer.carry(&mut flow, &mut path, ROUND_TRIP * 20)?;
    let after = path.window_now(2);
    peer.remark(format_args!("{before} bytes in flight, {without} without samples, then {after}"));
    peer.check(after > without, || {
        format!("{without} bytes were in flight, and {after} after 20 round trips with samples")
    })
}

fn any_difference(peer: &mut Peer) -> CaseResult {
    const WINDOW: u32 = 64 << 10;
    let mut path = Path::new(Duration::from_millis(20));
    let mut flow = peer.open_over(&Call::listen(ENDLESS), &mut path)?;
    flow.wnd = WINDOW;
    let mut random = SplitMix64::new(1);
    let mut acks: u32 = 0;
    path.tell = Some(Box::new(move |delay_us| {
        acks = acks.wrapping_add(1);
        let [a, b, c, d, which, ..] = random.next_u64().to_le_bytes();
        let any = u32::from_le_bytes([a, b, c, d]);
        // Runs of each kind, so that filters do not only see a mixture.
        match (acks / 64) % 8 {
            0 => any,
            1 => EDGES[usize::from(which) % EDGES.len()],
            2 => delay_us.wrapping_add(acks << 20),
            3 => delay_us.wrapping_sub(acks << 20),
            4 => delay_us ^ (1 << (which % 32)),
            5 => delay_us.wrapping_add(0x8000_0000),
            6 => 1 << (which % 32),
            _ => delay_us,
        }
    }));
    peer.carry(&mut flow, &mut path, Duration::from_secs(15))?;
    let most = path.log.iter().map(|one| one.in_flight).max().unwrap_or(0);
    // A copy of what is on its way counts, too.
    peer.check(most <= 2 * WINDOW as usize, || {
        format!("{most} bytes were in flight, the peer's window is {WINDOW}")
    })?;
    walk_around(peer, &mut flow, &mut path)?;
    // The stream is alive, with a window that is not nothing.
    path.tell = None;
    let enough = path.taken + 100_000;
    let time = Duration::from_secs(60);
    let alive = peer.carry_until(&mut flow, &mut path, time, |path| path.taken >= enough)?;
    peer.check(alive, || "100 000 bytes did not come in a minute of true delays".into())
}

/// Tells differences that go around their circle in steps that a real path may have, down and
/// up again: who trusts none that leaps has to take these.
fn walk_around(peer: &mut Peer, flow: &mut Flow, path: &mut Path) -> CaseResult {
    path.tell = None;
    peer.carry(flow, path, Duration::from_secs(1))?;
    for step_us in [0_u32.wrapping_sub(WALK_US), WALK_US] {
        let told = path.log.len();
        let mut walked_us = 0_u32;
        path.tell = Some(Box::new(move |delay_us| {
            walked_us = walked_us.wrapping_add(step_us);
            delay_us.wrapping_add(walked_us)
        }));
        let time = Duration::from_secs(20);
        let around = |path: &Path| path.log.len() >= told + WALK_STEPS;
        peer.carry_until(flow, path, time, around)?;
        peer.remark(format_args!("{} steps of {step_us:#x} us", path.log.len() - told));
        path.tell = None;
        peer.carry(flow, path, Duration::from_millis(200))?;
    }
    Ok(())
}

fn slow_start_ends(peer: &mut Peer) -> CaseResult {
    let deep = Duration::from_secs(4);
    let round_trip = Duration::from_millis(50);
    let mut path = Path::new(round_trip).bottleneck(8_000_000, deep);
    let mut flow = peer.open_over(&Call::listen(ENDLESS), &mut path)?;
    peer.carry(&mut flow, &mut path, Duration::from_secs(6))?;
    let most = path.log.iter().map(|one| one.queue).max().unwrap_or_default();
    peer.remark(format_args!("the longest queue was {most:?}"));
    // When the queue is seen to be near the target, a round trip of twice that is on its way.
    let allowed = 3 * TARGET_MAX;
    peer.check(most <= allowed, || format!("the queue grew to {most:?}, allowed are {allowed:?}"))
}

const WALK_US: u32 = 4_000_000;

/// All of 2^32 us in such steps.
const WALK_STEPS: usize = 1080;

/// What RFC 6817 allows as a target.
const TARGET_MAX: Duration = Duration::from_millis(100);

const EDGES: [u32; 8] =
    [0, 1, 0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 0x8000_0001, 0xffff_fffe, 0xffff_ffff];
