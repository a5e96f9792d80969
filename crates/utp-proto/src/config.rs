//! Every setting of the core, with what it is good for; the limits are in `config/limits.rs`.

mod limits;

use std::fmt;
use std::num::{NonZeroU8, NonZeroU32};
use std::sync::Arc;

use utp_ledbat::ControllerFactory;

use crate::endpoint::SynFilter;
pub use limits::*;

/// Limits and identity of an [`Endpoint`](crate::Endpoint), shared by all its connections.
#[derive(Clone)]
#[non_exhaustive]
pub struct EndpointConfig {
    /// Connections of all kinds; a SYN or a connect beyond is refused.
    pub connections_max: usize,
    /// SYNs that were answered and are remembered until data comes; beyond, an initiator is known
    /// by its cookie alone. The table costs at most 64 bytes for each. The same number bounds the
    /// connections that wait for data when they are reported at their SYN.
    pub half_open_max: usize,
    /// How long either is kept, in microseconds. An initiator built on libutp may stay silent for
    /// a while, so this is generous.
    pub half_open_life_us: u64,
    /// Whether a connection is reported at its SYN already and not when its initiator has proved
    /// itself; not so by default, since a SYN proves nothing and its connection costs
    /// memory. Beyond [`half_open_max`](Self::half_open_max) it is reported at that proof even so.
    pub report_at_syn: bool,
    /// Asked about every SYN before anything is kept or sent; none answers all.
    pub syn_filter: Option<Arc<dyn SynFilter>>,
    /// Whether SYNs tell, and SYN-ACKs that answer such a SYN, that this side holds more packets
    /// ahead of the stream than libutp: 8 bytes in extension 2, which libutp takes and ignores.
    /// Peers that do the same may then have more in flight.
    pub announce_holds_more: bool,
    /// Resets sent per second for packets that belong to no connection.
    pub resets_per_second: u32,
    /// Resets that may be sent in one burst.
    pub resets_burst: u32,
    /// Bytes of UDP payload in DATA and FIN packets that all connections together send per second
    /// at most; none by default. It can be changed later:
    /// [`Endpoint::set_send_rate_max`](crate::Endpoint::set_send_rate_max).
    pub send_rate_max: Option<NonZeroU32>,
    /// Bytes in the send and receive buffers of all connections together, and in the queues before
    /// them that their driver [keeps an account of](crate::QueueAccount). When half of it is used
    /// no window grows, when an eighth is left no more data is asked for, and when nothing is left
    /// writes are blocked and peers that take nothing are given up, the worst first. 256 MiB: more
    /// than any honest use was seen to need, since buffers are empty while both sides keep up, and
    /// little enough for the machine.
    pub memory_max_bytes: usize,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            connections_max: 65_536,
            half_open_max: 1_024,
            half_open_life_us: 60_000_000,
            report_at_syn: false,
            syn_filter: None,
            announce_holds_more: true,
            resets_per_second: 100,
            resets_burst: 50,
            send_rate_max: None,
            memory_max_bytes: 256 << 20,
        }
    }
}

impl fmt::Debug for EndpointConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointConfig")
            .field("connections_max", &self.connections_max)
            .field("half_open_max", &self.half_open_max)
            .field("report_at_syn", &self.report_at_syn)
            .finish_non_exhaustive()
    }
}

/// What is done with a packet that does not show the clocks of its connection: somebody who cannot
/// see the connection has made it up, or a clock was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// It is counted, and taken, but for a FIN, which has to come three times.
    #[default]
    Count,
    /// It is counted and dropped. Three in a row that agree with each other are believed.
    Drop,
}

