//! PIE (RFC 8033): drops at random at the tail, with a probability that follows the queueing delay.
//!
//! The delay is told by time stamps (section 5.2 allows that): it is what the oldest packet has
//! waited so far, so that a link that stalls is seen, too. The optional switching off of
//! section 5.3 is not there: without congestion the probability is zero anyway. There is no ECN.

use super::backlog::{Backlog, Waiting};
use crate::link::Dropped;
use crate::rng::Stream;
use crate::time::Ns;
use crate::trace::DropReason;

/// A probability of one; others are shares of it.
const ONE: u64 = 1 << 48;

/// Half of what the queue must hold before anything is dropped at random (`MEAN_PKTSIZE`).
const PACKET_BYTES: u64 = 1_024;

/// The interval of updates that the gains of the RFC are made for (`T_UPDATE`).
const UPDATE_NS: i128 = 15_000_000;

/// What the scenario says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Aim {
    pub(super) target: Ns,
    pub(super) update: Ns,
    pub(super) burst: Ns,
}

/// The controller (RFC 8033 section 4).
#[derive(Debug)]
struct Control {
    aim: Aim,
    probability: u64,
    /// Probabilities added up since the last drop.
    accumulated: u64,
    delay_before: Ns,
    /// How long nothing is dropped yet.
    allowance: Ns,
}

impl Control {
    const fn new(aim: Aim) -> Self {
        Self { aim, probability: 0, accumulated: 0, delay_before: Ns::ZERO, allowance: aim.burst }
    }

    /// Adjusts the probability to a queueing delay of `delay` (sections 4.2, 4.4 and 5.5).
    fn update(&mut self, delay: Ns) {
        let step = self.step(delay);
        let probability = i128::from(self.probability) + step;
        let probability = probability.clamp(0, i128::from(ONE));
        self.probability = u64::try_from(probability).expect("it was clamped");
        if delay == Ns::ZERO && self.delay_before == Ns::ZERO {
            self.probability -= self.probability.div_ceil(50);
        }
        let half = Ns(self.aim.target.0 / 2);
        let calm = self.probability == 0 && delay < half && self.delay_before < half;
        self.delay_before = delay;
        let allowance = if calm { self.aim.burst } else { self.allowance };
        self.allowance = allowance.saturating_sub(self.aim.update);
    }

    /// `alpha` times the distance from the target plus `beta` times the change, both smaller the
    /// smaller the probability is.
    ///
    /// With updates every 15 ms `alpha` is 1/8 and `beta` 5/4 per second. Halving the interval
    /// halves `alpha` and adds a quarter of it to `beta`; here `alpha` goes with the interval, and
    /// half of what it loses goes to `beta`.
    fn step(&self, delay: Ns) -> i128 {
        let [delay, before, target, update] =
            [delay, self.delay_before, self.aim.target, self.aim.update].map(|ns| i128::from(ns.0));
        let alpha = 2 * update;
        let beta = (21 * UPDATE_NS - update).max(0);
        let gains_over = 16 * UPDATE_NS * 1_000_000_000;
        let sum = (delay - target) * alpha + (delay - before) * beta;
        let step = sum * i128::from(ONE) / gains_over / self.damping();
        if self.probability >= ONE / 10 { step.min(i128::from(ONE / 50)) } else { step }
    }

    const fn damping(&self) -> i128 {
        let probability = self.probability;
        if probability < ONE / 1_000_000 {
            2_048
        } else if probability < ONE / 100_000 {
            512
        } else if probability < ONE / 10_000 {
            128
        } else if probability < ONE / 1_000 {
            32
        } else if probability < ONE / 100 {
            8
        } else if probability < ONE / 10 {
            2
        } else {
            1
        }
    }

    /// Whether a packet that comes to a queue of `bytes` is dropped (sections 4.1 and 5.4).
    fn drops(&mut self, bytes: u64, draws: &mut Stream) -> bool {
        let calm = self.delay_before < Ns(self.aim.target.0 / 2) && self.probability < ONE / 5;
        if self.allowance > Ns::ZERO || calm || bytes <= 2 * PACKET_BYTES {
            return false;
        }
        if self.probability == 0 {
            self.accumulated = 0;
        }
        self.accumulated += self.probability;
        // Neither too soon after the last drop nor too late.
        let drops = match self.accumulated {
            ..EARLIEST => false,
            LATEST.. => true,
            _ => draws.below(ONE) < self.probability,
        };
        if drops {
            self.accumulated = 0;
        }
        drops
    }

    /// Whether updates of an empty queue change nothing any more.
    fn rests(&self) -> bool {
        self.probability == 0
            && self.delay_before == Ns::ZERO
            && self.allowance == self.aim.burst.saturating_sub(self.aim.update)
    }
}

/// 0.85 of a drop.
const EARLIEST: u64 = ONE / 100 * 85;

/// 8.5 drops.
const LATEST: u64 = ONE / 10 * 85;

/// One queue under PIE.
#[derive(Debug)]
pub(in crate::link) struct Pie {
    control: Control,
    backlog: Backlog,
    bytes_max: u64,
    /// When the probability is adjusted next.
    next_update: Ns,
}

impl Pie {
    pub(super) fn new(now: Ns, aim: Aim, bytes_max: Option<u64>) -> Self {
        assert!(aim.update > Ns::ZERO, "updates need an interval");
        Self {
            control: Control::new(aim),
            backlog: Backlog::default(),
            bytes_max: bytes_max.unwrap_or(u64::MAX),
            next_update: now + aim.update,
        }
    }

    /// Goes on with another aim and the state that it has.
    pub(super) fn set(&mut self, now: Ns, aim: Aim, bytes_max: Option<u64>) {
        self.catch_up(now);
        self.control.aim = aim;
        self.bytes_max = bytes_max.unwrap_or(u64::MAX);
        self.next_update = self.next_update.min(now + aim.update);
    }

    /// Takes the packet unless it does not fit or is to be dropped early.
    pub(super) fn push(&mut self, waiting: Waiting, draws: &mut Stream) -> Result<(), Dropped> {
        self.catch_up(waiting.since);
        let bytes = self.backlog.bytes();
        let fits = bytes + u64::from(waiting.packet.bytes) <= self.bytes_max;
        if fits && self.control.drops(bytes, draws) {
            return Err(waiting.dropped(DropReason::Aqm));
        }
        self.adopt(waiting)
    }

    /// Takes a packet that has waited elsewhere, if it fits.
    pub(super) fn adopt(&mut self, waiting: Waiting) -> Result<(), Dropped> {
        self.backlog.push_within(self.bytes_max, u64::MAX, waiting)
    }

    pub(super) fn pop(&mut self, now: Ns) -> Option<Waiting> {
        self.catch_up(now);
        self.backlog.pop()
    }

    pub(super) const fn backlog(&self) -> &Backlog {
        &self.backlog
    }

    pub(super) fn drain(&mut self) -> Vec<Waiting> {
        self.backlog.drain()
    }

    /// Makes the updates that were due by `now`. Between two packets the queue does not change, so
    /// that making them late is the same as making them in time.
    fn catch_up(&mut self, now: Ns) {
        while self.next_update <= now {
            let at = self.next_update;
            let update = self.control.aim.update;
            let oldest = self.backlog.oldest();
            if oldest.is_none() && self.control.rests() {
                self.next_update = at + Ns(((now - at).0 / update.0 + 1) * update.0);
                return;
            }
            self.control.update(oldest.map_or(Ns::ZERO, |since| at.saturating_sub(since)));
            self.next_update = at + update;
        }
    }
}

#[cfg(test)]
mod tests;
