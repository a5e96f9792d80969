//! MT: the path MTU.

mod icmp;

use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::Flow;
use crate::conformance::own_network;
use crate::conformance::peer::{Call, Headers, Path, Peer, WantEvent};
use crate::conformance::stop::{CaseResult, Stop};
use crate::harness::{Ability, Family};

pub(super) fn cases() -> Vec<Case> {
    let must = |id, reference, title, run| Case::rust(id, Grade::Must, reference, title, run);
    let should = |id, reference, title, run| Case::rust(id, Grade::Should, reference, title, run);
    let mut cases = vec![
        must(
            "MT-01",
            "libutp",
            "no datagram carries more than Ethernet does: 1 472 bytes, 1 452 over IPv6",
            datagrams_fit_ethernet,
        )
        .req(&["U-37"]),
        should(
            "MT-02",
            "RFC 8899 section 3",
            "a probe of the path MTU that is lost does not cut the window",
            lost_probe_cuts_nothing,
        )
        .req(&["H-36"])
        .flag(Flag::Timing)
        .limit_s(60),
        must(
            "MT-03",
            "RFC 8899 section 4.3",
            "data flows within ten seconds where nothing above 1 200 bytes passes",
            black_hole_is_passed,
        )
        .req(&["H-35"])
        .flag(Flag::OwnNetwork)
        .flag(Flag::Slow)
        .limit_s(90),
        must(
            "MT-04",
            "EMSGSIZE, F-17",
            "a datagram that its own host refuses costs no byte, and the next are smaller",
            refused_datagrams_cost_nothing,
        )
        .req(&["F-17", "H-35"])
        .needs(&[Ability::Icmp])
        .flag(Flag::OwnNetwork)
        .limit_s(60),
        should(
            "MT-08",
            "libutp",
            "larger packets are tried again within half an hour",
            probes_again,
        )
        .req(&["U-37"])
        .flag(Flag::OwnNetwork)
        .flag(Flag::Slow)
        .limit_s(2000),
        must(
            "MT-09",
            "UDP",
            "a datagram of any size that UDP has is received",
            any_size_is_received,
        ),
    ];
    cases.extend(icmp::cases());
    cases
}

/// The payload of UDP that fits a link of Ethernet.
const fn ethernet(family: Family) -> usize {
    match family {
        Family::V4 => 1472,
        Family::V6 => 1452,
    }
}

fn datagrams_fit_ethernet(peer: &mut Peer) -> CaseResult {
    // Loopback would carry 65 536.
    const BYTES: usize = 3_000_000;
    peer.start(&Call::connect(format!("source:{BYTES}")))?;
    let mut flow = peer.answer(500)?;
    let until = Instant::now() + Duration::from_secs(20);
    let (mut largest, mut received) = (0, 0);
    while received < BYTES && !flow.ended {
        let Some(seen) = peer.next_packet(flow.socket, until)? else {
            return Err(peer.fail(format!("{received} of {BYTES} bytes came in 20 s")));
        };
        largest = largest.max(seen.size);
        flow.hear(&seen);
        received += flow.received.len();
        flow.received.clear();
        peer.send_unseen(flow.socket, &peer.stamped(&flow.selective_state()).encode())?;
    }
    let allowed = ethernet(peer.family());
    peer.remark(format_args!("the largest datagram had {largest} bytes"));
    peer.check(largest <= allowed, || {
        format!("a datagram had {largest} bytes, allowed are {allowed}")
    })
}

/// A connection over which the implementation sends without an end.
fn sending(peer: &mut Peer, path: &mut Path) -> CaseResult<Flow> {
    peer.open_over(&Call::listen(ENDLESS), path)
}

fn lost_probe_cuts_nothing(peer: &mut Peer) -> CaseResult {
    let mut path = Path::new(ROUND_TRIP);
    // What is larger than the first full packet is a probe.
    let first_full = |path: &Path| path.log.iter().any(|one| one.size > 500);
    let mut flow = sending(peer, &mut path)?;
    peer.carry_until(&mut flow, &mut path, Duration::from_secs(10), first_full)?;
    path.size_max = path.log.iter().map(|one| one.size).max().unwrap_or(0);
    let probes = |path: &Path| -> Vec<Instant> {
        let lost = path.log.iter().filter(|one| one.is_lost && !one.is_again);
        lost.map(|one| one.at).collect()
    };
    let time = Duration::from_secs(15);
    peer.carry_until(&mut flow, &mut path, time, |path| path.lost() > 0)?;
    // The first comes while there is hardly a window yet; others follow.
    peer.carry(&mut flow, &mut path, Duration::from_secs(3))?;
    let probes = probes(&path);
    if probes.is_empty() {
        return Err(Stop::Skip("nothing larger than the first packets is tried".into()));
    }
    let end = Instant::now() - ROUND_TRIP * 5;
    for at in probes.into_iter().filter(|at| *at <= end) {
        let before = path.window(at.checked_sub(ROUND_TRIP).unwrap_or(at), at + ROUND_TRIP / 2);
        // It is found a round trip later; half of one after that as much is acked as a cut takes.
        // The window grows meanwhile, but by far less; and a busy machine holds it up for a moment.
        let found = at + ROUND_TRIP * 8 / 5;
        let after = path.window(found, found + ROUND_TRIP * 3);
        peer.remark(format_args!("{before} bytes in flight, a probe is lost, then {after}"));
        peer.check(after >= before, || {
            format!("of {before} bytes in flight {after} were left after a lost probe")
        })?;
    }
    Ok(())
}

