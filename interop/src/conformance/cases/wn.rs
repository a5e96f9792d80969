//! WN: the receive window.

use std::time::{Duration, Instant};

use crate::conformance::case::{Case, Flag, Grade};
use crate::conformance::flow::{Flow, pattern};
use crate::conformance::packet::{Kind, Packet};
use crate::conformance::peer::{Call, Peer, WantEvent};
use crate::conformance::stop::CaseResult;
use crate::conformance::want::Want;

pub(super) fn cases() -> Vec<Case> {
    let must = |id, reference, title, run| Case::rust(id, Grade::Must, reference, title, run);
    let should = |id, reference, title, run| Case::rust(id, Grade::Should, reference, title, run);
    vec![
        must(
            "WN-02",
            "BEP-29 overview",
            "no more bytes are in flight than the window that was announced",
            in_flight_fits_the_window,
        )
        .req(&["B-08"]),
        must(
            "WN-04",
            "RFC 9293 section 3.8.6.1",
            "a sender whose window opens unheard asks, and goes on, within a minute",
            lost_update,
        )
        .req(&["U-19"])
        .limit_s(90),
        must(
            "WN-05",
            "RFC 1122 section 4.2.3.4",
            "windows below a packet are used within a minute when nothing is in flight",
            small_windows_are_used,
        )
        .req(&["U-20", "H-20"])
        .limit_s(100),
        must(
            "WN-08",
            "RFC 9293 section 3.8.6",
            "a window that shrinks below what is in flight stops the sender and hurts nothing",
            shrunk_window,
        )
        .req(&["H-19"]),
        must(
            "WN-09",
            "BEP-29 wnd_size, 32 bits",
            "windows of 2^31 and 2^32 - 1 bytes are large ones",
            huge_windows,
        )
        .req(&["H-19"]),
        must(
            "WN-10",
            "BEP-29 wnd_size",
            "of data beyond the window one datagram at the most is taken",
            overrun_is_bounded,
        )
        .req(&["U-13"]),
        should(
            "WN-11",
            "RFC 6429",
            "a peer that keeps its window shut is given up in ten minutes, and costs a send buffer",
            shut_for_ever,
        )
        .req(&["H-21"])
        .flag(Flag::Slow)
        .limit_s(660),
    ]
}

/// A connection over which the implementation sends, with a peer that announces this window.
fn receiving(peer: &mut Peer, call: &Call, wnd: u32) -> CaseResult<Flow> {
    peer.start(call)?;
    opened(peer, 0, wnd)
}

fn opened(peer: &mut Peer, socket: usize, wnd: u32) -> CaseResult<Flow> {
    let start = Flow { socket, wnd, ..Flow::initiator(100, 1) };
    peer.send_on(socket, &start.syn())?;
    let want = Want::state().id(100_u16).ack(1_u16).on(socket);
    let syn_ack = peer.expect(&want, Duration::from_millis(500))?;
    let mut flow = Flow { ack: syn_ack.seq.wrapping_sub(1), ..start };
    peer.push(&mut flow, 500, 500, Duration::from_secs(2))?;
    Ok(flow)
}

fn in_flight_fits_the_window(peer: &mut Peer) -> CaseResult {
    const WINDOW: u32 = 10_000;
    let mut flow = receiving(peer, &Call::listen("source:300000"), WINDOW)?;
    let mut most = 0;
    while !flow.ended {
        peer.send(&flow.selective_state())?;
        // Everything that comes until there is a pause is in flight at once.
        let arrived = |flow: &Flow| {
            let held: usize = flow.held.values().map(|(_, payload)| payload.len()).sum();
            flow.received.len() + held
        };
        let before = arrived(&flow);
        let pause = Duration::from_millis(30);
        while let Some(seen) = peer.next_packet(0, Instant::now() + pause)? {
            flow.hear(&seen);
        }
        let in_flight = arrived(&flow) - before;
        most = most.max(in_flight);
        let fits = in_flight <= WINDOW as usize;
        peer.check(fits, || format!("{in_flight} bytes were in flight, allowed are {WINDOW}"))?;
    }
    let right = flow.received == pattern(1, 0, 300_000);
    peer.check(right, || "other bytes arrived".into())?;
    // Otherwise the window was never what held the sender back.
    peer.check(most > WINDOW as usize / 2, || format!("no more than {most} were in flight"))
}

fn lost_update(peer: &mut Peer) -> CaseResult {
    let mut flow = receiving(peer, &Call::listen("source:20000"), 0)?;
    peer.none_of(&Want::data().data_len(1_u16..=u16::MAX), Duration::from_millis(900))?;
    // The window opens, and what says so is lost: the next word is that of the implementation.
    flow.wnd = 1 << 20;
    let asks = peer.eventually(&Want::data(), Duration::from_secs(60))?;
    peer.ack_all(&mut flow, &[asks])?;
    let received = peer.pull(&mut flow, 20_000, Duration::from_secs(10))?;
    peer.check(received == pattern(1, 0, 20_000), || "other bytes arrived".into())
}

