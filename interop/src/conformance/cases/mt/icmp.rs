//! What ICMP says, from a router or from somebody who pretends to be one.

use std::time::Duration;

use super::{ENDLESS, ROUND_TRIP, WINDOW, ethernet};
use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::Flow;
use crate::conformance::own_network::ETHERNET;
use crate::conformance::packet::Packet;
use crate::conformance::peer::{Call, Path, Peer, WantEvent};
use crate::conformance::stop::CaseResult;
use crate::harness::Ability;

pub(super) fn cases() -> Vec<Case> {
    let told = |id, grade, reference, title, run| {
        let case = Case::rust(id, grade, reference, title, run).req(&["H-09"]);
        case.needs(&[Ability::Icmp]).flag(Flag::OwnNetwork).limit_s(60)
    };
    vec![
        told(
            "MT-05",
            Grade::Must,
            "libutp",
            "that a link carries less than 576 bytes is not believed",
            tiny_links_are_not_believed,
        ),
        told(
            "MT-06",
            Grade::Should,
            "RFC 5927 section 7",
            "a message about a packet that is not in flight changes nothing",
            strangers_are_not_believed,
        ),
        told(
            "MT-07",
            Grade::Must,
            "libutp, issue 105",
            "a message of a size below one that has arrived hurts nothing",
            below_what_arrives,
        ),
        Case::rust(
            "MT-10",
            Grade::Must,
            "RFC 5927 section 5",
            "a connection survives ten seconds in which nobody is at its peer's port",
            unreachable_for_a_while,
        )
        .req(&["H-08", "F-18"])
        .limit_s(60),
    ]
}

/// A connection over which the implementation sends, with packets as large as it makes them.
fn settled(peer: &mut Peer, path: &mut Path) -> CaseResult<Flow> {
    let mut flow = peer.open_over(&Call::listen(ENDLESS), path)?;
    flow.wnd = WINDOW;
    peer.carry(&mut flow, path, Duration::from_secs(4))?;
    Ok(flow)
}

/// The newest packet in flight, which is a large one.
fn newest(peer: &mut Peer, flow: &mut Flow, path: &mut Path) -> CaseResult<Packet> {
    let in_flight = |path: &Path| path.newest().is_some_and(|packet| packet.payload.len() > 500);
    peer.carry_until(flow, path, Duration::from_secs(5), in_flight)?;
    path.newest().ok_or_else(|| peer.fail("nothing is in flight"))
}

/// What comes in a while: the bytes of the stream, and the largest datagram.
fn after(peer: &mut Peer, flow: &mut Flow, path: &mut Path) -> CaseResult<(u64, usize)> {
    // What was cut before goes out first.
    peer.carry(flow, path, ROUND_TRIP * 3)?;
    path.log.clear();
    let before = path.taken;
    peer.carry(flow, path, Duration::from_secs(3))?;
    let largest = path.log.iter().filter(|one| !one.is_again).map(|one| one.size).max();
    Ok((path.taken - before, largest.unwrap_or(0)))
}

fn tiny_links_are_not_believed(peer: &mut Peer) -> CaseResult {
    let mut path = Path::new(ROUND_TRIP);
    let mut flow = settled(peer, &mut path)?;
    for link_mtu in [68, 1, 300, 575, 0] {
        // One may believe it of a packet that is lost.
        let about = newest(peer, &mut flow, &mut path)?;
        path.lose_newest();
        peer.tell_too_big(&about, link_mtu)?;
        peer.carry(&mut flow, &mut path, ROUND_TRIP * 4)?;
    }
    let (bytes, largest) = after(peer, &mut flow, &mut path)?;
    let allowed = 576 - (usize::from(ETHERNET) - ethernet(peer.family()));
    peer.remark(format_args!("then {bytes} bytes in datagrams of up to {largest}"));
    peer.check(largest >= allowed && bytes >= 50_000, || {
        format!("then {bytes} bytes came in 3 s, in datagrams of up to {largest}")
    })
}

fn strangers_are_not_believed(peer: &mut Peer) -> CaseResult {
    let mut path = Path::new(ROUND_TRIP);
    let mut flow = settled(peer, &mut path)?;
    let (_, usual) = after(peer, &mut flow, &mut path)?;
    for link_mtu in [1300, 1280, 600] {
        let newest = newest(peer, &mut flow, &mut path)?;
        for behind in [5000, 0x8000, 0xff00] {
            let stranger = newest.clone().seq(newest.seq.wrapping_add(behind));
            peer.tell_too_big(&stranger, link_mtu)?;
        }
        // A loss may not make it believable.
        path.lose.insert(newest.seq.wrapping_add(1));
        peer.carry(&mut flow, &mut path, ROUND_TRIP * 4)?;
    }
    let (bytes, largest) = after(peer, &mut flow, &mut path)?;
    peer.remark(format_args!("datagrams of up to {usual} bytes, then {largest}"));
    peer.check(largest == usual && bytes >= 50_000, || {
        format!("datagrams had {usual} bytes, and {largest} after messages of strangers")
    })
}

fn below_what_arrives(peer: &mut Peer) -> CaseResult {
    let mut path = Path::new(ROUND_TRIP);
    let mut flow = settled(peer, &mut path)?;
    for link_mtu in [1280, 1000, 600] {
        let about = newest(peer, &mut flow, &mut path)?;
        peer.tell_too_big(&about, link_mtu)?;
        peer.carry(&mut flow, &mut path, ROUND_TRIP * 4)?;
        // The same of one that is lost, and of the first again, which is acked now.
        let lost = newest(peer, &mut flow, &mut path)?;
        path.lose_newest();
        peer.tell_too_big(&lost, link_mtu)?;
        peer.tell_too_big(&about, link_mtu)?;
        peer.carry(&mut flow, &mut path, ROUND_TRIP * 4)?;
    }
    let (bytes, largest) = after(peer, &mut flow, &mut path)?;
    peer.remark(format_args!("then {bytes} bytes in datagrams of up to {largest}"));
    peer.no_event(&WantEvent::Error(Vec::new()), Duration::ZERO)?;
    // Not even the smallest that was named is gone below.
    let allowed = 600 - (usize::from(ETHERNET) - ethernet(peer.family()));
    peer.check(largest >= allowed && bytes >= 50_000, || {
        format!("then {bytes} bytes came in 3 s, in datagrams of up to {largest}")
    })
}

/// The port is closed, and the kernel says so to whoever sends to it.
fn unreachable_for_a_while(peer: &mut Peer) -> CaseResult {
    let mut path = Path::new(ROUND_TRIP);
    let mut flow = peer.open_over(&Call::listen(ENDLESS), &mut path)?;
    flow.wnd = WINDOW;
    peer.carry(&mut flow, &mut path, Duration::from_secs(1))?;
    let address = peer.socket_address(0);
    peer.close_socket(0);
    peer.no_event(&WantEvent::Error(Vec::new()), Duration::from_secs(10))?;
    peer.forget_packets()?;
    flow.socket = peer.open_socket_at(address)?;
    let enough = path.taken + 100_000;
    let time = Duration::from_secs(30);
    let alive = peer.carry_until(&mut flow, &mut path, time, |path| path.taken >= enough)?;
    let came = path.taken + 100_000 - enough;
    peer.check(alive, || format!("{came} bytes came within 30 s of the peer's return"))?;
    peer.no_event(&WantEvent::Error(Vec::new()), Duration::ZERO)
}
