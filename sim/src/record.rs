//! What one run of a scenario leaves behind: the raw material of tables, plots and expectations.
//!
//! The engine and the network model fill a [`Record`]; metrics and reports only read it. It holds
//! integers in virtual time only, so that two runs of one seed give equal records.

use crate::time::Ns;

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
    /// Packets that found the queue full.
    pub dropped_packets: u64,
    /// Packets the loss model took.
    pub lost_packets: u64,
}

/// What one flow did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowRecord {
    /// Name in the scenario file.
    pub name: String,
    /// Payload bytes handed to the receiving application (in order), per [`BUCKET`].
    pub delivered_bytes: Vec<u64>,
    /// One-way delay of delivered packets as `(arrival, microseconds)`; kept for `cbr` flows.
    pub one_way_delay_us: Vec<(Ns, u32)>,
    /// Smoothed round-trip time as `(time, microseconds)`, one sample per [`BUCKET`] at most.
    pub rtt_us: Vec<(Ns, u32)>,
    /// Congestion window as `(time, bytes)`, one sample per [`BUCKET`] at most.
    pub window_bytes: Vec<(Ns, u64)>,
    /// Data packets sent again.
    pub retransmissions: u64,
    /// Data packets the receiver had already: repeats that were not needed.
    pub spurious_retransmissions: u64,
    /// Expiries of the retransmission timer.
    pub timeouts: u64,
    /// When the last byte of a sized transfer reached the receiving application.
    pub completed_at: Option<Ns>,
    /// Whether the digest of what arrived equals the digest of what was sent; sized transfers only.
    pub sha256_ok: Option<bool>,
}
