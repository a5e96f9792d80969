//! One direction of a path: what is lost, what waits, and when the rest arrives. No I/O, no clock.

use std::time::{Duration, Instant};

use crate::shim::SplitMix64;

/// What happens to datagrams in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Path {
    /// How long a datagram is under way, apart from waiting at the bottleneck.
    pub delay: Duration,
    /// How many of a million datagrams are lost, independently of each other.
    pub loss_ppm: u32,
    /// Which datagrams are overtaken by those behind them, if any.
    pub reordering: Option<Reordering>,
    /// The slowest link, if it matters.
    pub bottleneck: Option<Bottleneck>,
}

/// Some datagrams take a longer way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reordering {
    /// How many of a million datagrams do, independently of each other.
    pub ppm: u32,
    /// How much later they arrive.
    pub by: Duration,
}

/// A link of limited rate with a queue in front, first in, first out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bottleneck {
    /// Bits of UDP payload a second; at least 1.
    pub rate_bps: u64,
    /// What fits into the queue. A datagram that does not is dropped.
    pub queue_bytes: u64,
}

/// What becomes of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It arrives then.
    Deliver(Instant),
    /// It is lost by chance.
    Lost,
    /// The queue is full.
    QueueFull,
}

/// What became of the datagrams so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LaneStats {
    /// Delivered, or on their way.
    pub delivered: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Dropped at the full queue.
    pub queue_full: u64,
}

/// One direction, with what it remembers.
///
/// ```
/// use std::time::{Duration, Instant};
/// use utp_interop::relay::{Lane, Path, Verdict};
///
/// let delay = Duration::from_millis(20);
/// let mut lane = Lane::new(Path { delay, ..Path::default() }, 1);
/// let now = Instant::now();
/// assert_eq!(lane.admit(now, 1400), Verdict::Deliver(now + delay));
/// ```
#[derive(Debug, Clone)]
pub struct Lane {
    path: Path,
    random: SplitMix64,
    /// Apart from the losses, which a seed repeats with and without reordering.
    detours: SplitMix64,
    /// When the bottleneck has sent all that waits.
    idle_at: Option<Instant>,
    stats: LaneStats,
}

impl Lane {
    /// A direction whose losses depend on `seed`.
    pub const fn new(path: Path, seed: u64) -> Self {
        let stats = LaneStats { delivered: 0, lost: 0, queue_full: 0 };
        let (random, detours) = (SplitMix64::new(seed), SplitMix64::new(!seed));
        Self { path, random, detours, idle_at: None, stats }
    }

    /// Decides about a datagram of `len` bytes that arrives now.
    pub fn admit(&mut self, now: Instant, len: usize) -> Verdict {
        // A number is drawn for every datagram, so that the queue does not shift later losses.
        let lost = self.random.chance_ppm(self.path.loss_ppm);
        let detour = self.path.reordering.filter(|late| self.detours.chance_ppm(late.ppm));
        let Some(sent) = self.enqueue(now, len as u64) else {
            self.stats.queue_full += 1;
            return Verdict::QueueFull;
        };
        if lost {
            self.stats.lost += 1;
            return Verdict::Lost;
        }
        self.stats.delivered += 1;
        let detour = detour.map_or(Duration::ZERO, |late| late.by);
        Verdict::Deliver(sent + self.path.delay + detour)
    }

    /// What became of the datagrams so far.
    pub const fn stats(&self) -> LaneStats {
        self.stats
    }

    /// When the bottleneck has sent the datagram; `None` when its queue has no room.
    fn enqueue(&mut self, now: Instant, len: u64) -> Option<Instant> {
        let Some(Bottleneck { rate_bps, queue_bytes }) = self.path.bottleneck else {
            return Some(now);
        };
        let idle_at = self.idle_at.map_or(now, |idle_at| idle_at.max(now));
        // Whole nanoseconds in 128 bits: no rate and no queue overflows.
        let waiting_ns = (idle_at - now).as_nanos();
        let waiting_bits = waiting_ns * u128::from(rate_bps) / NS_PER_S;
        if waiting_bits + u128::from(len) * 8 > u128::from(queue_bytes) * 8 {
            return None;
        }
        let sending_ns = u128::from(len) * 8 * NS_PER_S / u128::from(rate_bps);
        let sent = idle_at + Duration::from_nanos(u64::try_from(sending_ns).ok()?);
        self.idle_at = Some(sent);
        Some(sent)
    }
}

const NS_PER_S: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_losses_at_about_the_rate_asked_for() {
        let path = Path { loss_ppm: 10_000, ..Path::default() };
        let now = Instant::now();
        let run = |seed| {
            let mut lane = Lane::new(path, seed);
            let verdicts: Vec<Verdict> = (0..100_000).map(|_| lane.admit(now, 1400)).collect();
            (verdicts, lane.stats())
        };
        let (verdicts, stats) = run(5);
        assert_eq!(run(5).0, verdicts);
        assert_ne!(run(6).0, verdicts);
        assert!((900..1100).contains(&stats.lost), "{stats:?} at 1 %");
        assert_eq!(stats.delivered + stats.lost, 100_000);
    }

    #[test]
    fn a_bottleneck_spaces_datagrams_and_drops_what_its_queue_cannot_hold() {
        let delay = Duration::from_millis(20);
        // 1 MB/s: a datagram of 1000 bytes takes one millisecond.
        let bottleneck = Some(Bottleneck { rate_bps: 8_000_000, queue_bytes: 3000 });
        let mut lane = Lane::new(Path { delay, bottleneck, ..Path::default() }, 1);
        let now = Instant::now();
        for ms in 1..=3 {
            let at = now + delay + Duration::from_millis(ms);
            assert_eq!(lane.admit(now, 1000), Verdict::Deliver(at));
        }
        assert_eq!(lane.admit(now, 1000), Verdict::QueueFull);
        let later = now + Duration::from_millis(1);
        let at = now + delay + Duration::from_millis(4);
        assert_eq!(lane.admit(later, 1000), Verdict::Deliver(at));
        let much_later = now + Duration::from_secs(1);
        let at = much_later + delay + Duration::from_millis(1);
        assert_eq!(lane.admit(much_later, 1000), Verdict::Deliver(at));
        assert_eq!(lane.stats(), LaneStats { delivered: 5, lost: 0, queue_full: 1 });
    }

    #[test]
    fn some_datagrams_take_a_detour_and_the_same_ones_are_lost() {
        let by = Duration::from_millis(8);
        let straight = Path { loss_ppm: 10_000, ..Path::default() };
        let reordering = Some(Reordering { ppm: 100_000, by });
        let now = Instant::now();
        let run = |path| {
            let mut lane = Lane::new(path, 5);
            (0..10_000).map(|_| lane.admit(now, 1400)).collect::<Vec<Verdict>>()
        };
        let (straight, bent) = (run(straight), run(Path { reordering, ..straight }));
        let late = bent.iter().filter(|&&verdict| verdict == Verdict::Deliver(now + by)).count();
        assert!((900..1100).contains(&late), "{late} of 10000 at 10 %");
        for (straight, bent) in straight.iter().zip(&bent) {
            assert_eq!(*straight == Verdict::Lost, *bent == Verdict::Lost);
        }
    }
}
