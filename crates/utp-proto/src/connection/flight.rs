//! What is in flight, and the times that time-outs and pauses are counted from.

use utp_wire::{Instant, Timestamp};

use super::receive_window::Round;
use crate::lazy::AtRest;

/// What a connection needs while data flows. At rest when nothing is outstanding and
/// nothing waits.
#[derive(Debug, Default)]
pub(super) struct Flight {
    /// Payload.
    pub(super) in_flight_bytes: u64,
    /// Packets that wait to be sent, for the first time or again.
    pub(super) lost_count: u16,
    pub(super) duplicate_acks: u8,
    /// Stamp of the last packet that acknowledged anything.
    pub(super) acked_stamp: Timestamp,
    /// Resends allowed whatever the window.
    pub(super) fast_resends: u8,
    /// One packet allowed whatever the congestion window.
    pub(super) granted: bool,
    /// A write was refused since so much waits for its first packet, and none came since.
    pub(super) unsent_blocked: bool,
    /// When the peer last acknowledged something, or the first packet was made.
    pub(super) last_progress_at: Instant,
    /// At rest too long ago to matter.
    pub(super) last_data_sent_at: Option<Instant>,
    /// Since when the peer has taken no byte of those that wait.
    pub(super) stalled_since: Instant,
    /// The last pause before a window was probed that was shut; 0 if none was.
    pub(super) persist_us: u64,
    /// How many more packets until one is withheld, that one included; 0 if that is to be drawn,
    /// and more than any while one is.
    pub(super) withhold_in: u32,
    /// When a packet of the peer last filled the receive buffer.
    pub(super) overran_at: Instant,
    /// When the last SYN went out.
    pub(super) syn_sent_at: Instant,
    pub(super) round: Round,
}

impl AtRest for Flight {
    const AT_REST: &'static Self = &Self {
        in_flight_bytes: 0,
        lost_count: 0,
        duplicate_acks: 0,
        acked_stamp: Timestamp(0),
        fast_resends: 0,
        granted: false,
        unsent_blocked: false,
        last_progress_at: Instant::from_micros(0),
        last_data_sent_at: None,
        stalled_since: Instant::from_micros(0),
        persist_us: 0,
        withhold_in: 0,
        overran_at: Instant::from_micros(0),
        syn_sent_at: Instant::from_micros(0),
        round: Round::AT_REST,
    };
}
