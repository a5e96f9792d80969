//! Every setting and every limit of the core, each with the reason for its value.

use std::fmt;
use std::num::{NonZeroU8, NonZeroU32};
use std::sync::Arc;

use utp_ledbat::ControllerFactory;

use crate::endpoint::SynFilter;

/// Smallest window worth announcing: the payload of a packet as large as Ethernet allows.
///
/// libutp waits for room for a whole packet and never probes a window between zero and that, so a
/// window is announced as zero or as at least this (libutp behaviour, quirk Q11).
pub const WINDOW_ANNOUNCED_MIN: u32 = 1_452;

/// Packets that may ever be in flight, and so how far a packet may be ahead of the stream.
///
/// A quarter of the circle of numbers: what is ahead, what is behind and what acks may name stay
/// less than half of it apart, with as much again for packets that come late. It allows 23 MB of
/// full packets in flight.
pub const IN_FLIGHT_PACKETS_MAX: u16 = 16_384;

/// Packets that may be in flight towards a peer that is not known to hold more.
///
/// libutp keeps 1 024 slots and refuses what lies beyond, without an ack.
pub const IN_FLIGHT_PACKETS_UNPROVEN: u16 = 1_023;

/// The farthest a packet that is held may be ahead of the stream. The peer may have one more in
/// flight: the one that is missing.
pub const HELD_PACKETS_MAX: u16 = IN_FLIGHT_PACKETS_MAX - 1;

/// Bytes of the receive buffer for each number that a held packet may be ahead.
///
/// Rings grow with the distance, to the next power of two, by two bytes and a bit for each number:
/// so they stay below 3.4 % of the buffer.
pub const HELD_SPAN_BYTES: usize = 128;

/// Bytes a stored out-of-order packet is charged beside its payload, so that tiny packets cannot
/// cost more memory than the receive window says.
pub const HELD_PACKET_OVERHEAD: usize = 64;

/// The part of the receive buffer that this may take beyond it: a sixteenth, enough for a buffer
/// full of packets of 1 024 bytes. Fewer bytes of smaller packets are held.
pub const HELD_OVERHEAD_SHARE: usize = 16;

/// Largest chunk that small writes and payloads are gathered in.
pub const GATHER_CHUNK_BYTES: usize = 16 * 1024;

/// Size of the first such chunk of a run; the others double, so that single bytes between large
/// packets do not cost a large chunk each.
pub const GATHER_CHUNK_BYTES_MIN: usize = 64;

/// Queue entries of connections that are gone, beyond two for each that lives, before they are
/// looked for and dropped.
pub const STALE_MAX: usize = 64;

/// Bytes that each direction of a connection may hold even when the endpoint's memory is used up,
/// so that every stream goes on: two packets. The budget may so be passed by as much for each.
pub const MEMORY_FLOOR_BYTES: u32 = 4_096;

/// How long a peer must have taken nothing before its connection may be given up for the memory
/// that it holds, in microseconds. An outage of the usual kind is over by then.
pub const STALLED_US_MIN: u64 = 30_000_000;

/// Least pause between two such, in microseconds: to find the worst costs a look at every
/// connection.
pub const CULL_PAUSE_US: u64 = 100_000;

/// Bounds of a round trip that the receive buffer is tuned by, in microseconds. A window must last
/// for as long as a batch does, and no path in use takes longer than ten seconds.
pub const RECEIVE_RTT_US_MIN: u32 = 250;
/// The upper bound.
pub const RECEIVE_RTT_US_MAX: u32 = 10_000_000;

/// The round trip that is assumed with a peer that measures no delay, in microseconds: that of a
/// satellite, as a buffer that is too large costs only memory.
pub const RECEIVE_RTT_UNKNOWN_US: u64 = 500_000;

/// Most of the receive buffer that may open before the peer is told, in bytes: a stopped sender
/// waits for no more.
pub const WINDOW_UPDATE_BYTES_MAX: u32 = 64 * 1024;

