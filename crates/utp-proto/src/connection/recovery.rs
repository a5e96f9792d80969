//! What the controller is told of losses: one cut per round trip, and the undoing of cuts and
//! time-outs that turn out needless (RFC 3522, RFC 5682).
//!
//! `loss.rs` says what is lost. Losses found between a cut and the next are an *episode*: they
//! have one cause, and one cut answers them all.

use std::collections::VecDeque;

use utp_ledbat::Loss;
use utp_wire::{Instant, SeqNr};

use super::{Connection, Delivered};
use crate::lazy::AtRest;
use crate::sent_ring::{Slot, SlotState};
use crate::trace::{CutCause, ResendCause, TraceEvent};

/// What the acks of the present flight have shown: the latest episode, the tail-loss probe, and
/// what the loss rule goes by. At rest when nothing is outstanding.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// The latest transmission known to have arrived.
    pub(super) delivered: Option<Delivered>,
    /// Resends in the order they were made, for the loss rule.
    pub(super) resends: VecDeque<(u64, SeqNr)>,
    /// Highest number named by a selective ack.
    pub(super) sacked_to: Option<SeqNr>,
    /// The last packet sent with less than a full payload.
    pub(super) last_partial: Option<SeqNr>,
    /// Transmissions below this number were made before the last cut.
    point: u64,
    /// Packets of the episode of which it is not known whether they were lost.
    suspects: u16,
    /// Number of the episode, in a circle; 0 is none.
    episode: u8,
    /// A packet of the episode was lost.
    proven: bool,
    /// The controller has to be told of a new episode.
    cut_due: bool,
    /// A time-out has expired and nothing was acknowledged since.
    pub(super) timed_out: bool,
    /// A time-out was taken for needless because its resend was acknowledged so soon.
    undone: bool,
    /// How long nothing was acknowledged around the last time-outs, in microseconds.
    silent_us: u64,
    /// A probe is to be sent.
    pub(super) probe_due: bool,
    /// The present flight has been probed.
    pub(super) probed: bool,
    /// The loss of the packet that was repeated as a probe is news to the controller.
    pub(super) probe_tells: bool,
}

/// What one received packet proved lost.
#[derive(Debug, Default)]
pub(super) struct Lost {
    pub(super) packets: u32,
    pub(super) bytes: u64,
    /// Some are larger than what has arrived since they were sent.
    pub(super) perhaps_too_large: bool,
}

impl AtRest for Recovery {
    const AT_REST: &'static Self = &Self {
        delivered: None,
        resends: VecDeque::new(),
        sacked_to: None,
        last_partial: None,
        point: 0,
        suspects: 0,
        episode: 0,
        proven: false,
        cut_due: false,
        timed_out: false,
        undone: false,
        silent_us: 0,
        probe_due: false,
        probed: false,
        probe_tells: false,
    };
}

impl Recovery {
    /// Whether a packet that was sent as number `tx_nr` was sent after the last cut.
    pub(super) const fn is_news(&self, tx_nr: u64) -> bool {
        tx_nr >= self.point
    }

    /// The first ack after time-outs, `silent_us` after the one before.
    pub(super) const fn on_silence_over(&mut self, silent_us: u64) {
        self.timed_out = false;
        self.silent_us = silent_us;
    }

    /// A packet that was sent once has measured the path: it is as long as was thought.
    pub(super) const fn on_sample(&mut self) {
        self.undone = false;
    }

    fn begin(&mut self, next_tx_nr: u64) {
        self.point = next_tx_nr;
        self.suspects = 0;
        self.episode = self.episode.checked_add(1).unwrap_or(1);
        self.proven = false;
        self.probe_tells = false;
    }

    /// Takes note of a packet that is held to be lost; returns its episode.
    pub(super) fn suspect(&mut self, tx_nr: u64, next_tx_nr: u64) -> u8 {
        if self.is_news(tx_nr) {
            self.begin(next_tx_nr);
            self.cut_due = true;
        }
        self.suspects = self.suspects.saturating_add(1);
        self.episode
    }
}

impl Connection {
    /// Tells the controller of losses: of news, which calls for a cut, or of more of what was sent
    /// before the last cut, which has answered it.
    pub(super) fn report_loss(&mut self, now: Instant, lost: &Lost) {
        let before_bytes = self.controller.window_bytes();
        let loss = Loss {
            now,
            bytes_lost: lost.bytes,
            in_flight_bytes: self.flight.in_flight_bytes + lost.bytes,
            srtt_us: self.rtt.srtt_us(),
        };
        if std::mem::take(&mut self.recovery.cut_due) {
            self.reorder.on_recovery();
            self.controller.on_loss(&loss);
        } else {
            self.controller.on_more_loss(&loss);
        }
        self.trace_cut(CutCause::Loss, before_bytes);
    }

