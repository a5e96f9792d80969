//! The timers of a host: at their nanosecond, or as tokio's wheel has them.
//!
//! tokio's timers run out on whole milliseconds; those of one millisecond in the order in which
//! they were put into the wheel. One that is moved to a later moment stays where it is and is put
//! back only when its old moment comes.

use crate::scenario::Timers as Precision;
use crate::time::Ns;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Names a timer of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TimerId(u32);

/// The timers of one host, each of which belongs to an owner `T`.
#[derive(Debug)]
pub(super) struct Timers<T> {
    precision: Precision,
    /// When to look at which timer; an entry counts if its number is still the timer's.
    heap: BinaryHeap<Reverse<(Ns, u64, TimerId)>>,
    timers: Vec<Timer<T>>,
    entries: u64,
}

#[derive(Debug)]
struct Timer<T> {
    owner: T,
    /// The entry in the heap that counts; none does if this is 0.
    entry: u64,
    due: Ns,
    /// It has run out and was not set again.
    fired: bool,
}

impl<T: Copy> Timers<T> {
    pub(super) const fn new(precision: Precision) -> Self {
        Self { precision, heap: BinaryHeap::new(), timers: Vec::new(), entries: 0 }
    }

    /// A new timer, not set.
    pub(super) fn add(&mut self, owner: T) -> TimerId {
        let id = TimerId(u32::try_from(self.timers.len()).unwrap_or(u32::MAX));
        self.timers.push(Timer { owner, entry: 0, due: Ns::ZERO, fired: false });
        id
    }

    /// Sets a timer to `deadline`; it runs out at once if that is not later than `now`.
    pub(super) fn set(&mut self, now: Ns, id: TimerId, deadline: Ns) {
        let (now, due) = match self.precision {
            Precision::Exact => (now, deadline),
            Precision::Tokio => (Ns(now.0 / TICK.0 * TICK.0), round_up(deadline)),
        };
        let timer = &mut self.timers[id.0 as usize];
        if timer.entry != 0 && timer.due <= due {
            timer.due = due;
            return;
        }
        timer.due = due;
        timer.fired = due <= now;
        timer.entry = 0;
        if !timer.fired {
            self.push(id, due);
        }
    }

    /// Forgets what a timer was set to.
    pub(super) fn clear(&mut self, id: TimerId) {
        let timer = &mut self.timers[id.0 as usize];
        (timer.entry, timer.fired) = (0, false);
    }

    /// Whether a timer has run out and was not set since.
    pub(super) fn has_fired(&self, id: TimerId) -> bool {
        self.timers[id.0 as usize].fired
    }

    /// When [`Timers::fire`] has something to do next.
    pub(super) fn next_at(&self) -> Option<Ns> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Lets the next timer run out that is due at `now`, and says whose it is.
    pub(super) fn fire(&mut self, now: Ns) -> Option<T> {
        while let Some(&Reverse((at, entry, id))) = self.heap.peek() {
            if at > now {
                return None;
            }
            self.heap.pop();
            let timer = &mut self.timers[id.0 as usize];
            if timer.entry != entry {
                continue;
            }
            if timer.due > at {
                let due = timer.due;
                self.push(id, due);
                continue;
            }
            (timer.entry, timer.fired) = (0, true);
            return Some(timer.owner);
        }
        None
    }

    fn push(&mut self, id: TimerId, due: Ns) {
        self.entries += 1;
        self.timers[id.0 as usize].entry = self.entries;
        self.heap.push(Reverse((due, self.entries, id)));
    }
}

const fn round_up(at: Ns) -> Ns {
    Ns(at.0.div_ceil(TICK.0).saturating_mul(TICK.0))
}

/// The granularity of tokio's timers.
const TICK: Ns = Ns::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn fired(timers: &mut Timers<u8>, now: Ns) -> Vec<u8> {
        std::iter::from_fn(|| timers.fire(now)).collect()
    }

    #[test]
    fn timers_of_tokio_run_out_on_the_next_millisecond_in_the_order_of_being_set() {
        let mut timers = Timers::new(Precision::Tokio);
        let [a, b, c] = [1, 2, 3].map(|owner| timers.add(owner));
        timers.set(Ns::ZERO, b, Ns(5_000_001));
        timers.set(Ns::ZERO, a, Ns(5_900_000));
        timers.set(Ns::ZERO, c, Ns(5_000_000));
        assert_eq!(timers.next_at(), Some(Ns(5_000_000)));
        assert_eq!(fired(&mut timers, Ns(5_999_999)), [3]);
        assert_eq!(fired(&mut timers, Ns(6_000_000)), [2, 1]);
        assert!(timers.has_fired(a));
        // Due within the current millisecond, which is over at its end only.
        timers.set(Ns(6_300_000), a, Ns(6_200_000));
        assert!(!timers.has_fired(a));
        timers.set(Ns(6_300_000), a, Ns(6_000_000));
        assert!(timers.has_fired(a));
    }

    #[test]
    fn a_timer_that_is_moved_back_is_queued_again_when_its_old_moment_comes() {
        let mut timers = Timers::new(Precision::Tokio);
        let [a, b] = [1, 2].map(|owner| timers.add(owner));
        timers.set(Ns::ZERO, a, Ns::from_millis(1));
        timers.set(Ns::ZERO, b, Ns::from_millis(3));
        timers.set(Ns::ZERO, a, Ns::from_millis(3));
        assert_eq!(fired(&mut timers, Ns::from_millis(1)), [0_u8; 0]);
        assert_eq!(fired(&mut timers, Ns::from_millis(3)), [2, 1]);
    }

    #[test]
    fn exact_timers_run_out_at_their_nanosecond() {
        let mut timers = Timers::new(Precision::Exact);
        let [a, b] = [1, 2].map(|owner| timers.add(owner));
        timers.set(Ns::ZERO, a, Ns(1_234));
        timers.set(Ns::ZERO, b, Ns(1_235));
        timers.set(Ns::ZERO, b, Ns(1_233));
        assert_eq!(fired(&mut timers, Ns(1_233)), [2]);
        assert_eq!(fired(&mut timers, Ns(1_234)), [1]);
        assert_eq!(fired(&mut timers, Ns(9_999)), [0_u8; 0]);
    }

    #[test]
    fn a_timer_that_was_cleared_does_not_run_out() {
        let mut timers = Timers::new(Precision::Exact);
        let a = timers.add(1);
        timers.set(Ns::ZERO, a, Ns(5));
        timers.clear(a);
        assert_eq!(fired(&mut timers, Ns(9)), [0_u8; 0]);
        timers.set(Ns(9), a, Ns(9));
        assert!(timers.has_fired(a));
        timers.clear(a);
        assert!(!timers.has_fired(a));
    }
}