/// How long a connection that its owner has left may go without the peer taking a byte, in
/// microseconds, before it is given up (RFC 6429 lets a host decide). A peer that keeps its window
/// shut would hold memory for ever.
pub const ABANDONED_US_MAX: u64 = 300_000_000;

/// Replies without a connection (SYN-ACKs, resets) that wait for transmission; more are dropped.
/// Two full batches of a receive call, so that a driver that drains after each loses none.
pub const STATELESS_REPLIES_MAX: usize = 128;

/// How long a SYN-ACK's number is made with the same key, in microseconds. It is good for this
/// epoch and the next: longer than any initiator takes from the SYN-ACK to its first data but one
/// that stays silent, shorter than it takes to try many guesses.
pub const COOKIE_EPOCH_US: u64 = 30_000_000;

/// Half-open connections remembered from one network (/24 of IPv4, /48 of IPv6), so that one
/// cannot fill the table. Beyond, the cookie alone has to do.
pub const HALF_OPEN_PER_NETWORK: u8 = 32;

/// How long one is remembered when the table was more than three quarters full since it came, in
/// microseconds. Any path answers within.
pub const HALF_OPEN_PRESSED_LIFE_US: u64 = 10_000_000;

/// The window that a SYN-ACK announces, in bytes, while no connection says how large its receive
/// buffer is: more than any initiator sends at once. The first ack tells the true one.
pub const SYN_ACK_WINDOW_BYTES: u32 = 64 * 1024;

/// Times of what came from an accepted peer that may be sent to it before it has acked something of
/// ours (RFC 9000 section 8.1).
pub const UNPROVEN_FACTOR: u16 = 3;

/// Resends to such a peer until it sends something again. With the first copy they make up the
/// factor above, so that a packet as large as what came may be lost twice.
pub const UNPROVEN_RESENDS_MAX: u8 = 2;

/// Ended connections that are remembered, 32 bytes each, to answer what still comes for them. A
/// power of two.
pub const TOMBSTONES_MAX: usize = 4_096;

/// Least time that one that failed is remembered, in microseconds; three time-outs if that is more.
/// As long as a cookie is taken, or what its peer resends would open it once more.
/// One that finished is as long as [`Config::linger_us`] says, and until its cookie is taken no
/// more.
pub const TOMBSTONE_LIFE_US_MIN: u64 = 60_000_000;

/// Time for which a finished one is remembered from the last packet that came for it, in
/// microseconds: longer than the pauses between the resends of a peer that has backed off.
pub const TOMBSTONE_ASKED_US: u64 = 30_000_000;

/// Least time between two answers to resets that are not believed, in microseconds.
pub const CHALLENGE_PAUSE_US: u64 = 1_000_000;

/// Least time for which a reset may answer a packet, in microseconds: the round trip of a path that
/// has been idle may have grown since it was measured.
pub const RESET_ANSWER_US_MIN: u64 = 3_000_000;

/// How far before the oldest outstanding packet a reset may point: what it answers may have been
/// acknowledged at once. With the next number these are four of 65 536.
pub const RESET_BEHIND_MAX: u16 = 3;

/// Resets sent to one network (/24 of IPv4, /48 of IPv6) within a second, so that forged strays
/// cannot aim all of them at one.
pub const RESETS_PER_NETWORK: u8 = 2;

/// How soon a connection is asked again whether it lives when a SYN came that can only mean that
/// its peer has forgotten it, in microseconds (RFC 5961 section 4 has the idea). Dead is known
/// after 4.5 s, before a SYN is sent for the fourth time.
pub const SYN_PROBE_PAUSE_US: u32 = 1_000_000;

/// Packets sent after a packet and delivered before it that prove it lost (RFC 5681, RFC 9002).
pub const REORDER_PACKETS: u64 = 3;

/// Lost packets resent at once, whatever the window, per received packet that proves a loss.
/// libutp resends at most four per selective ack.
pub const FAST_RESENDS_MAX: u8 = 4;

