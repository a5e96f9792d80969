//! The clock of the peer, and the stamps that its packets get from it.

use std::time::Instant;

use super::Peer;
use crate::conformance::packet::Packet;

/// The clock whose time the packets of the peer carry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: Instant,
    offset_us: u32,
    /// How much faster than the real time it goes, in millionths.
    ppm: i32,
}

impl Clock {
    pub(super) const fn starting_at(origin: Instant) -> Self {
        Self { origin, offset_us: START_US, ppm: 0 }
    }

    /// What it shows at a moment.
    pub(super) fn stamp_us(self, at: Instant) -> u32 {
        let elapsed = at.saturating_duration_since(self.origin).as_micros() & u128::from(u32::MAX);
        let elapsed_us = u32::try_from(elapsed).expect("masked");
        self.offset_us.wrapping_add(elapsed_us).wrapping_add(self.gained_us(at))
    }

    /// What its rate has added until a moment, modulo 2^32.
    pub(super) fn gained_us(self, at: Instant) -> u32 {
        let elapsed_s = at.saturating_duration_since(self.origin).as_secs_f64();
        let gained_us = elapsed_s * f64::from(self.ppm);
        #[expect(clippy::cast_possible_truncation, reason = "a case lasts no years")]
        let gained_us = gained_us as i32;
        gained_us.cast_unsigned()
    }
}

impl Peer {
    /// The packet with the stamps that it would get if it were sent now.
    pub(crate) fn stamped(&self, packet: &Packet) -> Packet {
        let mut packet = packet.clone();
        if self.has_no_clock {
            return packet.stamp_us(0).diff_us(0);
        }
        packet.stamp_us.get_or_insert_with(|| self.clock.stamp_us(Instant::now()));
        packet.diff_us.get_or_insert(self.last_delay_us);
        packet
    }

    /// What the clock of the peer shows at a moment.
    pub(crate) fn clock_us(&self, at: Instant) -> u32 {
        self.clock.stamp_us(at)
    }

    /// Puts the clock of the peer forward, or back modulo 2^32.
    pub(crate) const fn shift_clock_us(&mut self, by_us: u32) {
        self.clock.offset_us = self.clock.offset_us.wrapping_add(by_us);
    }

    /// Has the clock of the peer go faster by so many millionths from now on, and lets it show the
    /// same now.
    pub(crate) fn set_clock_ppm(&mut self, ppm: i32) {
        let now = Instant::now();
        let shown_us = self.clock.stamp_us(now);
        self.clock = Clock { origin: now, offset_us: shown_us, ppm };
    }

    /// Has all stamps be 0 from now on, as of a peer that has no clock.
    pub(crate) const fn lose_clock(&mut self) {
        self.has_no_clock = true;
    }
}

/// What the clock shows at the start of each case: neither 0 nor about to wrap.
const START_US: u32 = 0x1234_5678;
