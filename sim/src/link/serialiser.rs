//! How long a packet's bits take to leave, in integer nanoseconds without drift.

use super::opportunities::Opportunities;
use crate::scenario::Rate;
use crate::time::Ns;

const BIT_NANOSECONDS_PER_BYTE: u64 = 8 * 1_000_000_000;

/// A transmitter's rate and where it is within a busy period.
#[derive(Debug)]
pub(super) struct Serialiser {
    rate: Rate,
    /// What the last division left over, for a constant rate.
    ///
    /// Within a busy period the remainder is carried into the next packet, so that the end of
    /// packet `n` is the exact quotient of all bits so far, rounded down once. A new busy period
    /// begins at a whole nanosecond and carries nothing.
    remainder: u64,
    /// For a trace.
    opportunities: Opportunities,
}

impl Serialiser {
    pub(super) fn new(rate: &Rate) -> Self {
        Self { rate: rate.clone(), remainder: 0, opportunities: Opportunities::default() }
    }

    /// Takes another rate, from the next packet on.
    pub(super) fn set(&mut self, rate: &Rate) {
        if self.rate != *rate {
            *self = Self::new(rate);
        }
    }

    /// Begins a busy period.
    pub(super) const fn restart(&mut self) {
        self.remainder = 0;
        self.opportunities.restart();
    }

    /// When the next packet of the busy period, begun at `now`, has left.
    pub(super) fn next(&mut self, now: Ns, bytes: u32) -> Ns {
        match &self.rate {
            Rate::Unlimited => now,
            Rate::Constant(bps) => {
                let work = u64::from(bytes) * BIT_NANOSECONDS_PER_BYTE + self.remainder;
                self.remainder = work % bps;
                now + Ns(work / bps)
            }
            Rate::Trace(trace) => self.opportunities.next(trace, now, bytes),
        }
    }

    /// When `bytes` more would have left if they followed from `now` on, the end of a packet.
    pub(super) fn end(&self, now: Ns, bytes: u64) -> Ns {
        match &self.rate {
            Rate::Unlimited => now,
            Rate::Constant(bps) => {
                let work = u128::from(bytes) * u128::from(BIT_NANOSECONDS_PER_BYTE);
                let span = (work + u128::from(self.remainder)) / u128::from(*bps);
                Ns(now.0.saturating_add(u64::try_from(span).unwrap_or(u64::MAX)))
            }
            Rate::Trace(trace) => self.opportunities.end(trace, now, bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serialiser(bps: u64) -> Serialiser {
        Serialiser::new(&Rate::Constant(bps))
    }

    #[test]
    fn a_million_packets_in_a_row_carry_no_bias() {
        // 7 Mbit/s does not divide a byte's time: each packet alone would be rounded down.
        let mut serialiser = serialiser(7_000_000);
        let mut end = Ns::ZERO;
        let mut bits_sent: u128 = 0;
        for count in 0..1_000_000_u32 {
            let bytes = 41 + count % 1_460;
            end = serialiser.next(end, bytes);
            bits_sent += u128::from(bytes) * 8;
            let exact = bits_sent * 1_000_000_000 / 7_000_000;
            assert_eq!(u128::from(end.0), exact, "after {count} packets");
        }
    }

    #[test]
    fn a_new_busy_period_carries_nothing() {
        let mut serialiser = serialiser(3);
        assert_eq!(serialiser.next(Ns::ZERO, 1), Ns(2_666_666_666));
        serialiser.restart();
        assert_eq!(serialiser.next(Ns::ZERO, 1), Ns(2_666_666_666));
        assert_eq!(serialiser.next(Ns::ZERO, 1), Ns(2_666_666_667));
    }

    #[test]
    fn an_end_foretells_what_packets_will_take() {
        let mut serialiser = serialiser(7_000_000);
        let now = serialiser.next(Ns(5), 100);
        let foretold = serialiser.end(now, 1_500 + 40);
        let first = serialiser.next(now, 1_500);
        assert_eq!(foretold, serialiser.next(first, 40));
    }

    #[test]
    fn without_a_rate_nothing_takes_time() {
        let mut serialiser = Serialiser::new(&Rate::Unlimited);
        assert_eq!(serialiser.next(Ns(3), 1_500), Ns(3));
        assert_eq!(serialiser.end(Ns(3), 1_500), Ns(3));
    }

    #[test]
    fn another_rate_begins_with_the_next_packet() {
        let mut serialiser = serialiser(8_000_000);
        let end = serialiser.next(Ns::ZERO, 1_500);
        serialiser.set(&Rate::Constant(80_000_000));
        assert_eq!(serialiser.next(end, 1_500), Ns::from_micros(1_650));
    }
}
