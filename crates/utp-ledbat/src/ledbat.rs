//! Owns the window: the delay-based law, and what losses and time-outs do to it.
//!
//! One law serves all presets; [`Config`] says where RFC 6817 and libutp differ.

use alloc::boxed::Box;
use core::num::NonZeroU32;

use utp_wire::{Instant, TimestampDiff};

use crate::base_delay::FineBase;
use crate::config::{Config, FilterAge, GrowthLimit, TARGET_US};
use crate::controller::{Ack, Controller, DelaySample, Loss, Metrics};
use crate::current_delay::CurrentDelay;
use crate::moment::{NEVER, is_limited, is_within};
use crate::params::Params;
use crate::plateau::{Found, PLATEAU_PACKETS_MAX, Plateau, Steps};
use crate::round_trips::RoundTrips;
use crate::skew::Skew;
use crate::slow_start::{Phase, Step};
use crate::subbytes::{share_of, subbytes, whole_bytes};

/// A LEDBAT controller: grows while the queuing delay is below the target, shrinks above it.
///
/// A [`Config`] builds it; the crate documentation drives one by hand.
#[derive(Clone, Debug)]
pub struct Ledbat {
    params: Params,
    payload_bytes_max: u16,
    /// In subbytes.
    window: u64,
    slow_start: Phase,
    base: FineBase,
    current: CurrentDelay,
    round_trips: RoundTrips,
    skew: Option<Skew>,
    /// The latest round-trip time.
    rtt_us: Option<NonZeroU32>,
    /// The queuing delay the law last used or saw; [`NO_DELAY`] without a usable sample.
    delay_us: u32,
    /// When the window last held data back, [`NEVER`] if it has not.
    limited_at: Instant,
    /// Whether it has done so since the last send.
    limited: bool,
    sent_in_flight_bytes: u32,
    /// When the window was last cut, [`NEVER`] if it was not.
    cut_at: Instant,
    /// What the last cut or time-out changed; forgotten in idle times.
    before_cut: Option<Box<BeforeCut>>,
    /// A delay above the target that has not moved for a while; forgotten in idle times.
    plateau: Option<Box<Plateau>>,
    /// What may be a longer path of the delay.
    steps: Steps,
    /// The last thing that happened to the window was a time-out.
    timed_out: bool,
}

/// What a cut that turns out needless is undone with.
#[derive(Clone, Debug)]
struct BeforeCut {
    window: u64,
    slow_start: Phase,
    /// Bytes lost so far in the round trip of a cut that was a small one.
    spared_bytes: Option<NonZeroU32>,
}

impl Ledbat {
    /// A controller for a connection that starts at `now` and whose packets carry at most
    /// `payload_bytes_max` bytes of payload; zero counts as one.
    ///
    /// Fields of `config` that are out of range are moved into it, see [`Config::validate`].
    #[must_use]
    pub fn new(config: Config, now: Instant, payload_bytes_max: u16) -> Self {
        let config = config.bounded();
        let payload_bytes_max = payload_bytes_max.max(1);
        let window_max = config.window_max_bytes;
        let window_initial = config.window_initial.bytes(payload_bytes_max).min(window_max);
        let params = Params::new(&config);
        Self {
            payload_bytes_max,
            window: subbytes(window_initial),
            slow_start: Phase::new(config.slow_start, subbytes(window_max)),
            base: FineBase::new(config.base_history_minutes, config.base_rollover)
                .keeping(config.base_keep_us(config.target_us)),
            current: CurrentDelay::new(config.current_filter),
            round_trips: RoundTrips::new(&config),
            skew: config.compensate_skew.then(|| Skew::new(&config, now)),
            rtt_us: None,
            delay_us: NO_DELAY,
            limited_at: NEVER,
            limited: false,
            sent_in_flight_bytes: 0,
            cut_at: NEVER,
            before_cut: None,
            plateau: None,
            steps: Steps::default(),
            timed_out: false,
            params,
        }
    }

    /// The current delay above the base, without corrections.
    fn filtered_delay_us(&self, now: Instant) -> Option<u32> {
        let age_max_us = match self.params.current_filter_age {
            FilterAge::RoundTrip => self.rtt_us.map(NonZeroU32::get),
            FilterAge::Unlimited => None,
        };
        self.current.above(self.base.get()?, now, age_max_us)
    }

