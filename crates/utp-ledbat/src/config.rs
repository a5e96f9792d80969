//! The parameters of [`Ledbat`](crate::Ledbat) and the allowed ranges.
//!
//! A [`Config`] is plain data: take a preset (`presets.rs` has them), change fields, ask
//! [`Config::validate`].

use alloc::boxed::Box;
use core::fmt;
use core::ops::RangeInclusive;

use utp_wire::Instant;

use crate::base_delay::HISTORY_MAX;
use crate::controller::{Controller, ControllerFactory};
use crate::current_delay::FILTER_MAX;
use crate::ledbat::Ledbat;

/// A number of bytes, absolute or in full packets of the connection's current payload size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// So many payload bytes.
    Bytes(u32),
    /// So many full packets; follows the path MTU.
    Packets(u8),
}

impl Size {
    /// The size in bytes when a full packet carries `payload_bytes_max`.
    #[must_use]
    pub const fn bytes(self, payload_bytes_max: u16) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes as u64,
            Self::Packets(packets) => packets as u64 * payload_bytes_max as u64,
        }
    }
}

/// Which samples the filter of the current delay may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterAge {
    /// Samples no older than the last round-trip time (RFC 6817 section 2.4.2).
    RoundTrip,
    /// Samples of any age (libutp).
    Unlimited,
}

/// How the history of one-minute base delays treats minutes without samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseRollover {
    /// The history moves one slot with the first sample after a minute; an idle spell of any
    /// length costs one slot (libutp).
    ActiveMinutes,
    /// Every minute takes a slot, an idle one takes an empty slot, so that the history starts
    /// afresh after a long idle spell (RFC 6817 section 2.4.2).
    EveryMinute,
}

/// What keeps the window from growing while the application, not the path, limits the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrowthLimit {
    /// The window is held to the bytes in flight plus this allowance (RFC 6817 section 2.4.2).
    InFlightPlus(Size),
    /// The window grows only when it held data back within the last second (libutp).
    RecentlyLimited,
}

/// How the window opens before the delay-based law takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowStart {
    /// The window doubles each round trip (RFC 5681 section 3.1). After a time-out the threshold
    /// is half of what was in flight.
    Doubling,
    /// No slow start: the delay-based law runs from the first packet.
    Off,
    /// The window grows one packet per round trip, or by the delay-based law if that is more
    /// (libutp). A time-out leaves the threshold as it is.
    OnePacket,
}

/// How often losses cut the window, and whether a cut is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cuts {
    /// Once in a round trip (RFC 6817 section 2.4.2). A cut or a time-out is undone when what was
    /// taken for lost arrives after all.
    EachRoundTrip,
    /// The same, but one or two packets lost in a round trip while no queue is seen cost a quarter
    /// of the window, not half of it: they are no sign of a buffer that has overflowed. A policer,
    /// which has no queue either, takes more than that at once.
    ByQueue,
    /// Whenever losses are found, however short a part of the round trip has passed, and for good
    /// (libutp). Where a full buffer costs packets for longer than
    /// [`cut_interval_us`](Config::cut_interval_us), it quarters the window.
    EachLoss,
}

/// What a [`Ledbat`] controller does beyond its law. Each kind includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guards {
    /// Nothing. The law runs as its source has it, with what is known to go wrong with it.
    Off,
    /// Against a receiver that lies and against clocks that drift or are set. Where the peer is
    /// honest and the clocks are good, the law runs as without them.
    Peer,
    /// Also against what paths do to the law, such as a route that becomes longer.
    PeerAndPath,
}

