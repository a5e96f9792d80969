//! The packet that lets the peer's acceptor speak.
//!
//! libutp's acceptor neither speaks nor takes a FIN before it has seen DATA. What the application
//! writes is such a packet. If it writes nothing, an empty one serves, but only with libutp and
//! ours: other stacks drop DATA without payload, so that its number would be a hole for ever, and
//! they need none. Which of both the peer is, it tells itself: an empty DATA packet with the number
//! of our SYN is acknowledged by whoever takes such packets, as any that it has already, and uses
//! up no number of the stream. The empty packet with a number of its own follows upon that.

use utp_wire::{Header, Instant, PacketType, SeqNr};

use super::{Burst, Connection, LocalFin, Timer};
use crate::config::{OPENER_QUESTIONS, OPENER_SILENT_US};

/// How far the opening has come, and how often the peer was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opener {
    /// The peer has seen DATA, speaks without it, or takes no empty packet.
    Unneeded,
    /// No question was answered: the peer takes no empty packet, or the network took them all.
    Unanswered,
    /// Nobody has said anything yet.
    Waiting,
    /// The peer is to be asked.
    Asking(u8),
    Asked(u8),
    /// The peer takes empty packets.
    Due,
    /// The first number of the stream is that of an empty packet.
    Sent,
}

impl Opener {
    /// Whether it is not known yet if the packet is needed.
    const fn is_open(self) -> bool {
        !matches!(self, Self::Unneeded | Self::Unanswered | Self::Due | Self::Sent)
    }

    /// Whether a question or the packet is to go.
    pub(super) const fn wants_to_send(self) -> bool {
        matches!(self, Self::Asking(_) | Self::Due)
    }

    const fn asked(self) -> u8 {
        match self {
            Self::Asking(times) | Self::Asked(times) => times,
            _ => 0,
        }
    }
}

impl Connection {
    /// The SYN was answered. An ack of that goes at once, unless data does: acceptors exist that
    /// give up without.
    pub(super) fn begin_opener(&mut self, now: Instant) {
        self.ack_pending = true;
        self.ack_due = true;
        self.timers.set(Timer::Opener, now.saturating_add(OPENER_SILENT_US));
    }

    /// The peer needs no empty packet (any more).
    pub(super) fn drop_opener(&mut self) {
        if !matches!(self.opener, Opener::Unneeded | Opener::Sent) {
            self.opener = Opener::Unneeded;
            self.timers.stop(Timer::Opener);
        }
    }

    /// The empty packet itself, if it is its turn.
    pub(super) fn next_opener(&mut self, now: Instant) -> Option<SeqNr> {
        if self.opener != Opener::Due {
            return None;
        }
        let seq_nr = self.push_packet(now, 0, false);
        self.opener = Opener::Sent;
        Some(seq_nr)
    }

    /// Both sides have been silent for a while, or the question was not answered. One that never is
    /// was put to a peer that drops empty packets, or into an outage.
    pub(super) fn on_opener_timer(&mut self) {
        let asked = self.opener.asked();
        if asked >= OPENER_QUESTIONS {
            self.opener = Opener::Unanswered;
        } else if self.opener.is_open() {
            self.opener = Opener::Asking(asked);
            self.ack_pending = true;
            self.ack_due = true;
        }
    }

    /// The peer was heard after it had been silent for long and was probed. If it was a question
    /// that it never answered, it may be an acceptor that still cannot speak: it is asked anew.
    pub(super) fn reopen_opener(&mut self, probes: u8) {
        if self.opener == Opener::Unanswered && self.local_fin == LocalFin::Open {
            self.opener = Opener::Asking(0);
            // The answers to the probes look like those to questions, and may be late.
            self.syn_sends = probes;
        }
    }

    /// A packet of the peer was believed; nothing of it has been noted yet. A SYN-ACK that comes
    /// once more is no answer: there is one for each SYN, one more from a peer that has not got our
    /// ack in time, and the network may copy it.
    pub(super) fn hear_opener_answer(&mut self, header: &Header) {
        if !self.opener.is_open() && self.opener != Opener::Unanswered {
            return;
        }
        if header.packet_type != PacketType::State {
            return self.drop_opener();
        }
        let asked = self.opener.asked() > 0;
        let copied = header.timestamp_microseconds == self.peer_window_stamp;
        if !asked || copied || header.ack_nr != self.sent.first().previous() {
            return;
        }
        if self.syn_sends > 0 {
            self.syn_sends -= 1;
            self.opener = Opener::Asking(self.opener.asked());
        } else {
            self.opener = Opener::Due;
            self.timers.stop(Timer::Opener);
        }
    }

    /// Whether our FIN has to wait, since the peer may not take it before it has seen DATA.
    pub(super) fn holds_fin_for_opener(&mut self) -> bool {
        if self.opener == Opener::Waiting {
            self.opener = Opener::Asking(0);
        }
        self.opener.is_open()
    }

    /// Asks whether the peer takes empty packets.
    pub(super) fn transmit_opener_question(
        &mut self,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Option<Burst> {
        let Opener::Asking(asked) = self.opener else { return None };
        self.opener = Opener::Asked(asked + 1);
        let pause_us = self.rtt.rto_base_us() << asked;
        self.timers.set(Timer::Opener, now.saturating_add(pause_us));
        let header = self.header(now, PacketType::Data, self.sent.first().previous());
        Some(self.emit(now, &header, out))
    }
}