    /// The queuing delay the law acts on; corrects the base on the way.
    fn corrected_delay_us(&mut self, ack: &Ack) -> Option<u32> {
        let mut delay_us = self.filtered_delay_us(ack.now)?;
        let reported_us = above_us(self.current.newest()?, self.base.get()?);
        let target_us = self.params.target_us;
        let queuing_us = ack.rtt_us.map(|rtt_us| self.round_trips.on_round_trip(ack.now, rtt_us));
        if let Some(skew) = &mut self.skew {
            if let (Some(rtt_us), Some(queuing_us)) = (ack.rtt_us, queuing_us) {
                let raise_us = skew.raise_us(ack.now, delay_us, rtt_us, queuing_us);
                self.base.raise(raise_us);
                delay_us = delay_us.saturating_sub(raise_us).min(rtt_us);
            }
            delay_us = delay_us.saturating_add(skew.penalty_us());
        }
        if self.params.is_guarded()
            && queuing_us.is_some()
            && let Some(queuing_us) = self.round_trips.belie(reported_us, target_us)
        {
            delay_us = delay_us.max(queuing_us);
        }
        self.delay_us = delay_us;
        Some(delay_us)
    }

    /// Looks for a path that has become longer, and takes it as it is. Returns the queuing delay.
    fn watch_path(&mut self, ack: &Ack, delay_us: u32) -> u32 {
        let (Some(base), Some(rtt_us)) = (self.base.get(), ack.rtt_us) else {
            return delay_us;
        };
        let Some(filtered_us) = self.filtered_delay_us(ack.now) else {
            return delay_us;
        };
        let is_small = self.window <= PLATEAU_PACKETS_MAX * self.packet();
        if delay_us <= self.params.target_us || !is_small {
            self.plateau = None;
            return delay_us;
        }
        let ours = TimestampDiff(base.0.wrapping_add(filtered_us));
        let Some(plateau) = &mut self.plateau else {
            self.plateau = Some(Box::new(Plateau::new(ack.now, ours, rtt_us)));
            return delay_us;
        };
        let found = plateau.on_delay(ack.now, ours, rtt_us);
        // The delay in force may be that of round trips, which no report has shown: a receiver that
        // says the same for ever is not to look like a longer path.
        let found =
            found.filter(|found| self.steps.explain(above_us(found.ours, base).max(delay_us)));
        if let Some(Found { ours, rtt_us }) = found {
            self.base.clear();
            self.base.on_sample(ack.now, ours);
            self.round_trips.start_afresh(ack.now, rtt_us);
            self.slow_start.explore(subbytes(self.params.window_max_bytes()));
            self.plateau = None;
            self.delay_us = 0;
        }
        self.delay_us
    }

    /// What the delay-based law adds to the window for one acknowledgement, in subbytes.
    fn gain(&self, bytes_acked: u64, delay_us: u32) -> i64 {
        let mut per_round_trip = self.params.gain.bytes(self.payload_bytes_max);
        if self.params.is_guarded() && self.round_trips.is_doubtful(delay_us, self.params.target_us)
        {
            per_round_trip = per_round_trip.min(self.payload_bytes_max.into());
        }
        let full = share_of(per_round_trip, bytes_acked, self.window).cast_signed();
        let target_us = i64::from(self.params.target_us);
        let off_target_us = target_us - i64::from(delay_us);
        // A delay of half an hour may saturate this; the window is at its floor by then.
        full.saturating_mul(off_target_us) / target_us
    }

    fn may_grow(&self, now: Instant) -> bool {
        match self.params.growth_limit {
            GrowthLimit::InFlightPlus(_) => true,
            GrowthLimit::RecentlyLimited => is_limited(now, self.limited_at),
        }
    }

    /// The most the window may be after `ack`, in subbytes.
    fn growth_limit(&self, ack: &Ack) -> u64 {
        let GrowthLimit::InFlightPlus(allowance) = self.params.growth_limit else {
            return u64::MAX;
        };
        // Several packets may be received before the next send. As long as data waits for them,
        // what was in flight after the last send is what the window carried.
        let waiting = if self.limited { self.sent_in_flight_bytes.into() } else { 0 };
        let in_flight_bytes = ack.in_flight_bytes.max(waiting).min(self.params.window_max_bytes());
        subbytes(in_flight_bytes + allowance.bytes(self.payload_bytes_max))
    }

    /// Keeps what there is to go back to. Of time-outs in a row the first counts: the others find
    /// what it has left.
    fn before_cut(&mut self) {
        if !self.timed_out && !self.params.each_loss_cuts() {
            let (window, slow_start) = (self.window, self.slow_start.clone());
            self.before_cut = Some(Box::new(BeforeCut { window, slow_start, spared_bytes: None }));
        }
    }

