//! How a connection ends: FIN in both directions, reset, time-out, and what runs out of time.

use utp_wire::{Header, Instant, SeqNr};

use super::flight::Flight;
use super::{Connection, LocalFin, NewId, RemoteFin, State, Timer, Transition};
use crate::config::TOMBSTONE_LIFE_US_MIN;
use crate::connection::timers::TIMERS;
use crate::endpoint::Remains;
use crate::error::ConnectionError;
use crate::sent_ring::SentRing;
use crate::trace::TraceEvent;

/// SYNs sent with one id before another is tried.
const SYN_SENDS_PER_ID: u8 = 3;

impl Connection {
    /// Ends our direction: a FIN follows the last byte. Reading goes on.
    pub fn finish(&mut self, _now: Instant) {
        if self.state != State::Closed && self.local_fin == LocalFin::Open {
            self.local_fin.queue();
        }
    }

    /// Ends the connection at once with a reset; unsent and unread bytes are lost.
    pub fn abort(&mut self, _now: Instant) {
        // Who has not proved to be there gets a reset as soon as it sends something, no sooner.
        if self.state == State::Connected {
            self.reset_pending = true;
        }
        if self.state != State::Closed {
            self.close(ConnectionError::LocallyClosed);
        }
    }

    /// The owner is done with it: what was written is still delivered, what arrives is discarded,
    /// and no event is told any more.
    pub(crate) fn release(&mut self, now: Instant) {
        self.released = true;
        self.recv_queue.discard();
        match self.state {
            State::SynReceived if self.send_queue.buffered_bytes() > 0 => self.finish(now),
            // The peer learns from the reset that answers its next packet.
            State::SynSent | State::SynReceived => self.close(ConnectionError::LocallyClosed),
            State::Connected => {
                self.finish(now);
                self.announce_window_if_it_matters();
                self.watch_stall(now);
                self.linger_if_finished(now);
            }
            State::Lingering | State::Closed => {}
        }
    }

    /// A finished connection that nobody reads from any more and that owes no ack is no more than
    /// a tombstone.
    pub(crate) fn leave_to_tombstone(&mut self) {
        if self.state == State::Lingering && self.released && !self.ack_pending {
            self.forget_sending();
            self.transition(Transition::Forgotten);
        }
    }

    /// What has to be remembered of a closed connection. Of an initiator that failed nothing: what
    /// still comes for it is a stray.
    pub(crate) fn remains(&self) -> Option<Remains> {
        let finished = self.error.is_none() && self.local_fin == LocalFin::Acked;
        (finished || self.syn_seq_nr.is_some()).then(|| Remains {
            next: self.sent.next(),
            ack_nr: self.ack_nr,
            syn_seq_nr: self.syn_seq_nr,
            finished,
            life_us: match finished {
                true => self.config.linger_us,
                false => (3 * self.rtt.rto_us()).max(TOMBSTONE_LIFE_US_MIN),
            },
        })
    }

    /// Whether nothing of the connection is needed any more.
    pub(crate) fn is_spent(&self) -> bool {
        self.state == State::Closed && self.released && !self.reset_pending
    }

    /// Whether data can flow in some direction.
    pub(super) const fn is_synchronised(&self) -> bool {
        matches!(self.state, State::Connected)
    }

    /// Ends with an error. What was received stays readable.
    pub(super) fn close(&mut self, error: ConnectionError) {
        self.error = Some(error);
        self.forget_sending();
        self.transition(Transition::Failed);
        self.trace.record(|| TraceEvent::Closed { error });
        self.events.closed();
    }

    fn forget_sending(&mut self) {
        self.timers.clear();
        self.send_queue.rest();
        self.sent = SentRing::new(self.sent.next());
        self.recovery.rest();
        self.flight.rest();
        if self.recv_queue.has_holes() {
            self.recv_queue.drop_held();
        }
        self.write_blocked = false;
        self.syn_pending = false;
        self.on_acked_all();
        self.keepalive_pending = false;
        self.forget_probing();
    }

    /// The FIN arrived and nothing before it is missing.
    pub(super) fn on_end_of_stream(&mut self, now: Instant) {
        self.remote_fin.reach(self.ack_nr);
        self.ack_due = true;
        if self.recv_queue.has_holes() {
            self.recv_queue.drop_held();
        }
        self.events.readable();
        self.linger_if_finished(now);
    }

    /// The peer has our FIN and everything before it.
    pub(super) fn on_fin_acked(&mut self, now: Instant) {
        self.local_fin.acked();
        self.events.finished();
        self.linger_if_finished(now);
    }

    /// With both directions finished only the answer to a repeated FIN is left to give. A released
    /// connection does not wait for the peer's FIN: libutp and its kin often send none.
    fn linger_if_finished(&mut self, now: Instant) {
        let remote_done = self.released || matches!(self.remote_fin, RemoteFin::Reached(_));
        if self.state != State::Connected || self.local_fin != LocalFin::Acked || !remote_done {
            return;
        }
        self.transition(Transition::Finished);
        let (ack_pending, ack_due) = (self.ack_pending, self.ack_due);
        self.forget_sending();
        (self.ack_pending, self.ack_due) = (ack_pending, ack_due);
        self.linger(now);
    }

    /// Stays a while from now on.
    pub(super) fn linger(&mut self, now: Instant) {
        self.timers.set(Timer::Linger, now.saturating_add(self.config.linger_us));
    }

