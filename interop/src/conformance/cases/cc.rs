//! CC: congestion control, as a path shows it that the peer pretends.
//!
//! What is in flight tells the window: the implementation always has more to send unless a case
//! says so, and the peer's window is 1 MiB.

mod delay;
mod idle;
mod long;
mod shared;

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::Flow;
use crate::conformance::peer::{Call, Path, Peer};
use crate::conformance::stop::CaseResult;

pub(super) fn cases() -> Vec<Case> {
    let must = |id, reference, title, run| {
        Case::rust(id, Grade::Must, reference, title, run).flag(Flag::Timing)
    };
    let mut cases = vec![
        must(
            "CC-01",
            "BEP-29 packet loss; RFC 6817 section 2.4.2",
            "losses within one round trip halve the window, once",
            losses_halve_the_window_once,
        )
        .req(&["B-29", "R-07"])
        .limit_s(40),
        must(
            "CC-02",
            "BEP-29 timeouts",
            "after a time-out the window is one packet, and grows from there",
            time_out_leaves_one_packet,
        )
        .req(&["B-35", "R-08"])
        .limit_s(40),
        must(
            "CC-03",
            "RFC 6817 section 2.4.2",
            "after slow start the window grows by a packet, or 3 000 bytes, a round trip at most",
            growth_is_bounded,
        )
        .req(&["R-04"])
        .limit_s(40),
    ];
    cases.extend(delay::cases());
    cases.extend(idle::cases());
    cases.extend(long::cases());
    cases.extend(shared::cases());
    cases
}

/// A connection over which the implementation sends, with so many bytes in flight.
fn grown(peer: &mut Peer, path: &mut Path, bytes: usize) -> CaseResult<Flow> {
    let mut flow = peer.open_over(&Call::listen(ENDLESS), path)?;
    let grown = peer.carry_until(&mut flow, path, GROWTH, |path| path.in_flight() >= bytes)?;
    let most = path.log.iter().map(|one| one.in_flight).max().unwrap_or(0);
    peer.check(grown, || format!("{most} bytes were in flight at the most; wanted are {bytes}"))?;
    Ok(flow)
}

/// The same, after a loss that has ended slow start: what grows from here on does so by the law.
fn grown_out_of_slow_start(peer: &mut Peer, path: &mut Path, bytes: usize) -> CaseResult<Flow> {
    let mut flow = grown(peer, path, bytes)?;
    lose(peer, &mut flow, path, &[1])?;
    // What was sent before is gone, and the repair is over.
    peer.carry(&mut flow, path, ROUND_TRIP * 4)?;
    Ok(flow)
}

/// Loses the packets that come so far behind the last one, and returns when the first of them is
/// sent again.
fn lose(peer: &mut Peer, flow: &mut Flow, path: &mut Path, behind: &[u16]) -> CaseResult<Instant> {
    let highest = path.highest();
    let lost: Vec<u16> = behind.iter().map(|behind| highest.wrapping_add(*behind)).collect();
    path.lose.extend(&lost);
    let from = path.log.len();
    let again = |path: &Path| {
        let later = path.log.iter().skip(from);
        later.filter(|one| one.is_again && one.seq == lost[0]).map(|one| one.at).next()
    };
    peer.carry_until(flow, path, Duration::from_secs(5), |path| again(path).is_some())?;
    again(path).ok_or_else(|| peer.fail("what was lost is not sent again in 5 s"))
}

fn losses_halve_the_window_once(peer: &mut Peer) -> CaseResult {
    const BYTES: usize = 110_000;
    let mut path = Path::new(ROUND_TRIP);
    let mut flow = grown(peer, &mut path, BYTES)?;
    for start in ["slow start", "slow growth"] {
        // Half a round trip apart, so that they are found one after the other.
        let far = u16::try_from(path.in_flight() / 2000).unwrap_or(u16::MAX);
        let found = lose(peer, &mut flow, &mut path, &[1, 4, far.max(6)])?;
        let before = path.window_before(found, ROUND_TRIP * 2);
        peer.carry(&mut flow, &mut path, ROUND_TRIP * 5 / 2)?;
        // A round trip later all is acked that was sent before, and growth has hardly begun.
        let after = path.window(found + ROUND_TRIP, found + ROUND_TRIP * 2);
        let share = after as f64 / before as f64;
        peer.remark(format_args!("{start}: {before} bytes before, {after} after"));
        peer.check(HALVED.contains(&share), || {
            format!("of {before} bytes in flight {after} are left after a loss in {start}")
        })?;
        let time = Duration::from_secs(15);
        peer.carry_until(&mut flow, &mut path, time, |path| path.in_flight() >= BYTES)?;
    }
    Ok(())
}

