//! SK: selective acknowledgements.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::{Flow, pattern};
use crate::conformance::packet::{Packet, SELECTIVE_ACK};
use crate::conformance::peer::{Call, Peer, Seen, WantEvent};
use crate::conformance::stop::CaseResult;
use crate::conformance::want::Want;

pub(super) fn cases() -> Vec<Case> {
    // What is sent again on a time-out does not count, so that nearly all judge milliseconds.
    let timed = |grade, id, reference, title, run| {
        Case::rust(id, grade, reference, title, run).flag(Flag::Timing)
    };
    let must = |id, reference, title, run| timed(Grade::Must, id, reference, title, run);
    let should = |id, reference, title, run| timed(Grade::Should, id, reference, title, run);
    vec![
        Case::rust(
            "SK-01",
            Grade::Must,
            "BEP-29 selective ack",
            "a gap is told in extension 1, four bytes or a multiple, low bits first from ack + 2",
            mask_is_laid_out,
        )
        .req(&["B-13", "B-15"]),
        must(
            "SK-04",
            "BEP-29 packet loss",
            "a packet that a selective ack names is not sent again with the lost one",
            named_is_not_resent,
        ),
        must(
            "SK-05",
            "BEP-29 packet loss",
            "a packet beyond which three have arrived is sent again within a round trip",
            hole_is_resent,
        )
        .req(&["B-28"]),
        must(
            "SK-06",
            "BEP-29 selective ack",
            "bits of packets that were never sent are ignored",
            bits_of_nothing,
        ),
        must(
            "SK-07",
            "libtorrent pull request 7071",
            "masks of 1, 2, 3 and 5 bytes are understood",
            odd_lengths,
        )
        .req(&["B-16"]),
        Case::rust(
            "SK-10",
            Grade::Should,
            "RFC 2018 section 8",
            "packets that were named and then dropped are sent again, or the stream fails",
            reneging,
        )
        .req(&["H-18"])
        .limit_s(80),
        must(
            "SK-11",
            "libutp",
            "a selective ack with an old ack has nothing sent again that is acked",
            stale_mask,
        ),
        should(
            "SK-12",
            "libutp",
            "a mask that proves many losses draws four resends at the most, and never more than ten come at once",
            resends_are_spread,
        ),
        should(
            "SK-14",
            "BEP-29 selective ack, of any size",
            "two holes more than 32 packets apart are both mended before a time-out",
            far_holes,
        )
        .req(&["U-32"]),
    ]
}

fn mask_is_laid_out(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let mut flow = peer.open(100, 1)?;
    peer.push(&mut flow, 200, 100, Duration::from_secs(2))?;
    let gap = flow.seq;
    let mut ahead = flow.clone();
    drop(ahead.data(100));
    let mut bits = Vec::new();
    for bit in 0..24 {
        let data = ahead.data(100);
        if ![0, 2, 7, 8, 17, 23].contains(&bit) {
            continue;
        }
        bits.push(bit);
        peer.send(&data)?;
        let want = Want::state().ack(gap.wrapping_sub(1)).sack(&bits);
        let seen = peer.eventually(&want, Duration::from_millis(500))?;
        let len = seen.sack_mask().map_or(0, <[u8]>::len);
        peer.check(len >= 4 && len.is_multiple_of(4), || format!("the mask has {len} bytes"))?;
    }
    peer.push(&mut flow, 2500, 100, Duration::from_secs(3))?;
    let fin = flow.fin();
    peer.send(&fin)?;
    peer.expect_event(&WantEvent::data(2700, 1), Duration::from_secs(2))?;
    Ok(())
}

/// A connection over which the implementation sends, as acceptor.
fn receiving(peer: &mut Peer) -> CaseResult<Flow> {
    peer.start(&Call::listen("source:4MiB"))?;
    let mut flow = peer.open(100, 1)?;
    peer.push(&mut flow, 500, 500, Duration::from_secs(2))?;
    Ok(flow)
}

/// A STATE that acks nothing new and names these packets; 0 stands for the first missing one.
fn naming(flow: &Flow, packets: RangeInclusive<usize>) -> Packet {
    let bits: Vec<usize> = packets.map(|index| index - 1).collect();
    flow.state().sack(&bits)
}

fn named_is_not_resent(peer: &mut Peer) -> CaseResult {
    let mut flow = receiving(peer)?;
    let sent = peer.stall(&mut flow, 8)?;
    let until = Instant::now() + Duration::from_millis(300);
    for named in [3, 4, 5] {
        peer.send(&naming(&flow, 1..=named))?;
    }
    peer.no_resend(&sent[1..=5], until.saturating_duration_since(Instant::now()))?;
    peer.goes_on(&mut flow, &sent)
}

fn hole_is_resent(peer: &mut Peer) -> CaseResult {
    let mut flow = receiving(peer)?;
    let sent = peer.stall(&mut flow, 6)?;
    peer.send(&naming(&flow, 1..=3))?;
    peer.expect_resend(&sent[0], ROUND_TRIP)?;
    peer.goes_on(&mut flow, &sent)
}

