//! What peers can make the implementation keep.

use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::cases::witness::{BATCH, Witness};
use crate::conformance::flow::pattern;
use crate::conformance::packet::{HEADER_LEN, Kind, Packet};
use crate::conformance::peer::{Call, Peer, WantEvent};
use crate::conformance::stop::CaseResult;
use crate::shim::SplitMix64;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::rust(
            "HO-07",
            Grade::Must,
            "hardening of this stack",
            "1 023 of the largest packets beyond a gap cost two receive buffers at the most",
            large_packets_out_of_order,
        )
        .req(&["H-24"])
        .flag(Flag::Heavy),
        Case::rust(
            "HO-09",
            Grade::Must,
            "RFC 6429",
            "a thousand peers that keep their windows shut cost no more than memory was set aside for",
            windows_that_stay_shut,
        )
        .req(&["H-22"])
        .flag(Flag::Heavy)
        .flag(Flag::Slow)
        .limit_s(450),
        Case::rust(
            "HO-14",
            Grade::Should,
            "hardening of this stack",
            "a million packets of one byte out of order cost two receive buffers at the most",
            single_bytes_out_of_order,
        )
        .req(&["H-23"])
        .flag(Flag::Heavy)
        .limit_s(60),
    ]
}

fn large_packets_out_of_order(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink").rcvbuf(BUFFER))?;
    let witness = Witness::open(peer)?;
    let other = peer.open_socket()?;
    let mut flow = peer.open_on(other, 200, 1)?;
    peer.push(&mut flow, 1000, 1000, Duration::from_secs(1))?;
    let before = peer.rss_kib()?;
    let first = flow.seq;
    let mut datagram = flow.packet(Kind::Data).payload(vec![7; LARGEST]).encode();
    let mut most = before;
    for round in 0..2 {
        for place in 1..=1023_u16 {
            let packet = flow.packet(Kind::Data).seq(first.wrapping_add(place));
            datagram[..HEADER_LEN].copy_from_slice(&peer.stamped(&packet).encode());
            peer.send_unseen(other, &datagram)?;
            if place % 8 == 0 {
                witness.settle(peer)?;
                most = most.max(peer.rss_kib()?);
            }
        }
        peer.remark(format_args!("{} KiB more after round {round}", most - before));
    }
    let (grown, allowed) = (most - before, 2 * BUFFER / 1024);
    peer.check(grown <= allowed, || format!("{grown} KiB more were used, allowed are {allowed}"))?;
    witness.ends_well(peer)
}

fn single_bytes_out_of_order(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink").rcvbuf(BUFFER))?;
    let witness = Witness::open(peer)?;
    let other = peer.open_socket()?;
    let mut flow = peer.open_on(other, 200, 1)?;
    peer.push(&mut flow, 10, 1, Duration::from_secs(1))?;
    let mut whole = flow.clone();
    let packets: Vec<Packet> = (0..SPAN).map(|_| whole.data(1)).collect();
    let (mut random, before) = (SplitMix64::new(23), peer.rss_kib()?);
    for number in 0..1_000_000 {
        // All but the first, which leaves the gap.
        let [a, b, ..] = random.next_u64().to_le_bytes();
        let place = 1 + usize::from(u16::from_le_bytes([a, b])) % (SPAN - 1);
        peer.send_unseen(other, &peer.stamped(&packets[place]).encode())?;
        if number % BATCH == 0 {
            witness.settle(peer)?;
            peer.forget_packets()?;
        }
    }
    let (grown, allowed) = (peer.rss_kib()?.saturating_sub(before), 2 * BUFFER / 1024);
    peer.remark(format_args!("{grown} KiB more"));
    peer.check(grown <= allowed, || format!("{grown} KiB more were used, allowed are {allowed}"))?;
    // They were packets of an honest stream, which is whole in the end.
    for (packet, number) in packets.iter().zip(0..) {
        peer.send_unseen(other, &peer.stamped(packet).encode())?;
        if number % BATCH == 0 {
            witness.settle(peer)?;
        }
    }
    let fin = whole.fin();
    peer.send_on(other, &fin)?;
    peer.expect_event(&WantEvent::data(SPAN as u64 + 10, 1), Duration::from_secs(3))?;
    witness.ends_well(peer)
}

/// A sender's buffer for each of a thousand peers, none of which takes a byte: four times what is
/// set aside for all.
fn windows_that_stay_shut(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("source:1MiB"))?;
    let mut flows = Vec::new();
    let before = peer.rss_kib()?;
    for id in (1000..).step_by(2).take(PEERS) {
        let mut flow = peer.open(id, 1)?;
        flow.wnd = 0;
        let greeting = flow.data(1);
        peer.send(&greeting)?;
        flows.push(flow);
    }
    let mut most = before;
    let until = Instant::now() + Duration::from_secs(330);
    let failed = WantEvent::Error(Vec::new());
    while peer.count_events(&failed) < PEERS {
        let open = PEERS - peer.count_events(&failed);
        peer.check(Instant::now() < until, || format!("{open} peers are left after 330 s"))?;
        // Whatever is asked is answered: the windows stay shut.
        let tick = Instant::now() + Duration::from_secs(1);
        while let Some(seen) = peer.next_packet(0, tick)? {
            let place = usize::from(seen.id.wrapping_sub(1000) / 2);
            if let Some(flow) = flows.get_mut(place).filter(|_| seen.kind == Kind::Data) {
                if seen.payload.is_empty() {
                    flow.hear(&seen);
                }
                let state = flow.state();
                peer.send_unseen(0, &peer.stamped(&state).encode())?;
            }
        }
        most = most.max(peer.rss_kib()?);
    }
    let grown = most - before;
    let allowed = (SET_ASIDE_KIB + APPLICATIONS_KIB) * 105 / 100;
    peer.remark(format_args!("{grown} KiB more"));
    peer.check(grown <= allowed, || format!("{grown} KiB more were used, allowed are {allowed}"))?;
    let mut flow = peer.open(500, 1)?;
    peer.push(&mut flow, 10, 10, Duration::from_secs(2))?;
    let bytes = peer.pull(&mut flow, 1 << 20, Duration::from_secs(10))?;
    peer.check(bytes == pattern(1, 0, 1 << 20), || "other bytes came".into())
}

const BUFFER: u64 = 1 << 20;

/// The largest payload over IPv4.
const LARGEST: usize = 65_487;

/// How far ahead of a gap packets are sent.
const SPAN: usize = 16_000;

const PEERS: usize = 1000;

/// What this stack gives to all buffers together.
const SET_ASIDE_KIB: u64 = 256 << 10;

/// What the application of the shim has ready for each stream.
const APPLICATIONS_KIB: u64 = 256 * PEERS as u64;
