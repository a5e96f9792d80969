//! What one run of a scenario leaves behind: the raw material of tables, plots and expectations.
//!
//! The engine and the network model fill a [`Record`]; metrics and reports only read it. It holds
//! integers in virtual time only, so that two runs of one seed give equal records.

use crate::packet::HostId;
use crate::time::Ns;
use std::collections::BTreeMap;

/// Width of the buckets that goodput and link busy time are summed in.
pub const BUCKET: Ns = Ns::from_millis(100);

/// Interval at which the backlog of every link is sampled.
pub const QUEUE_SAMPLE_INTERVAL: Ns = Ns::from_millis(10);

/// All that is kept of one run of one variant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Simulated time that the run covered.
    pub duration: Ns,
    /// One per link, in the order of the scenario.
    pub links: Vec<LinkRecord>,
    /// One per flow, in the order of the scenario.
    pub flows: Vec<FlowRecord>,
    /// FNV-1a over every packet event in fixed-width little-endian form.
    pub trace_hash: u64,
}

/// What one link did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkRecord {
    /// Name in the scenario file.
    pub name: String,
    /// Time a packet arriving at that moment would wait before its own first bit, in microseconds;
    /// one sample per [`QUEUE_SAMPLE_INTERVAL`], the first at time 0.
    pub queue_delay_us: Vec<u32>,
    /// Nanoseconds the transmitter was busy, per [`BUCKET`].
    pub busy_ns: Vec<u64>,
    /// Packets that the queue did not take or threw out.
    pub dropped_packets: u64,
    /// Packets that were lost in any other way.
    pub lost_packets: u64,
    /// Both by reason, under the names of [`crate::trace::DropReason::name`].
    pub drops: BTreeMap<&'static str, u64>,
}

/// What one flow did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowRecord {
    /// Name in the scenario file.
    pub name: String,
    /// Payload bytes handed to the receiving application (in order), per [`BUCKET`].
    pub delivered_bytes: Vec<u64>,
    /// One-way delay of delivered packets as `(arrival, microseconds)`; kept for `cbr` and
    /// `on-off` flows.
    pub one_way_delay_us: Vec<(Ns, u32)>,
    /// Smoothed round-trip time as `(time, microseconds)`, one sample per [`BUCKET`] at most.
    pub rtt_us: Vec<(Ns, u32)>,
    /// Congestion window as `(time, bytes)`, one sample per [`BUCKET`] at most.
    pub window_bytes: Vec<(Ns, u64)>,
    /// Base delay that the controller assumes, as `(time, microseconds)`, one sample per [`BUCKET`]
    /// at most. The true offset between the two clocks at that moment is taken out, so that it can
    /// be compared with the delay of the path; with drifting clocks it may be negative. Empty for a
    /// controller that has none.
    pub base_delay_us: Vec<(Ns, i32)>,
    /// Queueing delay that the controller assumes, like [`FlowRecord::base_delay_us`], or that of
    /// the round trip where it measures those.
    pub queuing_delay_us: Vec<(Ns, u32)>,
    /// Time from each request to the end of its response as `(end, microseconds)`; kept for
    /// `request-response` flows.
    pub response_us: Vec<(Ns, u32)>,
    /// Data packets sent again.
    pub retransmissions: u64,
    /// Data packets the receiver had already: repeats that were not needed.
    pub spurious_retransmissions: u64,
    /// Expiries of the retransmission timer.
    pub timeouts: u64,
    /// Connections that ended with an error before they were through, as the sender sees it.
    pub failures: u64,
    /// What was said of them at either end, in the order of time; kept for `utp` flows.
    pub errors: Vec<FlowError>,
    /// Connections that were made, more than one only after failures; kept for `utp` flows.
    pub connections: u64,
    /// When the last byte of a sized transfer reached the receiving application.
    pub completed_at: Option<Ns>,
    /// Whether the digest of what arrived equals the digest of what was sent; sized transfers only.
    pub sha256_ok: Option<bool>,
}

/// A connection ended before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowError {
    /// When that was noticed.
    pub at: Ns,
    /// At which end.
    pub host: HostId,
    /// What is said of it.
    pub text: String,
}

impl FlowRecord {
    /// Notes that `bytes` reached the receiving application at `now`.
    pub fn deliver(&mut self, now: Ns, bytes: u64) {
        let bucket = now.bucket(BUCKET);
        if self.delivered_bytes.len() <= bucket {
            self.delivered_bytes.resize(bucket + 1, 0);
        }
        self.delivered_bytes[bucket] += bytes;
    }
}

impl LinkRecord {
    /// Notes that the transmitter was busy from `from` to `to`.
    pub fn busy(&mut self, from: Ns, to: Ns) {
        let mut from = from;
        while from < to {
            let bucket = from.bucket(BUCKET);
            let part_end = to.min(Ns((from.0 / BUCKET.0 + 1) * BUCKET.0));
            if self.busy_ns.len() <= bucket {
                self.busy_ns.resize(bucket + 1, 0);
            }
            self.busy_ns[bucket] += (part_end - from).0;
            from = part_end;
        }
    }
}

impl Record {
    /// Brings the series of every link and flow to the length that `duration` asks for.
    pub fn trim(&mut self) {
        let buckets = self.duration.intervals(BUCKET);
        for link in &mut self.links {
            link.busy_ns.resize(buckets, 0);
        }
        for flow in &mut self.flows {
            flow.delivered_bytes.resize(buckets, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_time_is_split_at_bucket_edges() {
        let mut link = LinkRecord::default();
        link.busy(Ns::from_millis(90), Ns::from_millis(310));
        link.busy(Ns::from_millis(310), Ns::from_millis(311));
        assert_eq!(link.busy_ns, [10_000_000, 100_000_000, 100_000_000, 11_000_000]);
    }

    #[test]
    fn delivered_bytes_add_up_in_the_bucket_of_their_arrival() {
        let mut flow = FlowRecord::default();
        flow.deliver(Ns::from_millis(99), 1);
        flow.deliver(Ns::from_millis(100), 2);
        flow.deliver(Ns::from_millis(199), 4);
        assert_eq!(flow.delivered_bytes, [1, 6]);
    }

    #[test]
    fn trimming_covers_the_duration_and_no_more() {
        let mut record = Record {
            duration: Ns::from_millis(250),
            links: vec![LinkRecord { busy_ns: vec![1], ..LinkRecord::default() }],
            flows: vec![FlowRecord { delivered_bytes: vec![1; 9], ..FlowRecord::default() }],
            trace_hash: 0,
        };
        record.trim();
        assert_eq!(record.links[0].busy_ns, [1, 0, 0]);
        assert_eq!(record.flows[0].delivered_bytes, [1, 1, 1]);
    }
}