/// Unanswered probes after which a silent peer is given up. One may be lost, and its answer too.
pub const IDLE_PROBES: u8 = 3;

/// Pause after the first probe of a peer that has been idle, in microseconds; the next are half as
/// long again and twice as long. With the default of [`Config::idle_probe_us`] a dead peer is known
/// after 115 s.
pub const LIVENESS_PAUSE_US: u32 = 10_000_000;

/// Least silence before an idle peer is probed, in microseconds: a probe must not call for the next
/// one.
pub const IDLE_PROBE_US_MIN: u64 = 1_000_000;

/// How far a packet's stamp may be off the clock that the peer has shown, in microseconds: more
/// than any queue delays a packet from one to the next, 2^-7.7 of all stamps.
pub const GATE_STAMP_US: u32 = 10_000_000;

/// How far a reported difference may be off the one expected, in microseconds: 2^-8.7 of all.
pub const GATE_DIFFERENCE_US: u32 = 5_000_000;

/// Packets that may go at once when nothing has been outstanding (libutp's largest burst).
pub const PACING_BURST_PACKETS: u64 = 10;

/// Longest time, in microseconds, that a window below one packet keeps a sender still that has
/// nothing in flight. The smallest time-out of libutp; after a stall, the time-out of the samples
/// that waited in it could be half a minute.
pub const STARVED_US_MAX: u64 = 1_000_000;

/// Packets that may always go at once, so that one timer serves two of a slow sender.
pub const PACING_QUANTUM_PACKETS_MIN: u64 = 2;

/// Time whose worth of packets a fast sender may send at once, in microseconds: timers of drivers
/// have a granularity of a millisecond.
pub const PACING_QUANTUM_US: u64 = 1_000;

/// How late a timer may ring before what was earned meanwhile is lost, in microseconds. Twice the
/// granularity: a driver that is busier than that must not answer with a burst.
pub const PACING_LATE_US_MAX: u64 = 2_000;

/// Pace in per cent of a window per round trip: enough to fill the window although the round trip
/// that was measured is longer than the next one.
pub const PACING_PERCENT: u64 = 125;

/// The same in slow start, where each window may be twice the last.
pub const PACING_PERCENT_SLOW_START: u64 = 200;

/// A connection that is run this much later than it asked for was stopped, with its process or the
/// whole host: that time counts neither as a round trip nor as the peer's silence.
pub const STANDSTILL_US: u64 = 1_000_000;

/// Bytes that a turn adds for each unit of weight. A connection of the default weight so sends one
/// full batch for a segmenting socket in each turn.
pub const TURN_BYTES: i32 = 4_030;

/// The same under a rate cap of the endpoint, where turns take long: three packets.
pub const TURN_BYTES_CAPPED: i32 = 256;

/// Packets that failed the gate and are remembered, 8 bytes each, until the peer's own copy comes.
/// A blind attacker places far fewer within the time of a round trip; more are dropped.
pub const DOUBTS_MAX: usize = 256;

/// How long the smallest round trip is learned, in seconds; acks sooner than half of it earn
/// no growth afterwards. Long enough to see a path without its queue once.
pub const RTT_FLOOR_LEARNED_S: u16 = 10;

/// After how long of nothing but such acks the path is taken to have become shorter, by half at a
/// time, in seconds. Streams often begin behind a queue that is later gone, and must not stand
/// still then; a receiver that lies from its first ack is not stopped by any value.
pub const RTT_FLOOR_HALVES_S: u16 = 2;

/// Longest the persist timer backs off to (RFC 9293 section 3.8.6.1 leaves it open).
pub const PERSIST_US_MAX: u64 = 60_000_000;

/// Largest UDP payload over IPv4: an IP packet of 65 535 bytes without its headers.
pub const DATAGRAM_BYTES_MAX: u16 = 65_507;

