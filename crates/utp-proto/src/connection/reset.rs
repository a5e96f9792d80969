//! Which resets are believed.
//!
//! A reset has to name a number that we sent lately, or anybody who guesses an id of 16 bits could
//! end the connection (RFC 5961 section 3); every stack in the field echoes the number of the
//! packet that it answers.

use utp_wire::{Instant, SeqNr};

use super::{Connection, State, Timer};
use crate::config::{CHALLENGE_PAUSE_US, IN_FLIGHT_PACKETS_UNPROVEN};
use crate::config::{RESET_ANSWER_US_MIN, RESET_BEHIND_MAX};

impl Connection {
    /// Whether a reset that names `ack_nr` answers a packet of ours, one that was sent within the
    /// last time-out, or shows in another way that it comes from the peer.
    // req: RS-01, RS-02, RS-11
    pub(super) fn is_reset_credible(&self, now: Instant, ack_nr: SeqNr) -> bool {
        // The round trip of a path that has been idle may have grown since it was measured.
        let rto_us = self.rtt.rto_us().max(RESET_ANSWER_US_MIN);
        if let Some(slot) = self.sent.get(ack_nr) {
            return slot.transmissions > 0 && now.saturating_since(slot.sent_at) <= rto_us;
        }
        // A peer that aborts names the last that it has got, whenever that was. An ack or a
        // keepalive carries the next number, and a packet may have been answered and acknowledged
        // at once.
        let behind = self.sent.first().distance_from(ack_nr);
        if behind == 1 {
            return true;
        }
        let near = ack_nr == self.sent.next() || (1..=RESET_BEHIND_MAX).contains(&behind);
        near && (self.state != State::Connected || self.sent_within(now, rto_us))
    }

    /// Whether any packet was sent in the last `us`.
    fn sent_within(&self, now: Instant, us: u64) -> bool {
        let Some(keepalive_at) = self.timers.get(Timer::Keepalive) else { return true };
        let ago_us = self.keepalive_us().saturating_sub(keepalive_at.saturating_since(now));
        ago_us <= us
    }

    /// A reset named a number that could be one of ours but was not sent lately. A peer that has
    /// forgotten the connection answers a STATE with a reset that is credible.
    pub(super) fn challenge(&mut self, now: Instant, ack_nr: SeqNr) {
        let behind = self.sent.next().distance_from(ack_nr);
        let in_window = behind <= self.sent.len().saturating_add(IN_FLIGHT_PACKETS_UNPROVEN);
        if self.state == State::Connected && in_window && now >= self.challenge_at {
            self.challenge_at = now.saturating_add(CHALLENGE_PAUSE_US);
            self.ack_pending = true;
        }
    }
}
