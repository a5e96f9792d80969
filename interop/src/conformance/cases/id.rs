//! ID: connection ids.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Grade};
use crate::conformance::flow::{Flow, pattern};
use crate::conformance::packet::{Kind, Packet};
use crate::conformance::peer::{Call, Peer, WantEvent};
use crate::conformance::stop::{CaseResult, Stop};
use crate::conformance::want::Want;
use crate::harness::{Ability, Family};
use crate::shim::ErrorKind;

pub(super) fn cases() -> Vec<Case> {
    let must = |id, reference, title, run| Case::rust(id, Grade::Must, reference, title, run);
    let should = |id, reference, title, run| Case::rust(id, Grade::Should, reference, title, run);
    vec![
        must(
            "ID-02",
            "libutp",
            "connections of one id from two ports are two streams",
            one_id_two_ports,
        ),
        must(
            "ID-03",
            "libutp",
            "connections of one id from two addresses are two streams",
            one_id_two_addresses,
        ),
        must(
            "ID-04",
            "BEP-29 connection_id",
            "ids of a thousand connections to one peer neither repeat nor touch",
            ids_do_not_touch,
        )
        .req(&["H-07"])
        .limit_s(60),
        must(
            "ID-05",
            "BEP-29 connection_id, 16 bits",
            "the id 65535 works, with data on id 0",
            |peer| {
                connect_with(peer, 0xff)?;
                echo_on(peer, 65_535)
            },
        )
        .req(&["B-04"]),
        must("ID-06", "BEP-29 connection_id", "the id 0 works", |peer| {
            connect_with(peer, 0)?;
            echo_on(peer, 0)
        })
        .req(&["B-04"]),
        should(
            "ID-08",
            "RFC 5961 section 4",
            "a peer that restarts connects again with the same port and id within a minute",
            restarted_peer_connects,
        )
        .req(&["U-40", "F-13"])
        .limit_s(90),
        should(
            "ID-09",
            "RFC 9293 TIME-WAIT",
            "a connection that reuses port and id after a close delivers no old byte",
            reuse_delivers_no_old_byte,
        )
        .req(&["H-34", "F-13"])
        .limit_s(90),
    ]
}

fn one_id_two_ports(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("echo"))?;
    let other = peer.open_socket()?;
    echo_two_streams(peer, other)
}

fn one_id_two_addresses(peer: &mut Peer) -> CaseResult {
    if peer.family() == Family::V6 {
        return Err(Stop::Skip("IPv6 has one loopback address".into()));
    }
    peer.start(&Call::listen("echo"))?;
    let mut address: SocketAddr = (Ipv4Addr::new(127, 0, 0, 2), 0).into();
    // The ports are the same, so that the address alone tells them apart.
    address.set_port(peer.socket_address(0).port());
    let other = peer.open_socket_at(address)?;
    echo_two_streams(peer, other)
}

/// Two connections with the same id and numbers, and different bytes, which come back unmixed.
fn echo_two_streams(peer: &mut Peer, other: usize) -> CaseResult {
    let mut first = peer.open(100, 1)?;
    let mut second = Flow { seed: 2, ..peer.open_on(other, 100, 1)? };
    for flow in [&mut first, &mut second] {
        peer.push(flow, 3000, 1000, Duration::from_secs(3))?;
    }
    for flow in [&mut first, &mut second] {
        let echoed = peer.pull(flow, 3000, Duration::from_secs(5))?;
        let same = echoed == pattern(flow.seed, 0, 3000);
        peer.check(same, || format!("another stream came back on socket {}", flow.socket))?;
    }
    peer.expect_count(&WantEvent::Accepted, 2, Duration::from_secs(1))
}

/// A connection to the implementation with this id works in both directions, to its end.
fn echo_on(peer: &mut Peer, id: u16) -> CaseResult {
    peer.start(&Call::listen("echo"))?;
    let flow = peer.open(id, 1)?;
    echo_to_the_end(peer, flow)
}

/// So does a connection of the implementation whose id is drawn as such bytes. It may take another
/// id than the one that is drawn: there are peers that cannot count beyond 65 535.
fn connect_with(peer: &mut Peer, byte: u8) -> CaseResult {
    if !peer.can(Ability::RandomByte) {
        peer.remark("which id it connects with cannot be chosen");
        return Ok(());
    }
    peer.start(&Call::connect("echo").option("random-byte", byte))?;
    let flow = peer.answer(500)?;
    peer.remark(format_args!("it connects with id {}", flow.send_id));
    echo_to_the_end(peer, flow)?;
    peer.kill_shim();
    peer.forget_packets()
}

