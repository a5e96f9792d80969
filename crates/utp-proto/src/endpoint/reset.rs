//! How many resets may be sent for packets that belong to no connection.

use utp_wire::{Header, Instant, PacketType, SeqNr, Timestamp, TimestampDiff};

/// A token bucket.
#[derive(Debug)]
pub(super) struct Resets {
    per_second: u64,
    /// Both in millionths of a reset, so that refilling is exact.
    tokens_micro: u64,
    tokens_micro_max: u64,
    refilled_at: Instant,
}

const TOKEN: u64 = 1_000_000;

impl Resets {
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let tokens_micro_max = u64::from(burst) * TOKEN;
        Self {
            per_second: u64::from(per_second),
            tokens_micro: tokens_micro_max,
            tokens_micro_max,
            refilled_at: Instant::from_micros(0),
        }
    }

    /// Takes the right to send one; says whether there was any.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let elapsed_us = now.saturating_since(self.refilled_at);
        self.refilled_at = now;
        self.tokens_micro = self
            .tokens_micro
            .saturating_add(elapsed_us.saturating_mul(self.per_second))
            .min(self.tokens_micro_max);
        if self.tokens_micro < TOKEN {
            return false;
        }
        self.tokens_micro -= TOKEN;
        true
    }
}

/// The reset that answers `offending`, as libutp makes it: the same id, the number as the ack, no
/// stamps.
pub(super) const fn reset_for(offending: &Header, seq_nr: SeqNr) -> Header {
    Header {
        packet_type: PacketType::Reset,
        connection_id: offending.connection_id,
        timestamp_microseconds: Timestamp(0),
        timestamp_difference_microseconds: TimestampDiff(0),
        wnd_size: 0,
        seq_nr,
        ack_nr: offending.seq_nr,
    }
}
