//! Every limit of the core, each with the reason for its value.

/// Smallest window worth announcing: the payload of a packet as large as Ethernet allows.
///
/// libutp waits for room for a whole packet and never probes a window between zero and that, so a
/// window is announced as zero or as at least this (libutp behaviour, quirk Q11).
pub const WINDOW_ANNOUNCED_MIN: u32 = 1_452;

/// Bytes beyond a full receive buffer that are taken while its reader pauses, a packet at times.
///
/// libutp sends a packet every 15 s into a window that is shut, and gives the connection up when
/// nobody takes it for 31 s. This is enough for a pause of five minutes.
pub const OVERRUN_BYTES_MAX: usize = 32 * 1_024;

/// Time between two of those packets, in microseconds: one that is refused comes again after 1, 2,
/// 4 and 8 s, and the last of these must not be refused.
pub const OVERRUN_PAUSE_US: u64 = 5_000_000;

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

/// Largest chunk that is kept while there is nothing in it: a packet of Ethernet and some.
pub const EMPTY_CHUNK_BYTES_MAX: usize = 2 * 1024;

/// Size of the first such chunk of a run; the others double, so that single bytes between large
/// packets do not cost a large chunk each.
pub const GATHER_CHUNK_BYTES_MIN: usize = 64;

/// Queue entries of connections that are gone, beyond two for each that lives, before they are
/// looked for and dropped.
pub const STALE_MAX: usize = 64;

/// Bytes that each direction of a connection may hold even when the endpoint's memory is used up,
/// so that every stream goes on: two packets. The budget may so be passed by as much for each.
pub const MEMORY_FLOOR_BYTES: u32 = 4_096;

/// Bytes that wait for their first packet in all connections of an endpoint and in their queues.
/// Each may have waiting what all leave of it: eleven streams fill their buffers and queues as if
/// they were alone, and a thousand take little more memory than they share.
pub const UNSENT_BYTES_SHARED: usize = 16 << 20;

/// No connection and no queue counts for more of it, so that one with a larger buffer leaves the
/// others theirs. While as much is left nobody is limited.
pub const UNSENT_BYTES_COUNTED: usize = 1 << 20;

/// What each may have waiting whatever the others have: the packets of a burst.
pub const UNSENT_BYTES_FLOOR: usize = 16 << 10;

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

/// Time after a SYN in which libutp's initiator gives up that has not got the answer, in
/// microseconds: 21 s, and half a second for each of three timers that are looked at that seldom.
pub const SYN_UNANSWERED_US: u64 = 22_500_000;

/// Silence of both sides after a connect before an initiator sees to it that the peer can speak, in
/// microseconds: longer than most acceptors take to say something of their own, and than most
/// applications take to their first write; shorter than anybody waits for without noticing.
pub const OPENER_SILENT_US: u64 = 300_000;

/// How often it asks whether the peer takes empty packets, at doubling pauses. That all of them, or
/// all answers, are lost is rare on any path that carries a stream.
pub const OPENER_QUESTIONS: u8 = 5;

/// Ended connections that are remembered, 32 bytes each, to answer what still comes for them. A
/// power of two.
pub const TOMBSTONES_MAX: usize = 4_096;

/// Least time that one that failed is remembered, in microseconds; three time-outs if that is more.
/// As long as a cookie is taken, or what its peer resends would open it once more.
/// One that finished is as long as [`Config::linger_us`](super::Config::linger_us) says, and until
/// its cookie is taken no more.
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
/// long again and twice as long. With the default of
/// [`Config::idle_probe_us`](super::Config::idle_probe_us) a dead peer is known after 115 s.
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
