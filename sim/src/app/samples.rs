//! What the two ends of a flow look at every now and then, and how it is kept in the flow's record.

use crate::packet::HostId;
use crate::record::{BUCKET, FlowRecord};
use crate::time::Ns;
use utp_proto::Stats;

/// Keeps the statistics of one end's connections, one connection after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Samples {
    host: HostId,
    /// Repeats, time-outs and duplicates of the connections before this one.
    before: [u64; 3],
}

impl Samples {
    /// For a connection of the flow at `host` that follows all those in `record`.
    pub(crate) const fn new(host: HostId, record: &FlowRecord) -> Self {
        let before = [record.retransmissions, record.timeouts, record.spurious_retransmissions];
        Self { host, before }
    }

    /// Takes a sample at `now`, when the receiver's clock is `offset_us` ahead of the sender's.
    pub(crate) fn keep(self, now: Ns, offset_us: u32, stats: &Stats, record: &mut FlowRecord) {
        let [retransmissions, timeouts, duplicates] = self.before;
        if self.host == HostId::Right {
            record.spurious_retransmissions = duplicates + u64::from(stats.duplicates_received);
            return;
        }
        record.retransmissions = retransmissions + u64::from(stats.retransmissions);
        record.timeouts = timeouts + u64::from(stats.timeouts);
        if record.completed_at.is_some() || !now.0.is_multiple_of(BUCKET.0) {
            return;
        }
        record.window_bytes.push((now, stats.window_bytes));
        if stats.rtt_us > 0 {
            record.rtt_us.push((now, stats.rtt_us));
        }
        if stats.base_delay_us > 0 {
            let base_us = stats.base_delay_us.wrapping_sub(offset_us).cast_signed();
            record.base_delay_us.push((now, base_us));
        }
        // A law that measures round trips has no base delay of ours, and 0 stands for unknown only
        // at the beginning.
        let measures = stats.base_delay_us > 0 || stats.queuing_delay_us > 0;
        if measures || !record.queuing_delay_us.is_empty() {
            record.queuing_delay_us.push((now, stats.queuing_delay_us));
        }
    }
}

/// The first moment for a sample after `now` in a run that lasts until `end`: every edge of a
/// bucket, and once more in the last millisecond.
pub(crate) fn next_sample(now: Ns, end: Ns) -> Ns {
    let edge = Ns((now.0 / BUCKET.0 + 1) * BUCKET.0);
    let last = end.saturating_sub(Ns::from_millis(1));
    if now < last { edge.min(last) } else { edge }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_fall_on_bucket_edges_and_on_the_last_window() {
        let end = Ns::from_millis(350);
        let mut now = Ns::from_millis(30);
        let mut samples = Vec::new();
        while now < end {
            now = next_sample(now, end);
            samples.push(now);
        }
        assert_eq!(samples, [100, 200, 300, 349, 400].map(Ns::from_millis));
    }

    fn stats(base_delay_us: u32) -> Stats {
        let mut stats = Stats::default();
        stats.counters.retransmissions = 3;
        stats.counters.duplicates_received = 2;
        stats.base_delay_us = base_delay_us;
        stats.queuing_delay_us = if base_delay_us > 0 { 7 } else { 0 };
        stats
    }

    #[test]
    fn counters_go_on_where_the_connection_before_ended() {
        let mut record = FlowRecord::default();
        for host in HostId::ALL {
            for _ in 0..2 {
                let samples = Samples::new(host, &record);
                samples.keep(Ns::from_millis(100), 0, &stats(0), &mut record);
                samples.keep(Ns::from_millis(200), 0, &stats(0), &mut record);
            }
        }
        assert_eq!((record.retransmissions, record.spurious_retransmissions), (6, 4));
        assert_eq!(record.window_bytes.len(), 4, "the sender's only");
    }

    #[test]
    fn base_delays_are_kept_without_the_offset_between_the_clocks() {
        let mut record = FlowRecord::default();
        let samples = Samples::new(HostId::Left, &record);
        let ahead = u32::MAX - 4;
        for (bucket, base) in [(1, 0), (2, ahead), (3, 5), (4, ahead - 5)] {
            samples.keep(Ns(bucket * BUCKET.0), ahead, &stats(base), &mut record);
        }
        let delays: Vec<i32> = record.base_delay_us.iter().map(|entry| entry.1).collect();
        assert_eq!(delays, [0, 10, -5]);
        assert_eq!(record.queuing_delay_us.len(), 3);
    }

    #[test]
    fn queueing_delays_are_kept_for_a_law_that_measures_round_trips() {
        let mut record = FlowRecord::default();
        let samples = Samples::new(HostId::Left, &record);
        for (bucket, queuing_delay_us) in [(1, 0), (2, 9), (3, 0), (4, 4)] {
            let mut stats = stats(0);
            stats.queuing_delay_us = queuing_delay_us;
            samples.keep(Ns(bucket * BUCKET.0), 0, &stats, &mut record);
        }
        let delays: Vec<u32> = record.queuing_delay_us.iter().map(|entry| entry.1).collect();
        assert_eq!(delays, [9, 0, 4], "from the first that is known on");
        assert_eq!(record.base_delay_us, []);
    }
}
