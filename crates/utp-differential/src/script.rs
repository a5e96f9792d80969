//! What two applications do on a stream, and what the network does meanwhile.

/// Everything that a run depends on, but for the stacks at both ends.
#[derive(Clone, Debug)]
pub struct Script {
    /// Of everything that is drawn during the run: ids, numbers, faults.
    pub seed: u64,
    /// Who connects, and who accepts.
    pub sides: [Side; 2],
    /// Time from one side to the other at first, in microseconds.
    pub latency_us: u64,
    /// What goes wrong, in the order of time.
    pub faults: Vec<Fault>,
    /// When all faults are over, in microseconds.
    pub healed_at_us: u64,
}

/// An application, and the host that it is on.
#[derive(Clone, Debug)]
pub struct Side {
    /// What it writes, in order.
    pub writes: Vec<Write>,
    /// What it does after the last of them.
    pub ending: Ending,
    /// How it reads until it reads to the end.
    pub reads: Vec<Read>,
    /// Bytes that its stack holds for it; the stack's own default without.
    pub receive_buffer_bytes: Option<u32>,
    /// Our acceptor reports streams at their SYN; libutp's always does.
    pub reports_at_syn: bool,
    /// How far its clock is ahead, in microseconds.
    pub clock_us: u64,
}

/// A step of the application that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Waits until it has read so many bytes from the beginning, or all there are.
    Await(u64),
    /// Writes, as fast as it is let.
    Bytes(u32),
    /// Does nothing, for so many microseconds.
    Pause(u64),
}

/// A step of the application that reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// Reads so many bytes.
    Bytes(u32),
    /// Does nothing, for so many microseconds.
    Pause(u64),
}

/// How an application ends its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Reads to the end, and leaves then.
    AfterPeer,
    /// Ends its direction, reads to the end of the other, and leaves.
    Finish,
    /// Leaves at once: nobody reads what still comes.
    Leave,
}

/// Something goes wrong, or does no more.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// When, in microseconds.
    pub at_us: u64,
    /// What.
    pub change: Change,
}

/// A change of the network.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "every variant says what its fields are")]
pub enum Change {
    /// Nothing gets through for a while, from one side or from both.
    Blackout { from: [bool; 2], us: u64 },
    /// What happens to the packets of one side.
    Conditions { from: usize, conditions: Conditions },
    /// The path gets longer or shorter.
    Latency { us: u64 },
}

/// What the network does in one direction, each per mille of the packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Lost.
    pub loss: u16,
    /// Delivered twice.
    pub duplication: u16,
    /// Delivered late.
    pub reordering: u16,
    /// By this much at most, in microseconds.
    pub late_us: u64,
}

impl Side {
    /// Bytes that it writes.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        let bytes =
            |step: &Write| if let Write::Bytes(bytes) = step { u64::from(*bytes) } else { 0 };
        self.writes.iter().map(bytes).sum()
    }
}
