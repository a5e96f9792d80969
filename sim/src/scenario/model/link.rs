//! How a link treats packets: plain data, one field for each element of a link.

use crate::time::Ns;
use std::sync::Arc;

/// A named link.
#[derive(Clone, Debug)]
pub struct LinkSpec {
    /// Name in the file.
    pub name: String,
    /// Its behaviour at the start of the run.
    pub config: LinkConfig,
}

/// How a link treats packets.
///
/// A packet meets the elements in the order of the fields below: is the link up, does the packet
/// fit, is it lost, does the policer let it pass, does the queue take it; then it waits, is
/// transmitted, maybe held back with others, delayed, moved behind others, corrupted or doubled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkConfig {
    /// Whether it works.
    pub state: LinkState,
    /// What is too large for it.
    pub mtu: Option<Mtu>,
    /// Packets lost at random.
    pub loss: Loss,
    /// A limit on the rate that drops and does not queue.
    pub policer: Option<Policer>,
    /// The queue before the transmitter.
    pub queue: Queue,
    /// How fast bits leave.
    pub rate: Rate,
    /// Packets that wait after the transmitter and then arrive together.
    pub aggregation: Option<Aggregation>,
    /// Propagation delay.
    pub delay: Ns,
    /// Random addition to the delay.
    pub jitter: Jitter,
    /// Single packets that come late, behind those that follow them.
    pub reorder: Option<Reorder>,
    /// Packets in which one bit of the transport's header is flipped, in parts per million: of the
    /// first 20 bytes of a datagram. Hosts get them as if a checksum had not noticed; the flows
    /// inside the network have one that notices, and lose them.
    pub corrupt_header_ppm: u32,
    /// Packets in which one bit of the payload is flipped, in parts per million, likewise.
    pub corrupt_payload_ppm: u32,
    /// Packets that arrive twice, in parts per million.
    pub duplicate_ppm: u32,
}

/// Whether a link works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// Everything that is offered is lost, and so is what waits in the queue. What is on its way
    /// arrives.
    Down,
    /// Nothing leaves: the queue fills, and goes on when the link is up again.
    Stalled,
    /// It works.
    #[default]
    Up,
}

/// The largest packet that a link carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mtu {
    /// Bytes on the link, headers included.
    pub bytes: u32,
    /// Whether the sender of a packet that is too large hears of it.
    pub icmp: bool,
}

/// Which packets are lost before they reach the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// Each on its own, with one probability in parts per million.
    Bernoulli(u32),
    /// In bursts: a good and a bad state, with probabilities in parts per million.
    GilbertElliott {
        /// Of going from good to bad, for each packet.
        to_bad_ppm: u32,
        /// Of going from bad to good, for each packet.
        to_good_ppm: u32,
        /// Of a loss while in the good state.
        loss_good_ppm: u32,
        /// Of a loss while in the bad state.
        loss_bad_ppm: u32,
    },
    /// Those with these numbers in the order of being offered to the link, from 0; ascending.
    List(Arc<[u64]>),
    /// None.
    #[default]
    None,
}

/// A token bucket that drops what exceeds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policer {
    /// Tokens per second, in bits.
    pub rate_bps: u64,
    /// Most tokens, in bytes.
    pub burst_bytes: u64,
}

/// The queue before the transmitter; every limit that is absent does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// CoDel (RFC 8289).
    Codel {
        /// Acceptable standing delay.
        target: Ns,
        /// Time in which the delay must come below the target.
        interval: Ns,
        /// Largest backlog.
        bytes_max: Option<u64>,
    },
    /// First in, first out; what does not fit is dropped.
    Droptail {
        /// Largest backlog in bytes of waiting packets.
        bytes_max: Option<u64>,
        /// Largest number of waiting packets.
        packets_max: Option<u64>,
    },
    /// FQ-CoDel (RFC 8290).
    FqCodel {
        /// Acceptable standing delay of each queue.
        target: Ns,
        /// Time in which the delay of a queue must come below the target.
        interval: Ns,
        /// Bytes that a queue may send in a turn.
        quantum: u32,
        /// Number of queues that flows are hashed into.
        flows: u32,
        /// Most packets of all queues together.
        packets_max: u64,
    },
    /// PIE (RFC 8033).
    Pie {
        /// Delay that the drop probability steers towards.
        target: Ns,
        /// Time between two updates of the drop probability.
        update: Ns,
        /// Burst that is let through after idle times.
        burst: Ns,
        /// Largest backlog.
        bytes_max: Option<u64>,
    },
}

impl Default for Queue {
    /// First in, first out, without a limit.
    fn default() -> Self {
        Self::Droptail { bytes_max: None, packets_max: None }
    }
}

/// How fast bits leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Rate {
    /// So many bits per second.
    Constant(u64),
    /// A delivery trace in the form of Mahimahi: at each of its moments the link can send the bytes
    /// of one full packet.
    Trace(Arc<DeliveryTrace>),
    /// Everything leaves at once.
    #[default]
    Unlimited,
}

impl Rate {
    /// Bits per second, the mean of a trace; none without a limit.
    pub fn bps(&self) -> Option<u64> {
        match self {
            Self::Constant(bps) => Some(*bps),
            Self::Trace(trace) => Some(trace.mean_bps()),
            Self::Unlimited => None,
        }
    }
}

/// When a link of varying rate can deliver, as recorded; it repeats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryTrace {
    /// Name of the file it was read from.
    pub name: String,
    /// Moments at which one packet of [`DeliveryTrace::PACKET_BYTES`] can leave, ascending; more
    /// than one packet may leave at one moment.
    pub opportunities: Vec<Ns>,
    /// After this span the trace repeats; at least the last moment, and not zero.
    pub period: Ns,
}

impl DeliveryTrace {
    /// Bytes that can leave at each moment.
    pub const PACKET_BYTES: u32 = 1_500;

    /// Bits per second over the whole trace, rounded down.
    pub fn mean_bps(&self) -> u64 {
        let bits = self.opportunities.len() as u128 * u128::from(Self::PACKET_BYTES) * 8;
        u64::try_from(bits * 1_000_000_000 / u128::from(self.period.0.max(1))).unwrap_or(u64::MAX)
    }
}

/// Wi-Fi-like aggregation: the medium is away for a while, and what left the transmitter meanwhile
/// arrives together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregation {
    /// Shortest time that packets are held.
    pub hold_min: Ns,
    /// Longest time that packets are held.
    pub hold_max: Ns,
    /// Shortest time between two holds.
    pub gap_min: Ns,
    /// Longest time between two holds.
    pub gap_max: Ns,
}

/// Random addition to the propagation delay, uniform in `[0, max]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Jitter {
    /// Largest addition.
    pub max: Ns,
    /// Whether it may reorder; otherwise a packet arrives no earlier than the one before it.
    pub reorders: bool,
}

/// Packets that are delayed on their own, so that later ones overtake them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reorder {
    /// How many, in parts per million.
    pub ppm: u32,
    /// By how much.
    pub delay: Ns,
}