/// What is sent comes back, and so does the end.
fn echo_to_the_end(peer: &mut Peer, mut flow: Flow) -> CaseResult {
    peer.push(&mut flow, 3000, 1000, Duration::from_secs(3))?;
    let echoed = peer.pull(&mut flow, 3000, Duration::from_secs(5))?;
    peer.check(echoed == pattern(1, 0, 3000), || "other bytes came back".into())?;
    let fin = flow.fin();
    peer.send(&fin)?;
    peer.eventually(&Want::fin().id(flow.recv_id), Duration::from_secs(2))?;
    Ok(())
}

fn ids_do_not_touch(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::connect("sink").count(CONNECTS.into(), CONNECTS.into()))?;
    let mut ids = BTreeSet::new();
    let until = Instant::now() + Duration::from_secs(40);
    while ids.len() < usize::from(CONNECTS) {
        let Some(syn) = peer.next_packet(0, until)? else {
            return Err(peer.fail(format!("{} of {CONNECTS} SYNs came in time", ids.len())));
        };
        if syn.kind == Kind::Syn && ids.insert(syn.id) {
            let flow = Flow::acceptor(&syn, 500);
            peer.send(&flow.state())?;
        }
    }
    // Each connection receives on one id and sends with the next.
    let touching = ids.iter().find(|id| ids.contains(&id.wrapping_add(1)));
    peer.check(touching.is_none(), || format!("{touching:?} and the next are both in use"))
}

fn restarted_peer_connects(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let mut old = peer.open(100, 1)?;
    peer.push(&mut old, 1000, 500, Duration::from_secs(3))?;
    // All is forgotten but port and id. Packets of the old connection are strangers.
    let until = Instant::now() + Duration::from_secs(60);
    let mut new = Flow { seed: 2, ..Flow::initiator(100, 7000) };
    let answered = loop {
        peer.send(&new.syn())?;
        let wait = until.min(Instant::now() + Duration::from_secs(3));
        let want = Want::state().id(100_u16).ack(7000_u16);
        match answer_of(peer, &want, wait)? {
            Some(seq) => break seq,
            None if Instant::now() >= until => {
                return Err(peer.fail("no SYN of the new connection was answered in 60 s"));
            }
            None => {}
        }
    };
    new.ack = answered.wrapping_sub(1);
    peer.push(&mut new, 1000, 500, Duration::from_secs(3))?;
    peer.expect_count(&WantEvent::Accepted, 2, Duration::from_secs(1))
}

/// The number of the STATE that is awaited; strays of an old connection get a RESET.
fn answer_of(peer: &mut Peer, want: &Want, until: Instant) -> CaseResult<Option<u16>> {
    while let Some(seen) = peer.next_packet(0, until)? {
        if want.matches(&seen) {
            return Ok(Some(seen.seq));
        }
        if seen.kind != Kind::Reset {
            let reset = Packet::new(Kind::Reset);
            peer.send(&reset.id(seen.id).ack(seen.seq))?;
        }
    }
    Ok(None)
}

fn reuse_delivers_no_old_byte(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let mut old = peer.open(100, 1)?;
    let stale = old.clone().data(500);
    peer.push(&mut old, 1000, 500, Duration::from_secs(3))?;
    let fin = old.fin();
    peer.send(&fin)?;
    let theirs = peer.eventually(&Want::fin(), Duration::from_secs(3))?;
    old.hear(&theirs);
    peer.send(&old.state())?;
    peer.expect_event(&WantEvent::data(1000, 1), Duration::from_secs(2))?;
    let until = Instant::now() + Duration::from_secs(60);
    // Close to the old numbers: the first packet of the old stream has the number of the second
    // one of the new.
    let mut new = Flow { seed: 2, ..Flow::initiator(100, 0) };
    let want = Want::state().id(100_u16).ack(0_u16);
    loop {
        peer.send(&new.syn())?;
        let wait = until.min(Instant::now() + Duration::from_secs(3));
        if let Some(seq) = answer_of(peer, &want, wait)? {
            new.ack = seq.wrapping_sub(1);
            break;
        }
        if Instant::now() >= until {
            return Err(peer.fail("no SYN of the new connection was answered in 60 s"));
        }
    }
    peer.push(&mut new, 500, 500, Duration::from_secs(3))?;
    // It arrives again, late, with its old acknowledgement.
    peer.send(&stale)?;
    peer.push(&mut new, 500, 500, Duration::from_secs(3))?;
    let fin = new.fin();
    peer.send(&fin)?;
    peer.expect_event(&WantEvent::data(1000, 2), Duration::from_secs(3))?;
    let errors = peer.count_events(&WantEvent::error(ErrorKind::Conflict));
    peer.check(errors == 0, || "the new stream ended in an error".into())
}

const CONNECTS: u16 = 1000;
