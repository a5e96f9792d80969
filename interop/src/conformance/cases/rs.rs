//! RS: resets.

use std::time::{Duration, Instant};

use crate::shim::SplitMix64;

use crate::conformance::case::{Case, Grade};
use crate::conformance::flow::{Flow, pattern};
use crate::conformance::packet::{Kind, Packet};
use crate::conformance::peer::{Call, Peer, WantEvent};
use crate::conformance::stop::CaseResult;
use crate::conformance::want::Want;
use crate::shim::ErrorKind;

pub(super) fn cases() -> Vec<Case> {
    let must = |id, reference, title, run| Case::rust(id, Grade::Must, reference, title, run);
    let should = |id, reference, title, run| Case::rust(id, Grade::Should, reference, title, run);
    vec![
        should(
            "RS-02",
            "RFC 5961 section 3",
            "of ten thousand RESETs with the right id and a random ack, ten at the most count",
            blind_resets,
        )
        .req(&["H-01"]),
        should(
            "RS-04",
            "libutp",
            "a stray packet draws one RESET at the most, which is no longer than the packet",
            one_small_reset,
        )
        .req(&["U-29"]),
        must(
            "RS-06",
            "libutp",
            "a hundred thousand stray packets draw two thousand RESETs in ten seconds at the most",
            strays_draw_few_resets,
        )
        .req(&["H-13"]),
        should(
            "RS-11",
            "RFC 5961",
            "an idle connection survives a RESET to each of the 65 536 ids",
            sweep_of_all_ids,
        )
        .req(&["H-01"]),
    ]
}

fn blind_resets(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("echo"))?;
    let mut random = SplitMix64::new(1);
    let reset = WantEvent::error(ErrorKind::Reset);
    let mut id = 100;
    let mut flow = exchange(peer, id)?;
    let mut killed = 0;
    for number in 1..=BLIND {
        // Whoever guesses may guess the id of either direction.
        let id_of = [flow.send_id, flow.recv_id][(number % 2) as usize];
        let [a, b, c, d, ..] = random.next_u64().to_le_bytes();
        let packet = Packet::new(Kind::Reset).id(id_of).wnd(0);
        let packet = packet.seq(u16::from_le_bytes([a, b])).ack(u16::from_le_bytes([c, d]));
        peer.send_unseen(0, &peer.stamped(&packet).encode())?;
        if number.is_multiple_of(50) {
            peer.sleep(Duration::from_millis(2))?;
            peer.forget_packets()?;
        }
        let now_killed = peer.count_events(&reset);
        if now_killed > killed {
            killed = now_killed;
            peer.check(killed <= 10, || format!("{killed} of {number} ended the connection"))?;
            id += 10;
            flow = exchange(peer, id)?;
        }
    }
    // What is left of the last connection works.
    peer.sleep(Duration::from_millis(200))?;
    peer.forget_packets()?;
    peer.push(&mut flow, 1000, 1000, Duration::from_secs(3))
}

/// A connection on which a few bytes have just gone both ways.
fn exchange(peer: &mut Peer, id: u16) -> CaseResult<Flow> {
    peer.forget_packets()?;
    let mut flow = peer.open(id, 1)?;
    peer.push(&mut flow, 2000, 1000, Duration::from_secs(3))?;
    peer.pull(&mut flow, 2000, Duration::from_secs(5))?;
    Ok(flow)
}

fn one_small_reset(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let strays = [
        Packet::new(Kind::Data),
        Packet::new(Kind::State),
        Packet::new(Kind::Fin),
        Packet::new(Kind::Data).payload([7; 100]),
        Packet::new(Kind::Data).payload([7; 1400]),
        Packet::new(Kind::State).sack(&[0, 1]),
    ];
    for (stray, id) in strays.into_iter().zip(5000_u16..) {
        let stray = stray.id(id).seq(77).ack(3);
        peer.send(&stray)?;
        let size = stray.encode().len();
        let answers = peer.collect(Duration::from_millis(700))?;
        let right = answers.iter().all(|seen| seen.kind == Kind::Reset && seen.size <= size);
        peer.check(answers.len() <= 1 && right, || {
            format!("{} packets answer a stray one of {size} bytes", answers.len())
        })?;
    }
    Ok(())
}

fn strays_draw_few_resets(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let mut random = SplitMix64::new(2);
    let start = Instant::now();
    let mut resets = 0;
    for burst in 0..STRAYS / STRAYS_PER_BURST {
        for _ in 0..STRAYS_PER_BURST {
            let [a, b, c, d, ..] = random.next_u64().to_le_bytes();
            let stray = Packet::new(Kind::Data).id(u16::from_le_bytes([a, b]));
            let stray = stray.seq(u16::from_le_bytes([c, d])).payload([7; 10]);
            peer.send_unseen(0, &peer.stamped(&stray).encode())?;
        }
        let next = start + BURST_PAUSE * (burst + 1);
        let wait = next.saturating_duration_since(Instant::now());
        resets += peer.collect(wait)?.iter().filter(|seen| seen.kind == Kind::Reset).count();
    }
    let rest = Duration::from_secs(10).saturating_sub(start.elapsed());
    resets += peer.collect(rest)?.iter().filter(|seen| seen.kind == Kind::Reset).count();
    peer.check(resets <= 2000, || format!("{resets} RESETs in ten seconds"))
}

fn sweep_of_all_ids(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("echo"))?;
    let mut flow = exchange(peer, 100)?;
    // It is idle when nothing that it sent can still be on its way.
    peer.sleep(Duration::from_secs(4))?;
    let mut random = SplitMix64::new(3);
    for id in 0..=u16::MAX {
        let [a, b, c, d, ..] = random.next_u64().to_le_bytes();
        let packet = Packet::new(Kind::Reset).id(id).wnd(0);
        let packet = packet.seq(u16::from_le_bytes([a, b])).ack(u16::from_le_bytes([c, d]));
        peer.send_unseen(0, &peer.stamped(&packet).encode())?;
        if id % 128 == 0 {
            peer.sleep(Duration::from_millis(1))?;
        }
    }
    peer.no_event(&WantEvent::Error(vec![]), Duration::from_millis(500))?;
    peer.forget_packets()?;
    peer.push(&mut flow, 1000, 1000, Duration::from_secs(3))?;
    let back = peer.pull(&mut flow, 1000, Duration::from_secs(3))?;
    let expected = pattern(1, 2000, 1000);
    peer.check(back == expected, || "other bytes came back".into())?;
    let fin = flow.fin();
    peer.send(&fin)?;
    peer.eventually(&Want::fin(), Duration::from_secs(2))?;
    Ok(())
}

const BLIND: u32 = 10_000;

const STRAYS: u32 = 100_000;
const STRAYS_PER_BURST: u32 = 100;

/// A hundred at a time in six seconds: what a socket can take in.
const BURST_PAUSE: Duration = Duration::from_millis(6);
