//! Which DATA or FIN goes next, and what holds it back.

use utp_wire::{Instant, SeqNr};

use super::{Connection, Limit, LocalFin, Timer};
use crate::config::STARVED_US_MAX;
use crate::sent_ring::Slot;
use crate::trace::TraceEvent;

impl Connection {
    /// Chooses the packet to send, making it if it is new. At most `len_max` payload bytes.
    pub(super) fn next_packet(&mut self, now: Instant, len_max: usize) -> Option<SeqNr> {
        if self.recovery.timed_out && !self.flight.granted {
            self.on_limited(now, Limit::CongestionWindow);
            return None;
        }
        if self.recovery.probe_due {
            self.recovery.probe_due = false;
            if let Some(seq_nr) = self.next_probe(now, len_max) {
                return Some(seq_nr);
            }
        }
        if self.flight.lost_count > 0 {
            return self.next_lost(now, len_max);
        }
        if self.sent.len() >= self.in_flight_packets_max() {
            self.on_limited(now, Limit::CongestionWindow);
            return None;
        }
        let unsent = self.send_queue.unsent_bytes();
        if unsent > 0 {
            return self.next_new(now, len_max, unsent);
        }
        if let Some(seq_nr) = self.next_opener(now) {
            return Some(seq_nr);
        }
        if self.local_fin == LocalFin::Queued && !self.holds_fin_for_opener() {
            if self.reason_len() > len_max {
                return None;
            }
            self.local_fin.send();
            return Some(self.push_packet(now, 0, true));
        }
        self.on_limited(now, Limit::Application);
        None
    }

    fn next_lost(&mut self, now: Instant, len_max: usize) -> Option<SeqNr> {
        let seq_nr = self.sent.next_lost()?;
        let Slot { len, fin, .. } = *self.sent.get(seq_nr)?;
        let reason_len = if fin { self.reason_len() } else { 0 };
        if usize::from(len) + reason_len > len_max {
            return None;
        }
        // The peer's window was respected when the packet was new; it may have shrunk since.
        // One that is larger than the path MTU has become is one packet still: a window of one
        // packet lets it go, and so does the credit for one.
        let len = len.min(self.payload_max);
        let fits = self.flight.in_flight_bytes + u64::from(len) <= self.controller.window_bytes();
        if !fits || !self.pacer_permits(usize::from(len)) {
            if self.flight.fast_resends > 0 {
                self.flight.fast_resends -= 1;
            } else if !self.flight.granted {
                let held = if fits { Limit::Pacing } else { Limit::CongestionWindow };
                self.on_held(now, held, usize::from(len));
                return None;
            }
        }
        Some(seq_nr)
    }

    fn next_new(&mut self, now: Instant, len_max: usize, unsent: usize) -> Option<SeqNr> {
        let full = usize::from(self.payload_max);
        let mut len = unsent.min(full).min(self.unproven_len_max().unwrap_or(full));
        if len > len_max || len == 0 {
            return None;
        }
        if self.waits_for_more(len, full) {
            self.on_limited(now, Limit::Application);
            return None;
        }
        if self.probe_pending && self.sent.is_empty() {
            // Nothing is in flight and the window is shut or tiny: send what it takes, or one byte,
            // as TCP does. A peer that has no room for it says so; some never ack an empty packet.
            self.probe_pending = false;
            self.stats.window_probes += 1;
            len = len.min(self.peer_window.max(1) as usize);
            return Some(self.push_packet(now, len, false));
        }
        if let Some(held) = self.held(len)
            && (held == Limit::PeerWindow || !self.flight.granted)
        {
            self.on_held(now, held, len);
            return None;
        }
        if self.is_to_be_withheld(len, unsent) {
            self.withhold(now, len);
            return self.next_packet(now, len_max);
        }
        Some(self.push_packet(now, len, false))
    }

    /// Minshall's variant of Nagle's rule: a packet that is not full waits while another such is
    /// on its way, and while its writer has more and was only refused for what waits here.
    fn waits_for_more(&self, len: usize, full: usize) -> bool {
        let follows = self.flight.unsent_blocked || self.recovery.last_partial.is_some();
        len < full && self.local_fin == LocalFin::Open && follows
    }

    pub(super) fn held(&self, len: usize) -> Option<Limit> {
        let in_flight = self.flight.in_flight_bytes + len as u64;
        let peer_window = u64::from(self.peer_window);
        let underflows =
            cfg!(canary = "window-underflow") && self.flight.in_flight_bytes > peer_window;
        if in_flight > peer_window && !underflows {
            Some(Limit::PeerWindow)
        } else if in_flight > self.controller.window_bytes() {
            Some(Limit::CongestionWindow)
        } else if !self.pacer_permits(len) {
            Some(Limit::Pacing)
        } else {
            None
        }
    }

    /// A packet is held back: make sure that something will let it go.
    fn on_held(&mut self, now: Instant, held: Limit, len: usize) {
        self.on_limited(now, held);
        match held {
            Limit::Application => {}
            Limit::CongestionWindow => {
                self.controller.on_window_limited(now);
                if self.flight.in_flight_bytes == 0 && !self.timers.is_set(Timer::Starved) {
                    let since = self.flight.last_data_sent_at.unwrap_or(now);
                    let at = since.saturating_add(self.rtt.rto_base_us().min(STARVED_US_MAX));
                    self.timers.set(Timer::Starved, at.max(now.saturating_add(1)));
                }
            }
            Limit::Pacing => self.on_held_by_pacing(now, len),
            Limit::PeerWindow => {
                if self.sent.is_empty() {
                    self.arm_persist(now);
                }
            }
        }
    }

    /// Nothing more is sent now, for this reason. The time until now was spent under the last one.
    fn on_limited(&mut self, now: Instant, by: Limit) {
        let since = std::mem::replace(&mut self.limited_since, now);
        let before = std::mem::replace(&mut self.limit, by);
        self.stats.limited.add(before, now.saturating_since(since));
        if by != before {
            self.trace.record(|| TraceEvent::Limited { by });
        }
    }
}
