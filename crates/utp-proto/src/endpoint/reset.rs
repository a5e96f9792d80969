//! Resets for packets that belong to no connection: rate-limited, never larger than what they
//! answer.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use utp_wire::{HEADER_LEN, Header, Instant, PacketType, SeqNr, Timestamp, TimestampDiff};

use crate::config::STATELESS_REPLIES_MAX;

/// A packet that no connection sends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    pub(super) destination: SocketAddr,
    pub(super) source: Option<IpAddr>,
    pub(super) bytes: [u8; HEADER_LEN],
}

/// A token bucket and the replies that wait for transmission.
#[derive(Debug)]
pub(super) struct Resets {
    replies: VecDeque<Reply>,
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
            replies: VecDeque::new(),
            per_second: u64::from(per_second),
            tokens_micro: tokens_micro_max,
            tokens_micro_max,
            refilled_at: Instant::from_micros(0),
        }
    }

    /// Queues the reset that answers `offending`; says whether the limits allowed it.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        destination: SocketAddr,
        source: Option<IpAddr>,
        offending: &Header,
        seq_nr: SeqNr,
    ) -> bool {
        let elapsed_us = now.saturating_since(self.refilled_at);
        self.refilled_at = now;
        self.tokens_micro = self
            .tokens_micro
            .saturating_add(elapsed_us.saturating_mul(self.per_second))
            .min(self.tokens_micro_max);
        if self.tokens_micro < TOKEN || self.replies.len() >= STATELESS_REPLIES_MAX {
            return false;
        }
        self.tokens_micro -= TOKEN;
        // As libutp: the id of the offending packet, its number as the ack, no stamps.
        let header = Header {
            packet_type: PacketType::Reset,
            connection_id: offending.connection_id,
            timestamp_microseconds: Timestamp(0),
            timestamp_difference_microseconds: TimestampDiff(0),
            wnd_size: 0,
            seq_nr,
            ack_nr: offending.seq_nr,
        };
        let mut bytes = [0; HEADER_LEN];
        header.encode(0, &mut bytes);
        self.replies.push_back(Reply { destination, source, bytes });
        true
    }

    pub(super) fn pop(&mut self) -> Option<Reply> {
        self.replies.pop_front()
    }
}
