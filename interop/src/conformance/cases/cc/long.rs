//! What takes minutes to show: how long a delay is remembered, and clocks that differ in rate.

use std::time::{Duration, Instant};

use super::{ENDLESS, ROUND_TRIP, grown_out_of_slow_start, lose};
use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::Flow;
use crate::conformance::peer::{Call, Path, Peer};
use crate::conformance::stop::CaseResult;

pub(super) fn cases() -> Vec<Case> {
    let slow = |id, reference, title, run| {
        Case::rust(id, Grade::Should, reference, title, run).flag(Flag::Slow)
    };
    vec![
        slow(
            "CC-08",
            "RFC 6817 section 3.4.1; libutp",
            "the least delay is remembered for two minutes, and forgotten after fifteen",
            least_delay_is_remembered,
        )
        .req(&["B-39", "R-11"])
        .limit_s(1100),
        slow(
            "CC-11",
            "libutp",
            "a clock that goes wrong by 200 millionths costs less than a tenth of the goodput",
            clocks_differ_in_rate,
        )
        .req(&["R-12"])
        .limit_s(1500),
    ]
}

fn least_delay_is_remembered(peer: &mut Peer) -> CaseResult {
    let mut path = Path::new(ROUND_TRIP);
    let mut flow = grown_out_of_slow_start(peer, &mut path, 60_000)?;
    let usual = growth(peer, &mut flow, &mut path)?;
    // A path that is longer by most of the target: what remembers the shorter one hardly grows.
    path.detour = Duration::from_millis(85);
    let longer_since = Instant::now();
    let remembered = after(peer, &mut flow, &mut path, longer_since + Duration::from_secs(110))?;
    let forgotten = after(peer, &mut flow, &mut path, longer_since + Duration::from_secs(900))?;
    peer.remark(format_args!(
        "bytes that the window grew by in each round trip: {usual:.0}, after two minutes of a longer \
         path {remembered:.0}, after fifteen {forgotten:.0}"
    ));
    peer.check(remembered <= usual / 2.0, || {
        format!("two minutes later the window grows by {remembered:.0} bytes, {usual:.0} before")
    })?;
    peer.check(forgotten >= usual / 2.0, || {
        format!("15 minutes later the window grows by {forgotten:.0} bytes, {usual:.0} before")
    })
}

/// The growth at a moment, until which the peer's window holds the implementation.
fn after(peer: &mut Peer, flow: &mut Flow, path: &mut Path, at: Instant) -> CaseResult<f64> {
    flow.wnd = 30_000;
    while Instant::now() < at {
        let time = at.saturating_duration_since(Instant::now());
        peer.carry(flow, path, time.min(Duration::from_secs(10)))?;
        path.log.clear();
    }
    flow.wnd = 1 << 20;
    lose(peer, flow, path, &[1])?;
    let round_trip = path.round_trip + path.detour;
    peer.carry(flow, path, round_trip * 4)?;
    growth(peer, flow, path)
}

/// Bytes by which the window grows in a round trip, as an average of many.
fn growth(peer: &mut Peer, flow: &mut Flow, path: &mut Path) -> CaseResult<f64> {
    const ROUND_TRIPS: u32 = 30;
    let before = path.window_now(2);
    let round_trip = path.round_trip + path.detour;
    peer.carry(flow, path, round_trip * ROUND_TRIPS)?;
    let after = path.window_now(2);
    path.log.clear();
    Ok((after as f64 - before as f64) / f64::from(ROUND_TRIPS))
}

fn clocks_differ_in_rate(peer: &mut Peer) -> CaseResult {
    const BITS_PER_S: u32 = 2_000_000;
    for ppm in [200, -200] {
        let deep = Duration::from_secs(2);
        // Long, so that an ack which a busy machine sends late is hardly later.
        let mut path = Path::new(Duration::from_millis(150)).bottleneck(BITS_PER_S, deep);
        peer.set_clock_ppm(ppm);
        peer.forget_packets()?;
        let mut flow = peer.open_over(&Call::listen(ENDLESS), &mut path)?;
        // In ten minutes the clocks come apart by more than the target.
        peer.carry(&mut flow, &mut path, Duration::from_secs(600))?;
        path.log.clear();
        let before = path.taken;
        let time = Duration::from_secs(60);
        peer.carry(&mut flow, &mut path, time)?;
        let bits_per_s = (path.taken - before) as f64 * 8.0 / time.as_secs_f64();
        let share = bits_per_s / f64::from(BITS_PER_S);
        peer.remark(format_args!("{ppm} ppm: {:.1} % of the link", share * 100.0));
        // Headers take two of a hundred.
        peer.check(share >= 0.9, || {
            format!(
                "with {ppm} ppm {:.1} % of the link were used, at least 90 % wanted",
                share * 100.0
            )
        })?;
        peer.kill_shim();
        peer.sleep(Duration::from_secs(1))?;
    }
    Ok(())
}