/// What was sent before the path shrank keeps its number and bytes: over IPv4 a router takes it
/// apart if that is allowed, over IPv6 its sender has to.
fn black_hole_is_passed(peer: &mut Peer) -> CaseResult {
    const LARGEST: usize = 1200;
    for begins_later in [false, true] {
        let mut path = Path::new(ROUND_TRIP);
        path.headers = Some(Headers::watch(peer.family())?);
        path.size_max = if begins_later { usize::MAX } else { LARGEST };
        let mut flow = sending(peer, &mut path)?;
        flow.wnd = WINDOW;
        if begins_later {
            peer.carry(&mut flow, &mut path, Duration::from_secs(3))?;
            path.size_max = LARGEST;
        }
        let enough = path.taken + 50_000;
        let time = Duration::from_secs(10);
        let since = Instant::now();
        let flows = peer.carry_until(&mut flow, &mut path, time, |path| path.taken >= enough)?;
        let found = path.taken + 50_000 - enough;
        let when = if begins_later { "shrank" } else { "began" };
        peer.remark(format_args!("{found} bytes {:?} after the path {when}", since.elapsed()));
        peer.check(flows, || {
            format!("{found} bytes came within 10 s after the path {when}, 50 000 wanted")
        })?;
        peer.kill_shim();
        peer.sleep(Duration::from_millis(200))?;
        peer.forget_packets()?;
    }
    Ok(())
}

/// What the loopback device carries shrinks, and grows no more.
fn refused_datagrams_cost_nothing(peer: &mut Peer) -> CaseResult {
    let set = |bytes| {
        let set = own_network::set_loopback_mtu(bytes);
        set.map_err(|error| Stop::internal("setting the size of packets", error))
    };
    let headers = own_network::ETHERNET as usize - ethernet(peer.family());
    let mut path = Path::new(Duration::from_millis(20));
    let mut flow = sending(peer, &mut path)?;
    flow.wnd = WINDOW;
    // The search reaches the size of Ethernet.
    peer.carry(&mut flow, &mut path, Duration::from_secs(5))?;
    for mtu in [1400, 1280] {
        let before = path.taken;
        set(mtu)?;
        path.log.clear();
        peer.carry(&mut flow, &mut path, Duration::from_secs(5))?;
        let flows = path.taken - before;
        peer.check(flows >= 100_000, || {
            format!("{flows} bytes came in 5 s over a link of {mtu}, 100 000 wanted")
        })?;
        // What had its number before may come in fragments.
        let new = path.log.iter().filter(|one| !one.is_again).skip(path.log.len() / 2);
        let largest = new.map(|one| one.size).max().unwrap_or(0);
        peer.remark(format_args!("over a link of {mtu}: {largest} bytes, {flows} in all"));
        let allowed = usize::from(mtu) - headers;
        peer.check(largest <= allowed, || {
            format!("datagrams of {largest} bytes came over a link of {mtu}, in fragments")
        })?;
    }
    Ok(())
}

fn probes_again(peer: &mut Peer) -> CaseResult {
    let mut path = Path::new(Duration::from_millis(100));
    path.headers = Some(Headers::watch(peer.family())?);
    let mut flow = sending(peer, &mut path)?;
    flow.wnd = WINDOW;
    path.size_max = 1250;
    peer.carry(&mut flow, &mut path, Duration::from_secs(60))?;
    if path.lost() == 0 {
        return Err(Stop::Skip("nothing is tried that is larger than what passes".into()));
    }
    let usual = |path: &Path| {
        let arrived = path.log.iter().filter(|one| !one.is_lost);
        arrived.map(|one| one.size).max().unwrap_or(0)
    };
    let small = usual(&path);
    path.size_max = usize::MAX;
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(1800) {
        path.log.clear();
        let time = Duration::from_secs(10);
        let larger = |path: &Path| path.log.iter().any(|one| one.size > small);
        if peer.carry_until(&mut flow, &mut path, time, larger)? {
            peer.remark(format_args!("tried again after {:?}", since.elapsed()));
            return Ok(());
        }
    }
    Err(peer.fail(format!("nothing larger than {small} bytes was tried for half an hour")))
}

fn any_size_is_received(peer: &mut Peer) -> CaseResult {
    // The window has to hold the largest.
    peer.start(&Call::listen("sink").rcvbuf(1 << 20))?;
    let mut flow = peer.open(100, 1)?;
    let mut bytes = 0;
    for size in [1, 1452, 1453, 1500, 2000, 4096, 9000, 16_384, 30_000, 65_000, 65_487] {
        peer.push_sizes(&mut flow, [size], Duration::from_secs(3))?;
        bytes += size as u64;
    }
    let fin = flow.fin();
    peer.send(&fin)?;
    peer.expect_event(&WantEvent::data(bytes, 1), Duration::from_secs(2))?;
    Ok(())
}

const ENDLESS: &str = "source:100000000000";

const ROUND_TRIP: Duration = Duration::from_millis(60);

/// A window that leaves the machine to others.
const WINDOW: u32 = 32 << 10;
