//! HS: the handshake.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::Flow;
use crate::conformance::peer::{Call, Peer, WantEvent};
use crate::conformance::stop::CaseResult;
use crate::conformance::want::Want;
use crate::harness::Ability;
use crate::shim::ErrorKind;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::rust(
            "HS-06",
            Grade::Should,
            "RFC 1122 section 4.1.3.3",
            "a connect to a closed port is refused within a second",
            closed_port_refuses,
        )
        .needs(&[Ability::Icmp]),
        Case::rust(
            "HS-12",
            Grade::Must,
            "BEP-29 connection setup; RFC 6528",
            "the first sequence number differs over 64 restarts, 60 distinct ones at least",
            first_number_differs,
        )
        .req(&["B-25", "H-06"])
        .flag(Flag::Heavy),
        Case::rust(
            "HS-13",
            Grade::Should,
            "RFC 9000 section 8.1",
            "three times the bytes of the SYN at the most go out before a valid ack",
            unproven_peer_gets_little,
        )
        .req(&["H-11"]),
    ]
}

fn closed_port_refuses(peer: &mut Peer) -> CaseResult {
    let closed = peer.open_socket()?;
    let address = peer.socket_address(closed);
    peer.close_socket(closed);
    peer.start_towards(&Call::connect("script"), address)?;
    // Starting the process takes its time, too.
    peer.expect_event(&WantEvent::error(ErrorKind::Refused), Duration::from_millis(1500))?;
    Ok(())
}

fn first_number_differs(peer: &mut Peer) -> CaseResult {
    let mut numbers = BTreeSet::new();
    for restart in 0..RESTARTS {
        peer.start(&Call::listen("sink"))?;
        let syn = Flow::initiator(1000 + restart, 1).syn();
        peer.send(&syn)?;
        let answer = peer.expect(&Want::state().id(syn.id).ack(1_u16), Duration::from_secs(1))?;
        numbers.insert(answer.seq);
        peer.kill_shim();
        peer.forget_packets()?;
    }
    let distinct = numbers.len();
    peer.check(distinct >= 60, || format!("{distinct} distinct numbers in {RESTARTS} restarts"))
}

fn unproven_peer_gets_little(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("source:100000"))?;
    let syn = Flow::initiator(100, 1).syn();
    peer.send(&syn)?;
    let received: usize = peer.collect(Duration::from_secs(8))?.iter().map(|seen| seen.size).sum();
    let allowed = 3 * syn.encode().len();
    peer.check(received <= allowed, || format!("{received} bytes came; allowed are {allowed}"))
}

const RESTARTS: u16 = 64;
