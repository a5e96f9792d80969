//! CUBIC (RFC 9438) in integers: microseconds, and windows in parts of a segment.
//!
//! HyStart++ (RFC 9406), which section 4.10 leaves open, is not here: slow start ends with a loss.

use super::{Progress, WINDOW_MIN};
use crate::time::Ns;

/// The state between two losses, and what is remembered of the time before.
#[derive(Clone, Debug, Default)]
pub struct Cubic {
    /// Part of a segment that the window has above its whole ones, in [`UNIT`]s.
    fraction: u64,
    /// The window at which the curve is flat, in [`UNIT`]s: the one at the last loss, or less
    /// (section 4.7). Zero before the first loss.
    origin: u64,
    /// The window before the last reduction, in [`UNIT`]s.
    prior: u64,
    /// The current stage of congestion avoidance, from its first acknowledgment on.
    stage: Option<Stage>,
    /// The next stage is the first one after a time-out (section 4.8).
    timed_out: bool,
}

/// A stage of congestion avoidance.
#[derive(Clone, Copy, Debug)]
struct Stage {
    start: Ns,
    /// Time from the start to the flat part of the curve, in microseconds (section 4.2).
    k_us: u64,
    /// The window that Reno would have, in [`UNIT`]s (section 4.3).
    reno: u64,
}

impl Cubic {
    pub(super) fn window_after(&mut self, progress: &Progress) -> u32 {
        let window = u64::from(progress.window) * UNIT + self.fraction;
        let mut stage = self.stage.unwrap_or_else(|| self.begin_stage(progress.now, window));
        stage.reno += self.reno_increase(&stage, window, progress.segments);
        self.stage = Some(stage);
        let elapsed_us = (progress.now - stage.start).as_micros();
        let now = curve(self.origin, stage.k_us, elapsed_us);
        let grown = if now < stage.reno {
            window.max(stage.reno)
        } else {
            let ahead = curve(self.origin, stage.k_us, elapsed_us + progress.rtt.as_micros());
            let target = ahead.clamp(window, window + window / 2);
            let step =
                u128::from(target - window) * u128::from(progress.segments) * u128::from(UNIT)
                    / u128::from(window);
            target.min(window + u64::try_from(step).unwrap_or(u64::MAX / 2))
        };
        self.fraction = grown % UNIT;
        u32::try_from(grown / UNIT).unwrap_or(u32::MAX)
    }

    pub(super) fn on_loss(&mut self, window: u32, basis: u32) -> u32 {
        let window = u64::from(window) * UNIT + self.fraction;
        // Fast convergence: a flow that did not get back to where it was makes room (section 4.7).
        self.origin = if window < self.origin { window / 20 * 17 } else { window };
        self.prior = window;
        self.stage = None;
        self.timed_out = false;
        self.fraction = 0;
        (u64::from(basis) * 7 / 10).try_into().unwrap_or(u32::MAX).max(WINDOW_MIN)
    }

    pub(super) fn restart(&mut self) {
        self.stage = None;
        self.timed_out = true;
        self.fraction = 0;
    }

    fn begin_stage(&mut self, now: Ns, window: u64) -> Stage {
        if std::mem::take(&mut self.timed_out) || window >= self.origin {
            self.origin = window;
        }
        Stage { start: now, k_us: flat_after_us(self.origin - window), reno: window }
    }

    /// What the acknowledgment of `segments` adds to the window that Reno would have (section 4.3).
    ///
    /// Nine seventeenths of a segment each round trip make up for the smaller decrease, so that the
    /// mean is that of Reno; from the window before the loss on it is one, as Reno.
    fn reno_increase(&self, stage: &Stage, window: u64, segments: u32) -> u64 {
        let (numerator, denominator) = if stage.reno < self.prior { (9, 17) } else { (1, 1) };
        let increase = u128::from(segments) * u128::from(UNIT) * u128::from(UNIT) * numerator
            / (u128::from(window) * denominator);
        u64::try_from(increase).unwrap_or(u64::MAX / 2)
    }
}

/// The window that the curve has `elapsed_us` into a stage, in [`UNIT`]s (section 4.2, figure 1).
fn curve(origin: u64, k_us: u64, elapsed_us: u64) -> u64 {
    let distance = elapsed_us.abs_diff(k_us).min(DISTANCE_MAX_US);
    let distance = u128::from(distance);
    // C is 0.4 segments a cubic second, and a cubic second has 10^18 cubic microseconds.
    let height = distance * distance * distance * u128::from(UNIT) * 2 / (5 * CUBIC_SECOND);
    let height = u64::try_from(height).unwrap_or(u64::MAX / 2);
    if elapsed_us < k_us { origin.saturating_sub(height) } else { origin.saturating_add(height) }
}

/// The time that the curve takes to rise by `height` [`UNIT`]s to its flat part, in microseconds:
/// K of section 4.2, figure 2.
fn flat_after_us(height: u64) -> u64 {
    cube_root(u128::from(height) * 5 * CUBIC_SECOND / (2 * u128::from(UNIT)))
}

/// The largest integer whose cube is at most `value`, digit by digit in base 2.
fn cube_root(value: u128) -> u64 {
    let mut root: u128 = 0;
    for bit in (0..CUBE_ROOT_BITS).rev() {
        let candidate = root | 1 << bit;
        if candidate * candidate * candidate <= value {
            root = candidate;
        }
    }
    u64::try_from(root).expect("the cube root of 128 bits has 43")
}

/// A segment in the unit of windows.
const UNIT: u64 = 1 << 20;

const CUBIC_SECOND: u128 = 1_000_000_000_000_000_000;

/// Thirty minutes from the flat part the curve is above any window; the cube still fits 128 bits.
const DISTANCE_MAX_US: u64 = 1_800_000_000;

/// The cube of a number of 42 bits fits 126.
const CUBE_ROOT_BITS: u32 = 42;

#[cfg(test)]
mod tests;
