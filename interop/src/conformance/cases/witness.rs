//! A connection beside a flood: by its answers a case knows that everything has been taken in, and
//! in the end that others were served meanwhile.

use std::time::{Duration, Instant};

use crate::conformance::flow::Flow;
use crate::conformance::packet::Packet;
use crate::conformance::peer::{Peer, WantEvent};
use crate::conformance::stop::CaseResult;

/// A connection to a sink, on the first socket.
pub(super) struct Witness {
    flow: Flow,
    sent: Packet,
}

impl Witness {
    /// Opens it; the implementation is a sink.
    #[track_caller]
    pub(super) fn open(peer: &mut Peer) -> CaseResult<Self> {
        let mut flow = peer.open(100, 1)?;
        let sent = flow.data(100);
        peer.send(&sent)?;
        peer.settle(&flow, &sent)?;
        Ok(Self { flow, sent })
    }

    /// Waits until the implementation has taken in what was sent, on any socket.
    #[track_caller]
    pub(super) fn settle(&self, peer: &mut Peer) -> CaseResult {
        peer.settle(&self.flow, &self.sent)
    }

    /// Its stream is whole, and the port serves others.
    #[track_caller]
    pub(super) fn ends_well(mut self, peer: &mut Peer) -> CaseResult {
        peer.push(&mut self.flow, 900, 900, Duration::from_secs(3))?;
        let fin = self.flow.fin();
        peer.send(&fin)?;
        let until = Instant::now() + Duration::from_secs(3);
        while peer.count_events(&WantEvent::data(1000, 1)) == 0 {
            peer.check(Instant::now() < until, || "the stream beside it is lost".into())?;
            peer.sleep(Duration::from_millis(20))?;
        }
        peer.forget_packets()?;
        is_served(peer)
    }
}

/// Somebody else connects and is listened to.
#[track_caller]
pub(super) fn is_served(peer: &mut Peer) -> CaseResult {
    let other = peer.open_socket()?;
    let mut flow = peer.open_on(other, 100, 1)?;
    peer.push(&mut flow, 3000, 1000, Duration::from_secs(2))
}

/// So many datagrams fit into any socket's buffer.
pub(super) const BATCH: u32 = 128;