/// Least size that full packets can be set to: what libutp shrinks to on a slow link.
pub const DATAGRAM_BYTES_MIN: u16 = 150;

/// What full packets shrink to over IPv4 when not even the base arrives: every host takes IP
/// packets of 576 bytes (RFC 1122 section 3.3.2), and no link in use carries less.
pub const DATAGRAM_BYTES_FLOOR_V4: u16 = 548;

/// The same over IPv6: every link carries IP packets of 1 280 bytes (RFC 8200 section 5).
pub const DATAGRAM_BYTES_FLOOR_V6: u16 = 1_232;

/// Sizes that are tried over IPv4 and IPv6 before the search halves what is left: what Ethernet
/// carries, and what is left in a tunnel over it (WireGuard: an MTU of 1 420).
pub const DATAGRAM_BYTES_LIKELY: [[u16; 2]; 2] = [[1_472, 1_392], [1_452, 1_372]];

/// The search for the path MTU ends when it is known this well, in bytes (libutp).
pub const MTU_SEARCH_STEP: u16 = 16;

/// Lost probes of a size before it is held to be too large (RFC 8899 section 5.1.2: `MAX_PROBES`).
pub const MTU_PROBES_MAX: u8 = 3;

/// Least pause between two searches, in microseconds: the end of one must not be the beginning of
/// the next.
pub const MTU_SEARCH_US_MIN: u64 = 1_000_000;

/// Longest pause between two searches for a larger path MTU (RFC 1191 asks for no less than ten
/// minutes; libutp has thirty).
pub const MTU_SEARCH_US_MAX: u64 = 1_800_000_000;

/// Round trips from a lost probe to the next: each leaves a hole that delays what follows by one.
pub const MTU_PROBE_PAUSE_ROUND_TRIPS: u64 = 5;

/// Full packets that must wait, and fit into both windows, behind a probe. Without packets behind
/// it only the timer finds that it is lost.
pub const MTU_PROBE_PACKETS_BEHIND: u16 = 4;

/// Retransmission time-outs in a row after which a path is taken to swallow packets of the present
/// size (RFC 8899 section 4.3). With the first time-out of a second data flows again after three.
pub const BLACK_HOLE_TIMEOUTS: u8 = 2;

/// Losses of large packets in a row, while smaller ones arrive, that say the same.
pub const BLACK_HOLE_LOSSES: u8 = 3;

/// Smallest UDP payload that an ICMP message is believed to be right about. A smaller one would
/// only serve an attacker.
pub const ICMP_DATAGRAM_BYTES_MIN: u16 = 1_200;

/// Fewest packets from one that is withheld to the next, on average, and from the beginning to the
/// first: a short stream has none, and who lies from its first ack gets 191 packets.
pub const WITHHOLD_GAP_PACKETS_MIN: u64 = 128;

/// Most of them: where a packet is withheld for each 6 MB, nobody notices the delay.
pub const WITHHOLD_GAP_PACKETS_MAX: u64 = 4_096;

/// The fewest in windows, if those are more: a peer that names few packets beyond a hole, as libutp
/// does, keeps the window from moving for a round trip, which must not hold up slow start.
pub const WITHHOLD_GAP_WINDOWS_MIN: u64 = 8;

/// The most in windows: what such a peer misses is one and a half per cent.
pub const WITHHOLD_GAP_WINDOWS_MAX: u64 = 64;

/// Full packets that must wait behind one that is withheld, so that its peer sees the hole and the
/// end of the stream is not what waits.
pub const WITHHOLD_PACKETS_BEHIND: u16 = 4;

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
    /// itself by data; not so by default, since a SYN proves nothing and its connection costs
    /// memory. Beyond [`half_open_max`](Self::half_open_max) it is reported at its data even so.
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
    /// Bytes in the send and receive buffers of all connections together. When half of it is used
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
    /// Bytes written and not yet acknowledged; room for one packet at least.
    pub send_buffer_bytes: u32,
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