    /// Cuts to `window`, which never raises it.
    fn cut_to(&mut self, window: u64) {
        self.window = self.counted(self.window.min(window.max(self.loss_floor())));
        self.slow_start.on_cut(self.window);
    }

    /// So many lost bytes, if they are few enough for a small cut.
    fn few_bytes(&self, lost_bytes: u64) -> Option<NonZeroU32> {
        let few = lost_bytes <= SPARED_PACKETS_MAX * u64::from(self.payload_bytes_max);
        u32::try_from(lost_bytes.max(1)).ok().filter(|_| few).and_then(NonZeroU32::new)
    }

    /// Whether packets wait on the path. Reports may hide it, round trips do not.
    fn sees_queue(&self) -> bool {
        self.delay_us >= QUEUE_US_MIN || self.round_trips.queuing_us() >= QUEUE_OF_ROUND_TRIP_US_MIN
    }

    /// A window as it is kept.
    fn counted(&self, window: u64) -> u64 {
        if self.params.whole_bytes() { subbytes(whole_bytes(window)) } else { window }
    }

    fn packet(&self) -> u64 {
        subbytes(u64::from(self.payload_bytes_max).min(self.params.window_max_bytes()))
    }

    /// The window that a loss leaves at least. Two packets keep acknowledgements coming, as with
    /// TCP (RFC 5681 section 3.1); less than one would wait for a time-out after each.
    fn loss_floor(&self) -> u64 {
        let window_min = self.window_min();
        if self.params.is_path_guarded() { window_min.max(2 * self.packet()) } else { window_min }
    }

    fn window_min(&self) -> u64 {
        let window_min_bytes = self.params.window_min.bytes(self.payload_bytes_max);
        subbytes(window_min_bytes.min(self.params.window_max_bytes()))
    }
}

impl Controller for Ledbat {
    fn on_sent(&mut self, _now: Instant, _bytes: u64, in_flight_bytes: u64) {
        self.sent_in_flight_bytes = u32::try_from(in_flight_bytes).unwrap_or(u32::MAX);
        self.limited = false;
    }

    fn on_window_limited(&mut self, now: Instant) {
        self.limited_at = now;
        self.limited = true;
    }

    fn on_delay_sample(&mut self, now: Instant, sample: DelaySample) {
        if let (Some(skew), Some(theirs)) = (&mut self.skew, sample.theirs) {
            skew.on_theirs(now, theirs);
        }
        if let Some(theirs) = sample.theirs {
            self.round_trips.on_theirs(now, theirs);
        }
        let Some(ours) = sample.ours else {
            return;
        };
        if self.params.is_guarded()
            && let Some(last) = self.current.newest()
            && let Some(base) = self.round_trips.base_after_step(last, ours)
        {
            self.base.clear();
            self.base.on_sample(now, base);
            self.current.clear();
        }
        let base = self.base.on_sample(now, ours);
        if let Some(last) = self.current.newest() {
            let since_us = self.current.since_newest_us(now);
            self.steps.on_delay(above_us(ours, base), above_us(ours, last), since_us);
        }
        self.current.on_sample(now, ours);
        if let Some(skew) = &mut self.skew {
            skew.on_ours(now, ours);
        }
        self.delay_us = self.filtered_delay_us(now).unwrap_or(NO_DELAY);
    }

    fn on_ack(&mut self, ack: &Ack) {
        self.rtt_us = ack.rtt_us.and_then(|rtt_us| NonZeroU32::new(rtt_us.max(1))).or(self.rtt_us);
        self.timed_out = false;
        if ack.bytes_acked == 0 || !ack.delay_sampled {
            return;
        }
        let Some(delay_us) = self.corrected_delay_us(ack) else {
            return;
        };
        let delay_us =
            if self.params.is_path_guarded() { self.watch_path(ack, delay_us) } else { delay_us };
        let gain = self.gain(ack.bytes_acked, delay_us);
        let steered = self.window.saturating_add_signed(gain);
        let step = self.slow_start.on_ack(
            self.window,
            ack.bytes_acked,
            self.payload_bytes_max,
            delay_us,
            self.params.target_us,
        );
        let mut window = match step {
            Step::Grow(grown) => grown.max(steered),
            Step::Leave => self.window,
            Step::Off => steered,
        };
        let may_grow = matches!(step, Step::Grow(_)) && !self.params.is_guarded();
        if !may_grow && !self.may_grow(ack.now) {
            window = window.min(self.window);
        }
        let window_max = subbytes(self.params.window_max_bytes());
        let window = window.min(self.growth_limit(ack)).max(self.window_min()).min(window_max);
        self.window = self.counted(window);
    }