/// Settings of one connection.
///
/// ```
/// use std::sync::Arc;
/// let mut config = utp_proto::Config::default();
/// config.controller = Arc::new(utp_ledbat::Config::rfc6817());
/// config.receive_buffer_bytes = 4 << 20;
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Makes the congestion controller of each connection. By default the law of libutp with all
    /// guards on.
    pub controller: Arc<dyn ControllerFactory>,
    /// Bytes received and not yet consumed by the application, in order or not, that the peer may
    /// have us hold to begin with. At least 4 096. 256 KiB is what a sender assumes before it is
    /// told.
    pub receive_buffer_bytes: u32,
    /// What the receive buffer may grow to as the application keeps up: to twice what it takes per
    /// round trip. 16 MiB is 1.1 Gbit/s over 60 ms, or 190 Mbit/s over 345 ms.
    pub receive_buffer_max_bytes: u32,
    /// Bytes written and not yet acknowledged; room for one packet at least. Up to as much again is
    /// held while a [withheld](Self::withhold_packets) packet keeps what is named beyond it.
    pub send_buffer_bytes: u32,
    /// How much may be written beyond what both windows let go at present, in full packets, one at
    /// least; `None`, the default, lets the application fill the send buffer. With a bound, what a
    /// write takes tells the application what the path takes, as with libutp.
    pub write_ahead_packets: Option<NonZeroU8>,
    /// Whether acks of received data wait for
    /// [`Endpoint::issue_deferred_acks`](crate::Endpoint::issue_deferred_acks) instead of the next
    /// poll; not so by default. That is for drivers that have to poll after every datagram and know
    /// better when a batch is over. Data that is sent meanwhile carries the ack, and two acks never
    /// wait: that of the end of the stream, and that which opens a window that was shut.
    pub defer_acks: bool,
    /// UDP payload of a full packet over IPv4 before anything is known of the path: 1 232, what
    /// nearly every path carries.
    pub datagram_bytes_base_v4: u16,
    /// Largest UDP payload that is ever tried over IPv4: 1 472, what Ethernet carries. Up to 65 507
    /// for links that carry more; not above the base, every full packet has this size.
    pub datagram_bytes_max_v4: u16,
    /// The same as the base over IPv6: 1 200, which fits the smallest link with room for a tunnel.
    pub datagram_bytes_base_v6: u16,
    /// The same as the largest over IPv6: 1 452, what Ethernet carries.
    pub datagram_bytes_max_v6: u16,
    /// Pause before larger packets are tried again after a search for the path MTU, in
    /// microseconds; a second at least and half an hour at most. Paths change (RFC 8899 section
    /// 5.1.1: 600 s).
    pub mtu_search_us: u64,
    /// A connect that has not succeeded after this is given up, in microseconds.
    pub connect_timeout_us: u64,
    /// Silence of the peer while data is outstanding that ends the connection, in microseconds.
    /// Long enough to outlive an outage of 30 s at every stage of back-off.
    pub give_up_us: u64,
    /// A packet is sent after this long without one, in microseconds; at least a second. 29 s keeps
    /// the mapping of a NAT that forgets after 30 s.
    pub keepalive_us: u64,
    /// Silence of the peer after which it is asked for a sign of life, in microseconds; `None`
    /// never asks. Longer than two keepalives of a peer, so that one of them may be lost without a
    /// probe.
    pub idle_probe_us: Option<u64>,
    /// How long a living peer may take no byte of what waits for it, in microseconds, before the
    /// connection ends (RFC 6429); `None` lets it wait as long as it likes.
    pub persist_limit_us: Option<u64>,
    /// Smallest retransmission time-out in microseconds (BEP-29: 500 ms).
    pub rto_min_us: u32,
    /// What is done with packets that do not show the clocks of the connection. They are only
    /// counted by default, until traces of real peers show that no honest packet would be dropped.
    pub timestamp_gate: Gate,
    /// Whether a packet of a stream that flows is sent a round trip later than it could now and
    /// then, to find out a peer that acknowledges what it has not got: such a connection ends with
    /// [`ConnectionError::FalseAck`](crate::ConnectionError::FalseAck). Without it such a peer can
    /// have a whole link filled with packets for it. On by default.
    pub withhold_packets: bool,
    /// Bytes of UDP payload in DATA and FIN packets that the connection sends per second at most,
    /// headers and repeats included; none by default. It can be changed later:
    /// [`Connection::set_send_rate_max`](crate::Connection::set_send_rate_max).
    pub send_rate_max: Option<NonZeroU32>,
    /// The part of this connection in what the endpoint sends while all of them together are held
    /// back, by the rate cap of the endpoint or by a full socket: twice the weight sends twice as
    /// much. 16 by default. The smallest weight still gets its part, so nobody starves.
    pub weight: NonZeroU8,
    /// How long a finished connection stays to answer a repeated FIN, in microseconds, counted from
    /// the last one. Longer than the pauses between the resends of a peer that has backed off.
    pub linger_us: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            controller: Arc::new(utp_ledbat::Config::utp()),
            receive_buffer_bytes: 256 << 10,
            receive_buffer_max_bytes: 16 << 20,
            send_buffer_bytes: 1 << 20,
            write_ahead_packets: None,
            defer_acks: false,
            datagram_bytes_base_v4: 1_232,
            datagram_bytes_max_v4: 1_472,
            datagram_bytes_base_v6: 1_200,
            datagram_bytes_max_v6: 1_452,
            mtu_search_us: 600_000_000,
            connect_timeout_us: 21_000_000,
            give_up_us: 45_000_000,
            keepalive_us: 29_000_000,
            idle_probe_us: Some(70_000_000),
            persist_limit_us: Some(300_000_000),
            rto_min_us: 500_000,
            timestamp_gate: Gate::Count,
            withhold_packets: true,
            send_rate_max: None,
            weight: WEIGHT,
            linger_us: 30_000_000,
        }
    }
}

impl Config {
    /// Bounds of the size of a full datagram over IPv4 or IPv6: where the search begins, and where
    /// it ends.
    pub(crate) fn datagram_bytes(&self, v4: bool) -> (u16, u16) {
        let (base, max) = if v4 {
            (self.datagram_bytes_base_v4, self.datagram_bytes_max_v4)
        } else {
            (self.datagram_bytes_base_v6, self.datagram_bytes_max_v6)
        };
        let max = max.clamp(DATAGRAM_BYTES_MIN, DATAGRAM_BYTES_MAX);
        (base.clamp(DATAGRAM_BYTES_MIN, max), max)
    }

    /// The first receive buffer, never below what the smallest announced window needs.
    pub(crate) fn receive_buffer(&self) -> u32 {
        self.receive_buffer_bytes.max(4_096)
    }
}

/// In the middle, so that others can have less and more.
const WEIGHT: NonZeroU8 = NonZeroU8::new(16).expect("it is not zero");

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("controller", &self.controller.name())
            .field("receive_buffer_bytes", &self.receive_buffer_bytes)
            .field("send_buffer_bytes", &self.send_buffer_bytes)
            .finish_non_exhaustive()
    }
}
