//! What a socket shows and sets of its congestion control: delays, the cap of its window, the
//! target. The law itself is that of `utp-ledbat`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use utp_ledbat::{Ack, Controller, ControllerFactory, DelaySample, Loss, Metrics};
use utp_proto::Instant;
use utp_wire::TimestampDiff;

/// What the socket and the controller of its connection share.
#[derive(Debug)]
pub(crate) struct Gauge {
    ours_us: AtomicU32,
    theirs_us: AtomicU32,
    sampled_at_us: AtomicU64,
    /// Window updates so far, wrapping.
    updates: AtomicU32,
    window_max_bytes: AtomicU32,
    target_us: AtomicU32,
}

impl Gauge {
    pub(crate) const fn new(now: Instant, window_max_bytes: u32, target_us: u32) -> Self {
        Self {
            ours_us: AtomicU32::new(0),
            theirs_us: AtomicU32::new(0),
            sampled_at_us: AtomicU64::new(now.as_micros()),
            updates: AtomicU32::new(0),
            window_max_bytes: AtomicU32::new(window_max_bytes),
            target_us: AtomicU32::new(target_us),
        }
    }

    /// Queuing delays of our packets and of the peer's in microseconds, and when ours was measured.
    pub(crate) fn delays(&self) -> (u32, u32, Instant) {
        let at = Instant::from_micros(self.sampled_at_us.load(Ordering::Relaxed));
        (self.ours_us.load(Ordering::Relaxed), self.theirs_us.load(Ordering::Relaxed), at)
    }

    /// A number that changes with every update of the window.
    pub(crate) fn updates(&self) -> u32 {
        self.updates.load(Ordering::Relaxed)
    }

    pub(crate) fn set_window_max(&self, bytes: u32) {
        self.window_max_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn set_target(&self, target_us: u32) {
        self.target_us.store(target_us, Ordering::Relaxed);
    }
}

/// Builds the controller of one connection.
#[derive(Debug)]
pub(crate) struct Gauged {
    gauge: Arc<Gauge>,
}

impl Gauged {
    pub(crate) const fn new(gauge: Arc<Gauge>) -> Self {
        Self { gauge }
    }
}

impl ControllerFactory for Gauged {
    fn name(&self) -> &'static str {
        "utp"
    }

    fn build(&self, now: Instant, payload_bytes_max: u16) -> Box<dyn Controller> {
        let mut law = utp_ledbat::Config::utp();
        law.target_us = self.gauge.target_us.load(Ordering::Relaxed);
        // The cap may be raised later.
        law.window_max_bytes = u64::MAX;
        Box::new(GaugedController {
            target_us: law.target_us,
            law: law.bounded().build(now, payload_bytes_max),
            gauge: Arc::clone(&self.gauge),
            theirs: Theirs::default(),
        })
    }
}

struct GaugedController {
    law: Box<dyn Controller>,
    gauge: Arc<Gauge>,
    target_us: u32,
    theirs: Theirs,
}

impl fmt::Debug for GaugedController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.law.fmt(f)
    }
}

impl GaugedController {
    fn window_max_bytes(&self) -> u64 {
        self.gauge.window_max_bytes.load(Ordering::Relaxed).max(1).into()
    }
}

impl Controller for GaugedController {
    fn on_sent(&mut self, now: Instant, bytes: u64, in_flight_bytes: u64) {
        self.law.on_sent(now, bytes, in_flight_bytes);
    }

    fn on_window_limited(&mut self, now: Instant) {
        // What the cap holds back says nothing about the window of the law.
        if self.law.window_bytes() <= self.window_max_bytes() {
            self.law.on_window_limited(now);
        }
    }

    fn on_delay_sample(&mut self, now: Instant, sample: DelaySample) {
        let target_us = self.gauge.target_us.load(Ordering::Relaxed);
        if target_us != self.target_us {
            self.target_us = target_us;
            self.law.set_target(target_us);
        }
        self.law.on_delay_sample(now, sample);
        if let Some(theirs) = sample.theirs {
            let queuing_us = self.theirs.on_sample(now, theirs);
            self.gauge.theirs_us.store(queuing_us, Ordering::Relaxed);
        }
        if sample.ours.is_some() {
            let ours_us = self.law.metrics().queuing_delay_us.unwrap_or(0);
            self.gauge.ours_us.store(ours_us, Ordering::Relaxed);
            self.gauge.sampled_at_us.store(now.as_micros(), Ordering::Relaxed);
        }
    }

