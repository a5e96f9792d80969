//! When the next DATA packet may go: a token bucket, filled at somewhat more than the window allows
//! per round trip, or at the rate cap if that is less.
//!
//! The window alone would let whatever it has room for go at once, and a batch for a segmenting
//! socket would be a queue of our own making. Nothing is held for lack of a measurement, and on
//! paths so short that a window passes within the granularity of timers nothing is held at all.

use std::num::{NonZeroU8, NonZeroU32};

use utp_wire::{HEADER_LEN, Instant};

use super::bucket::{credit_of, earned, quantum};
use super::{Connection, Limit, Timer};
use crate::config::{Config, PACING_BURST_PACKETS, PACING_LATE_US_MAX};
use crate::config::{PACING_PERCENT, PACING_PERCENT_SLOW_START, PACING_QUANTUM_US};
use crate::lazy::{AtRest, Lazy};

/// The bucket of one connection.
///
/// Credit is counted in millionths of a byte, see `bucket.rs`.
#[derive(Debug)]
pub(super) struct Pacer {
    bucket: Lazy<Bucket>,
    /// Bytes per second.
    cap: Option<NonZeroU32>,
    /// Bytes that the endpoint allows at present, in any packets that can be held back.
    share: i32,
    /// The share is all that holds a packet back.
    wants_share: bool,
    weight: NonZeroU8,
}

/// What the bucket holds. At rest, more than it is ever filled to.
#[derive(Debug)]
struct Bucket {
    /// Below zero after packets that were not to be held back.
    credit: i64,
    filled_at: Instant,
    /// Bytes per second by which it was filled last; 0 when nothing is held back.
    rate: u64,
    /// After how long since then the owner was asked to come back, in microseconds; 0 if it was
    /// not.
    wake_in_us: u32,
}

impl AtRest for Bucket {
    const AT_REST: &'static Self =
        &Self { credit: i64::MAX / 2, filled_at: Instant::from_micros(0), rate: 0, wake_in_us: 0 };
}

impl Default for Bucket {
    fn default() -> Self {
        let &Self { credit, filled_at, rate, wake_in_us } = Self::AT_REST;
        Self { credit, filled_at, rate, wake_in_us }
    }
}

/// What is known of the sender when its bucket is filled.
#[derive(Clone, Copy, Debug)]
struct Filling {
    /// Bytes per second.
    rate: u64,
    /// UDP payload of a full packet.
    packet_bytes: u64,
    idle: Idle,
    /// The window decides about the rate, and all that was sent has been answered: the round trip
    /// is over, however long the smoothed one may be.
    answered: bool,
}

/// How long a sender has had nothing outstanding and nothing to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Idle {
    /// Something was.
    No,
    /// Less than a time-out: it may send a little more at once.
    Short,
    /// Long enough that its window says nothing about the path any more (RFC 5681 section 4.1).
    Long,
}

impl Pacer {
    pub(super) fn new(now: Instant, packet_bytes: u64, config: &Config) -> Self {
        let mut bucket = Lazy::<Bucket>::default();
        bucket.credit = credit_of(PACING_BURST_PACKETS * packet_bytes);
        bucket.filled_at = now;
        Self {
            bucket,
            cap: config.send_rate_max,
            share: 0,
            wants_share: false,
            weight: config.weight,
        }
    }

    /// Nothing has been sent for a while.
    pub(super) fn rest(&mut self) {
        self.bucket.rest();
    }

    /// Adds what was earned since the last time.
    fn fill(&mut self, now: Instant, filling: Filling) {
        let Filling { rate, packet_bytes, idle, answered } = filling;
        let elapsed_us = now.saturating_since(self.bucket.filled_at);
        // A timer that rings late must not cost what was earned meanwhile.
        let late_us = match u64::from(self.bucket.wake_in_us) {
            0 => 0,
            wake_in_us => elapsed_us.saturating_sub(wake_in_us).min(PACING_LATE_US_MAX),
        };
        let bucket = &mut *self.bucket;
        (bucket.filled_at, bucket.wake_in_us, bucket.rate) = (now, 0, rate);
        let burst = credit_of(PACING_BURST_PACKETS * packet_bytes);
        let quantum = quantum(rate, packet_bytes);
        let most = quantum.max(burst).saturating_add(earned(rate, late_us));
        let full = match idle {
            Idle::No => quantum.saturating_add(earned(rate, late_us)),
            Idle::Short => most,
            Idle::Long => burst,
        };
        if self.bucket.credit < full {
            self.bucket.credit =
                self.bucket.credit.saturating_add(earned(rate, elapsed_us)).min(full);
        }
        if answered {
            self.bucket.credit = self.bucket.credit.max(quantum);
        }
        // A burst that was not used up is not lost as soon as the sender is busy.
        self.bucket.credit = self.bucket.credit.min(if idle == Idle::Long { full } else { most });
    }

