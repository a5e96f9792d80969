//! Owns the clock values: `Instant` of the driver, `Timestamp` and `TimestampDiff` of the wire.
//!
//! No type in here can read a clock.

/// A moment, in microseconds since an origin of the driver's choice.
///
/// The driver brings one with every call, so all code below it runs in whatever time the driver
/// likes. The resolution is that of the wire, and 64 bits do not wrap.
///
/// ```
/// use utp_wire::{Instant, Timestamp};
///
/// let sent = Instant::from_micros(0x1_0000_0007);
/// assert_eq!(sent.timestamp(), Timestamp(7));
/// assert_eq!(sent.saturating_add(500).saturating_since(sent), 500);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The moment `micros` microseconds after the origin.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the origin.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// What a packet sent now carries: the low 32 bits.
    #[must_use]
    pub const fn timestamp(self) -> Timestamp {
        Timestamp((self.0 & 0xffff_ffff) as u32)
    }

    /// Microseconds from `earlier` to `self`, zero if `earlier` is the later one.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment `us` microseconds later, at most the last one that can be told.
    #[must_use]
    pub const fn saturating_add(self, us: u64) -> Self {
        Self(self.0.saturating_add(us))
    }
}

/// A packet's time of sending on its sender's clock, in microseconds modulo 2^32 (BEP-29,
/// `timestamp_microseconds`).
///
/// It wraps every 72 minutes and so has no order. Zero is what libutp puts into a RESET and means
/// that there is no stamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Timestamp(pub u32);

impl Timestamp {
    /// The wrapping distance from `earlier` up to `self`.
    ///
    /// With `self` the receiver's time of arrival and `earlier` the packet's stamp, this is the
    /// one-way delay plus the unknown offset between both clocks.
    #[must_use]
    pub const fn since(self, earlier: Self) -> TimestampDiff {
        TimestampDiff(self.0.wrapping_sub(earlier.0))
    }
}

/// A measured one-way delay in microseconds plus the offset between two clocks, modulo 2^32
/// (BEP-29, `timestamp_difference_microseconds`).
///
/// The offset is unknown, so only the distance between two samples of one direction means
/// something. It wraps and so has no order.
///
/// ```
/// use utp_wire::{Timestamp, TimestampDiff};
///
/// // The receiver's clock runs behind the sender's: the difference wraps below zero.
/// let base = Timestamp(1_000).since(Timestamp(6_000));
/// let queued = Timestamp(2_300).since(Timestamp(7_000));
/// assert_eq!(queued.distance_from(base), 300);
/// assert!(!TimestampDiff(0).is_sample());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TimestampDiff(pub u32);

impl TimestampDiff {
    /// Whether the peer measured something.
    ///
    /// Zero says that it has not yet. libutp also takes `0x7fff_ffff` for no sample.
    #[must_use]
    pub const fn is_sample(self) -> bool {
        self.0 != 0 && self.0 != 0x7fff_ffff
    }

    /// How many microseconds `self` lies above `base`; negative if it lies below.
    ///
    /// The two must be less than 2^31 us apart, about 36 minutes.
    #[must_use]
    pub const fn distance_from(self, base: Self) -> i32 {
        self.0.wrapping_sub(base.0).cast_signed()
    }
}