fn small_windows_are_used(peer: &mut Peer) -> CaseResult {
    const WINDOWS: [u32; 4] = [1, 100, 500, 1000];
    peer.start(&Call::listen("source:5000"))?;
    let mut flows = Vec::new();
    for wnd in WINDOWS {
        let socket = if flows.is_empty() { 0 } else { peer.open_socket()? };
        flows.push(opened(peer, socket, wnd)?);
    }
    // Twice: what follows the ack of the first bytes moves, too.
    for times in 1..=2 {
        let until = Instant::now() + Duration::from_secs(60);
        for flow in &mut flows {
            let before = flow.received.len();
            peer.send_on(flow.socket, &flow.state())?;
            while flow.received.len() == before {
                let Some(seen) = peer.next_packet(flow.socket, until)? else {
                    let wnd = flow.wnd;
                    let what = format!("no byte came for window {wnd} in 60 s, time {times}");
                    return Err(peer.fail(what));
                };
                let (len, wnd) = (seen.payload.len(), flow.wnd);
                let fits = len <= wnd as usize;
                peer.check(fits, || format!("{len} bytes came into a window of {wnd}"))?;
                flow.hear(&seen);
            }
        }
    }
    for flow in &mut flows {
        flow.wnd = 1 << 20;
        peer.send_on(flow.socket, &flow.state())?;
        let received = peer.pull(flow, 5000, Duration::from_secs(10))?;
        peer.check(received == pattern(1, 0, 5000), || "other bytes arrived".into())?;
    }
    Ok(())
}

fn shrunk_window(peer: &mut Peer) -> CaseResult {
    let mut flow = receiving(peer, &Call::listen("source:4MiB"), 1 << 20)?;
    for wnd in [1000, 0] {
        let sent = peer.stall(&mut flow, 8)?;
        let last = sent[sent.len() - 1].seq;
        peer.forget_packets()?;
        // The oldest one is acked, which is where a sender would go on.
        flow.wnd = wnd;
        peer.ack_all(&mut flow, &sent[..1])?;
        // What is on its way may be sent again, and nothing more.
        let new = Want::data().seq(last.wrapping_add(1)..=last.wrapping_add(1000));
        peer.none_of(&new.data_len(1_u16..=u16::MAX), Duration::from_millis(300))?;
        flow.wnd = 1 << 20;
        peer.goes_on(&mut flow, &sent)?;
    }
    Ok(())
}

fn huge_windows(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("source:300000"))?;
    for wnd in [1 << 31, u32::MAX] {
        let socket = peer.open_socket()?;
        let mut flow = opened(peer, socket, wnd)?;
        peer.send_on(socket, &flow.state())?;
        let received = peer.pull(&mut flow, 300_000, Duration::from_secs(5))?;
        peer.check(received == pattern(1, 0, 300_000), || "other bytes arrived".into())?;
    }
    Ok(())
}

fn overrun_is_bounded(peer: &mut Peer) -> CaseResult {
    const BUFFER: u64 = 32 << 10;
    peer.start(&Call::listen("script").rcvbuf(BUFFER))?;
    let mut flow = peer.open(100, 1)?;
    let packets: Vec<Packet> = (0..100).map(|_| flow.data(1000)).collect();
    for data in &packets {
        peer.send(data)?;
    }
    let first = packets[0].seq;
    let came = peer.collect(Duration::from_millis(500))?;
    let acked = came.iter().map(|seen| u64::from(seen.ack.wrapping_sub(first)) + 1);
    let acked = acked.filter(|acked| *acked <= 100).max().unwrap_or(0);
    peer.remark(format_args!("{acked} packets were acked"));
    peer.check(acked * 1000 <= BUFFER + 1000, || {
        format!("{} bytes were acked, in a buffer of {BUFFER}", acked * 1000)
    })?;
    // The rest is taken once there is room.
    peer.command("resume")?;
    peer.eventually(&Want::state().wnd(2000_u32..=u32::MAX), Duration::from_secs(1))?;
    let mut next = usize::try_from(acked).expect("at most 100");
    let until = Instant::now() + Duration::from_secs(5);
    while next < packets.len() {
        peer.send(&packets[next])?;
        let want = Want::state().ack(packets[next].seq..=packets[99].seq);
        let left = until.saturating_duration_since(Instant::now());
        let ack = peer.eventually(&want, left)?.ack;
        next = usize::from(ack.wrapping_sub(first)) + 1;
    }
    let fin = flow.fin();
    peer.send(&fin)?;
    peer.expect_event(&WantEvent::data(100_000, 1), Duration::from_secs(2))?;
    Ok(())
}

fn shut_for_ever(peer: &mut Peer) -> CaseResult {
    const BUFFER_KIB: u64 = 1024;
    let mut flow = receiving(peer, &Call::listen("script").sndbuf(BUFFER_KIB << 10), 0)?;
    peer.expect_event(&WantEvent::Accepted, Duration::from_secs(1))?;
    let before = peer.rss_kib()?;
    peer.command("write 100MiB 7")?;
    let until = Instant::now() + Duration::from_secs(600);
    let failed = WantEvent::Error(Vec::new());
    let mut most = before;
    while peer.count_events(&failed) == 0 {
        peer.check(Instant::now() < until, || "there was no error in 10 min".into())?;
        // Whatever it sends is answered, and nothing of its bytes is taken.
        if let Some(seen) = peer.next_packet(0, Instant::now() + Duration::from_secs(1))? {
            if seen.kind == Kind::Data && seen.payload.is_empty() {
                flow.hear(&seen);
            }
            peer.send(&flow.state())?;
        }
        if let Ok(rss) = peer.rss_kib() {
            most = most.max(rss);
        }
    }
    let grown = most - before;
    let allowed = BUFFER_KIB + SLACK_KIB;
    peer.check(grown <= allowed, || format!("{grown} KiB more were used, allowed are {allowed}"))
}

/// What a process may need for other things than its send buffer.
const SLACK_KIB: u64 = 2048;
