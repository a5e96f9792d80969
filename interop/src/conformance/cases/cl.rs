//! CL: the end of a stream and the close.

use std::time::Duration;

use crate::conformance::case::{Case, Grade};
use crate::conformance::flow::{Flow, pattern};
use crate::conformance::peer::{Call, Peer, WantEvent};
use crate::conformance::stop::CaseResult;
use crate::conformance::want::Want;
use crate::shim::Event;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::rust(
            "CL-04",
            Grade::Must,
            "BEP-29 ST_FIN, \"never greater\"",
            "nothing numbered beyond a FIN is delivered",
            nothing_past_the_end,
        )
        .req(&["B-20"]),
        Case::rust(
            "CL-07",
            Grade::Must,
            "libutp",
            "what was written before a close arrives, then a FIN",
            close_delivers_what_is_queued,
        )
        .req(&["U-26"]),
    ]
}

/// Data beyond the end comes before a FIN, between a FIN and what is missing before it, and after
/// the end.
fn nothing_past_the_end(peer: &mut Peer) -> CaseResult {
    let (before, between) = ([7, FIN, 6, 5, 3], [FIN, 5, 7, 6, 3]);
    for order in [before, between] {
        let heard_before = peer.heard().len();
        let mut flow = open_script(peer)?;
        send_beyond(peer, &mut flow, &order)?;
        peer.sleep(Duration::from_millis(500))?;
        if !has_failed(&peer.heard()[heard_before..]) {
            peer.expect_event(&WantEvent::data(200, 1), Duration::ZERO)?;
            peer.expect_event(&WantEvent::Eof, Duration::ZERO)?;
        }
        for event in &peer.heard()[heard_before..] {
            let Event::Data { n, .. } = event else { continue };
            let right = *n <= 200 && WantEvent::data(*n, 1).matches(event);
            peer.check(right, || format!("{n} bytes were read, not those before the end"))?;
        }
        peer.kill_shim();
        peer.forget_packets()?;
    }
    let mut flow = open_script(peer)?;
    send_beyond(peer, &mut flow, &[3, FIN])?;
    peer.expect_event(&WantEvent::data(200, 1), Duration::from_secs(1))?;
    peer.expect_event(&WantEvent::Eof, Duration::from_secs(1))?;
    let heard_before = peer.heard().len();
    send_beyond(peer, &mut flow, &[5, 6, 7])?;
    peer.command("resume")?;
    peer.sleep(Duration::from_millis(500))?;
    if !has_failed(&peer.heard()[heard_before..]) {
        peer.command("read 0")?;
        let none = WantEvent::Data { bytes: Some(0..=0), sha256: None };
        return peer.expect_event(&none, Duration::from_secs(1)).map(drop);
    }
    let is_data = |event: &Event| matches!(event, Event::Data { n: 1.., .. });
    let none = !peer.heard()[heard_before..].iter().any(is_data);
    peer.check(none, || "bytes beyond the end were read".to_owned())
}

/// Whether one of these tells of a failure. A stack may call it an error that there are packets
/// beyond an end, before the end has come and after it.
fn has_failed(heard: &[Event]) -> bool {
    heard.iter().any(|event| matches!(event, Event::Error { .. }))
}

/// A connection whose first 100 bytes, with the number 2, have been read.
fn open_script(peer: &mut Peer) -> CaseResult<Flow> {
    peer.start(&Call::listen("script"))?;
    let mut flow = peer.open(100, 1)?;
    let first = flow.data(100);
    peer.send(&first)?;
    peer.eventually(&Want::state().ack(2_u16), Duration::from_secs(1))?;
    peer.expect_event(&WantEvent::Accepted, Duration::from_secs(1))?;
    peer.command("resume")?;
    Ok(flow)
}

/// Sends packets of these numbers, each with the bytes that it would have without an end.
fn send_beyond(peer: &mut Peer, flow: &mut Flow, numbers: &[u16]) -> CaseResult {
    for &seq in numbers {
        let packet = match seq {
            FIN => flow.fin(),
            _ => flow.data(0).payload(pattern(flow.seed, u64::from(seq - 2) * 100, 100)),
        };
        peer.send(&packet.seq(seq))?;
    }
    Ok(())
}

fn close_delivers_what_is_queued(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::connect("script"))?;
    let mut flow = peer.answer(500)?;
    peer.expect_event(&WantEvent::Connected, Duration::from_secs(1))?;
    peer.command(&format!("write {QUEUED} 7"))?;
    peer.command("close")?;
    let bytes = peer.pull(&mut flow, QUEUED, Duration::from_secs(20))?;
    peer.check(bytes == pattern(7, 0, QUEUED), || {
        format!("{} bytes came, allowed are the {QUEUED} that were written", bytes.len())
    })?;
    if !flow.ended {
        peer.eventually(&Want::fin().seq(flow.ack.wrapping_add(1)), Duration::from_secs(2))?;
    }
    Ok(())
}

/// The number of the FIN.
const FIN: u16 = 4;

/// More than a window holds at the start.
const QUEUED: usize = 300_000;
