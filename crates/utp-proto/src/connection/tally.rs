//! What a connection counts, in the little memory that an idle one may keep.

use std::ops::{Deref, DerefMut};

use super::stats::{Counters, LimitedUs};
use crate::lazy::{AtRest, Lazy};

/// The [`Counters`] of one connection. Those of what goes wrong are on the heap from the first time
/// that something does, and read like fields of it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) packets_sent: u64,
    pub(super) packets_received: u64,
    pub(super) bytes_sent: u64,
    pub(super) bytes_acked: u64,
    pub(super) bytes_received: u64,
    pub(super) limited: LimitedUs,
    pub(super) mtu_probes: u32,
    pub(super) mtu_probes_lost: u32,
    pub(super) packets_withheld: u32,
    pub(super) reordered_received: u32,
    rare: Lazy<Rare>,
}

/// What most connections never count.
#[derive(Debug, Default)]
pub(super) struct Rare {
    pub(super) retransmissions: u32,
    pub(super) retransmissions_overtaken: u32,
    pub(super) retransmissions_probe: u32,
    pub(super) retransmissions_timeout: u32,
    pub(super) retransmissions_spurious: u32,
    pub(super) losses_detected: u32,
    pub(super) timeouts: u32,
    pub(super) tail_probes: u32,
    pub(super) cuts_undone: u32,
    pub(super) duplicates_received: u32,
    pub(super) packets_dropped: u32,
    pub(super) gate_failures: u32,
    pub(super) gate_rebases: u32,
    pub(super) window_probes: u32,
    pub(super) liveness_probes: u32,
    pub(super) starved_sends: u32,
    pub(super) mtu_black_holes: u32,
    pub(super) false_acks: u32,
}

impl AtRest for Rare {
    const AT_REST: &'static Self = &Self {
        retransmissions: 0,
        retransmissions_overtaken: 0,
        retransmissions_probe: 0,
        retransmissions_timeout: 0,
        retransmissions_spurious: 0,
        losses_detected: 0,
        timeouts: 0,
        tail_probes: 0,
        cuts_undone: 0,
        duplicates_received: 0,
        packets_dropped: 0,
        gate_failures: 0,
        gate_rebases: 0,
        window_probes: 0,
        liveness_probes: 0,
        starved_sends: 0,
        mtu_black_holes: 0,
        false_acks: 0,
    };
}

impl Tally {
    /// All counters, as of now.
    pub(super) fn snapshot(&self) -> Counters {
        Counters {
            packets_sent: self.packets_sent,
            packets_received: self.packets_received,
            bytes_sent: self.bytes_sent,
            bytes_acked: self.bytes_acked,
            bytes_received: self.bytes_received,
            limited: self.limited,
            mtu_probes: self.mtu_probes,
            mtu_probes_lost: self.mtu_probes_lost,
            retransmissions: self.retransmissions,
            retransmissions_overtaken: self.retransmissions_overtaken,
            retransmissions_probe: self.retransmissions_probe,
            retransmissions_timeout: self.retransmissions_timeout,
            retransmissions_spurious: self.retransmissions_spurious,
            losses_detected: self.losses_detected,
            timeouts: self.timeouts,
            tail_probes: self.tail_probes,
            cuts_undone: self.cuts_undone,
            duplicates_received: self.duplicates_received,
            reordered_received: self.reordered_received,
            packets_dropped: self.packets_dropped,
            gate_failures: self.gate_failures,
            gate_rebases: self.gate_rebases,
            window_probes: self.window_probes,
            liveness_probes: self.liveness_probes,
            starved_sends: self.starved_sends,
            mtu_black_holes: self.mtu_black_holes,
            packets_withheld: self.packets_withheld,
            false_acks: self.false_acks,
        }
    }
}

impl Deref for Tally {
    type Target = Rare;

    fn deref(&self) -> &Rare {
        &self.rare
    }
}

impl DerefMut for Tally {
    fn deref_mut(&mut self) -> &mut Rare {
        &mut self.rare
    }
}
