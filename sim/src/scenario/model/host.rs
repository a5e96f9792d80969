//! The hosts at the ends of every path, and what happens to hosts, links and flows during a run.

use super::LinkConfig;
use crate::packet::HostId;
use crate::time::Ns;

/// What a host is like at the start of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostConfig {
    /// What its clock shows at the start, in microseconds; drawn from the seed when absent.
    pub clock_offset_us: Option<u64>,
    /// How much faster than true its clock runs, in parts per million.
    pub clock_drift_ppm: i32,
}

/// Something that the scenario makes happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Ns,
    /// What.
    pub what: What,
}

/// What changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A flow's application or address.
    Flow {
        /// Index of the flow.
        flow: usize,
        /// What happens to it.
        event: FlowEvent,
    },
    /// A host.
    Host {
        /// Which.
        host: HostId,
        /// What happens to it.
        event: HostEvent,
    },
    /// A link behaves like this from now on; what waits in its queue and what is on its way stays.
    Link {
        /// Index of the link.
        link: usize,
        /// All of its behaviour, with the keys that change.
        config: Box<LinkConfig>,
    },
}

/// What can happen to a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowEvent {
    /// The sender's address changes as seen from the receiver: a middlebox forgot the old mapping
    /// and made a new one. What is sent to the old address is lost.
    NatRebind,
    /// The receiving application reads at most so many bits per second, nothing at 0; none is
    /// without a limit.
    ReadRate(Option<u64>),
    /// The sending application produces at most so many bits per second, nothing at 0; none is
    /// without a limit.
    WriteRate(Option<u64>),
}

/// What can happen to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostEvent {
    /// Its clock is set forward, or back when negative, by so many microseconds. Time stamps on the
    /// wire show it; timers do not.
    ClockStep(i64),
    /// Its clock runs so many parts per million faster than true from now on.
    ClockDrift(i32),
    /// It is gone without a word, with all its connections.
    Crash,
    /// It stands still: no timer runs, and what arrives waits.
    Pause,
    /// It comes back after a crash and knows nothing; its flows start anew.
    Restart,
    /// It goes on after a pause.
    Resume,
}
