//! Round-trip time and retransmission time-out (RFC 6298), in microseconds.

/// The estimator of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Rtt {
    /// This and the next mean nothing before the first sample.
    srtt_us: u32,
    rttvar_us: u32,
    min_us: u32,
    /// As it was set, or more since such a path was met.
    rto_min_us: u32,
    is_sampled: bool,
    /// Expiries in a row without an ack.
    backoff: u8,
    /// Probes in a row that were answered sooner than any round trip, and no sample since.
    hasty: u8,
}

/// Longer than any round trip that is measured.
const UNKNOWN_US: u32 = u32::MAX;

/// Time-out before the first sample (RFC 6298 section 2.1).
const RTO_INITIAL_US: u64 = 1_000_000;

/// Least time granted beyond the smoothed round trip. On a steady path the variance falls to
/// microseconds, and any queue that builds up would look like a loss.
const MARGIN_US_MIN: u64 = 200_000;

/// Upper bound of the time-out that back-off leads to. RFC 6298 section 2.5 wants at least 60 s,
/// but a stream is given up after 45 s without an ack: with less than eight tries until then, one
/// that loses 30 % each way would not live for 10 MiB, and after an outage it would stand still for
/// as long again.
const RTO_US_MAX: u64 = 8_000_000;

/// Longest round trip that is believed, and longest time-out without back-off.
pub(super) const RTT_US_MAX: u32 = 60_000_000;

/// Doublings that an ack without a sample leaves: a path of 4 s is found out, and a stream that
/// comes back from an outage waits no longer.
const BACKOFF_UNSAMPLED_MAX: u8 = 3;

/// Parts of a silence that a time-out lasts from then on. The third of those that double would come
/// after seven; the sixth part is for a silence that is a little longer.
const SILENCE_PER_RTO: u64 = 6;

/// The most that a path is waited for so, in microseconds: silences of 14 s cost no third time-out,
/// and where all was lost it is found soon.
const RTO_LEARNED_US_MAX: u64 = 2_000_000;

/// How long a peer may hold the ack of a single packet back (RFC 9000 section 18.2). Nothing of
/// the present in the field does on purpose.
const ACK_DELAY_US_MAX: u64 = 25_000;

/// Probes in a row that are answered sooner than any round trip before the path is taken to have
/// become shorter. One or two may be answered by a packet that was late.
const HASTY_PROBES_MAX: u8 = 3;

/// Below this, a probe would answer the scheduler of the peer and not the path.
const PROBE_US_MIN: u64 = 10_000;

impl Rtt {
    pub(crate) const fn new(rto_min_us: u32) -> Self {
        Self {
            srtt_us: 0,
            rttvar_us: 0,
            min_us: UNKNOWN_US,
            rto_min_us,
            is_sampled: false,
            backoff: 0,
            hasty: 0,
        }
    }

    /// Takes a sample of a packet that was sent once (Karn's rule is the caller's).
    pub(crate) fn on_sample(&mut self, rtt_us: u32) {
        self.hasty = 0;
        if !std::mem::replace(&mut self.is_sampled, true) {
            (self.srtt_us, self.min_us, self.rttvar_us) = (rtt_us, rtt_us, rtt_us / 2);
            return;
        }
        self.min_us = self.min_us.min(rtt_us);
        let deviation = u64::from(self.srtt_us.abs_diff(rtt_us));
        self.rttvar_us = weighted(u64::from(self.rttvar_us), deviation, 4);
        self.srtt_us = weighted(u64::from(self.srtt_us), u64::from(rtt_us), 8);
    }

    pub(crate) fn srtt_us(&self) -> Option<u32> {
        self.is_sampled.then_some(self.srtt_us)
    }

    pub(crate) fn min_us(&self) -> Option<u32> {
        (self.min_us != UNKNOWN_US).then_some(self.min_us)
    }

    /// The path has become another; the next sample counts.
    pub(crate) const fn forget_min(&mut self) {
        self.min_us = UNKNOWN_US;
    }

    /// A packet that was sent again as a probe is acknowledged sooner than any round trip before:
    /// the ack is that of an earlier copy, as a rule. Where nothing else arrives, the path has
    /// become shorter, and says so.
    pub(crate) const fn on_hasty_probe(&mut self) {
        self.hasty += 1;
        if self.hasty >= HASTY_PROBES_MAX {
            self.hasty = 0;
            self.forget_min();
        }
    }

    /// The time-out without back-off.
    pub(crate) fn rto_base_us(&self) -> u64 {
        let rto = match self.srtt_us() {
            Some(srtt) => u64::from(srtt) + (4 * u64::from(self.rttvar_us)).max(MARGIN_US_MIN),
            None => RTO_INITIAL_US,
        };
        rto.min(u64::from(RTT_US_MAX)).max(u64::from(self.rto_min_us))
    }

    /// The time-out in force.
    pub(crate) fn rto_us(&self) -> u64 {
        (self.rto_base_us() << self.backoff.min(16)).min(RTO_US_MAX.max(self.rto_base_us()))
    }

