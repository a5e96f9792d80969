//! What can happen in a run.

use std::num::NonZeroU32;

/// Everything that a run depends on.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Of everything that is drawn during the run: ids, numbers, faults.
    pub seed: u64,
    /// The two endpoints.
    pub sides: [SideConfig; 2],
    /// Datagrams that leave in one batch, at most.
    pub segments_max: usize,
    /// Time from one side to the other, in microseconds.
    pub latency_us: u64,
    /// What both endpoints allow.
    pub limits: Limits,
    /// What may be flipped in headers at all.
    pub flips: Flips,
    /// What happens, in order.
    pub ops: Vec<Op>,
}

/// How one side is configured.
#[derive(Clone, Debug)]
pub struct SideConfig {
    /// The congestion control of its connections.
    pub controller: ControllerChoice,
    /// Bytes its connections may hold for their readers at first.
    pub receive_buffer_bytes: u32,
    /// Bytes they may hold once the path is seen to need more.
    pub receive_buffer_max_bytes: u32,
    /// Bytes its connections hold for their writers.
    pub send_buffer_bytes: u32,
    /// UDP payload of its full packets.
    pub datagram_bytes: u16,
    /// Bytes per second that a connection sends at most.
    pub rate_max: Option<NonZeroU32>,
    /// Packets that do not show the clocks of the connection are dropped and not just counted.
    pub gate_drops: bool,
    /// Silent peers of idle connections are asked for a sign of life.
    pub probes_idle_peers: bool,
    /// How far its clock is ahead, in microseconds.
    pub clock_us: u64,
}

/// What the endpoints allow.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Answered SYNs that are remembered.
    pub half_open_max: usize,
    /// Connections are reported at their SYN.
    pub report_at_syn: bool,
    /// SYNs tell that their side holds more than libutp.
    pub announce_holds_more: bool,
    /// Bytes in all buffers of an endpoint.
    pub memory_max_bytes: usize,
    /// Resets sent per second.
    pub resets_per_second: u32,
}

/// Which congestion control.
#[derive(Clone, Copy, Debug)]
pub enum ControllerChoice {
    /// A constant window of so many bytes.
    Fixed(u64),
    /// LEDBAT as libutp runs it.
    Libutp,
    /// LEDBAT as RFC 6817 has it.
    Rfc6817,
}

/// Which bits of a header may be flipped. The more, the less can be asked of the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flips {
    /// Any. A changed type, number or extension is another packet, and uTP has nothing to tell it
    /// from a true one: bytes are not compared then, and an end may come early.
    All,
    /// All but type, first extension, id and number. A forged ack may make the sender forget what
    /// has not arrived, so that a stream may stand still; its bytes are right.
    ButMeaning,
    /// Version, stamps and window: everything must still be right in the end.
    Harmless,
    /// None.
    Never,
}

/// What the network does in one direction, each per mille of the packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Lost.
    pub loss: u16,
    /// Length of a burst of losses, in packets; 0 and 1 lose single ones.
    pub burst: u16,
    /// Delivered twice.
    pub duplication: u16,
    /// Delivered late.
    pub reordering: u16,
    /// By this much at most, in microseconds.
    pub late_us: u32,
    /// Delivered with a flipped bit in the header.
    pub flip: u16,
}

/// One thing that happens. A stream is named by its place among those of its side, modulo their
/// number; what cannot be done is skipped.
#[expect(missing_docs, reason = "every variant says what its fields are")]
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// A stream ends at once.
    Abort { side: bool, stream: u8 },
    /// Time passes.
    Advance { us: u64 },
    /// SYNs are accepted from now on, or refused, or ignored.
    Answer { accept: bool, refuse: bool },
    /// Nothing gets through for a while, from one side or from both.
    Blackout { from: [bool; 2], us: u64 },
    /// The clock of a side is set.
    ClockStep { side: bool, us: i64 },
    /// A stream is opened.
    Connect { side: bool },
    /// The network changes in one direction.
    Conditions { from: bool, conditions: Conditions },
    /// An end of a stream has written all it wants.
    Finish { side: bool, stream: u8 },
    /// The path gets longer or shorter.
    Latency { us: u64 },
    /// The way from a side carries no larger datagrams from now on, or does so in fragments.
    PathMtu { from: bool, bytes: u16, fragments: bool, icmp: bool },
    /// A reader stops after so many bytes more.
    Pause { side: bool, stream: u8, after: u32 },
    /// The owner of an end leaves.
    Release { side: bool, stream: u8 },
    /// A reader that stopped goes on.
    Resume { side: bool, stream: u8 },
    /// An end of a stream writes, as fast as it is let.
    Write { side: bool, stream: u8, bytes: u32 },
}
