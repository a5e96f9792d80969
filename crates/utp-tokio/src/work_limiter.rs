//! Owns how long the driver works before other tasks get a turn.

use utp_wire::Instant;

/// Measures one turn of the driver.
#[derive(Debug)]
pub(crate) struct WorkLimiter {
    started: Instant,
    rounds: u32,
}

impl WorkLimiter {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { started: now, rounds: 0 }
    }

    /// Counts a round of work; says whether there is time for another.
    ///
    /// The rounds bound a turn where the clock stands still while tasks run, as in a simulation.
    pub(crate) const fn permits_another(&mut self, now: Instant) -> bool {
        self.rounds += 1;
        self.rounds < ROUNDS_MAX && now.saturating_since(self.started) < TURN_US_MAX
    }
}

/// The time of a turn in microseconds. A round may overrun it by what one batch costs.
const TURN_US_MAX: u64 = 200;

/// Rounds of a turn; each receives up to a full batch.
const ROUNDS_MAX: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turn_ends_by_time() {
        let start = Instant::from_micros(5);
        let mut limiter = WorkLimiter::new(start);
        assert!(limiter.permits_another(start.saturating_add(TURN_US_MAX - 1)));
        assert!(!limiter.permits_another(start.saturating_add(TURN_US_MAX)));
    }

    #[test]
    fn turn_ends_although_the_clock_stands_still() {
        let now = Instant::from_micros(5);
        let mut limiter = WorkLimiter::new(now);
        let rounds = std::iter::repeat_with(|| limiter.permits_another(now));
        assert_eq!(rounds.take_while(|more| *more).count(), 63);
    }
}
