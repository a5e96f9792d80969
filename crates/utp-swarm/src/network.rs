//! What the network does to each packet.

use crate::op::{Conditions, Flips};
use crate::pair::{Draws, Fate, Seen};

/// Both directions, named by the side that sends.
pub(crate) struct Network {
    pub(crate) conditions: [Conditions; 2],
    /// Nothing gets through before this time.
    pub(crate) dark_until_us: [u64; 2],
    /// Bits flipped so far.
    pub(crate) flipped: u64,
    flips: Flips,
    burst_left: [u16; 2],
    draws: Draws,
    /// A line for each packet, if somebody wants to see them.
    pub(crate) lines: Option<Vec<String>>,
}

impl Network {
    pub(crate) fn new(seed: u64, flips: Flips, traced: bool) -> Self {
        Self {
            conditions: [Conditions::default(); 2],
            dark_until_us: [0; 2],
            flipped: 0,
            flips,
            burst_left: [0; 2],
            draws: Draws(seed ^ 0x006e_6574),
            lines: traced.then(Vec::new),
        }
    }

    /// No faults any more.
    pub(crate) fn heal(&mut self) {
        self.conditions = [Conditions::default(); 2];
        self.dark_until_us = [0; 2];
        self.burst_left = [0; 2];
    }

    pub(crate) fn fate(&mut self, seen: &Seen) -> Fate {
        let fate = self.draw(seen);
        if let Some(lines) = &mut self.lines {
            lines.push(format!(
                "{:>14} {} {:?} id {} seq {} ack {} len {} of {}{}{} {fate:?}",
                seen.at.as_micros(),
                ["0 ->", "1 ->"][seen.from],
                seen.packet_type,
                seen.connection_id,
                seen.seq_nr,
                seen.ack_nr,
                seen.payload_len,
                seen.len,
                if seen.dont_fragment { "" } else { " may-fragment" },
                if seen.has_selective_ack { " sack" } else { "" },
            ));
        }
        fate
    }

    fn draw(&mut self, seen: &Seen) -> Fate {
        let from = seen.from;
        let conditions = self.conditions[from];
        if seen.at.as_micros() < self.dark_until_us[from] {
            return Fate::Drop;
        }
        if self.burst_left[from] > 0 {
            self.burst_left[from] -= 1;
            return Fate::Drop;
        }
        if conditions == Conditions::default() {
            return Fate::Deliver;
        }
        if self.draws.chance(conditions.loss.into()) {
            self.burst_left[from] = conditions.burst.saturating_sub(1);
            return Fate::Drop;
        }
        if self.draws.chance(conditions.flip.into())
            && let Some(bit) = self.bit()
        {
            self.flipped += 1;
            return Fate::Flip(bit);
        }
        let late_us = u64::from(conditions.late_us) + 1;
        if self.draws.chance(conditions.duplication.into()) {
            return Fate::Duplicate(self.draws.next() % late_us);
        }
        if self.draws.chance(conditions.reordering.into()) {
            return Fate::Delay(self.draws.next() % late_us);
        }
        Fate::Deliver
    }

    /// A bit of the header that may be flipped.
    fn bit(&mut self) -> Option<u16> {
        // The low half of the first byte is the version; bits are counted from the lowest.
        let bit = u16::try_from(self.draws.next() % 160).unwrap_or(0);
        let allowed = match (self.flips, bit) {
            (Flips::All, _) => true,
            (Flips::Never, _) => false,
            // Type, first extension, number; and the id, since a packet without a connection may by
            // chance acknowledge what makes it the first of one, while the half-open table is full.
            (_, 4..32 | 128..144) => false,
            (Flips::Harmless, 144..160) => false,
            _ => true,
        };
        allowed.then_some(bit)
    }
}
