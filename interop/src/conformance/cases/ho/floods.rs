//! SYNs and stray packets by the million.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::cases::witness::{BATCH, Witness, is_served};
use crate::conformance::flow::Flow;
use crate::conformance::packet::{Kind, Packet};
use crate::conformance::peer::{Call, Peer, WantEvent};
use crate::conformance::stop::{CaseResult, Stop};
use crate::harness::Family;
use crate::shim::SplitMix64;

pub(super) fn cases() -> Vec<Case> {
    vec![
        // The wait at the end, once for each version of IP, is no part of a quick run.
        Case::rust(
            "HO-01",
            Grade::Must,
            "RFC 4987",
            "of a million forged SYNs nothing is left in a minute; they cost 2 MiB, and no connect",
            forged_syns,
        )
        .req(&["H-10"])
        .flag(Flag::Heavy)
        .flag(Flag::Slow)
        .limit_s(240),
        Case::rust(
            "HO-10",
            Grade::Should,
            "libutp",
            "a stray packet takes 500 ns beyond what any datagram takes, the last as the first",
            strays_cost_little,
        )
        .req(&["H-13"])
        .flag(Flag::Heavy)
        .limit_s(90),
        Case::rust(
            "HO-12",
            Grade::Must,
            "hardening of this stack",
            "a SYN with each of 65 536 ids from one address keeps nobody else out",
            every_id_from_one_address,
        )
        .req(&["H-10"])
        .flag(Flag::Heavy)
        .limit_s(60),
    ]
}

/// An address that nobody listens on: over IPv4 one of its own, over IPv6 a port of its own.
fn forged_source(family: Family, number: u32) -> CaseResult<UdpSocket> {
    let mut address = family.loopback();
    if family == Family::V4 {
        let [_, a, b, c] = (number + 0x1_0000).to_be_bytes();
        address = SocketAddr::from((Ipv4Addr::new(127, a, b, c.max(1)), 0));
    }
    UdpSocket::bind(address).map_err(|error| Stop::internal(address, error))
}

fn forged_syns(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let witness = Witness::open(peer)?;
    let before = peer.rss_kib()?;
    let to = peer.remote().ok_or_else(|| Stop::Internal("it listens nowhere".into()))?;
    let mut random = SplitMix64::new(21);
    let (mut most, mut slowest) = (before, Duration::ZERO);
    for number in 0..SYNS / SYNS_EACH {
        let source = forged_source(peer.family(), number)?;
        for _ in 0..SYNS_EACH {
            let [a, b, c, d, ..] = random.next_u64().to_le_bytes();
            let syn = Packet::new(Kind::Syn).id(u16::from_le_bytes([a, b]));
            let syn = peer.stamped(&syn.seq(u16::from_le_bytes([c, d])));
            source.send_to(&syn.encode(), to).map_err(|error| Stop::internal(to, error))?;
        }
        drop(source);
        witness.settle(peer)?;
        if number % 1000 == 999 {
            let start = Instant::now();
            is_served(peer)?;
            slowest = slowest.max(start.elapsed());
            most = most.max(peer.rss_kib()?);
        }
    }
    let grown = most - before;
    peer.remark(format_args!("{grown} KiB more; the slowest connect took {slowest:?}"));
    peer.check(grown <= 2048, || format!("memory grew by {grown} KiB, allowed are 2048"))?;
    peer.check(slowest <= Duration::from_secs(2), || format!("a connect took {slowest:?}"))?;
    nothing_is_left(peer)?;
    witness.ends_well(peer)
}

/// Within a minute an answer to a SYN is worth nothing any more: what it would open is forgotten.
fn nothing_is_left(peer: &mut Peer) -> CaseResult {
    let mut last = Vec::new();
    for _ in 0..8 {
        let socket = peer.open_socket()?;
        last.push(peer.open_on(socket, 100, 1)?);
    }
    peer.sleep(Duration::from_secs(60))?;
    let accepted = peer.count_events(&WantEvent::Accepted);
    for mut flow in last {
        let data = flow.data(100);
        peer.send_on(flow.socket, &data)?;
    }
    peer.sleep(Duration::from_secs(1))?;
    let opened = peer.count_events(&WantEvent::Accepted) - accepted;
    peer.check(opened == 0, || format!("{opened} of 8 SYNs opened a connection after a minute"))
}

