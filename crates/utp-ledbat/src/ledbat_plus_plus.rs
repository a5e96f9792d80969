//! LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus), which yields faster than LEDBAT, shares evenly
//! with its own kind and does not drift: it measures round trips instead of one-way delays, starts
//! gently, cuts in proportion, and empties its queue now and then to see the path without it.

use alloc::boxed::Box;

use utp_wire::{Instant, TimestampDiff};

use crate::base_delay::FineBase;
use crate::config::BaseRollover;
use crate::controller::{Ack, Controller, ControllerFactory, Loss, Metrics};
use crate::current_delay::CurrentDelay;
use crate::loss_window::LossWindow;
use crate::subbytes::{share_of, subbytes};

/// A LEDBAT++ controller, with the five mechanisms of the draft:
///
/// 1. The queuing delay is the smallest of the last four round-trip times, less the smallest of the
///    last ten minutes. The target is 60 ms.
/// 2. The gain is 1 / min(16, ⌈2 · target / base⌉), so that short paths are not faster to take.
/// 3. Slow start grows by the gain times what is acknowledged. The first one ends where the queuing
///    delay passes three quarters of the target.
/// 4. Below the target the window grows by the gain in packets per round trip. Above it, a window
///    of W changes by gain − W · (delay / target − 1), by −W / 2 at the most.
/// 5. Slowdowns: two round trips after the first slow start, and from then on nine times as long
///    after the last one as that one took, the window goes to two packets for two round trips and
///    then back to where it was, in slow start.
///
/// What the draft leaves open is decided so:
///
/// * The ramp after a slowdown is scaled by the gain, like every slow start. A full doubling is
///   over sooner, but as the next slowdown is due by the length of the last, it would come several
///   times as often for the same share of the time.
/// * A loss during a slowdown cuts the threshold that the window will return to. Cutting the two
///   packets of the moment would make the loss free.
/// * A cut for delay does not put the next slowdown off.
/// * The next slowdown comes after five minutes at the latest. A ramp of a sender that is limited
///   by its application may take any time.
/// * A time-out is a slowdown that the path has forced: from one packet the window ramps up to half
///   of what was in flight, and the next slowdown is due by how long that took.
/// * The cut of at most W / 2 holds for a round trip, however its acknowledgements are split.
/// * Without a round-trip time the window stays as it is. It grows only when it has held data back
///   within the last second.
///
/// Delays that the peer reports are not used: no clock and no lie about one touches this law. It
/// yields to everything that delays its round trips, a queue on the way back too, and so gets next
/// to nothing beside a LEDBAT flow with a target of 100 ms.
#[derive(Clone, Debug)]
pub struct LedbatPlusPlus {
    window: LossWindow<Phase>,
    phase: Phase,
    /// Of round-trip times.
    base: FineBase,
    current: CurrentDelay,
    /// The latest round-trip time.
    rtt_us: u32,
    /// The window that delay may not undercut before `round_end`, in subbytes.
    round_floor: u64,
    round_end: Instant,
}

/// Where the window is in the cycle of slowdowns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first slow start, without a threshold.
    Start,
    /// The law runs; the next slowdown is due at this time.
    Steady { slowdown_at: Instant },
    /// The window is held at two packets until a time.
    Hold { since: Instant, until: Instant },
    /// Slow start up to the threshold.
    Ramp { since: Instant },
}

impl LedbatPlusPlus {
    /// A controller of a connection whose packets carry at most `payload_bytes_max` bytes of
    /// payload; zero counts as one.
    #[must_use]
    pub fn new(payload_bytes_max: u16) -> Self {
        Self {
            window: LossWindow::new(WINDOW_MIN_PACKETS, payload_bytes_max),
            phase: Phase::Start,
            base: FineBase::new(BASE_HISTORY_MINUTES, BaseRollover::EveryMinute),
            current: CurrentDelay::new(CURRENT_FILTER),
            rtt_us: 0,
            round_floor: 0,
            round_end: Instant::default(),
        }
    }

    fn on_round_trip(&mut self, now: Instant, rtt_us: u32) {
        // Longer ones than half an hour would count as negative.
        let rtt = TimestampDiff(rtt_us.min(i32::MAX.unsigned_abs()));
        self.base.on_sample(now, rtt);
        self.current.on_sample(now, rtt);
        self.rtt_us = rtt.0;
    }

