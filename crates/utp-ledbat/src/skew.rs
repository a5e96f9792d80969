//! Owns the corrections for clocks that do not run alike: how far the base delay may be raised,
//! and the penalty for a peer whose clock claims an ever emptier queue. Follows libutp, with
//! bounds.
//!
//! If the peer's clock runs fast, our delays seem to grow and its own to shrink. libutp raises our
//! base by what the peer's base fell, and also by what the queuing delay exceeds the round-trip
//! time, both without limit. A receiver that lies can so lift the base to the top of the queue
//! again and again, until the law sees no delay at all. Hence two bounds here:
//!
//! * Mirroring the peer's base may explain away only what the round-trip time does not show as
//!   queuing. The receiver cannot make a round trip look shorter than it is.
//! * All raises together come out of a [`Budget`].
//!
//! Without guards neither bound holds.

use utp_wire::{Instant, TimestampDiff};

use crate::base_delay::CoarseBase;
use crate::config::{Config, Guards};

/// The state of the corrections of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Skew {
    /// The base of the peer's packets.
    peer_base: CoarseBase,
    /// How far the peer's base fell without our base having followed, in microseconds.
    mirror_pending_us: u32,
    budget: Budget,
    drift: Drift,
}

impl Skew {
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        Self {
            peer_base: CoarseBase::new(config.base_history_minutes, config.base_rollover),
            mirror_pending_us: 0,
            budget: if config.guards >= Guards::Peer {
                Budget::new(now, config.target_us / 2, config.base_shift_ppm_max)
            } else {
                Budget::unlimited(now)
            },
            drift: Drift::default(),
        }
    }

    /// Takes a delay of the peer's packets.
    pub(crate) fn on_theirs(&mut self, now: Instant, sample: TimestampDiff) {
        let Some(before) = self.peer_base.get() else {
            self.peer_base.on_sample(now, sample);
            return;
        };
        let fell_us = before.distance_from(self.peer_base.on_sample(now, sample));
        // A larger step is a change of the path or of the clock, not drift.
        if (1..=MIRROR_US_MAX).contains(&fell_us) {
            let pending_us = self.mirror_pending_us.saturating_add(fell_us.unsigned_abs());
            self.mirror_pending_us = pending_us.min(self.budget.burst_us);
        }
    }

    /// Takes a delay of our packets.
    pub(crate) fn on_ours(&mut self, now: Instant, sample: TimestampDiff) {
        self.drift.on_sample(now, sample);
    }

    /// By how much to raise the base delay, given the queuing delay above it, the round-trip time
    /// measured with the same packet, and the queuing within that.
    pub(crate) fn raise_us(
        &mut self,
        now: Instant,
        delay_us: u32,
        rtt_us: u32,
        rtt_queuing_us: u32,
    ) -> u32 {
        let excess_us = delay_us.saturating_sub(rtt_us);
        let unexplained_us =
            if self.budget.is_limited { delay_us.saturating_sub(rtt_queuing_us) } else { u32::MAX };
        let wanted_us = excess_us.max(self.mirror_pending_us.min(unexplained_us));
        let raise_us = self.budget.take(now, wanted_us);
        self.mirror_pending_us = self.mirror_pending_us.saturating_sub(raise_us);
        raise_us
    }

    /// What to add to the queuing delay because the peer's clock runs absurdly slow.
    pub(crate) fn penalty_us(&self) -> u32 {
        self.drift.penalty_us()
    }
}

/// An allowance that is full at first and refills with time.
#[derive(Clone, Debug)]
struct Budget {
    burst_us: u32,
    refill_ppm: u16,
    is_limited: bool,
    /// In millionths of a microsecond, so that the slowest refill loses nothing.
    credit: u64,
    refilled_at: Instant,
}

impl Budget {
    fn new(now: Instant, burst_us: u32, refill_ppm: u16) -> Self {
        let credit = u64::from(burst_us) * MILLION;
        Self { burst_us, refill_ppm, is_limited: true, credit, refilled_at: now }
    }

    /// One that grants whatever is wanted.
    fn unlimited(now: Instant) -> Self {
        Self { is_limited: false, ..Self::new(now, u32::MAX, 0) }
    }

    /// Grants as much of `wanted_us` as is left.
    fn take(&mut self, now: Instant, wanted_us: u32) -> u32 {
        if !self.is_limited {
            return wanted_us;
        }
        let refill = now.saturating_since(self.refilled_at).saturating_mul(self.refill_ppm.into());
        self.refilled_at = self.refilled_at.max(now);
        let full = u64::from(self.burst_us) * MILLION;
        self.credit = self.credit.saturating_add(refill).min(full);

        let left_us = u32::try_from(self.credit / MILLION).unwrap_or(u32::MAX);
        let granted_us = wanted_us.min(left_us);
        self.credit -= u64::from(granted_us) * MILLION;
        granted_us
    }
}

/// The trend of the average of our delay per period (libutp).
#[derive(Clone, Debug, Default)]
struct Drift {
    /// What the samples of the current period are relative to, and when it ends. The reference is
    /// the average of the period before, so that no sum of many periods can wrap.
    reference: TimestampDiff,
    period_end: Instant,
    has_begun: bool,
    is_first_over: bool,
    sum_us: i64,
    samples: u32,
    /// The smoothed change of the average from period to period, at most [`CHANGE_US_MAX`].
    trend_us: i32,
}

impl Drift {
    fn on_sample(&mut self, now: Instant, sample: TimestampDiff) {
        if !self.has_begun {
            self.has_begun = true;
            self.reference = sample;
            self.period_end = now.saturating_add(PERIOD_US);
        }
        self.sum_us = self.sum_us.saturating_add(sample.distance_from(self.reference).into());
        self.samples = self.samples.saturating_add(1);
        if now < self.period_end {
            return;
        }
        let change_us = i32::try_from(self.sum_us / i64::from(self.samples)).unwrap_or(0);
        if self.is_first_over {
            let change_us = change_us.clamp(-CHANGE_US_MAX, CHANGE_US_MAX);
            self.trend_us = (7 * self.trend_us + change_us) / 8;
        }
        self.is_first_over = true;
        self.sum_us = 0;
        self.samples = 0;
        self.reference = TimestampDiff(self.reference.0.wrapping_add_signed(change_us));
        self.period_end = self.period_end.saturating_add(PERIOD_US);
    }

    fn penalty_us(&self) -> u32 {
        let beyond_us = TREND_US_MIN.saturating_sub(self.trend_us).max(0);
        beyond_us.unsigned_abs() / 7
    }
}

/// The largest fall of the peer's base that counts as drift (libutp).
const MIRROR_US_MAX: i32 = 10_000;

/// The averaging period of the trend (libutp).
const PERIOD_US: u64 = 5_000_000;

/// The largest change of the average in a period that says something about a clock's rate; the
/// rest of a larger one is a step, which must not be held against the peer for minutes.
const CHANGE_US_MAX: i32 = 2_000_000;

/// The trend per period below which the penalty begins (libutp).
const TREND_US_MIN: i32 = -200_000;

const MILLION: u64 = 1_000_000;

#[cfg(test)]
mod tests;
