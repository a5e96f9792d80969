//! The laws that [`Ledbat`](crate::Ledbat) runs, each as a [`Config`].

use crate::config::{BaseRollover, Config, Cuts, FilterAge, GrowthLimit, Guards, Size, SlowStart};

impl Config {
    /// The default: the law of libutp with all guards on, for paths and peers as they are, and with
    /// smaller cuts where packets are lost but none wait ([`Cuts::ByQueue`]).
    #[must_use]
    pub const fn utp() -> Self {
        Self {
            name: "utp",
            guards: Guards::PeerAndPath,
            whole_bytes: false,
            cuts: Cuts::ByQueue,
            ..Self::libutp()
        }
    }

    /// The law of libutp, which nearly all peers run: 3000 bytes per round trip, 100 ms target,
    /// linear slow start from one packet, a cap of 1 MiB.
    ///
    /// What goes beyond libutp is bounds. The base delay is raised only as far as the round-trip
    /// time bears it out, and only as fast as [`base_shift_ppm_max`](Self::base_shift_ppm_max)
    /// allows, because a lying receiver could otherwise switch the law off. And slow start grows
    /// the window only when it held data back, like the law itself: otherwise a sender that is
    /// limited by its application would save up a burst.
    #[must_use]
    pub const fn libutp() -> Self {
        Self {
            name: "libutp",
            target_us: TARGET_US,
            gain: Size::Bytes(3_000),
            window_initial: Size::Packets(1),
            window_min: Size::Bytes(10),
            window_max_bytes: WINDOW_MAX_BYTES,
            whole_bytes: true,
            growth_limit: GrowthLimit::RecentlyLimited,
            cuts: Cuts::EachRoundTrip,
            cut_interval_us: 100_000,
            slow_start: SlowStart::OnePacket,
            current_filter: 3,
            current_filter_age: FilterAge::Unlimited,
            base_history_minutes: 13,
            base_rollover: BaseRollover::ActiveMinutes,
            compensate_skew: true,
            paced: true,
            guards: Guards::Peer,
            base_shift_ppm_max: BASE_SHIFT_PPM_MAX,
        }
    }

    /// libutp as it is, without bounds: for comparisons, not for use. A receiver that lowers its
    /// own delays step by step switches the law off, a window goes at once, and one overflow of a
    /// buffer may cut it twice.
    #[must_use]
    pub const fn libutp_strict() -> Self {
        Self {
            name: "libutp-strict",
            cuts: Cuts::EachLoss,
            paced: false,
            guards: Guards::Off,
            ..Self::libutp()
        }
    }

    /// The law of RFC 6817: one packet per round trip, 100 ms target, two packets at least, no
    /// slow start (set [`slow_start`](Self::slow_start) to add that of RFC 5681).
    ///
    /// The guards correct for drifting clocks, which the RFC leaves open (appendix A.2). Marks of
    /// congestion (ECN), which the RFC would have halve the window, do not reach a UDP socket here.
    #[must_use]
    pub const fn rfc6817() -> Self {
        Self {
            name: "rfc6817",
            guards: Guards::Peer,
            compensate_skew: true,
            ..Self::rfc6817_strict()
        }
    }

    /// RFC 6817 to the letter: for comparisons, not for use. A receiver whose clock runs fast by
    /// more than 167 ppm stops it, and one that reports a constant delay switches it off.
    #[must_use]
    pub const fn rfc6817_strict() -> Self {
        Self {
            name: "rfc6817-strict",
            target_us: TARGET_US,
            gain: Size::Packets(1),
            window_initial: Size::Packets(2),
            window_min: Size::Packets(2),
            window_max_bytes: WINDOW_MAX_BYTES,
            whole_bytes: false,
            growth_limit: GrowthLimit::InFlightPlus(Size::Packets(1)),
            cuts: Cuts::EachRoundTrip,
            cut_interval_us: 0,
            slow_start: SlowStart::Off,
            current_filter: 4,
            current_filter_age: FilterAge::RoundTrip,
            base_history_minutes: 10,
            base_rollover: BaseRollover::EveryMinute,
            compensate_skew: false,
            paced: true,
            guards: Guards::Off,
            base_shift_ppm_max: BASE_SHIFT_PPM_MAX,
        }
    }
}

/// RFC 6817 section 2.5 and libutp agree on 100 ms.
const TARGET_US: u32 = 100_000;

/// libutp's send buffer, which caps its window.
const WINDOW_MAX_BYTES: u64 = 1 << 20;

/// Crystals are off by 100 ppm at the worst, so two of them drift by 200 ppm; 500 leaves room for
/// the steering of a time daemon.
pub(crate) const BASE_SHIFT_PPM_MAX: u16 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    // req
    #[test]
    fn the_rfc_has_its_constants() {
        for config in [Config::rfc6817(), Config::rfc6817_strict()] {
            assert_eq!(config.target_us, 100_000);
            assert_eq!(config.gain, Size::Packets(1));
            assert_eq!(config.base_history_minutes, 10);
            assert_eq!(config.current_filter, 4);
            assert_eq!(config.growth_limit, GrowthLimit::InFlightPlus(Size::Packets(1)));
            assert_eq!(
                (config.window_initial, config.window_min),
                (Size::Packets(2), Size::Packets(2))
            );
        }
    }

    #[test]
    fn presets_are_valid() {
        let presets = [
            Config::utp(),
            Config::libutp(),
            Config::libutp_strict(),
            Config::rfc6817(),
            Config::rfc6817_strict(),
        ];
        for preset in presets {
            assert_eq!(preset.validate(), Ok(()));
            assert_eq!(preset.clone().bounded(), preset);
        }
    }
}
