//! MF: malformed packets.

mod flips;
mod floods;

use std::time::Duration;

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::{Flow, pattern};
use crate::conformance::packet::{Kind, Packet};
use crate::conformance::peer::{Call, Peer, WantEvent};
use crate::conformance::stop::CaseResult;

pub(super) fn cases() -> Vec<Case> {
    let must = |id, reference, title, run| Case::rust(id, Grade::Must, reference, title, run);
    vec![
        must("MF-01", "BEP-29 header", "datagrams of 0 to 19 bytes are ignored", short_datagrams)
            .req(&["B-01"]),
        must(
            "MF-02",
            "BEP-29 version",
            "packets of version 0 and of 2 to 15 are ignored",
            other_versions,
        )
        .req(&["B-02"]),
        must(
            "MF-07",
            "hardening of this stack",
            "65 507 bytes of extensions take a millisecond at the most",
            longest_chains,
        )
        .req(&["H-33"])
        .flag(Flag::Heavy),
        must(
            "MF-09",
            "corruption, F-05",
            "a flipped bit of a header in a live stream brings no wrong byte and no early end",
            flips::each_bit_of_a_header,
        )
        .req(&["F-05", "B-01"])
        .limit_s(60),
        must(
            "MF-10",
            "hardening of this stack",
            "a selective ack that is cut anywhere harms nothing",
            cut_selective_acks,
        )
        .req(&["B-12", "H-27"])
        .flag(Flag::Timing),
        must(
            "MF-11",
            "hardening of this stack",
            "a million random datagrams cost a MiB at the most, and draw no more than they are",
            floods::random_datagrams,
        )
        .req(&["H-27"])
        .flag(Flag::Heavy)
        .limit_s(90),
        must(
            "MF-12",
            "hardening of this stack",
            "a million packets of real connections, each spoiled somewhere, bring nobody down",
            floods::mutated_packets,
        )
        .req(&["H-27"])
        .flag(Flag::Heavy)
        .limit_s(90),
    ]
}

/// A connection to a sink that has taken 100 bytes and has nothing more to say.
fn quiet_flow(peer: &mut Peer) -> CaseResult<Flow> {
    peer.start(&Call::listen("sink"))?;
    let mut flow = peer.open(100, 1)?;
    peer.push(&mut flow, 100, 100, Duration::from_secs(1))?;
    peer.sleep(Duration::from_millis(300))?;
    peer.forget_packets()?;
    Ok(flow)
}

/// Nothing is said to what came, and the stream goes on to its end.
fn silent_and_whole(peer: &mut Peer, mut flow: Flow) -> CaseResult {
    peer.silence(Duration::from_secs(1))?;
    peer.push(&mut flow, 100, 100, Duration::from_secs(1))?;
    let fin = flow.fin();
    peer.send(&fin)?;
    peer.expect_event(&WantEvent::data(200, 1), Duration::from_secs(1))?;
    peer.expect_count(&WantEvent::Accepted, 1, Duration::ZERO)
}

fn short_datagrams(peer: &mut Peer) -> CaseResult {
    let flow = quiet_flow(peer)?;
    let packets = [
        flow.clone().data(100),
        flow.state(),
        flow.clone().fin(),
        Flow::initiator(300, 1).syn(),
        Packet::new(Kind::Data).id(5000).seq(1),
    ];
    for packet in packets {
        let bytes = peer.stamped(&packet).encode();
        for len in 0..20 {
            peer.send_raw(&bytes[..len])?;
        }
    }
    silent_and_whole(peer, flow)
}

fn other_versions(peer: &mut Peer) -> CaseResult {
    let flow = quiet_flow(peer)?;
    let packets = [
        flow.clone().data(100),
        flow.clone().fin(),
        Flow::initiator(300, 1).syn(),
        Packet::new(Kind::Data).id(5000).seq(1),
    ];
    for packet in packets {
        for version in (0..=15).filter(|version| *version != 1) {
            peer.send(&Packet { version, ..packet.clone() })?;
        }
    }
    silent_and_whole(peer, flow)
}

fn longest_chains(peer: &mut Peer) -> CaseResult {
    let mut flow = quiet_flow(peer)?;
    let first = flow.data(100);
    peer.send(&first)?;
    peer.settle(&flow, &first)?;
    let known = || flow.state().extension(2, [0; 8]);
    for body in [0, 1, 4, 255] {
        let mut packet = known();
        let links = (LONGEST - packet.encode().len()) / (body + 2);
        for _ in 0..links {
            packet = packet.extension(if body == 4 { 1 } else { 9 }, vec![0xff; body]);
        }
        let mut bytes = peer.stamped(&packet).encode();
        bytes.resize(LONGEST, 0);
        let before = peer.cpu_time()?;
        for _ in 0..CHAINS {
            peer.send_unseen(0, &bytes)?;
            peer.settle(&flow, &first)?;
        }
        let each = peer.cpu_time()?.saturating_sub(before) / CHAINS;
        peer.remark(format_args!("{links} extensions of {body} bytes: {each:?}"));
        peer.check(each <= Duration::from_millis(1), || {
            format!("{links} extensions of {body} bytes take {each:?}, allowed is 1 ms")
        })?;
    }
    peer.push(&mut flow, 100, 100, Duration::from_secs(1))
}

fn cut_selective_acks(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("source:4MiB"))?;
    let mut flow = peer.open(100, 1)?;
    peer.push(&mut flow, 500, 500, Duration::from_secs(2))?;
    // What is in flight is lost, and the masks say that all but the first has arrived: who believes
    // one sends the first again at once.
    let sent = peer.stall(&mut flow, 12)?;
    for mask in [vec![0xff; 4], vec![0xff; 32], vec![0xff; 255]] {
        let packet = flow.state().extension(1, mask).extension(2, [0; 8]);
        let bytes = peer.stamped(&packet).encode();
        for len in 0..bytes.len() {
            peer.send_raw(&bytes[..len])?;
        }
    }
    // Sooner than any time-out. The last one may be sent again, to see whether it has arrived.
    peer.no_resend(&sent[..sent.len() - 1], Duration::from_millis(150))?;
    peer.send(&flow.state())?;
    let last = &sent[sent.len() - 1];
    let len = flow.received.len() + sent.iter().map(|seen| seen.payload.len()).sum::<usize>();
    let received = peer.pull(&mut flow, len, Duration::from_secs(15))?;
    peer.check(received == pattern(1, 0, len), || {
        format!("other bytes came than those up to packet {}", last.seq)
    })
}

/// The longest datagram over IPv4.
const LONGEST: usize = 65_507;

const CHAINS: u32 = 50;