    fn permits(&self, bytes: u64, packet_bytes: u64) -> bool {
        self.share > 0 && self.has_credit(bytes, packet_bytes)
    }

    fn has_credit(&self, bytes: u64, packet_bytes: u64) -> bool {
        self.bucket.rate == 0 || self.bucket.credit >= self.wanted(bytes, packet_bytes)
    }

    /// The credit that a packet of `bytes` waits for: its own, but no more than the bucket holds. A
    /// packet that was sent before the path became narrow may be larger than that.
    fn wanted(&self, bytes: u64, packet_bytes: u64) -> i64 {
        credit_of(bytes).min(quantum(self.bucket.rate, packet_bytes))
    }

    /// Takes a share of what the endpoint may send, until the next one.
    pub(super) const fn take_share(&mut self, share: i32) {
        self.share = share;
        self.wants_share = false;
    }

    /// Takes the credit of a packet, whether there is any or not.
    fn charge(&mut self, bytes: u64, packet_bytes: u64) {
        // What was not to be held back, as the first packet after a time-out, must not stop the
        // rest for long.
        let least = -credit_of(PACING_BURST_PACKETS * packet_bytes);
        self.bucket.credit = self.bucket.credit.saturating_sub(credit_of(bytes)).max(least);
        self.share = self.share.saturating_sub(i32::try_from(bytes).unwrap_or(i32::MAX));
    }

    /// When to come back for a packet of `bytes`: when there is credit for half a quantum, so that
    /// a fast sender is woken once for several packets.
    fn wake_at(&mut self, now: Instant, bytes: u64, packet_bytes: u64) -> Instant {
        let half = quantum(self.bucket.rate, packet_bytes) / 2;
        let wanted = self.wanted(bytes, packet_bytes).max(half);
        let missing = wanted.saturating_sub(self.bucket.credit).max(1).unsigned_abs();
        let wake_at = now.saturating_add(missing.div_ceil(self.bucket.rate.max(1)));
        let wake_in_us = wake_at.saturating_since(self.bucket.filled_at);
        self.bucket.wake_in_us = u32::try_from(wake_in_us).unwrap_or(u32::MAX);
        wake_at
    }
}

impl Connection {
    /// Limits what the connection sends to so many bytes of UDP payload per second, in DATA and FIN
    /// packets, headers and repeats included; `None` lifts the limit.
    ///
    /// Acks, resets and probes always pass, nothing is dropped, and no time-out runs for what is
    /// held back, so that the stream merely becomes slower. Up to ten packets may go at once when
    /// the connection has been idle.
    pub fn set_send_rate_max(&mut self, bytes_per_second: Option<NonZeroU32>) {
        self.pacer.cap = bytes_per_second;
    }

    /// Adds what the bucket has earned; called before packets are chosen.
    pub(super) fn fill_pacer(&mut self, now: Instant) {
        self.timers.stop(Timer::Pace);
        if self.pacer.bucket.is_at_rest() && self.send_queue.unsent_bytes() == 0 {
            return; // What an idle connection sends is not held back.
        }
        let srtt_us = self.rtt.srtt_us().map(u64::from);
        let long = srtt_us.is_none_or(|srtt_us| srtt_us > PACED_RTT_US_MIN);
        let paced = long && self.controller.is_paced();
        let window_rate = if paced { self.window_rate(srtt_us) } else { u64::MAX };
        let rate = self.pacer.cap.map_or(window_rate, |cap| window_rate.min(cap.get().into()));
        if rate == u64::MAX {
            if self.pacer.bucket.rate != 0 {
                self.pacer.bucket.rate = 0;
            }
            return;
        }
        let idle = self.idle(now);
        let answered = rate == window_rate && self.flight.in_flight_bytes == 0;
        let packet_bytes = self.packet_bytes();
        self.pacer.fill(now, Filling { rate, packet_bytes, idle, answered });
    }

