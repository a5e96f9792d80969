//! EX: extensions.

use std::time::Duration;

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::Flow;
use crate::conformance::packet::Packet;
use crate::conformance::peer::{Call, Peer};
use crate::conformance::stop::CaseResult;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::rust(
            "EX-05",
            Grade::Must,
            "hardening of this stack",
            "700 empty extensions cost what 700 are worth, and 7 000 ten times that",
            chains_cost_what_they_are_long,
        )
        .req(&["H-33"])
        .flag(Flag::Heavy),
    ]
}

fn chains_cost_what_they_are_long(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let mut flow = peer.open(100, 1)?;
    let first = flow.data(100);
    peer.send(&first)?;
    peer.settle(&flow, &first)?;
    for links in [700, 7000] {
        let mut chained = flow.state().extension(2, [0; 8]);
        for _ in 1..links {
            chained = chained.extension(9, []);
        }
        let len = chained.encode().len();
        // The kernel's part is the same.
        let plain = flow.state().payload(vec![0; len - flow.state().encode().len()]);
        let plain = cost(peer, &flow, &first, &plain)?;
        let chain = cost(peer, &flow, &first, &chained)?;
        let per_link = chain.saturating_sub(plain) / links;
        peer.remark(format_args!("{links} extensions: {chain:?}, without {plain:?}"));
        peer.check(per_link <= PER_LINK, || {
            format!("each of {links} extensions costs {per_link:?}, allowed are {PER_LINK:?}")
        })?;
    }
    Ok(())
}

/// Processor time that the implementation takes for each of such packets.
fn cost(peer: &mut Peer, flow: &Flow, sent: &Packet, packet: &Packet) -> CaseResult<Duration> {
    let bytes = peer.stamped(packet).encode();
    let before = peer.cpu_time()?;
    for number in 1..=PACKETS {
        peer.send_unseen(0, &bytes)?;
        // What its socket has no room for costs nothing.
        if number.is_multiple_of(4) {
            peer.settle(flow, sent)?;
        }
    }
    Ok(peer.cpu_time()?.saturating_sub(before) / PACKETS)
}

const PACKETS: u32 = 400;

/// Far more than reading two bytes takes, far less than a chain of hundreds would cost if each link
/// were looked for from the start.
const PER_LINK: Duration = Duration::from_nanos(100);