    fn on_ack(&mut self, ack: &Ack) {
        self.law.on_ack(ack);
        if ack.delay_sampled && ack.bytes_acked > 0 {
            let ours_us = self.law.metrics().queuing_delay_us.unwrap_or(0);
            self.gauge.ours_us.store(ours_us, Ordering::Relaxed);
            self.gauge.updates.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn on_loss(&mut self, loss: &Loss) {
        self.law.on_loss(loss);
    }

    fn on_more_loss(&mut self, loss: &Loss) {
        self.law.on_more_loss(loss);
    }

    fn on_spurious_loss(&mut self, now: Instant) {
        self.law.on_spurious_loss(now);
    }

    fn on_timeout(&mut self, now: Instant, in_flight_bytes: u64) {
        self.law.on_timeout(now, in_flight_bytes);
    }

    fn on_idle(&mut self) {
        self.law.on_idle();
    }

    fn on_mtu_update(&mut self, payload_bytes_max: u16) {
        self.law.on_mtu_update(payload_bytes_max);
    }

    /// Programs call when they please: what is held back would wait for the next of their ticks.
    fn is_paced(&self) -> bool {
        false
    }

    fn window_bytes(&self) -> u64 {
        self.law.window_bytes().min(self.window_max_bytes())
    }

    fn metrics(&self) -> Metrics {
        Metrics { window_bytes: self.window_bytes(), ..self.law.metrics() }
    }
}

/// The queue on the peer's way to us.
#[derive(Debug, Default)]
struct Theirs {
    /// The smallest delay of the present period and of the one before.
    bases: Option<[TimestampDiff; 2]>,
    period_ends_at: Instant,
    /// The last samples, above the base that they had then.
    recent_us: [u32; 3],
    next: u8,
}

impl Theirs {
    /// Takes a delay. Returns the smallest of the last three above the base.
    fn on_sample(&mut self, now: Instant, sample: TimestampDiff) -> u32 {
        let [present, before] = self.bases.get_or_insert([sample; 2]);
        if now >= self.period_ends_at {
            (*before, *present) = (*present, sample);
            self.period_ends_at = now.saturating_add(PERIOD_US);
        }
        if sample.distance_from(*present) < 0 {
            *present = sample;
        }
        let base = if before.distance_from(*present) < 0 { *before } else { *present };
        let queuing_us = sample.distance_from(base).max(0).unsigned_abs();
        let place = usize::from(self.next);
        self.recent_us[place] = queuing_us;
        self.next = if place == 2 { 0 } else { self.next + 1 };
        self.recent_us.into_iter().min().unwrap_or(0)
    }
}

/// Half of the thirteen minutes that libutp remembers a base for.
const PERIOD_US: u64 = 390_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn their_delay_is_above_the_smallest_of_the_last_minutes() {
        let mut theirs = Theirs::default();
        let mut sample = |seconds, us: u32| theirs.on_sample(at(seconds), TimestampDiff(us));
        // A spike of one sample is none.
        assert_eq!([sample(1, 7_000), sample(2, 90_000), sample(3, 5_000)], [0, 0, 0]);
        assert_eq!([sample(4, 25_000), sample(5, 35_000), sample(6, 45_000)], [0, 0, 20_000]);
        // A path that has become longer is the base after two periods.
        for seconds in 7..800 {
            sample(seconds, 45_000);
        }
        assert_eq!(sample(801, 45_000), 0);
    }

    #[test]
    fn the_cap_holds_the_window_and_can_be_raised() {
        let gauge = Arc::new(Gauge::new(at(0), 2_000, 100_000));
        let mut controller = Gauged::new(Arc::clone(&gauge)).build(at(0), 1_382);
        let mut grow = || {
            for ms in 0..10_000 {
                let now = Instant::from_micros(ms * 1_000);
                controller.on_window_limited(now);
                let sample = DelaySample { ours: Some(TimestampDiff(20_000)), theirs: None };
                controller.on_delay_sample(now, sample);
                controller.on_ack(&Ack {
                    now,
                    bytes_acked: 1_000,
                    in_flight_bytes: 2_000,
                    rtt_us: Some(40_000),
                    delay_sampled: true,
                });
            }
            controller.window_bytes()
        };
        assert_eq!(grow(), 2_000);
        gauge.set_window_max(5_000);
        assert_eq!(grow(), 5_000);
        assert_eq!(gauge.updates(), 20_000);
        assert_eq!(gauge.delays().2, Instant::from_micros(9_999_000));
    }
}
