//! Delays of one direction: enough of them for percentiles, however long the capture is.

use utp_wire::TimestampDiff;

/// Measurements of the delay of one direction, each with the same unknown offset between two
/// clocks.
///
/// Up to 2 048 are all kept. Of more only every second is, then every fourth, and so on, evenly
/// over time. The least and the greatest count always.
///
/// ```
/// use utp_cli::flow::Samples;
/// use utp_wire::TimestampDiff;
///
/// let mut samples = Samples::default();
/// for delay in [1_000_u32, 3_000, 2_000] {
///     samples.push(TimestampDiff(delay.wrapping_sub(2_000_000)));
/// }
/// assert_eq!(samples.above_base_us(50), Some(1_000));
/// assert_eq!(samples.max_us(), Some(2_000));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// What distances are taken from; the first measurement.
    origin: Option<TimestampDiff>,
    count: u64,
    min: i32,
    max: i32,
    /// Every how manyth is kept, as a power of two.
    every_log2: u32,
    kept: Vec<i32>,
}

impl Samples {
    /// Adds a measurement.
    pub fn push(&mut self, delay: TimestampDiff) {
        let origin = *self.origin.get_or_insert(delay);
        let distance = delay.distance_from(origin);
        self.min = self.min.min(distance);
        self.max = self.max.max(distance);
        if self.count.is_multiple_of(1 << self.every_log2) {
            if self.kept.len() == KEPT_MAX {
                let mut index = 0;
                self.kept.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                self.every_log2 += 1;
            }
            if self.count.is_multiple_of(1 << self.every_log2) {
                self.kept.push(distance);
            }
        }
        self.count += 1;
    }

    /// How many there were.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The least measurement as it was told, the offset between the clocks included.
    pub fn base(&self) -> Option<TimestampDiff> {
        let origin = self.origin?;
        Some(TimestampDiff(origin.0.wrapping_add_signed(self.min)))
    }

    /// How much `percent` of all measurements at most lie above the least, in microseconds.
    pub fn above_base_us(&self, percent: usize) -> Option<u32> {
        let mut sorted = self.kept.clone();
        sorted.sort_unstable();
        let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(index).map(|&distance| distance.abs_diff(self.min))
    }

    /// How much the greatest lies above the least, in microseconds.
    pub fn max_us(&self) -> Option<u32> {
        self.origin.map(|_| self.max.abs_diff(self.min))
    }
}

/// How many measurements are kept at most: with half of them the 95th percentile has 50 above it.
const KEPT_MAX: usize = 2_048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_measured_has_no_percentile() {
        let samples = Samples::default();
        assert_eq!(
            (samples.above_base_us(50), samples.max_us(), samples.base()),
            (None, None, None)
        );
    }

    #[test]
    fn percentiles_of_a_long_series_are_those_of_all_of_it() {
        let mut samples = Samples::default();
        // A saw tooth of 0 to 9 999 whose length is no power of two, around a clock's wrap.
        for step in 0..1_000_000_u32 {
            samples.push(TimestampDiff((step % 10_000).wrapping_sub(5_000)));
        }
        assert_eq!(samples.count(), 1_000_000);
        assert!(samples.kept.len() > KEPT_MAX / 2 && samples.kept.len() <= KEPT_MAX);
        for (percent, expected) in [(50, 5_000), (95, 9_500)] {
            let value = samples.above_base_us(percent).expect("there are some");
            assert!(value.abs_diff(expected) < 150, "{percent} %: {value}");
        }
        assert_eq!(samples.max_us(), Some(9_999));
        assert_eq!(samples.base(), Some(TimestampDiff(0_u32.wrapping_sub(5_000))));
    }

    #[test]
    fn a_single_measurement_lies_at_its_base() {
        let mut samples = Samples::default();
        samples.push(TimestampDiff(77));
        assert_eq!((samples.above_base_us(50), samples.above_base_us(95)), (Some(0), Some(0)));
    }
}
