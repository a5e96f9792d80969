//! Single bits of headers, flipped on the way.

use std::time::{Duration, Instant};

use crate::conformance::flow::Flow;
use crate::conformance::peer::{Call, Peer};
use crate::conformance::stop::CaseResult;
use crate::shim::{ConnId, Event, pattern_sha256};

/// One connection for each bit. A packet that closes a gap arrives with that bit flipped, and then,
/// sent again, as it should be.
pub(super) fn each_bit_of_a_header(peer: &mut Peer) -> CaseResult {
    peer.start(&Call::listen("sink"))?;
    let mut flows = Vec::new();
    let ids = (1000..).filter(|id: &u16| id.wrapping_add(1).count_ones().is_multiple_of(2));
    for (bit, id) in (0..HEADER_BITS).zip(ids) {
        // Two of the ids that are received on differ in two bits at least: no flip makes one
        // another.
        let mut flow = Flow { seed: u64::from(bit), ..peer.open(id, 1)? };
        let first = flow.data(PACKET_LEN);
        peer.send(&first)?;
        flows.push(flow);
    }
    peer.sleep(Duration::from_millis(300))?;
    for (bit, flow) in (0..HEADER_BITS).zip(&mut flows) {
        let gap = flow.data(PACKET_LEN);
        for _ in 0..BEYOND {
            let packet = flow.data(PACKET_LEN);
            peer.send_unseen(0, &peer.stamped(&packet).encode())?;
        }
        let mut bytes = peer.stamped(&gap).encode();
        bytes[bit as usize / 8] ^= 0x80 >> (bit % 8);
        peer.send_unseen(0, &bytes)?;
        peer.sleep(Duration::from_millis(2))?;
    }
    peer.sleep(Duration::from_millis(300))?;
    for flow in &mut flows {
        send_all(peer, flow)?;
    }
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until && !is_over(peer, flows.len()) {
        peer.sleep(Duration::from_millis(500))?;
        peer.forget_packets()?;
        for flow in &mut flows {
            send_all(peer, flow)?;
        }
    }
    for (bit, conn) in (0..HEADER_BITS).zip(1..) {
        judge(peer, bit, conn)?;
    }
    Ok(())
}

/// Sends the stream from the gap on, and its end, as a peer does that knows of no ack.
fn send_all(peer: &mut Peer, flow: &Flow) -> CaseResult {
    let mut again = flow.clone();
    again.seq = 3;
    again.sent = PACKET_LEN as u64;
    while again.sent < flow.sent {
        let packet = again.data(PACKET_LEN);
        peer.send_unseen(0, &peer.stamped(&packet).encode())?;
    }
    let fin = again.fin();
    peer.send_unseen(0, &peer.stamped(&fin).encode())
}

fn is_over(peer: &Peer, count: usize) -> bool {
    let ends = |event: &&Event| matches!(event, Event::Eof { .. } | Event::Error { .. });
    peer.heard().iter().filter(ends).count() >= count
}

/// All bytes and the end, or some of them and an error.
fn judge(peer: &Peer, bit: u32, conn: ConnId) -> CaseResult {
    let (mut read, mut ended, mut failed) = (0, false, false);
    for event in peer.heard() {
        match event {
            Event::Data { conn: of, n, sha256, .. } if *of == conn => {
                let right = *sha256 == pattern_sha256(bit.into(), *n);
                peer.check(right, || format!("bit {bit}: {n} bytes came that were not sent"))?;
                read = *n;
            }
            Event::Eof { conn: of } if *of == conn => ended = true,
            Event::Error { conn: of, .. } if *of == conn => failed = true,
            _ => {}
        }
    }
    let whole = PACKET_LEN as u64 * (BEYOND + 2);
    peer.check(failed || (ended && read == whole), || match ended {
        true => format!("bit {bit}: the stream ended after {read} of {whole} bytes"),
        false => format!("bit {bit}: the stream has neither ended nor failed"),
    })
}

const HEADER_BITS: u32 = 160;

const PACKET_LEN: usize = 100;

/// Packets of the stream behind the one that is spoiled: so many that a flipped number is often
/// that of another.
const BEYOND: u64 = 24;