    fn queuing_delay_us(&self) -> Option<u32> {
        self.current.above(self.base.get()?, Instant::default(), None)
    }

    /// What the gain is the inverse of, 1 to 16.
    fn gain_divisor(&self) -> u64 {
        let base_us = self.base.get().map_or(0, |base| base.0).max(1);
        u64::from((2 * TARGET_US).div_ceil(base_us)).min(GAIN_DIVISOR_MAX)
    }

    fn window_min(&self) -> u64 {
        self.window.packets(WINDOW_MIN_PACKETS)
    }

    fn after_round_trips(&self, now: Instant, count: u64) -> Instant {
        now.saturating_add(count * u64::from(self.rtt_us))
    }

    /// What the phase makes of the time that has passed.
    fn advance(&mut self, now: Instant) {
        match self.phase {
            Phase::Steady { slowdown_at } if now >= slowdown_at => {
                self.window.set_threshold(self.window.size());
                self.window.set_size(self.window_min().min(self.window.size()));
                let until = self.after_round_trips(now, HOLD_ROUND_TRIPS);
                self.phase = Phase::Hold { since: now, until };
            }
            Phase::Hold { since, until } if now >= until => self.phase = Phase::Ramp { since },
            _ => {}
        }
        if now >= self.round_end {
            self.round_end = self.after_round_trips(now, 1);
            self.round_floor = self.window.size() / 2;
        }
    }

    /// Ends a ramp that has come to its threshold.
    fn end_ramp(&mut self, now: Instant) {
        if let Phase::Ramp { since } = self.phase
            && self.window.size() >= self.window.threshold()
        {
            let took_us = now.saturating_since(since);
            let pause_us = took_us.saturating_mul(PAUSE_FACTOR).min(PAUSE_US_MAX);
            self.phase = Phase::Steady { slowdown_at: now.saturating_add(pause_us) };
        }
    }

    fn on_start(&mut self, ack: &Ack, delay_us: u32) {
        if delay_us > TARGET_US / 4 * 3 {
            self.window.set_threshold(self.window.size());
            self.phase = Phase::Steady {
                slowdown_at: self.after_round_trips(ack.now, FIRST_SLOWDOWN_ROUND_TRIPS),
            };
        } else {
            self.slow_start(ack, u64::MAX);
        }
    }

    fn slow_start(&mut self, ack: &Ack, threshold: u64) {
        if self.window.may_grow(ack.now) {
            let acked = subbytes(ack.bytes_acked).min(self.window.size());
            let grown = self.window.size() + acked / self.gain_divisor();
            self.window.set_size(grown.min(threshold).max(self.window_min()));
        }
    }

    fn steer(&mut self, ack: &Ack, delay_us: u32) {
        let size = self.window.size();
        let packet = self.window.payload_bytes();
        let gain = share_of(packet, ack.bytes_acked, size) / self.gain_divisor();
        let excess_us = delay_us.saturating_sub(TARGET_US).min(TARGET_US);
        // A window's worth of acknowledgements takes the window times the excess.
        let acked = subbytes(ack.bytes_acked).min(size);
        let fall = acked * u64::from(excess_us) / u64::from(TARGET_US);
        if fall < gain {
            if self.window.may_grow(ack.now) {
                self.window.set_size(size + gain - fall);
            }
        } else {
            let floor = self.window_min().max(self.round_floor).min(size);
            let cut = (fall - gain).min(acked / 2);
            self.window.set_size((size - cut).max(floor));
        }
    }
}

impl Controller for LedbatPlusPlus {
    fn on_window_limited(&mut self, now: Instant) {
        self.window.on_limited(now);
    }

    fn on_ack(&mut self, ack: &Ack) {
        self.window.on_ack();
        if let Some(rtt_us) = ack.rtt_us {
            self.on_round_trip(ack.now, rtt_us);
        }
        let Some(delay_us) = self.queuing_delay_us() else {
            return;
        };
        if ack.bytes_acked == 0 {
            return;
        }
        self.advance(ack.now);
        match self.phase {
            Phase::Start => self.on_start(ack, delay_us),
            Phase::Steady { .. } => self.steer(ack, delay_us),
            Phase::Hold { .. } => {}
            Phase::Ramp { .. } => self.slow_start(ack, self.window.threshold()),
        }
        self.end_ramp(ack.now);
    }

