//! How long a packet's bits take to leave, in integer nanoseconds without drift.

use crate::time::Ns;

const BIT_NANOSECONDS_PER_BYTE: u64 = 8 * 1_000_000_000;

/// A transmitter's rate and what the last division left over.
///
/// Within a busy period the remainder is carried into the next packet, so that the end of packet
/// `n` is the exact quotient of all bits so far, rounded down once. A new busy period begins at a
/// whole nanosecond and carries nothing.
#[derive(Debug)]
pub(super) struct Serialiser {
    rate_bps: Option<u64>,
    remainder: u64,
}

impl Serialiser {
    pub(super) const fn new(rate_bps: Option<u64>) -> Self {
        Self { rate_bps, remainder: 0 }
    }

    /// Begins a busy period.
    pub(super) const fn restart(&mut self) {
        self.remainder = 0;
    }

    /// The time that the next packet of the busy period takes.
    pub(super) fn next(&mut self, bytes: u32) -> Ns {
        let Some(rate_bps) = self.rate_bps else { return Ns::ZERO };
        let work = u64::from(bytes) * BIT_NANOSECONDS_PER_BYTE + self.remainder;
        self.remainder = work % rate_bps;
        Ns(work / rate_bps)
    }

    /// The time that `bytes` more would take from here.
    pub(super) fn span(&self, bytes: u64) -> Ns {
        let Some(rate_bps) = self.rate_bps else { return Ns::ZERO };
        let work = u128::from(bytes) * u128::from(BIT_NANOSECONDS_PER_BYTE);
        let span = (work + u128::from(self.remainder)) / u128::from(rate_bps);
        Ns(u64::try_from(span).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_packets_in_a_row_carry_no_bias() {
        // 7 Mbit/s does not divide a byte's time: each packet alone would be rounded down.
        let mut serialiser = Serialiser::new(Some(7_000_000));
        let mut end = Ns::ZERO;
        let mut bits_sent: u128 = 0;
        for count in 0..1_000_000_u32 {
            let bytes = 41 + count % 1_460;
            end += serialiser.next(bytes);
            bits_sent += u128::from(bytes) * 8;
            let exact = bits_sent * 1_000_000_000 / 7_000_000;
            assert_eq!(u128::from(end.0), exact, "after {count} packets");
        }
    }

    #[test]
    fn a_new_busy_period_carries_nothing() {
        let mut serialiser = Serialiser::new(Some(3));
        assert_eq!(serialiser.next(1), Ns(2_666_666_666));
        serialiser.restart();
        assert_eq!(serialiser.next(1), Ns(2_666_666_666));
        assert_eq!(serialiser.next(1), Ns(2_666_666_667));
    }

    #[test]
    fn a_span_foretells_what_packets_will_take() {
        let mut serialiser = Serialiser::new(Some(7_000_000));
        serialiser.next(100);
        let foretold = serialiser.span(1_500 + 40);
        assert_eq!(foretold, serialiser.next(1_500) + serialiser.next(40));
    }

    #[test]
    fn without_a_rate_nothing_takes_time() {
        let mut serialiser = Serialiser::new(None);
        assert_eq!(serialiser.next(1_500), Ns::ZERO);
        assert_eq!(serialiser.span(1_500), Ns::ZERO);
    }
}
