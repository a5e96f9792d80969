//! The clock of a host: what it shows at each moment of true time, and what it adds to the time
//! stamps on the wire.
//!
//! An offset and a drift are part of the clock that the host's software reads, timers included, as
//! they are in a computer. A step is not: timers use a clock which nobody sets, and only the time
//! stamps follow the one that is set. So a step is added to the stamps of what the host sends.

use crate::packet::HostId;
use crate::rng::Stream;
use crate::scenario::{HostEvent, Scenario, What};
use crate::time::Ns;
use utp_proto::Instant;
use utp_wire::{Header, PacketType, Timestamp};

/// What a host's clock shows, as a function of true time.
#[derive(Clone, Debug)]
pub(crate) struct HostClock {
    /// In order of time, the first one from the start of the run on.
    spans: Vec<Span>,
    /// By how much stamps are ahead from each moment on, in order of time.
    steps: Vec<(Ns, i64)>,
}

/// A span in which the clock runs at one speed.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: Ns,
    /// What the clock shows then, in nanoseconds.
    shown: u64,
    /// Nanoseconds that it goes on in a million of true ones.
    speed: u64,
}

impl HostClock {
    /// The clock of `host`; what the scenario does not say of it comes from `entropy`, of which as
    /// much is drawn whatever it says.
    ///
    /// Left alone the two hosts disagree by an arbitrary span, as two computers do, so that nothing
    /// can work by comparing their clocks.
    pub(crate) fn new(scenario: &Scenario, host: HostId, entropy: &mut Stream) -> Self {
        let drawn_us = OFFSET_US_MIN + entropy.below(OFFSET_US_SPAN);
        let config = scenario.hosts[host.index()];
        let offset_us = config.clock_offset_us.unwrap_or(drawn_us);
        let first = Span {
            from: Ns::ZERO,
            shown: offset_us.saturating_mul(1_000),
            speed: speed(config.clock_drift_ppm),
        };
        let mut clock = Self { spans: vec![first], steps: Vec::new() };
        for change in &scenario.changes {
            let What::Host { host: of, event } = change.what else { continue };
            match event {
                HostEvent::ClockDrift(ppm) if of == host => {
                    let shown = clock.last().shown(change.at);
                    clock.spans.push(Span { from: change.at, shown, speed: speed(ppm) });
                }
                HostEvent::ClockStep(by_us) if of == host => {
                    let before = clock.steps.last().map_or(0, |step| step.1);
                    clock.steps.push((change.at, before + by_us));
                }
                _ => {}
            }
        }
        clock
    }

    /// What the software reads at `at`, in whole microseconds.
    pub(crate) fn now(&self, at: Ns) -> Instant {
        let span = match self.spans.as_slice() {
            [only] => only,
            spans => &spans[spans.partition_point(|span| span.from <= at).max(1) - 1],
        };
        Instant::from_micros(span.shown(at) / 1_000)
    }

    /// The first moment of true time at which the clock shows `instant`, the start of the run if it
    /// did so before; a year at most, which is longer than any run.
    pub(crate) fn when(&self, instant: Instant) -> Ns {
        let shown = instant.as_micros().saturating_mul(1_000);
        let after = self.spans.partition_point(|span| span.shown <= shown).max(1);
        let span = self.spans[after - 1];
        let left = shown.saturating_sub(span.shown);
        // Nearly every clock is a true one.
        let since = match span.speed {
            MILLION => left,
            speed => {
                let since = (u128::from(left) * u128::from(MILLION)).div_ceil(u128::from(speed));
                u64::try_from(since).unwrap_or(u64::MAX)
            }
        };
        let at = Ns(span.from.0.saturating_add(since).min(YEAR.0));
        // A clock that drifts away from a rounded edge may be there a moment later only.
        match self.spans.get(after) {
            Some(next) if next.from < at => next.from,
            _ => at,
        }
    }

    /// What packets that are sent at `at` show of the clock.
    pub(crate) fn stamp(&self, at: Ns) -> Timestamp {
        let ahead_us = self.steps.iter().rev().find(|step| step.0 <= at).map_or(0, |step| step.1);
        let shown_us = self.now(at).as_micros().wrapping_add_signed(ahead_us);
        Instant::from_micros(shown_us).timestamp()
    }

    fn last(&self) -> &Span {
        &self.spans[self.spans.len() - 1]
    }
}

impl Span {
    fn shown(&self, at: Ns) -> u64 {
        let since = at.0.saturating_sub(self.from.0);
        if self.speed == MILLION {
            return self.shown + since;
        }
        let since = u128::from(since) * u128::from(self.speed) / u128::from(MILLION);
        self.shown.saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
    }
}

/// Lets a uTP packet that is about to be sent show `stamp`, and moves the difference to the peer's
/// stamp as much, which was measured with the same clock. All else stays alone.
///
/// The core lets every connection show another clock, ahead of the host's by an offset of its own.
/// Nobody can tell what is taken away here from that: an offset means nothing to a peer. So the
/// scenario decides when stamps wrap, and delays measured from the outside can be compared.
pub(crate) fn set_stamp(payload: &mut [u8], stamp: Timestamp) {
    let Some(bytes) = payload.first_chunk_mut() else { return };
    let Ok((mut header, first_extension)) = Header::decode(bytes) else { return };
    let (own, difference) =
        (&mut header.timestamp_microseconds.0, &mut header.timestamp_difference_microseconds.0);
    // Zero stands for no stamp and for no difference.
    if header.packet_type == PacketType::Reset || *own == 0 {
        return;
    }
    let by_us = stamp.0.wrapping_sub(*own);
    *own = stamp.0.max(1);
    if *difference != 0 {
        *difference = difference.wrapping_add(by_us).max(1);
    }
    header.encode(first_extension, bytes);
}