    /// Bytes per second by which the window passes, and somewhat more: a sender that could go no
    /// faster would never fill its window, and could not make up for what it was late.
    fn window_rate(&self, srtt_us: Option<u64>) -> u64 {
        let metrics = self.controller.metrics();
        let percent = if metrics.slow_start { PACING_PERCENT_SLOW_START } else { PACING_PERCENT };
        // Without a sample as slow as the time-out: little may hold it back, but not nothing.
        let rtt_us = srtt_us.unwrap_or_else(|| self.rtt.rto_base_us()).max(1);
        // The window counts payload.
        let window = u128::from(metrics.window_bytes) * u128::from(self.packet_bytes());
        let per_round_trip = window * u128::from(percent) / (100 * u128::from(self.payload_max));
        u64::try_from(per_round_trip * 1_000_000 / u128::from(rtt_us))
            .unwrap_or(u64::MAX)
            .clamp(1, RATE_MAX)
    }

    /// How much of the last share is left; below zero if the last packet was larger than what was.
    pub(crate) const fn share_left(&self) -> i32 {
        self.pacer.share
    }

    /// Whether a packet waits for a share and for nothing else.
    pub(crate) const fn wants_share(&self) -> bool {
        self.pacer.wants_share
    }

    /// Its part of what the endpoint sends when that is limited, see [`crate::Config::weight`].
    pub(crate) const fn weight(&self) -> u8 {
        self.pacer.weight.get()
    }

    /// Changes the part of this connection in what the endpoint sends: [`crate::Config::weight`].
    pub fn set_weight(&mut self, weight: NonZeroU8) {
        self.pacer.weight = weight;
    }

    fn idle(&self, now: Instant) -> Idle {
        if !self.sent.is_empty() {
            return Idle::No;
        }
        let idle_us = self.flight.last_data_sent_at.map(|at| now.saturating_since(at));
        if idle_us.is_none_or(|idle_us| idle_us >= self.rtt.rto_base_us()) {
            Idle::Long
        } else if self.limit == Limit::Application {
            Idle::Short
        } else {
            Idle::No
        }
    }

    fn packet_bytes(&self) -> u64 {
        u64::from(self.payload_max) + HEADER_LEN as u64
    }

    /// Whether a DATA packet with `len` bytes may go now.
    pub(super) fn pacer_permits(&self, len: usize) -> bool {
        self.pacer.permits((len + HEADER_LEN) as u64, self.packet_bytes())
    }

    /// A DATA or FIN packet goes.
    pub(super) fn charge_pacer(&mut self, len: usize) {
        let packet_bytes = self.packet_bytes();
        self.pacer.charge((len + HEADER_LEN) as u64, packet_bytes);
    }

    /// One has `len` bytes of padding, too.
    pub(super) fn charge_pacer_padding(&mut self, len: usize) {
        let packet_bytes = self.packet_bytes();
        self.pacer.charge(len as u64, packet_bytes);
    }

    /// A packet with `len` bytes is held back by pacing alone.
    pub(super) fn on_held_by_pacing(&mut self, now: Instant, len: usize) {
        let bytes = (len + HEADER_LEN) as u64;
        if self.pacer.has_credit(bytes, self.packet_bytes()) {
            // The endpoint will call again.
            self.pacer.wants_share = true;
            return;
        }
        if self.paced_back_bytes() > 0 {
            // But for pacing, which the window decides about, the window would be the limit.
            let carried = self.flight.in_flight_bytes + self.paced_back_bytes();
            if carried + u64::from(self.payload_max) > self.controller.window_bytes() {
                self.controller.on_window_limited(now);
            }
        }
        let packet_bytes = self.packet_bytes();
        let wake_at = self.pacer.wake_at(now, bytes, packet_bytes);
        self.timers.set(Timer::Pace, wake_at);
    }

    /// Bytes that would be in flight already if they were not spread in time; none when it is a cap
    /// that holds them back.
    pub(super) fn paced_back_bytes(&self) -> u64 {
        let capped =
            self.pacer.cap.is_some_and(|cap| u64::from(cap.get()) <= self.pacer.bucket.rate);
        let capped = capped || self.pacer.wants_share;
        if self.limit != Limit::Pacing || capped {
            return 0;
        }
        let room = self.controller.window_bytes().saturating_sub(self.flight.in_flight_bytes);
        (self.send_queue.unsent_bytes() as u64).min(room)
    }
}

/// Fastest rate that is told apart from none: a terabyte per second.
const RATE_MAX: u64 = 1_000_000_000_000;