    /// A reset that carries one of our ids. Says whether it was believed (see `reset.rs`).
    pub(crate) fn handle_reset(&mut self, now: Instant, header: &Header) -> bool {
        match self.state {
            State::Closed => return false,
            State::SynSent => {
                if header.ack_nr != self.sent.first().previous() {
                    return false;
                }
                self.close(ConnectionError::Refused);
                return true;
            }
            State::SynReceived | State::Connected | State::Lingering => {
                if !self.is_reset_credible(now, header.ack_nr) {
                    self.challenge(now, header.ack_nr);
                    return false;
                }
            }
        }
        if self.state == State::Lingering {
            self.forget_sending();
            self.transition(Transition::Forgotten);
        } else if self.is_only_fin_outstanding() {
            // A libutp that closed first never acks our FIN: it is gone, and says so. All our data
            // had arrived before, so this is the end both sides wanted (quirk Q4).
            while self.sent.pop().is_some() {}
            self.on_fin_acked(now);
        } else if self.released && self.local_fin == LocalFin::Acked {
            self.forget_sending();
            self.transition(Transition::Forgotten);
        } else {
            self.close(ConnectionError::Reset);
        }
        true
    }

    fn is_only_fin_outstanding(&self) -> bool {
        let first = self.sent.get(self.sent.first());
        matches!(self.remote_fin, RemoteFin::Reached(_))
            && self.local_fin == LocalFin::Sent
            && self.sent.len() == 1
            && first.is_some_and(|slot| slot.fin)
    }

    /// The network says that nobody is there. Believed only before the handshake is done: such a
    /// message is easily forged (RFC 5927).
    pub(crate) fn handle_unreachable(&mut self) {
        if self.state == State::SynSent {
            self.close(ConnectionError::Refused);
        }
    }

    /// The network says that nobody is there to take our FIN. A peer that has finished and had all
    /// our data may well be gone: a program that ends does not stay to ack a FIN. This is the end
    /// that both sides wanted; in any other situation the message is not believed.
    pub(crate) fn handle_unreachable_fin(&mut self, now: Instant, seq_nr: SeqNr) {
        if self.is_only_fin_outstanding() && self.sent.first() == seq_nr {
            while self.sent.pop().is_some() {}
            self.on_fin_acked(now);
        }
    }

    /// The same SYN again: the SYN-ACK was lost, or is late. One answer each, with the same number.
    /// Says whether it is the same. `tells` is whether this copy told of holding more: otherwise
    /// the answer must not either, or it were longer than the SYN.
    pub(crate) fn handle_repeated_syn(&mut self, syn: &Header, tells: bool) -> bool {
        let same = self.syn_seq_nr == Some(syn.seq_nr);
        if same && self.state == State::SynReceived {
            self.ack_pending = true;
            self.announces_holding_more &= tells;
        } else {
            self.stats.packets_dropped += 1;
        }
        same
    }

    /// A finished connection gives way to a new one with the same id, but not to a late copy of the
    /// SYN that opened it.
    pub(crate) fn gives_way(&mut self, syn: &Header) -> bool {
        if self.state == State::Lingering && self.syn_seq_nr != Some(syn.seq_nr) {
            self.forget_sending();
            self.transition(Transition::Forgotten);
        }
        self.state == State::Closed
    }

    /// Acts on every timer that is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        // Time in which nobody ran us is no silence of the peer.
        let late_us = self.stood_still_us(now);
        if late_us > 0 {
            let Flight { last_progress_at, stalled_since, .. } = &mut *self.flight;
            *last_progress_at = last_progress_at.saturating_add(late_us).min(now);
            *stalled_since = stalled_since.saturating_add(late_us).min(now);
        }
        if let Some(at) = self.timers.get(Timer::Stalled) {
            self.timers.set(Timer::Stalled, at.saturating_add(late_us));
        }
        for timer in TIMERS {
            if self.state == State::Closed {
                return;
            }
            if self.timers.take_due(timer, now) {
                self.on_timer(now, timer);
            }
        }
    }

    fn on_timer(&mut self, now: Instant, timer: Timer) {
        match timer {
            Timer::Connect | Timer::Unproven => self.close(ConnectionError::TimedOut),
            Timer::Idle => self.on_silence(now),
            Timer::Keepalive => {
                self.keepalive_pending = true;
                // As its sending will: otherwise the next deadline would be another meanwhile.
                self.timers.set(Timer::Keepalive, now.saturating_add(self.keepalive_us()));
                self.release_idle_memory();
            }
            Timer::Opener => self.on_opener_timer(),
            Timer::Linger => {
                self.forget_sending();
                self.transition(Transition::Forgotten);
            }
            // That it is looked at is all it needs.
            Timer::Pace => {}
            Timer::Persist => self.probe_pending = true,
            Timer::Probe => self.on_probe_timer(now),
            Timer::Reorder => self.detect_losses(now, 0),
            Timer::Rto => self.on_rto(now),
            Timer::Stalled => self.give_up_stalled(),
            Timer::Starved => self.on_starved(now),
            Timer::Syn => {
                if self.syn_sends >= SYN_SENDS_PER_ID && self.new_id == NewId::Unused {
                    self.new_id = NewId::Wanted;
                } else {
                    self.syn_pending = true;
                }
            }
        }
    }
}