fn speed(drift_ppm: i32) -> u64 {
    MILLION.saturating_add_signed(drift_ppm.into()).max(1)
}

const MILLION: u64 = 1_000_000;

/// Timers end after a year at the latest.
const YEAR: Ns = Ns::from_secs(365 * 24 * 3_600);

/// Room before the start of the run, so that a moment slightly before it can be told.
const OFFSET_US_MIN: u64 = 1_000_000;

/// Twice the range of the 32-bit time stamps on the wire.
const OFFSET_US_SPAN: u64 = 1 << 33;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Streams;
    use crate::scenario::{Change, HostConfig};

    fn clock(offset_us: u64, drift_ppm: i32, events: &[(u64, HostEvent)]) -> HostClock {
        let host = HostConfig { clock_offset_us: Some(offset_us), clock_drift_ppm: drift_ppm };
        let changes = events.iter().map(|&(s, event)| Change {
            at: Ns::from_secs(s),
            what: What::Host { host: HostId::Left, event },
        });
        let scenario = Scenario {
            hosts: [host, HostConfig::default()],
            changes: changes.collect(),
            ..Scenario::default()
        };
        HostClock::new(&scenario, HostId::Left, &mut Streams::new(1).host(0))
    }

    fn shown_us(clock: &HostClock, at: Ns) -> u64 {
        clock.now(at).as_micros()
    }

    #[test]
    fn a_clock_shows_offset_and_drift_and_finds_back() {
        let clock = clock(5_000_000, 500, &[(10, HostEvent::ClockDrift(-200))]);
        assert_eq!(shown_us(&clock, Ns::ZERO), 5_000_000);
        assert_eq!(shown_us(&clock, Ns::from_secs(10)), 15_005_000);
        assert_eq!(shown_us(&clock, Ns::from_secs(20)), 25_003_000);
        for us in (0..20_000_000).step_by(7_919).map(|us| 5_000_000 + us) {
            let at = clock.when(Instant::from_micros(us));
            assert!(shown_us(&clock, at) >= us, "{us} at {at}");
            assert!(at == Ns::ZERO || shown_us(&clock, at - Ns(1)) < us, "{us} at {at}");
        }
    }

    #[test]
    fn a_true_clock_is_exact_to_the_nanosecond() {
        let clock = clock(3, 0, &[]);
        assert_eq!(shown_us(&clock, Ns(1_999)), 4);
        assert_eq!(clock.when(Instant::from_micros(4)), Ns(1_000));
        assert_eq!(clock.when(Instant::from_micros(1)), Ns::ZERO);
        assert_eq!(clock.when(Instant::from_micros(u64::MAX)), YEAR);
    }

    #[test]
    fn clocks_left_alone_differ_between_hosts_and_leave_the_same_entropy() {
        let scenario = Scenario::default();
        let of = |host: HostId, scenario: &Scenario| {
            let mut entropy = Streams::new(1).host(host.index());
            let clock = HostClock::new(scenario, host, &mut entropy);
            (clock.now(Ns::ZERO), entropy.below(1 << 40))
        };
        let (left, next) = of(HostId::Left, &scenario);
        assert_ne!(left, of(HostId::Right, &scenario).0);
        let mut fixed = scenario;
        fixed.hosts[0].clock_offset_us = Some(0);
        assert_eq!(of(HostId::Left, &fixed), (Instant::from_micros(0), next));
    }

    #[test]
    fn steps_show_in_stamps_and_not_in_what_software_reads() {
        let events = [(2, HostEvent::ClockStep(700)), (5, HostEvent::ClockStep(-1_000))];
        let clock = clock(0, 0, &events);
        let seconds = [1, 2, 4, 5, 9];
        let ahead = seconds.map(|s| {
            i64::from(clock.stamp(Ns::from_secs(s)).0)
                - i64::try_from(s).expect("small") * 1_000_000
        });
        assert_eq!(ahead, [0, 700, 700, -300, -300]);
        assert_eq!(shown_us(&clock, Ns::from_secs(9)), 9_000_000);
    }

    #[test]
    fn stamps_wrap_where_the_offset_says() {
        let clock = clock((1 << 32) - 1, 0, &[]);
        assert_eq!([0, 1_000].map(|ns| clock.stamp(Ns(ns)).0), [u32::MAX, 0]);
    }

    #[test]
    fn a_packet_shows_the_stamp_and_keeps_what_lies_between_the_clocks() {
        let packet = |first: u8, stamp: u32, difference: u32| {
            let mut bytes = [0; 20];
            bytes[0] = first;
            bytes[4..8].copy_from_slice(&stamp.to_be_bytes());
            bytes[8..12].copy_from_slice(&difference.to_be_bytes());
            bytes
        };
        let stamped = |mut packet: [u8; 20], stamp| {
            set_stamp(&mut packet, Timestamp(stamp));
            packet
        };
        assert_eq!(stamped(packet(0x21, 300, 0), 100), packet(0x21, 100, 0));
        assert_eq!(
            stamped(packet(0x01, 300, 50), 100),
            packet(0x01, 100, 50_u32.wrapping_sub(200))
        );
        assert_eq!(stamped(packet(0x01, u32::MAX, 5), 0), packet(0x01, 1, 6), "0 is no stamp");
        assert_eq!(stamped(packet(0x01, 0, 0), 9), packet(0x01, 0, 0));
        assert_eq!(stamped(packet(0x31, 7, 7), 9), packet(0x31, 7, 7), "a reset has none");
        let mut short = [0x21; 19];
        set_stamp(&mut short, Timestamp(1));
        assert_eq!(short, [0x21; 19]);
    }
}
