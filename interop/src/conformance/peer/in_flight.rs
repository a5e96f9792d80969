//! Packets in flight: lets the window of the implementation grow, then leaves what it sends
//! unacked, as a lossy path would.

use std::collections::BTreeMap;
use std::mem;
use std::time::{Duration, Instant};

use super::{Peer, Seen};
use crate::conformance::flow::{Flow, pattern};
use crate::conformance::packet::Packet;
use crate::conformance::stop::CaseResult;
use crate::conformance::want::Want;

impl Peer {
    /// Acks what the implementation sends, all of a round trip at once, until a round trip brings
    /// `count` packets in a row, the first of them with payload. Those are returned, the oldest
    /// first; they are not acked, and the flow has not heard them.
    ///
    /// A round trip takes some twenty milliseconds, far less than any time-out, which counts from
    /// about when this returns.
    #[track_caller]
    pub(crate) fn stall(&mut self, flow: &mut Flow, count: usize) -> CaseResult<Vec<Seen>> {
        let until = Instant::now() + GROWTH;
        let mut most = 0;
        self.send_on(flow.socket, &flow.selective_state())?;
        while Instant::now() < until {
            let round = self.round(flow)?;
            let in_row = (0..).zip(&round).take_while(|(index, seen)| {
                seen.seq == flow.ack.wrapping_add(1).wrapping_add(*index)
            });
            let in_row = in_row.count();
            most = most.max(in_row);
            // A probe of the path MTU brings no bytes, and may be treated in its own way.
            let begins_with_data = round.first().is_some_and(|seen| !seen.payload.is_empty());
            if in_row >= count && begins_with_data {
                return Ok(round.into_iter().take(in_row).collect());
            }
            for seen in &round {
                flow.hear(seen);
            }
            if !round.is_empty() {
                self.send_on(flow.socket, &flow.selective_state())?;
            }
        }
        Err(self.fail(format!("{most} packets were in flight at the most; wanted are {count}")))
    }

    /// What comes until there is a pause: each numbered packet that is new, once, in the order of
    /// their numbers.
    #[track_caller]
    fn round(&mut self, flow: &Flow) -> CaseResult<Vec<Seen>> {
        let end = Instant::now() + ROUND_MAX;
        let mut by_distance = BTreeMap::new();
        while let Some(seen) = self.next_packet(flow.socket, end.min(Instant::now() + PAUSE))? {
            let ahead = seen.seq.wrapping_sub(flow.ack);
            if seen.kind.is_numbered() && (1..1 << 15).contains(&ahead) {
                by_distance.entry(ahead).or_insert(seen);
            }
        }
        Ok(by_distance.into_values().collect())
    }

    /// One of these numbered packets is sent again within a time.
    #[track_caller]
    pub(crate) fn expect_resend(&mut self, of: &Seen, within: Duration) -> CaseResult<Seen> {
        let again = Want::kind(of.kind).id(of.id).seq(of.seq).on(of.socket);
        self.eventually(&again.payload(of.payload.clone()), within)
    }

    /// None of these packets is sent again for a time.
    #[track_caller]
    pub(crate) fn no_resend(&mut self, of: &[Seen], time: Duration) -> CaseResult {
        let until = Instant::now() + time;
        let is_again = |seen: &Packet| of.iter().any(|of| (of.id, of.seq) == (seen.id, seen.seq));
        while let Some(seen) = self.next_on_any(until)? {
            if seen.kind.is_numbered() && is_again(&seen) {
                self.trace.mark(seen.trace_number);
                return Err(self.fail(format!("it may not be sent again: {}", *seen)));
            }
        }
        self.mark = Instant::now();
        Ok(())
    }

    /// Hears these packets and acks all that is in order.
    #[track_caller]
    pub(crate) fn ack_all(&mut self, flow: &mut Flow, packets: &[Seen]) -> CaseResult {
        for seen in packets {
            flow.hear(seen);
        }
        self.send_on(flow.socket, &flow.selective_state())
    }

    /// Hears these packets and takes more of the stream, acking all that comes. The stream, which
    /// is that of seed 1, is compared from its beginning, and stays with the flow.
    #[track_caller]
    pub(crate) fn goes_on(&mut self, flow: &mut Flow, packets: &[Seen]) -> CaseResult {
        self.ack_all(flow, packets)?;
        let len = flow.received.len() + MORE;
        let received = self.pull(flow, len, Duration::from_secs(5))?;
        let right = received == pattern(1, 0, received.len());
        let later = mem::replace(&mut flow.received, received);
        flow.received.extend(later);
        self.check(right, || "other bytes arrived".into())
    }
}

/// How much more of a stream shows that it goes on.
const MORE: usize = 30_000;

/// How long the window may take to grow.
const GROWTH: Duration = Duration::from_secs(10);

/// A pause that ends what was sent in a round trip.
const PAUSE: Duration = Duration::from_millis(20);

/// A round trip lasts no longer.
const ROUND_MAX: Duration = Duration::from_millis(60);