    /// The time-out expired.
    pub(crate) fn back_off(&mut self) {
        self.backoff =
            self.backoff.saturating_add(if cfg!(canary = "no-back-off") { 0 } else { 1 });
    }

    /// Nothing was acknowledged for `silent_us`, and the packets that timed out meanwhile were only
    /// late. The path may do it again: the time-outs of the next such silence are two, since what
    /// it measured is forgotten with the next samples (RFC 4015 has the idea).
    // req: F-07
    pub(crate) fn on_needless_timeouts(&mut self, silent_us: u64) {
        let least_us = (silent_us / SILENCE_PER_RTO).min(RTO_LEARNED_US_MAX);
        self.rto_min_us = self.rto_min_us.max(u32::try_from(least_us).unwrap_or(u32::MAX));
    }

    /// Something was acknowledged, with or without a sample. Without one the path may be slower
    /// than we believe, so that part of the back-off stays (Karn; RFC 6298 section 5).
    pub(crate) fn on_progress(&mut self, sampled: bool) {
        self.backoff = if sampled { 0 } else { self.backoff.min(BACKOFF_UNSAMPLED_MAX) };
    }

    /// After this long without an ack the last packets may be lost (RFC 8985 section 7.2), or only
    /// late; `lone` says that there is one packet, whose ack may be held back. `None` before the
    /// first sample.
    pub(crate) fn probe_us(&self, lone: bool) -> Option<u64> {
        let srtt_us = u64::from(self.srtt_us()?);
        let spread_us = srtt_us + 4 * u64::from(self.rttvar_us);
        let ack_delay_us = if lone { ACK_DELAY_US_MAX } else { 0 };
        Some((2 * srtt_us).max(spread_us).max(PROBE_US_MIN) + ack_delay_us)
    }
}

/// `old` and `new` weighted as (n - 1) to 1, rounded to nearest.
fn weighted(old: u64, new: u64, n: u64) -> u32 {
    u32::try_from((old * (n - 1) + new + n / 2) / n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    // req: B-30
    #[test]
    fn first_sample_sets_both_estimates() {
        let mut rtt = Rtt::new(500_000);
        assert_eq!(rtt.rto_us(), 1_000_000);
        rtt.on_sample(400_000);
        assert_eq!((rtt.srtt_us(), rtt.rto_us()), (Some(400_000), 1_200_000));
    }

    #[test]
    fn steady_samples_let_the_time_out_fall_to_its_floor() {
        let mut rtt = Rtt::new(500_000);
        for _ in 0..100 {
            rtt.on_sample(50_000);
        }
        assert_eq!(rtt.rto_us(), 500_000);
    }

    // req: B-34
    #[test]
    fn time_out_doubles_and_is_bounded() {
        let mut rtt = Rtt::new(500_000);
        rtt.on_sample(100_000);
        let mut last = rtt.rto_us();
        for _ in 0..4 {
            rtt.back_off();
            assert_eq!(rtt.rto_us(), last * 2);
            last = rtt.rto_us();
        }
        for _ in 0..100 {
            rtt.back_off();
        }
        assert_eq!(rtt.rto_us(), RTO_US_MAX);
        rtt.on_progress(false);
        assert_eq!(rtt.rto_us(), 4_000_000);
        rtt.on_progress(true);
        assert_eq!(rtt.rto_us(), 500_000);
    }

    // req: F-07
    #[test]
    fn a_silence_that_lost_nothing_makes_for_two_time_outs_in_the_next() {
        for (silent_us, rto_us) in
            [(0, 500_000), (3_000_000, 500_000), (10_000_000, 1_666_666), (40_000_000, 2_000_000)]
        {
            let mut rtt = Rtt::new(500_000);
            for _ in 0..100 {
                rtt.on_sample(50_000);
            }
            rtt.on_needless_timeouts(silent_us);
            assert_eq!(rtt.rto_us(), rto_us);
            rtt.on_needless_timeouts(1_000_000);
            assert_eq!(rtt.rto_us(), rto_us, "a shorter one changes nothing");
        }
    }

    #[test]
    fn any_floor_is_kept_and_no_time_out_is_nothing() {
        for rto_min_us in [0, 1, 60_000_000, u32::MAX] {
            let mut rtt = Rtt::new(rto_min_us);
            for backoff in 0..20 {
                assert!(rtt.rto_us() >= u64::from(rto_min_us).max(1), "back-off {backoff}");
                rtt.back_off();
            }
            rtt.on_sample(0);
            assert!(rtt.rto_us() >= u64::from(rto_min_us).max(1));
        }
    }

    #[test]
    fn extreme_samples_do_not_overflow() {
        let mut rtt = Rtt::new(500_000);
        for sample in [u32::MAX, 0, u32::MAX, 1] {
            rtt.on_sample(sample);
            assert!(rtt.rto_us() <= u64::from(RTT_US_MAX));
        }
    }
}
