//! Packets that a test makes by hand.

use utp_proto::Instant;
use utp_wire::{ConnectionId, HEADER_LEN, Header, PacketType, SeqNr, Timestamp, TimestampDiff};

/// A packet to hand in, every field open.
#[derive(Clone, Debug)]
pub struct Raw {
    pub packet_type: PacketType,
    pub id: u16,
    pub seq_nr: u16,
    pub ack_nr: u16,
    pub wnd_size: u32,
    /// By default 20 ms before it is handed in, on a clock of the peer's own.
    pub stamp: Option<u32>,
    pub diff: u32,
    pub extensions: Vec<(u8, Vec<u8>)>,
    pub payload: Vec<u8>,
}

/// How far the clock of the peer is ahead.
const PEER_CLOCK: u32 = 4_000_000_000;

/// How long packets of the peer are on their way.
pub const PEER_DELAY_US: u32 = 20_000;

impl Raw {
    pub fn syn(id: u16, seq_nr: u16) -> Self {
        Self {
            packet_type: PacketType::Syn,
            id,
            seq_nr,
            ack_nr: 0,
            wnd_size: 1 << 20,
            stamp: None,
            diff: 0,
            extensions: Vec::new(),
            payload: Vec::new(),
        }
    }

    pub fn id(self, id: u16) -> Self {
        Self { id, ..self }
    }

    pub fn wnd(self, wnd_size: u32) -> Self {
        Self { wnd_size, ..self }
    }

    pub fn stamp(self, stamp: u32) -> Self {
        Self { stamp: Some(stamp), ..self }
    }

    pub fn ack_nr(self, ack_nr: u16) -> Self {
        Self { ack_nr, ..self }
    }

    pub fn payload(self, payload: &[u8]) -> Self {
        Self { payload: payload.to_vec(), ..self }
    }

    pub fn sack(self, mask: &[u8]) -> Self {
        self.extension(1, mask)
    }

    pub fn extension(mut self, kind: u8, body: &[u8]) -> Self {
        self.extensions.push((kind, body.to_vec()));
        self
    }

    pub fn encode(&self, now: Instant) -> Vec<u8> {
        let stamp = self.stamp.unwrap_or_else(|| {
            now.timestamp().0.wrapping_add(PEER_CLOCK).wrapping_sub(PEER_DELAY_US)
        });
        let header = Header {
            packet_type: self.packet_type,
            connection_id: ConnectionId(self.id),
            timestamp_microseconds: Timestamp(stamp),
            timestamp_difference_microseconds: TimestampDiff(self.diff),
            wnd_size: self.wnd_size,
            seq_nr: SeqNr(self.seq_nr),
            ack_nr: SeqNr(self.ack_nr),
        };
        let mut head = [0; HEADER_LEN];
        header.encode(self.extensions.first().map_or(0, |(kind, _)| *kind), &mut head);
        let mut bytes = head.to_vec();
        for (at, (_, body)) in self.extensions.iter().enumerate() {
            bytes.push(self.extensions.get(at + 1).map_or(0, |(kind, _)| *kind));
            bytes.push(u8::try_from(body.len()).expect("an extension is short"));
            bytes.extend_from_slice(body);
        }
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}