/// Up to this round trip a window passes within a quantum, so that there is nothing to hold back.
const PACED_RTT_US_MIN: u64 = PACING_QUANTUM_US * PACING_PERCENT / 100;

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: u64 = 1_000;

    fn at(us: u64) -> Instant {
        Instant::from_micros(us)
    }

    fn pacer(packet_bytes: u64) -> Pacer {
        let mut pacer = Pacer::new(at(0), packet_bytes, &Config::default());
        pacer.take_share(i32::MAX);
        pacer
    }

    fn busy(rate: u64) -> Filling {
        Filling { rate, packet_bytes: PACKET, idle: Idle::No, answered: false }
    }

    #[test]
    fn remainders_are_carried_exactly() {
        // 333 333 bytes per second, asked every 7 us for ten seconds.
        let mut pacer = pacer(PACKET);
        pacer.charge(10 * PACKET, PACKET);
        let mut sent = 0;
        for step in 1..=1_428_571_u64 {
            pacer.fill(at(step * 7), busy(333_333));
            if pacer.permits(PACKET, PACKET) {
                pacer.charge(PACKET, PACKET);
                sent += PACKET;
            }
        }
        assert_eq!(sent, 333_333 * 7 * 1_428_571 / 1_000_000 / PACKET * PACKET);
    }

    #[test]
    fn a_busy_sender_saves_up_a_quantum_and_no_more() {
        let quantum_of = |rate: u64| {
            let mut pacer = pacer(PACKET);
            pacer.charge(10 * PACKET, PACKET);
            pacer.fill(at(60_000_000), busy(rate));
            pacer.bucket.credit / 1_000_000
        };
        assert_eq!(quantum_of(1), 60);
        assert_eq!(quantum_of(100_000), 2_000);
        assert_eq!(quantum_of(5_000_000), 5_000);
    }

    #[test]
    fn a_packet_larger_than_the_bucket_goes_when_it_is_full() {
        let mut pacer = pacer(PACKET);
        pacer.charge(10 * PACKET, PACKET);
        pacer.fill(at(0), busy(100_000));
        let large = 3 * PACKET;
        assert!(!pacer.permits(large, PACKET));
        let wake_at = pacer.wake_at(at(0), large, PACKET);
        pacer.fill(wake_at, busy(100_000));
        assert!(pacer.permits(large, PACKET), "two packets are all that it holds");
        pacer.charge(large, PACKET);
        assert!(!pacer.permits(1, PACKET), "the rest is paid for afterwards");
    }

    #[test]
    fn what_was_earned_while_a_timer_was_late_is_not_lost() {
        let mut pacer = pacer(PACKET);
        pacer.charge(10 * PACKET, PACKET);
        pacer.fill(at(0), busy(10_000_000));
        let wake_at = pacer.wake_at(at(0), PACKET, PACKET);
        assert_eq!(wake_at, at(500));
        pacer.fill(at(1_700), busy(10_000_000));
        assert_eq!(pacer.bucket.credit / 1_000_000, 17_000);
        // But not without bound.
        pacer.charge(17 * PACKET, PACKET);
        pacer.wake_at(at(1_700), PACKET, PACKET);
        pacer.fill(at(1_000_000), busy(10_000_000));
        assert_eq!(pacer.bucket.credit / 1_000_000, 30_000);
    }

    #[test]
    fn a_long_idle_time_leaves_ten_packets_whatever_the_rate() {
        for rate in [1_000_000, 1_000_000_000] {
            let mut pacer = pacer(PACKET);
            pacer.fill(at(10_000), busy(rate));
            pacer.fill(at(5_000_000), Filling { idle: Idle::Long, ..busy(rate) });
            assert_eq!(pacer.bucket.credit, credit_of(10 * PACKET));
        }
    }

    #[test]
    fn no_rate_and_no_time_overflows() {
        let mut pacer = pacer(65_507);
        for rate in [1, RATE_MAX, u64::MAX - 1] {
            for idle in [Idle::No, Idle::Short, Idle::Long] {
                pacer.fill(at(0), Filling { rate, packet_bytes: 65_507, idle, answered: false });
                pacer.wake_at(at(0), 65_507, 65_507);
                pacer.fill(
                    at(u64::MAX),
                    Filling { rate, packet_bytes: 65_507, idle, answered: false },
                );
                pacer.charge(65_507, 65_507);
            }
        }
    }
}