    fn on_loss(&mut self, loss: &Loss) {
        self.window.before_cut(&self.phase);
        let (size, threshold) = (self.window.size(), self.window.threshold());
        match self.phase {
            Phase::Start => {
                self.window.cut_to(size / 2);
                let slowdown_at = self.after_round_trips(loss.now, FIRST_SLOWDOWN_ROUND_TRIPS);
                self.phase = Phase::Steady { slowdown_at };
            }
            Phase::Steady { .. } => self.window.cut_to(size / 2),
            Phase::Hold { .. } | Phase::Ramp { .. } => {
                self.window.set_threshold(threshold / 2);
                self.window.set_size(size.min(self.window.threshold()));
            }
        }
        self.end_ramp(loss.now);
    }

    fn on_spurious_loss(&mut self, _now: Instant) {
        if let Some(phase) = self.window.undo() {
            self.phase = phase;
        }
    }

    fn on_timeout(&mut self, now: Instant, in_flight_bytes: u64) {
        if in_flight_bytes == 0 {
            if self.window.restart(WINDOW_MIN_PACKETS) {
                self.phase = Phase::Ramp { since: now };
            }
            return;
        }
        self.window.before_cut(&self.phase);
        let lost = match self.phase {
            Phase::Start | Phase::Steady { .. } => {
                subbytes(in_flight_bytes).min(self.window.size())
            }
            Phase::Hold { .. } | Phase::Ramp { .. } => self.window.threshold(),
        };
        if self.window.on_timeout(lost / 2) {
            self.phase = Phase::Ramp { since: now };
        }
    }

    fn on_idle(&mut self) {
        self.window.forget();
    }

    fn on_mtu_update(&mut self, payload_bytes_max: u16) {
        self.window.set_payload(payload_bytes_max);
    }

    fn window_bytes(&self) -> u64 {
        self.window.bytes()
    }

    fn metrics(&self) -> Metrics {
        Metrics {
            window_bytes: self.window.bytes(),
            ssthresh_bytes: self.window.threshold_bytes(),
            // It measures round trips, not the delay of our packets.
            base_delay_us: None,
            queuing_delay_us: self.queuing_delay_us(),
            slow_start: matches!(self.phase, Phase::Start | Phase::Ramp { .. }),
        }
    }
}

/// Builds [`LedbatPlusPlus`] controllers.
///
/// ```
/// use utp_ledbat::{ControllerFactory, LedbatPlusPlusFactory};
/// use utp_wire::Instant;
///
/// let controller = LedbatPlusPlusFactory.build(Instant::from_micros(0), 1382);
/// assert_eq!(controller.window_bytes(), 2 * 1382);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedbatPlusPlusFactory;

impl ControllerFactory for LedbatPlusPlusFactory {
    fn name(&self) -> &'static str {
        "ledbat++"
    }

    fn build(&self, _now: Instant, payload_bytes_max: u16) -> Box<dyn Controller> {
        Box::new(LedbatPlusPlus::new(payload_bytes_max))
    }

    fn target_us(&self) -> Option<u32> {
        Some(TARGET_US)
    }
}

const TARGET_US: u32 = 60_000;

/// The window of a new connection, of a slowdown, and the least that delay and loss leave.
const WINDOW_MIN_PACKETS: u64 = 2;

const BASE_HISTORY_MINUTES: u8 = 10;

const CURRENT_FILTER: u8 = 4;

const GAIN_DIVISOR_MAX: u64 = 16;

const FIRST_SLOWDOWN_ROUND_TRIPS: u64 = 2;

const HOLD_ROUND_TRIPS: u64 = 2;

/// A slowdown takes a tenth of the time.
const PAUSE_FACTOR: u64 = 9;

/// Half of the history of the base, so that it never lacks the sight of an empty queue.
const PAUSE_US_MAX: u64 = 300_000_000;

#[cfg(test)]
mod tests;
