//! Virtual time in integer nanoseconds.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A point in virtual time or a span of it, in nanoseconds since the start of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ns(pub u64);

impl Ns {
    /// The start of the run, or an empty span.
    pub const ZERO: Self = Self(0);

    /// From whole microseconds.
    pub const fn from_micros(us: u64) -> Self {
        Self(us * 1_000)
    }

    /// From whole milliseconds.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms * 1_000_000)
    }

    /// From whole seconds.
    pub const fn from_secs(s: u64) -> Self {
        Self(s * 1_000_000_000)
    }

    /// Whole microseconds, rounded down.
    pub const fn as_micros(self) -> u64 {
        self.0 / 1_000
    }

    /// Seconds for a table or a plot; never for arithmetic.
    #[expect(clippy::cast_precision_loss, reason = "shown to people, 2^53 ns are 104 days")]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// As a span of the standard library.
    pub const fn as_duration(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// From a span of the standard library; spans above 584 years saturate.
    pub fn from_duration(span: Duration) -> Self {
        Self(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Whole microseconds as samples keep them, saturating after 71 minutes.
    pub fn as_micros_u32(self) -> u32 {
        u32::try_from(self.as_micros()).unwrap_or(u32::MAX)
    }

    /// Index of the bucket of width `bucket` that holds this moment.
    pub fn bucket(self, bucket: Self) -> usize {
        usize::try_from(self.0 / bucket.0).unwrap_or(usize::MAX)
    }

    /// Number of intervals of width `interval` needed to cover a span of this length.
    pub fn intervals(self, interval: Self) -> usize {
        usize::try_from(self.0.div_ceil(interval.0)).unwrap_or(usize::MAX)
    }

    /// The span from `earlier` to `self`, zero when `earlier` is later.
    pub const fn saturating_sub(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Ns {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Ns {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Ns {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl fmt::Display for Ns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.as_secs_f64())
    }
}