fn time_out_leaves_one_packet(peer: &mut Peer) -> CaseResult {
    let mut path = Path::new(ROUND_TRIP);
    let mut flow = grown(peer, &mut path, 40_000)?;
    path.is_down = true;
    // After half a second of silence it is no probe of the tail that comes.
    let timed_out = |path: &Path| {
        let mut last = path.log.iter().rev();
        let pair = last.next().zip(last.next());
        pair.is_some_and(|(last, before)| last.at.duration_since(before.at) >= FLOOR)
    };
    let expires = peer.carry_until(&mut flow, &mut path, Duration::from_secs(8), timed_out)?;
    peer.check(expires, || "there is no time-out in 8 s".into())?;
    path.is_down = false;
    path.log.clear();
    // The next copy of what was repeated is the first that is acked.
    let acked = |path: &Path| !path.log.is_empty();
    let again = peer.carry_until(&mut flow, &mut path, Duration::from_secs(10), acked)?;
    peer.check(again, || "there is no second time-out in 10 s".into())?;
    let first = path.log[0].at;
    peer.carry(&mut flow, &mut path, ROUND_TRIP * 3)?;
    // Each round trip brings what the acks of the one before have let go.
    let trips = (0..3).map(|trip| first + ROUND_TRIP * trip..first + ROUND_TRIP * (trip + 1));
    let later = &path.log[1..];
    let sent = trips.map(|trip| later.iter().filter(|one| trip.contains(&one.at)).count());
    let sent: Vec<usize> = sent.collect();
    peer.remark(format_args!("packets in each round trip after a time-out: {sent:?}"));
    peer.check(sent[0] == 0 && sent[1] <= 4 && sent[2] <= 10, || {
        format!("{sent:?} packets came in the round trips after a time-out; allowed are 0, 4, 10")
    })
}

fn growth_is_bounded(peer: &mut Peer) -> CaseResult {
    const ROUND_TRIPS: u32 = 30;
    let mut path = Path::new(ROUND_TRIP);
    let mut flow = grown_out_of_slow_start(peer, &mut path, 60_000)?;
    let before = path.window_now(2);
    peer.carry(&mut flow, &mut path, ROUND_TRIP * ROUND_TRIPS)?;
    let after = path.window_now(2);
    let largest = path.log.iter().map(|one| one.size).max().unwrap_or(0);
    let allowed = 3000.max(largest) * ROUND_TRIPS as usize;
    let grown = after.saturating_sub(before);
    peer.remark(format_args!("{before} bytes in flight, {ROUND_TRIPS} round trips later {after}"));
    peer.check(grown > 0, || format!("{before} bytes are in flight, and no more later"))?;
    // The window is seen with the packets that it lets go, two more or less.
    peer.check(grown <= allowed + 2 * largest, || {
        format!("the window grew by {grown} bytes in {ROUND_TRIPS} round trips, allowed {allowed}")
    })
}

/// What is written by an application that always has more.
const ENDLESS: &str = "source:100000000000";

/// Far more than a busy machine adds to a time.
const ROUND_TRIP: Duration = Duration::from_millis(60);

/// How long the window may take to grow.
const GROWTH: Duration = Duration::from_secs(15);

/// What a window that was halved once has come to a round trip later; halved twice it would be a
/// quarter.
const HALVED: RangeInclusive<f64> = 0.38..=0.62;

/// What BEP-29 asks of a time-out, less what arrivals are uncertain by.
const FLOOR: Duration = Duration::from_millis(450);
