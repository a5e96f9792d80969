//! How much later than a packet sent after it a packet may still arrive (RFC 8985 section 6.2).

/// The reordering window of one connection. A quarter of the round trip to begin with; every resend
/// that turns out needless widens it, and it narrows again after a while without one.
#[derive(Clone, Debug)]
pub(super) struct ReorderWindow {
    /// Whether the path was ever seen to reorder. Until then three later packets prove a loss.
    seen: bool,
    /// Low bits of the number of the latest transmission that has arrived, of those of packets sent
    /// once.
    newest: u32,
    /// Quarters of the smallest round trip.
    quarters: u8,
    /// Episodes of losses since the last needless resend.
    recoveries: u8,
    /// The episode that widened the window last.
    widened_in: u8,
}

/// A window beyond five round trips would be no recovery; it is cut to one round trip anyway.
const QUARTERS_MAX: u8 = 20;

/// As many recoveries without a needless resend narrow the window again (RFC 8985 section 6.2).
const RECOVERIES_TO_NARROW: u8 = 16;

impl ReorderWindow {
    pub(super) const fn new() -> Self {
        Self { seen: false, newest: 0, quarters: 1, recoveries: 0, widened_in: 0 }
    }

    /// Whether a count of later packets says nothing any more.
    pub(super) const fn is_reordering(&self) -> bool {
        self.seen
    }

    /// The transmission `tx_nr` of a packet that was sent once has arrived. Neither resends count
    /// nor what was withheld at first: a single ack may tell of one and of many packets that were
    /// sent, and came, before it.
    pub(super) fn on_arrival(&mut self, tx_nr: u64) {
        let ahead = u32::try_from(tx_nr & u64::from(u32::MAX))
            .map_or(0, |low_bits| low_bits.wrapping_sub(self.newest).cast_signed());
        self.seen |= ahead < 0;
        self.newest = self.newest.wrapping_add_signed(ahead.max(0));
    }

    /// A packet that was taken for lost in `episode` was not. The window is widened once for each.
    pub(super) fn on_needless(&mut self, episode: u8) {
        self.seen = true;
        self.recoveries = 0;
        if self.widened_in != episode {
            self.widened_in = episode;
            self.quarters = (self.quarters + 1).min(QUARTERS_MAX);
        }
    }

    /// Nothing is outstanding: episodes are counted anew.
    pub(super) const fn on_idle(&mut self) {
        self.widened_in = 0;
    }

    /// Packets were taken for lost, in a new episode.
    pub(super) fn on_recovery(&mut self) {
        self.recoveries += 1;
        if self.recoveries >= RECOVERIES_TO_NARROW {
            self.recoveries = 0;
            self.quarters = 1;
        }
    }

    /// The window in microseconds.
    pub(super) fn window_us(&self, rtt_min_us: u32, srtt_us: u32) -> u64 {
        (u64::from(rtt_min_us) * u64::from(self.quarters) / 4).min(u64::from(srtt_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needless_resends_widen_the_window_up_to_a_round_trip() {
        let mut window = ReorderWindow::new();
        assert_eq!(window.window_us(40_000, 50_000), 10_000);
        window.on_needless(1);
        window.on_needless(1);
        assert_eq!(window.window_us(40_000, 50_000), 20_000);
        for episode in 2..100 {
            window.on_needless(episode);
        }
        assert_eq!(window.window_us(40_000, 50_000), 50_000);
    }

    #[test]
    fn the_window_narrows_after_sixteen_quiet_recoveries() {
        let mut window = ReorderWindow::new();
        window.on_needless(1);
        for _ in 0..15 {
            window.on_recovery();
        }
        assert_eq!(window.window_us(40_000, 50_000), 20_000);
        window.on_recovery();
        assert_eq!(window.window_us(40_000, 50_000), 10_000);
        assert!(window.is_reordering(), "the path is what it is");
    }
}
