//! A line for a packet.

use std::fmt;

use utp_wire::{Packet, PacketType, SelectiveAck, SeqNr};

use super::seconds;
use crate::flow::{Findings, Observed, Seen};

/// A packet as one line: its frame, when, of which flow, which way, and its fields.
#[derive(Clone, Copy, Debug)]
pub struct PacketLine<'a> {
    /// The frame it is in, counted from 1.
    pub frame: u64,
    /// When the capture begins, in nanoseconds since 1970.
    pub start_ns: u64,
    /// The number of its flow.
    pub flow: usize,
    /// Whether the initiator sent it.
    pub from_initiator: bool,
    /// The packet.
    pub observed: Observed<'a>,
}

impl<'a> PacketLine<'a> {
    /// The line of a packet that belongs to one of the flows that were found.
    pub fn new(frame: u64, observed: Observed<'a>, findings: &Findings) -> Option<Self> {
        let flow = findings.number(observed.order)?;
        let from_initiator = observed.datagram.source == findings.flows[flow - 1].initiator;
        Some(Self { frame, start_ns: findings.first_ns, flow, from_initiator, observed })
    }
}

impl fmt::Display for PacketLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Observed { at_ns, packet, payload_len, is_malformed, seen, .. } = self.observed;
        let at = seconds(self.start_ns, at_ns);
        let way = if self.from_initiator { "->" } else { "<-" };
        let Packet { header, selective_ack, .. } = packet;
        let name = match header.packet_type {
            PacketType::Data => "DATA",
            PacketType::Fin => "FIN",
            PacketType::Reset => "RESET",
            PacketType::State => "STATE",
            PacketType::Syn => "SYN",
        };
        write!(f, "{:>7} {at:>12.6}  {:>3} {way} {name:<5}", self.frame, self.flow)?;
        write!(f, " id {:<5} seq {:<5}", header.connection_id.0, header.seq_nr.0)?;
        write!(f, " ack {:<5} wnd {:<7}", header.ack_nr.0, header.wnd_size)?;
        let diff = header.timestamp_difference_microseconds.0;
        write!(f, " ts {:<10} diff {diff:<10}", header.timestamp_microseconds.0)?;
        write!(f, " len {payload_len}")?;
        if let Some(selective_ack) = selective_ack {
            write_ranges(f, selective_ack, header.ack_nr)?;
        }
        if let Some(reason) = packet.close_reason {
            write!(f, " reason {reason}")?;
        }
        match seen {
            Some(Seen::Again) => f.write_str(" resent")?,
            Some(Seen::Late) => f.write_str(" late")?,
            Some(Seen::New) | None => {}
        }
        if is_malformed {
            f.write_str(" malformed")?;
        }
        Ok(())
    }
}

/// For example ` sack 12,14-20`.
fn write_ranges(
    f: &mut fmt::Formatter<'_>,
    selective_ack: SelectiveAck<'_>,
    ack_nr: SeqNr,
) -> fmt::Result {
    let mut separator = " sack ";
    let mut numbers = selective_ack.seq_nrs(ack_nr).peekable();
    while let Some(first) = numbers.next() {
        let mut last = first;
        while let Some(next) = numbers.next_if_eq(&last.next()) {
            last = next;
        }
        write!(f, "{separator}{}", first.0)?;
        if last != first {
            write!(f, "-{}", last.0)?;
        }
        separator = ",";
    }
    Ok(())
}