/// The parameters of a [`Ledbat`] controller.
///
/// ```
/// use utp_ledbat::Config;
///
/// let mut config = Config::libutp();
/// config.window_max_bytes = 4 << 20;
/// config.validate()?;
///
/// config.target_us = 250_000;
/// let error = config.validate().unwrap_err();
/// assert_eq!(error.to_string(), "target_us is 250000, allowed is 1000 to 100000");
/// # Ok::<(), utp_ledbat::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The queuing delay the law steers towards, in microseconds; 1000 to 100 000. RFC 6817
    /// section 2.5 forbids more than 100 ms.
    pub target_us: u32,
    /// The growth per round trip on an empty queue; 1 to 3000 bytes or one packet.
    pub gain: Size,
    /// The window of a new connection; 1 to 65 535 bytes or 1 to 10 packets.
    pub window_initial: Size,
    /// The window that delay and loss do not go below; 1 to 65 535 bytes or 1 to 10 packets.
    pub window_min: Size,
    /// The largest window, and the first slow-start threshold, in bytes; 10 to 2^30. It wins over
    /// every minimum.
    pub window_max_bytes: u64,
    /// Whether each change leaves a whole number of bytes and forgets the rest, as in libutp. The
    /// window then settles below its target, further the larger it is: near the target an
    /// acknowledgement is worth less than a byte, which counts as nothing.
    pub whole_bytes: bool,
    /// How growth is tied to what the sender really uses.
    pub growth_limit: GrowthLimit,
    /// What losses do to the window.
    pub cuts: Cuts,
    /// How far apart two cuts of the window are at least, in microseconds; 0 to 1 000 000.
    pub cut_interval_us: u32,
    /// How the window opens at the start and after a time-out.
    pub slow_start: SlowStart,
    /// The current delay is the smallest of this many latest samples; 1 to 4.
    pub current_filter: u8,
    /// Which of these samples count.
    pub current_filter_age: FilterAge,
    /// The base delay is the smallest of this many one-minute minima; 2 to 13.
    pub base_history_minutes: u8,
    /// How idle minutes count in that history.
    pub base_rollover: BaseRollover,
    /// Whether to take the smallest round-trip time as an upper bound of the queuing delay, and to
    /// correct for drifting clocks as libutp does.
    pub compensate_skew: bool,
    /// Whether the connection spreads a window over the round trip. libutp sends it at once, so
    /// that each of several flows takes the bursts of the others for a part of the path.
    pub paced: bool,
    /// What is done beyond the law.
    pub guards: Guards,
    /// How far that correction may raise the base delay: in any span of time by half the target and
    /// so many parts per million of the span; 0 to 1000. Without guards there is no such bound.
    pub base_shift_ppm_max: u16,
    /// The name in logs and results.
    pub(crate) name: &'static str,
}

impl Config {
    /// Checks every field against its allowed range.
    ///
    /// # Errors
    ///
    /// The first field that is out of range, with the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mut result = Ok(());
        self.clone().visit(&mut |field, value, range| {
            if result.is_ok() && !range.contains(value) {
                let (min, max) = (*range.start(), *range.end());
                result = Err(ConfigError::OutOfRange { field, value: *value, min, max });
            }
        });
        result
    }

    /// The same configuration with every field moved into its allowed range.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.visit(&mut |_, value, range| *value = (*value).clamp(*range.start(), *range.end()));
        self
    }

    /// How much higher a base may be than the one that would be forgotten for it, when the sender's
    /// own queue stands at `queue_us` all the time. Without the guard of the path nothing is kept.
    pub(crate) fn base_keep_us(&self, queue_us: u32) -> u32 {
        if self.guards >= Guards::PeerAndPath { queue_us } else { 0 }
    }

    /// Shows every bounded field with its range to `check`, which may change the value.
    fn visit(&mut self, check: Check<'_>) {
        let target_us = (*TARGET_US.start()).into()..=(*TARGET_US.end()).into();
        number(check, "target_us", &mut self.target_us, target_us);
        size(check, "gain", &mut self.gain, 3_000, 1);
        size(check, "window_initial", &mut self.window_initial, 65_535, 10);
        size(check, "window_min", &mut self.window_min, 65_535, 10);
        number(check, "window_max_bytes", &mut self.window_max_bytes, 10..=1 << 30);
        if let GrowthLimit::InFlightPlus(allowance) = &mut self.growth_limit {
            size(check, "growth_limit", allowance, 65_535, 10);
        }
        number(check, "cut_interval_us", &mut self.cut_interval_us, 0..=1_000_000);
        number(check, "current_filter", &mut self.current_filter, 1..=FILTER_MAX.into());
        let minutes = &mut self.base_history_minutes;
        number(check, "base_history_minutes", minutes, 2..=HISTORY_MAX.into());
        number(check, "base_shift_ppm_max", &mut self.base_shift_ppm_max, 0..=1_000);
    }
}

