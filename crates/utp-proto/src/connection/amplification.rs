//! How much is sent towards a peer that has not shown that it receives what we send.
//!
//! The initiator of an accepted connection has acknowledged a number of 16 bits, which somebody who
//! forges the address of another may have guessed. Until it acknowledges data of ours, no more than
//! three times of what came from it goes there (RFC 9000 section 8.1 has the idea), one packet at a
//! time, with two resends. Each further packet of the peer gives it more, so that nothing waits for
//! ever.

use utp_wire::{HEADER_LEN, Instant};

use super::extension_bits::REPEATED_LEN;
use super::{Burst, Connection, LocalFin, Timer};
use crate::config::{UNPROVEN_FACTOR, UNPROVEN_RESENDS_MAX};

/// What may be sent to a peer that has acknowledged nothing of ours. What answers SYNs is not
/// charged, nor are they, but for one: an answer is never larger than its SYN.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unproven {
    /// In bytes. More than fits is not allowed either.
    room: u16,
    /// Since the last packet of the peer.
    resends: u8,
}

impl Connection {
    /// A datagram of the peer was taken.
    pub(super) fn charge_received(&mut self, datagram_bytes: usize) {
        if let Some(unproven) = &mut self.unproven {
            let bytes = u16::try_from(datagram_bytes).unwrap_or(u16::MAX);
            unproven.room = unproven.room.saturating_add(bytes.saturating_mul(UNPROVEN_FACTOR));
            unproven.resends = 0;
            self.timers.stop(Timer::Unproven);
        }
    }

    /// The longest payload that leaves room for its resends, while the peer is unproven. A peer
    /// that has sent no more than a header gets a few bytes and fewer resends: there are stacks
    /// that drop DATA without payload.
    pub(super) fn unproven_len_max(&self) -> Option<usize> {
        let room = usize::from(self.unproven?.room);
        let copies_max = 1 + usize::from(UNPROVEN_RESENDS_MAX);
        let lens = (1..=copies_max).rev().map(|copies| (room / copies).saturating_sub(HEADER_LEN));
        Some(lens.into_iter().find(|len| *len > 0).unwrap_or(0))
    }

    /// The SYN was answered with as many bytes as it had: of three times as much, two are left.
    pub(crate) fn charge_syn_ack(&mut self, datagram_bytes: usize) {
        if let Some(unproven) = &mut self.unproven {
            let bytes = u16::try_from(datagram_bytes).unwrap_or(u16::MAX);
            unproven.room = unproven.room.saturating_add(bytes.saturating_mul(UNPROVEN_FACTOR - 1));
            unproven.resends = 0;
        }
    }

    /// What was written waits for an initiator that may have nothing to say itself: it is asked,
    /// once for each SYN, with a packet that it has already. Its ack proves it, and tells whether
    /// it counts the SYN-ACK, which our first packet cannot do without.
    ///
    /// The timer of [`Connection::answer_syn`] holds it back: what comes before the SYN-ACK ends
    /// the SYNs of libutp's initiator, which then waits for the SYN-ACK for ever.
    pub(super) fn transmit_question_to_unproven(
        &mut self,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Option<Burst> {
        let waits = self.send_queue.unsent_bytes() > 0 || self.local_fin == LocalFin::Queued;
        let unproven = self.unproven.as_mut()?;
        let room = unproven.room.checked_sub(REPEATED_LEN)?;
        if !waits || unproven.resends > 0 || self.timers.is_set(Timer::Opener) {
            return None;
        }
        unproven.room = room;
        unproven.resends += 1;
        Some(self.emit_repeated(now, self.sent.first().previous(), false, out))
    }

    /// What is sent while the peer is unproven.
    // req: HS-13
    pub(super) fn transmit_to_unproven(
        &mut self,
        now: Instant,
        out: &mut Vec<u8>,
    ) -> Option<Burst> {
        let unproven = self.unproven?;
        let room = usize::from(unproven.room);
        let holes = self.may_ack() && self.recv_queue.has_holes();
        let ack_bytes = if holes { self.holes_len() } else { HEADER_LEN };
        if room < ack_bytes {
            self.limit_wait_for_room(now);
            return None;
        }
        let resend = !self.sent.is_empty();
        let burst = match holes {
            true => self.transmit_ack(now, out),
            false => self
                .transmit_data_to_unproven(now, unproven, out)
                .inspect(|_| {
                    if let Some(unproven) = &mut self.unproven {
                        unproven.resends += u8::from(resend);
                    }
                })
                .or_else(|| self.transmit_ack(now, out))
                .or_else(|| self.transmit_keepalive_to_unproven(now, room, out))
                .or_else(|| self.transmit_liveness_probe(now, out)),
        };
        let Some(burst) = burst else {
            self.limit_wait_for_room(now);
            return None;
        };
        if let Some(unproven) = &mut self.unproven {
            let bytes = u16::try_from(burst.size).unwrap_or(u16::MAX);
            unproven.room = unproven.room.saturating_sub(bytes);
        }
        Some(burst)
    }

    /// A keepalive, if it leaves room for the end of the stream and its resends: a peer that has
    /// finished sends none itself, and what it was charged for would be used up in a minute.
    fn transmit_keepalive_to_unproven(
        &mut self,
        now: Instant,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Option<Burst> {
        let fins = 1 + usize::from(UNPROVEN_RESENDS_MAX);
        if room < (1 + fins) * HEADER_LEN {
            return None;
        }
        self.transmit_keepalive(now, out)
    }

    /// Only another packet of the peer makes room. If none comes, what waits for it must not do so
    /// for ever.
    fn limit_wait_for_room(&mut self, now: Instant) {
        let waits = self.send_queue.unsent_bytes() > 0 || self.local_fin == LocalFin::Queued;
        if waits && self.sent.is_empty() && !self.timers.is_set(Timer::Unproven) {
            self.timers.set(Timer::Unproven, now.saturating_add(self.config.give_up_us));
        }
    }

    /// The length of an ack that names what is held.
    fn holes_len(&self) -> usize {
        HEADER_LEN + 2 + self.recv_queue.selective_ack(self.ack_nr).mask_len()
    }

    /// One packet, or the one that is lost again.
    fn transmit_data_to_unproven(
        &mut self,
        now: Instant,
        unproven: Unproven,
        out: &mut Vec<u8>,
    ) -> Option<Burst> {
        // The time-out finds what is lost early enough.
        self.recovery.probe_due = false;
        if let Some(outstanding) = self.sent.get(self.sent.first()) {
            let bytes = HEADER_LEN + usize::from(outstanding.len);
            let exhausted =
                unproven.resends >= UNPROVEN_RESENDS_MAX || bytes > usize::from(unproven.room);
            if self.flight.lost_count == 0 || exhausted {
                return None;
            }
        }
        self.transmit_data(now, std::num::NonZeroUsize::MIN, out)
    }
}
