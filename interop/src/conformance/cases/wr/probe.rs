//! A probe of the path MTU whose number is 0.

use std::time::{Duration, Instant};

use super::before_the_wrap;
use crate::conformance::case::{Case, Grade};
use crate::conformance::flow::{Flow, pattern};
use crate::conformance::packet::{HEADER_LEN, Kind};
use crate::conformance::peer::{Call, Peer, WantEvent};
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
        .limit_s(60),
    ]
}

/// Small writes move the numbers close to the wrap, before there is enough data for a probe. Where
/// the first probe then is differs between stacks: some distances are tried.
fn probe_is_number_0(peer: &mut Peer) -> CaseResult {
    let mut probes = [0, 0];
    for distance in 1..=DISTANCE_MAX {
        for lossy in [true, false] {
            probes[usize::from(lossy)] += u32::from(is_probed(peer, distance, lossy)?);
        }
    }
    peer.remark(format_args!("{probes:?} probes had the number 0"));
    match probes.contains(&0) {
        true => Err(Stop::Skip("no packet that is larger than the others had the number 0".into())),
        false => Ok(()),
    }
}

/// Takes a stream whose bulk begins so many packets before the wrap, over a path that either loses
/// everything that is larger than the first packet of the bulk, or nothing. Says whether the packet
/// with the number 0 was a probe.
fn is_probed(peer: &mut Peer, distance: u16, lossy: bool) -> CaseResult<bool> {
    peer.kill_shim();
    peer.forget_packets()?;
    peer.start(&Call::listen("script"))?;
    let mut flow = before_the_wrap(peer, DISTANCE_MAX + 5..=400, 1)?;
    peer.push(&mut flow, 10, 10, Duration::from_secs(2))?;
    peer.expect_event(&WantEvent::Accepted, Duration::from_secs(1))?;
    while flow.ack.wrapping_add(1).wrapping_neg() > distance {
        peer.command("write 10 7")?;
        let small = peer.pull(&mut flow, 10, Duration::from_secs(2))?;
        peer.check(small == pattern(7, 0, 10), || "other bytes came".into())?;
    }
    peer.command(&format!("write {BULK} 8"))?;
    let path = Path { lossy, ..Path::default() };
    let path = take_bulk(peer, &mut flow, path)?;
    let Path { likely, probe, grown, again, .. } = path;
    if probe > 0 && !lossy {
        peer.check(grown && !again, || {
            format!(
                "one of {probe} bytes arrived, others have {likely}: grown {grown}, asked again {again}"
            )
        })?;
    }
    Ok(probe > 0)
}

/// What is known of the sizes of datagrams.
#[derive(Clone, Copy, Debug, Default)]
struct Path {
    lossy: bool,
    /// The size of the first packet of the bulk.
    likely: usize,
    /// The size of the packet with the number 0, if that is larger.
    probe: usize,
    /// Then packets brought more bytes than the first.
    grown: bool,
    /// Before that, another one had the size of the probe.
    again: bool,
}

fn take_bulk(peer: &mut Peer, flow: &mut Flow, mut path: Path) -> CaseResult<Path> {
    let until = Instant::now() + Duration::from_secs(8);
    while flow.received.len() < BULK {
        let Some(seen) = peer.next_packet(flow.socket, until)? else {
            let found = flow.received.len();
            return Err(peer.fail(format!("{found} of {BULK} bytes came in 8 s, {path:?}")));
        };
        if seen.id != flow.recv_id || seen.kind != Kind::Data {
            continue;
        }
        if path.likely == 0 && seen.payload.len() > 500 {
            path.likely = seen.size;
        }
        let large = path.likely > 0 && seen.size > path.likely;
        if seen.seq == 0 && large {
            path.probe = seen.size;
        } else if path.probe > 0 {
            path.grown |= seen.payload.len() + HEADER_LEN > path.likely;
            path.again |= !path.grown && seen.size >= path.probe;
        }
        if !(path.lossy && large) {
            flow.hear(&seen);
        }
        peer.send(&flow.selective_state())?;
    }
    let received = std::mem::take(&mut flow.received);
    peer.check(received == pattern(8, 0, BULK), || "other bytes came".into())?;
    Ok(path)
}

const DISTANCE_MAX: u16 = 12;

const BULK: usize = 300_000;