impl ControllerFactory for Config {
    fn name(&self) -> &str {
        self.name
    }

    fn build(&self, now: Instant, payload_bytes_max: u16) -> Box<dyn Controller> {
        Box::new(Ledbat::new(self.clone(), now, payload_bytes_max))
    }

    fn target_us(&self) -> Option<u32> {
        Some(self.target_us)
    }

    fn with_target_us(&self, target_us: u32) -> Option<Box<dyn ControllerFactory>> {
        let config = Self { target_us, ..self.clone() };
        config.validate().is_ok().then(|| Box::new(config) as Box<dyn ControllerFactory>)
    }
}

/// What is wrong with a [`Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A field is out of its range.
    OutOfRange {
        /// The name of the field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The smallest allowed value.
        min: u64,
        /// The largest allowed value.
        max: u64,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { field, value, min, max } => {
                write!(f, "{field} is {value}, allowed is {min} to {max}")
            }
        }
    }
}

impl core::error::Error for ConfigError {}

/// What a law may steer for, in microseconds: RFC 6817 section 2.5 forbids more than 100 ms.
pub(crate) const TARGET_US: RangeInclusive<u32> = 1_000..=100_000;

type Check<'a> = &'a mut dyn FnMut(&'static str, &mut u64, RangeInclusive<u64>);

fn number<T>(check: Check<'_>, field: &'static str, value: &mut T, range: RangeInclusive<u64>)
where
    T: Copy + Into<u64> + TryFrom<u64>,
{
    let mut wide = (*value).into();
    check(field, &mut wide, range);
    // Every range lies within its field's type, so that a changed value always fits.
    if let Ok(narrow) = T::try_from(wide) {
        *value = narrow;
    }
}

fn size(check: Check<'_>, field: &'static str, value: &mut Size, bytes_max: u64, packets_max: u64) {
    match value {
        Size::Bytes(bytes) => number(check, field, bytes, 1..=bytes_max),
        Size::Packets(packets) => number(check, field, packets, 1..=packets_max),
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn an_error_names_field_value_and_range() {
        let mut config = Config::rfc6817();
        config.growth_limit = GrowthLimit::InFlightPlus(Size::Packets(11));
        config.base_shift_ppm_max = 1_001;
        let error = config.validate().expect_err("11 packets are too many");
        let expected =
            ConfigError::OutOfRange { field: "growth_limit", value: 11, min: 1, max: 10 };
        assert_eq!(error, expected);
        assert_eq!(error.to_string(), "growth_limit is 11, allowed is 1 to 10");
    }

    // req: R-13, R-04, R-05
    #[test]
    fn every_bounded_field_is_checked_and_moved_into_its_range() {
        let mut spoiled = [const { Config::libutp() }; 10];
        spoiled[0].target_us = 100_001;
        spoiled[1].gain = Size::Packets(2);
        spoiled[2].window_initial = Size::Bytes(0);
        spoiled[3].window_min = Size::Packets(0);
        spoiled[4].window_max_bytes = u64::MAX;
        spoiled[5].growth_limit = GrowthLimit::InFlightPlus(Size::Bytes(65_536));
        spoiled[6].current_filter = 5;
        spoiled[7].base_history_minutes = 1;
        spoiled[8].base_shift_ppm_max = 1_001;
        spoiled[9].cut_interval_us = 1_000_001;
        let names = spoiled.each_ref().map(|config| {
            let ConfigError::OutOfRange { field, .. } = config.validate().expect_err("spoiled");
            field
        });
        let expected = [
            "target_us",
            "gain",
            "window_initial",
            "window_min",
            "window_max_bytes",
            "growth_limit",
            "current_filter",
            "base_history_minutes",
            "base_shift_ppm_max",
            "cut_interval_us",
        ];
        assert_eq!(names, expected);
        for config in spoiled {
            assert_eq!(config.bounded().validate(), Ok(()));
        }
    }
}