    /// Begins the episode of a time-out; returns its number. Time-outs in a row are one.
    pub(super) fn begin_timeout(&mut self) -> u8 {
        if !self.recovery.timed_out {
            self.recovery.begin(self.next_tx_nr);
        }
        if std::mem::take(&mut self.recovery.undone) {
            // Another one at once: it is the path that has become shorter.
            self.rtt.forget_min();
        }
        self.recovery.cut_due = false;
        self.recovery.timed_out = true;
        self.recovery.episode
    }

    /// Tells the controller of a time-out.
    pub(super) fn report_timeout(&mut self, now: Instant, in_flight_bytes: u64) {
        let before_bytes = self.controller.window_bytes();
        self.controller.on_timeout(now, in_flight_bytes.max(1));
        self.trace_cut(CutCause::TimeOut, before_bytes);
    }

    pub(super) fn trace_cut(&mut self, cause: CutCause, before_bytes: u64) {
        let window_bytes = self.controller.window_bytes();
        if window_bytes != before_bytes {
            self.trace.record(|| TraceEvent::Cut { cause, before_bytes, window_bytes });
        }
    }

    /// A packet that was held to be lost, or repeated as a probe, is acknowledged, `rtt_us` after
    /// it was last sent. What does that say of the loss?
    pub(super) fn judge_loss(&mut self, now: Instant, slot: &Slot, rtt_us: u32) {
        let Some(cause) = slot.cause else { return };
        let waiting = slot.state() == SlotState::Lost;
        let of_first_copy = match slot.transmissions {
            0 | 1 => true,
            // Well below any round trip: with less, jitter would look like proof.
            _ => self.rtt.min_us().is_some_and(|min| u64::from(rtt_us) * 4 < u64::from(min) * 3),
        };
        if of_first_copy && slot.transmissions > 1 {
            self.stats.retransmissions_spurious += 1;
        }
        match cause {
            ResendCause::Probe if !of_first_copy => self.on_tail_lost(now, slot),
            ResendCause::Probe => {}
            _ if slot.episode != self.recovery.episode => {}
            ResendCause::Overtaken if of_first_copy => {
                self.recovery.suspects = self.recovery.suspects.saturating_sub(1);
                if self.recovery.suspects == 0 && !self.recovery.proven {
                    self.undo_cut(now);
                }
            }
            // All of them are held to be lost, and the others were never sent again: only the
            // answer to the first copy of one that was tells a late path from a lossy one.
            ResendCause::TimeOut if of_first_copy && !waiting => {
                if !self.recovery.proven {
                    self.recovery.undone = slot.transmissions > 1;
                    let silent_us = match self.recovery.timed_out {
                        true => now.saturating_since(self.flight.last_progress_at),
                        false => self.recovery.silent_us,
                    };
                    self.rtt.on_needless_timeouts(silent_us);
                    self.return_to_flight();
                    self.undo_cut(now);
                }
            }
            ResendCause::TimeOut => {}
            ResendCause::Overtaken => self.recovery.proven = true,
        }
    }

    /// The probe was answered, so that what it repeated had been lost: a loss like any other.
    fn on_tail_lost(&mut self, now: Instant, slot: &Slot) {
        if !std::mem::take(&mut self.recovery.probe_tells) {
            return;
        }
        self.recovery.begin(self.next_tx_nr);
        self.recovery.proven = true;
        self.recovery.cut_due = true;
        self.stats.losses_detected += 1;
        self.report_loss(
            now,
            &Lost { packets: 1, bytes: slot.len.into(), perhaps_too_large: false },
        );
    }

    fn undo_cut(&mut self, now: Instant) {
        self.recovery.proven = true;
        self.stats.cuts_undone += 1;
        let before_bytes = self.controller.window_bytes();
        self.controller.on_spurious_loss(now);
        self.trace_cut(CutCause::Undone, before_bytes);
    }

    /// The path was late, not lossy: what a time-out took for lost is on its way still.
    fn return_to_flight(&mut self) {
        let first = self.sent.first();
        let mut cursor = None;
        for offset in (0..self.sent.len()).rev() {
            let seq_nr = first.add(offset);
            let Some(slot) = self.sent.get_mut(seq_nr) else { continue };
            if slot.cause != Some(ResendCause::TimeOut) || slot.transmissions == 0 {
                continue;
            }
            match slot.state() {
                SlotState::Lost => {
                    slot.cause = None;
                    self.flight.in_flight_bytes += u64::from(slot.len);
                    self.flight.lost_count -= 1;
                    self.sent.set_state(seq_nr, SlotState::InFlight);
                    cursor = Some(seq_nr);
                }
                // The cursor would wait for it while others are due.
                SlotState::InFlight => self.recovery.resends.push_front((slot.tx_nr, seq_nr)),
                SlotState::Acked => {}
            }
        }
        if let Some(cursor) = cursor {
            self.loss_cursor = cursor;
        }
    }
}