fn every_id_from_one_address(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let witness = Witness::open(peer)?;
    let from = peer.open_socket()?;
    for id in 0..=u16::MAX {
        let syn = Flow::initiator(id, 1).syn();
        peer.send_unseen(from, &peer.stamped(&syn).encode())?;
        if u32::from(id) % BATCH == 0 {
            witness.settle(peer)?;
            peer.forget_packets()?;
        }
        if id % 8192 == 8191 {
            is_served(peer)?;
        }
    }
    // The same address, too, once it means it, and has heard all answers.
    peer.sleep(Duration::from_secs(1))?;
    peer.forget_packets()?;
    let mut flow = peer.open_on(from, 500, 7)?;
    peer.push(&mut flow, 3000, 1000, Duration::from_secs(2))?;
    witness.ends_well(peer)
}

fn strays_cost_little(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let witness = Witness::open(peer)?;
    let from = peer.open_socket()?;
    let mut random = SplitMix64::new(22);
    // What is no uTP at all costs what the kernel and the socket do.
    let mut nothing = |_: &Peer| vec![0; STRAY_LEN];
    let mut stray = |peer: &Peer| {
        let [a, b, c, d, e, f, kind, _] = random.next_u64().to_le_bytes();
        let kind = [Kind::Data, Kind::State, Kind::Fin][usize::from(kind % 3)];
        let packet = Packet::new(kind).id(u16::from_le_bytes([a, b]) | 0x8000);
        let packet = packet.seq(u16::from_le_bytes([c, d])).ack(u16::from_le_bytes([e, f]));
        let mut bytes = peer.stamped(&packet).encode();
        bytes.resize(STRAY_LEN, 7);
        bytes
    };
    // In turns, and the middle of many: the machine is busy with other things as well.
    let mut more = Vec::new();
    for _ in 0..2 {
        let (mut bases, mut costs) = (Vec::new(), Vec::new());
        for _ in 0..STRAYS / STRAYS_EACH / 2 {
            bases.push(cost(peer, &witness, from, &mut nothing)?);
            costs.push(cost(peer, &witness, from, &mut stray)?);
        }
        more.push(middle(costs).saturating_sub(middle(bases)));
    }
    let words = format!("strays take {more:?} beyond what is no uTP, first and later");
    peer.remark(&words);
    let worst = more.iter().max().copied().unwrap_or_default();
    peer.check(worst <= Duration::from_nanos(500), || words)?;
    witness.ends_well(peer)
}

/// Processor time that the implementation takes for each of such datagrams.
fn cost(
    peer: &mut Peer,
    witness: &Witness,
    from: usize,
    datagram: &mut dyn FnMut(&Peer) -> Vec<u8>,
) -> CaseResult<Duration> {
    let before = peer.cpu_time()?;
    for number in 0..STRAYS_EACH {
        let bytes = datagram(peer);
        peer.send_unseen(from, &bytes)?;
        if number % BATCH == 0 {
            witness.settle(peer)?;
        }
    }
    witness.settle(peer)?;
    peer.forget_packets()?;
    Ok(peer.cpu_time()?.saturating_sub(before) / STRAYS_EACH)
}

fn middle(mut costs: Vec<Duration>) -> Duration {
    costs.sort();
    costs.get(costs.len() / 2).copied().unwrap_or_default()
}

const SYNS: u32 = 1_000_000;

/// SYNs from one source: beyond a few they do not look like a host that connects.
const SYNS_EACH: u32 = 100;

const STRAYS: u32 = 1_000_000;
const STRAYS_EACH: u32 = 1_000;

const STRAY_LEN: usize = 40;
