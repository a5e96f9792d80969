//! How many resets may be sent for packets that belong to no connection.

use std::net::{IpAddr, SocketAddr};

use utp_wire::{Header, Instant, PacketType, SeqNr, Timestamp, TimestampDiff};

use super::key::{Key, reduce};
use super::reply::Reply;
use super::{Endpoint, random};
use crate::config::RESETS_PER_NETWORK;

/// A token bucket, and a counter for each network.
#[derive(Debug)]
pub(super) struct Resets {
    /// Resets of this second; networks share counters. Allocated with the first.
    per_network: Vec<u8>,
    second: u64,
    per_second: u64,
    /// Both in millionths of a reset, so that refilling is exact.
    tokens_micro: u64,
    tokens_micro_max: u64,
    refilled_at: Instant,
}

const TOKEN: u64 = 1_000_000;

/// Counters of networks.
const COUNTERS: usize = 1_024;

impl Resets {
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let tokens_micro_max = u64::from(burst) * TOKEN;
        Self {
            per_network: Vec::new(),
            second: 0,
            per_second: u64::from(per_second),
            tokens_micro: tokens_micro_max,
            tokens_micro_max,
            refilled_at: Instant::from_micros(0),
        }
    }

    /// Takes the right to send one to a network; says whether there was any.
    pub(super) fn take(&mut self, now: Instant, network_hash: u64) -> bool {
        let second = now.as_micros() / 1_000_000;
        if self.second != second || self.per_network.is_empty() {
            self.second = second;
            self.per_network.clear();
            self.per_network.resize(COUNTERS, 0);
        }
        let counter = &mut self.per_network[reduce(network_hash, COUNTERS)];
        if *counter >= RESETS_PER_NETWORK {
            return false;
        }
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
        *counter += 1;
        true
    }
}

impl Endpoint {
    /// Answers a stray, if the rate allows it.
    pub(super) fn send_reset(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        source: Option<IpAddr>,
        offending: &Header,
    ) {
        debug_assert!(offending.packet_type != PacketType::Reset, "a reset is never answered");
        let seq_nr = SeqNr(random(&mut *self.entropy));
        let header = reset_for(offending, seq_nr);
        let network = Key::new(remote, offending.connection_id).network_hash(&self.secret);
        let allowed = self.replies.has_room() && self.resets.take(now, network);
        if allowed && self.replies.push(Reply::new(remote, source, &header, None)) {
            self.stats.resets_sent += 1;
        } else {
            self.stats.resets_suppressed += 1;
        }
    }
}

/// The reset that answers `offending`, as libutp makes it: the same id, the number as the ack, no
/// stamps.
const fn reset_for(offending: &Header, seq_nr: SeqNr) -> Header {
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