    fn on_loss(&mut self, loss: &Loss) {
        let interval_us = u64::from(self.params.cut_interval_us);
        if is_within(loss.now, self.cut_at, interval_us) {
            self.before_cut = None;
            return;
        }
        self.before_cut();
        self.cut_at = loss.now;
        self.plateau = None;
        let is_spared = self.params.queue_decides() && !self.sees_queue();
        let spared_bytes = self.few_bytes(loss.bytes_lost).filter(|_| is_spared);
        if let Some(before) = &mut self.before_cut {
            before.spared_bytes = spared_bytes;
        }
        let is_small = spared_bytes.is_some();
        self.cut_to(if is_small { self.window / 4 * 3 } else { self.window / 2 });
    }

    fn on_more_loss(&mut self, loss: &Loss) {
        if self.params.each_loss_cuts() {
            self.on_loss(loss);
            return;
        }
        let Some(before) = &self.before_cut else { return };
        let Some(spared_bytes) = before.spared_bytes else { return };
        let (half, lost_bytes) = (before.window / 2, u64::from(spared_bytes.get()));
        let spared_bytes = self.few_bytes(lost_bytes.saturating_add(loss.bytes_lost));
        if spared_bytes.is_none() {
            self.cut_to(half);
        }
        if let Some(before) = &mut self.before_cut {
            before.spared_bytes = spared_bytes;
        }
    }

    fn on_spurious_loss(&mut self, _now: Instant) {
        if let Some(before) = self.before_cut.take() {
            self.window = self.window.max(before.window);
            self.slow_start = before.slow_start;
            self.cut_at = NEVER;
        }
    }

    fn on_timeout(&mut self, _now: Instant, in_flight_bytes: u64) {
        let packet = self.packet();
        if in_flight_bytes == 0 && self.window > packet {
            let floor = packet.max(self.window_min());
            self.window = self.counted(self.window.min((self.window / 3 * 2).max(floor)));
            return;
        }
        self.before_cut();
        self.timed_out = true;
        self.plateau = self.plateau.take().filter(|_| in_flight_bytes == 0);
        self.window = packet;
        self.slow_start.on_timeout(in_flight_bytes, self.payload_bytes_max);
    }

    fn on_idle(&mut self) {
        self.before_cut = None;
        self.plateau = None;
    }

    fn on_mtu_update(&mut self, payload_bytes_max: u16) {
        self.payload_bytes_max = payload_bytes_max.max(1);
    }

    fn set_target(&mut self, target_us: u32) {
        self.params.target_us = target_us.clamp(*TARGET_US.start(), *TARGET_US.end());
    }

    fn is_paced(&self) -> bool {
        self.params.paced()
    }

    fn window_bytes(&self) -> u64 {
        whole_bytes(self.window)
    }

    fn metrics(&self) -> Metrics {
        Metrics {
            window_bytes: self.window_bytes(),
            ssthresh_bytes: self.slow_start.threshold().map(whole_bytes),
            base_delay_us: self.base.get().map(|base| base.0),
            queuing_delay_us: Some(self.delay_us).filter(|delay_us| *delay_us != NO_DELAY),
            slow_start: self.slow_start.is_active(),
        }
    }
}

/// How far a delay lies above another, in microseconds; below it counts as zero.
fn above_us(delay: TimestampDiff, low: TimestampDiff) -> u32 {
    delay.distance_from(low).max(0).unsigned_abs()
}

/// A delay that is unknown: longer than any round trip.
const NO_DELAY: u32 = u32::MAX;

/// More packets than this are not lost by chance within one round trip, up to some 3 % of loss; a
/// policer that is overrun takes six.
const SPARED_PACKETS_MAX: u64 = 2;

/// From here on packets wait. CoDel lets them wait 5 ms, nine packets at 100 Mbit/s wait 1 ms.
const QUEUE_US_MIN: u32 = 1_000;

/// The same of round trips, to which the way back and the receiver's timers add.
const QUEUE_OF_ROUND_TRIP_US_MIN: u32 = 5_000;

#[cfg(test)]
mod tests;
