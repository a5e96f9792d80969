//! A transmitter that can send only at recorded moments, as in the traces of Mahimahi.

use crate::scenario::DeliveryTrace;
use crate::time::Ns;

/// Where a transmitter is in its trace.
///
/// At each moment of the trace 1500 bytes can leave, as in Mahimahi: several small packets share
/// one, a packet that needs more takes several and has left at the last of them, and what nobody
/// uses is gone. A packet that comes to an idle link waits for the first moment after its own. The
/// trace begins with the run, whenever the link is given it.
///
/// Unlike in Mahimahi the next packet leaves the queue as soon as the transmitter is free, and
/// waits there: a managed queue decides about it then, and no limit counts it.
#[derive(Debug, Default)]
pub(super) struct Opportunities {
    /// How many moments have been used or missed; none when a busy period has yet to begin.
    passed: Option<u64>,
    /// Bytes that the last of them has left.
    left: u64,
}

impl Opportunities {
    /// Begins a busy period.
    pub(super) const fn restart(&mut self) {
        self.passed = None;
    }

    /// When a packet of `bytes`, which follows from `now` on, has left.
    pub(super) fn next(&mut self, trace: &DeliveryTrace, now: Ns, bytes: u32) -> Ns {
        let (passed, left, end) = self.after(trace, now, u64::from(bytes));
        (self.passed, self.left) = (Some(passed), left);
        end
    }

    /// When `bytes` have left that follow from `now` on.
    pub(super) fn end(&self, trace: &DeliveryTrace, now: Ns, bytes: u64) -> Ns {
        self.after(trace, now, bytes).2
    }

    /// Moments passed, bytes left of the last, and the moment itself.
    fn after(&self, trace: &DeliveryTrace, now: Ns, bytes: u64) -> (u64, u64, Ns) {
        let (passed, left) = match self.passed {
            Some(passed) => (passed, self.left),
            None => (passed_by(trace, now), 0),
        };
        if bytes <= left {
            return (passed, left - bytes, now);
        }
        let room = u64::from(DeliveryTrace::PACKET_BYTES);
        let needed = (bytes - left).div_ceil(room);
        let last = passed + needed - 1;
        (last + 1, left + needed * room - bytes, moment(trace, last))
    }
}

/// The moment with this number, counted from the start of the run.
fn moment(trace: &DeliveryTrace, number: u64) -> Ns {
    let count = trace.opportunities.len() as u64;
    let index = usize::try_from(number % count).expect("an index below a length");
    let rounds = number / count;
    Ns(rounds.saturating_mul(trace.period.0).saturating_add(trace.opportunities[index].0))
}

/// How many moments lie at or before `now`.
fn passed_by(trace: &DeliveryTrace, now: Ns) -> u64 {
    let (rounds, within) = (now.0 / trace.period.0, now.0 % trace.period.0);
    let begun = trace.opportunities.partition_point(|moment| moment.0 <= within);
    rounds * trace.opportunities.len() as u64 + begun as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One moment at 1 ms, two at 5 ms, one at 10 ms, and again from there.
    fn trace() -> DeliveryTrace {
        DeliveryTrace {
            name: "test".into(),
            opportunities: [1, 5, 5, 10].map(Ns::from_millis).to_vec(),
            period: Ns::from_millis(10),
        }
    }

    fn ends(now: Ns, sizes: &[u32]) -> Vec<u64> {
        let (trace, mut opportunities) = (trace(), Opportunities::default());
        let mut end = now;
        let ends = sizes.iter().map(|&bytes| {
            end = opportunities.next(&trace, end, bytes);
            end.0 / 1_000_000
        });
        ends.collect()
    }

    #[test]
    fn full_packets_leave_at_the_recorded_moments_and_those_repeat() {
        assert_eq!(ends(Ns::ZERO, &[1500; 9]), [1, 5, 5, 10, 11, 15, 15, 20, 21]);
    }

    #[test]
    fn small_packets_share_a_moment_and_large_ones_take_several() {
        assert_eq!(ends(Ns::ZERO, &[500, 500, 400, 100, 1500]), [1, 1, 1, 1, 5]);
        // The last 100 bytes of the second packet take the beginning of another moment.
        assert_eq!(ends(Ns::ZERO, &[1000, 600, 1400, 1500]), [1, 5, 5, 5]);
        assert_eq!(ends(Ns::ZERO, &[4501, 1500]), [10, 11]);
    }

    #[test]
    fn what_comes_at_a_moment_waits_for_the_next() {
        assert_eq!(ends(Ns::from_millis(1), &[1500]), [5]);
        assert_eq!(ends(Ns::from_millis(5), &[100]), [10]);
        assert_eq!(ends(Ns::from_millis(10), &[100]), [11]);
        assert_eq!(ends(Ns(4_999_999), &[100]), [5]);
        assert_eq!(ends(Ns::from_millis(1_003), &[1500, 1500, 1500]), [1_005, 1_005, 1_010]);
    }

    #[test]
    fn what_nobody_uses_is_gone() {
        let (trace, mut opportunities) = (trace(), Opportunities::default());
        assert_eq!(opportunities.next(&trace, Ns::ZERO, 100), Ns::from_millis(1));
        opportunities.restart();
        assert_eq!(opportunities.next(&trace, Ns::from_millis(1), 100), Ns::from_millis(5));
        opportunities.restart();
        // The second moment at 5 ms is lost, too.
        assert_eq!(opportunities.next(&trace, Ns::from_millis(5), 100), Ns::from_millis(10));
    }

    #[test]
    fn an_end_foretells_what_packets_will_take() {
        let (trace, mut opportunities) = (trace(), Opportunities::default());
        let now = opportunities.next(&trace, Ns::ZERO, 700);
        assert_eq!(opportunities.end(&trace, now, 800), now);
        let foretold = opportunities.end(&trace, now, 10_000);
        let mut end = now;
        for _ in 0..10 {
            end = opportunities.next(&trace, end, 1_000);
        }
        assert_eq!(end, foretold);
    }

    #[test]
    fn over_a_whole_trace_the_mean_rate_comes_out() {
        let (trace, mut opportunities) = (trace(), Opportunities::default());
        let mut end = Ns::ZERO;
        for _ in 0..4_000 {
            end = opportunities.next(&trace, end, 1_500);
        }
        assert_eq!(end, Ns::from_secs(10));
        assert_eq!(trace.mean_bps(), 4_000 * 12_000 / 10);
    }
}