fn bits_of_nothing(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("script"))?;
    let mut flow = peer.open(100, 1)?;
    peer.push(&mut flow, 1000, 500, Duration::from_secs(2))?;
    peer.expect_event(&WantEvent::Accepted, Duration::from_secs(1))?;
    // The window grows, and then there is little to send.
    peer.command("write 20000 1")?;
    let received = peer.pull(&mut flow, 20_000, Duration::from_secs(3))?;
    peer.check(received == pattern(1, 0, 20_000), || "other bytes arrived".into())?;
    peer.command("write 6000 2")?;
    let sent = peer.stall(&mut flow, 4)?;
    let unsent = sent.len() + 2;
    for _ in 0..3 {
        peer.send(&naming(&flow, unsent..=unsent + 20))?;
    }
    peer.no_resend(&sent[..1], Duration::from_millis(250))?;
    // When those numbers are used, their packets are not taken to have arrived.
    peer.ack_all(&mut flow, &sent)?;
    peer.command("write 30000 3")?;
    let received = peer.pull(&mut flow, 36_000, Duration::from_secs(5))?;
    let right =
        received[..6000] == pattern(2, 0, 6000) && received[6000..] == pattern(3, 0, 30_000);
    peer.check(right, || "other bytes arrived".into())
}

fn odd_lengths(peer: &mut Peer) -> CaseResult {
    let mut flow = receiving(peer)?;
    for len in [1, 2, 3, 5] {
        let sent = peer.stall(&mut flow, 6)?;
        let mut mask = vec![0; len];
        mask[0] = 0b1111;
        peer.send(&flow.state().extension(SELECTIVE_ACK, mask))?;
        peer.expect_resend(&sent[0], ROUND_TRIP)?;
        peer.goes_on(&mut flow, &sent)?;
    }
    Ok(())
}

fn reneging(peer: &mut Peer) -> CaseResult {
    let mut flow = receiving(peer)?;
    let sent = peer.stall(&mut flow, 6)?;
    let until = Instant::now() + Duration::from_secs(60);
    peer.send(&naming(&flow, 1..=sent.len() - 1))?;
    let again = peer.expect_resend(&sent[0], Duration::from_secs(5))?;
    // All that was named is dropped, and only the hole is acked.
    peer.ack_all(&mut flow, &[again])?;
    let failed = WantEvent::Error(Vec::new());
    let len = flow.received.len() + 30_000;
    while flow.received.len() < len && peer.count_events(&failed) == 0 {
        // An error may come where no packet does.
        match peer.next_packet(0, until.min(Instant::now() + ROUND_TRIP))? {
            Some(seen) => peer.ack_all(&mut flow, &[seen])?,
            None if Instant::now() < until => {}
            None => {
                let what = "neither were they sent again nor did the stream fail in 60 s";
                return Err(peer.fail(what));
            }
        }
    }
    let right = flow.received == pattern(1, 0, flow.received.len());
    peer.check(right, || "other bytes arrived".into())
}

fn stale_mask(peer: &mut Peer) -> CaseResult {
    let mut flow = receiving(peer)?;
    let sent = peer.stall(&mut flow, 8)?;
    let old = flow.clone();
    peer.ack_all(&mut flow, &sent[..6])?;
    for named in 3..=5 {
        peer.send(&naming(&old, 1..=named))?;
    }
    peer.no_resend(&sent[..6], Duration::from_millis(300))?;
    peer.goes_on(&mut flow, &sent[6..])
}

fn resends_are_spread(peer: &mut Peer) -> CaseResult {
    let mut flow = receiving(peer)?;
    let (mut resent, mut bursts) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let sent = peer.stall(&mut flow, 30)?;
        let named = sent.len() - 4..=sent.len() - 1;
        let lost = &sent[..sent.len() - 4];
        peer.send(&naming(&flow, named))?;
        let mut after = peer.collect(Duration::from_millis(100))?;
        after.retain(|seen| lost.iter().any(|lost| lost.seq == seen.seq));
        resent.push(after.len());
        let at_once = |first: &Seen| {
            let close = first.at..=first.at + Duration::from_millis(1);
            after.iter().filter(|seen| close.contains(&seen.at)).count()
        };
        bursts.push(after.iter().map(at_once).max().unwrap_or(0));
        peer.goes_on(&mut flow, &sent)?;
    }
    // A busy machine may hold packets up, which then come together: what the implementation does,
    // it does each time.
    let least = bursts.iter().min().copied().unwrap_or(0);
    peer.remark(format_args!("resends that came at once: {bursts:?}"));
    peer.check(least <= 10, || format!("{bursts:?} resends came at once, allowed are 10"))?;
    // Nothing else is acked before.
    peer.check(resent.iter().all(|count| (1..=4).contains(count)), || {
        format!("{resent:?} packets were sent again upon one mask each, allowed are 4")
    })
}

fn far_holes(peer: &mut Peer) -> CaseResult {
    let mut flow = receiving(peer)?;
    let sent = peer.stall(&mut flow, FAR + 5)?;
    let bits: Vec<usize> = (1..sent.len()).filter(|index| *index != FAR).map(|i| i - 1).collect();
    peer.send(&flow.state().sack(&bits))?;
    let until = Instant::now() + Duration::from_millis(300);
    for hole in [0, FAR] {
        peer.expect_resend(&sent[hole], until.saturating_duration_since(Instant::now()))?;
    }
    peer.goes_on(&mut flow, &sent)
}

/// What a round trip over the loopback device takes, with the machine busy.
const ROUND_TRIP: Duration = Duration::from_millis(100);

/// How far the second hole is from the first.
const FAR: usize = 40;
