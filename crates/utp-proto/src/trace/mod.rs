//! What the protocol does, as typed events for whoever looks over its shoulder: [`Trace`],
//! [`TraceEvent`] and their form as JSON lines.
//!
//! A connection notes events only while somebody wants them, and the endpoint hands them on after
//! every step of that connection. Without a trace a step costs one branch and no memory.

mod json;
mod log;

use std::fmt;
use std::net::SocketAddr;

use utp_wire::{ConnectionId, Header, Instant, SeqNr};

use crate::connection::{Limit, State};
use crate::endpoint::ConnectionHandle;
use crate::error::ConnectionError;
pub(crate) use log::{Subject, TraceLog, is_wanted_by_process};

/// Takes the events of an endpoint, see [`Endpoint::set_trace`](crate::Endpoint::set_trace).
pub trait Trace: Send {
    /// Takes one event of one connection. Called from within the endpoint: it must not block.
    fn record(&mut self, now: Instant, connection: ConnectionHandle, event: &TraceEvent);
}

/// Something that happened to a connection.
///
/// [`TraceEvent::to_json_line`] writes it as JSON, [`fmt::Display`] as text. The events of one
/// connection come in their order, the first is [`TraceEvent::Opened`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceEvent {
    /// Payload was acknowledged for the first time.
    Acked {
        /// Bytes of it.
        bytes: u64,
        /// The round trip measured with it in microseconds, if one could be.
        rtt_us: Option<u32>,
    },
    /// The connection ended with an error.
    Closed {
        /// Which.
        error: ConnectionError,
    },
    /// The congestion window was made smaller, or larger again after a cut that was a mistake.
    Cut {
        /// Why.
        cause: CutCause,
        /// The window in bytes before and
        before_bytes: u64,
        /// after.
        window_bytes: u64,
    },
    /// Delays as the two sides measured them, in microseconds, each with the offset between the
    /// two clocks in it.
    DelaySample {
        /// Of our packets.
        ours_us: Option<u32>,
        /// Of the peer's.
        theirs_us: Option<u32>,
    },
    /// What limits sending is another thing now.
    Limited {
        /// What.
        by: Limit,
    },
    /// A packet is taken for lost.
    Lost {
        /// Its number.
        seq_nr: SeqNr,
        /// Why.
        cause: ResendCause,
    },
    /// Packets have another size from now on.
    MtuChanged {
        /// Payload of a full one in bytes.
        payload_bytes: u16,
    },
    /// The connection exists.
    Opened {
        /// The peer.
        remote: SocketAddr,
        /// The id we receive on.
        id_recv: ConnectionId,
        /// The id we send with.
        id_send: ConnectionId,
        /// Where it begins: `SynSent` at the initiator, `SynReceived` at the acceptor.
        state: State,
    },
    /// A packet was received and dropped.
    PacketDropped {
        /// What it said.
        packet: PacketFields,
    },
    /// A packet was received and accepted.
    PacketReceived {
        /// What it says.
        packet: PacketFields,
    },
    /// A packet was made, to be sent at once.
    PacketSent {
        /// What it says.
        packet: PacketFields,
    },
    /// The packet sent next is sent again.
    Resent {
        /// Its number.
        seq_nr: SeqNr,
        /// Why.
        cause: ResendCause,
        /// How often it was sent, this time included; stays at 255.
        transmissions: u8,
    },
    /// The state changed.
    StateChanged {
        /// From this
        from: State,
        /// to this.
        to: State,
    },
    /// The retransmission timer expired.
    TimedOut {
        /// Payload bytes in flight, all of which are now to be sent again.
        in_flight_bytes: u64,
        /// The time-out in force from now on in microseconds.
        rto_us: u64,
    },
    /// A packet was made and kept back, to see whether the peer acknowledges what it has not got.
    Withheld {
        /// Its number.
        seq_nr: SeqNr,
    },
}

/// The fields of a packet (BEP-29), and how much it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketFields {
    /// The header.
    pub header: Header,
    /// Bytes of the stream in it.
    pub payload_bytes: u16,
}

impl PacketFields {
    pub(crate) fn new(header: &Header, payload_bytes: usize) -> Self {
        let payload_bytes = u16::try_from(payload_bytes).unwrap_or(u16::MAX);
        Self { header: *header, payload_bytes }
    }
}

/// Why a packet is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResendCause {
    /// Later packets had arrived.
    Overtaken,
    /// Nothing had arrived for a while: the last packet is repeated, so that the peer answers. Or a
    /// probe of the path MTU was lost, and its number goes again.
    Probe,
    /// The retransmission timer had expired.
    TimeOut,
}

/// Why the congestion window changed at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CutCause {
    /// Packets were lost.
    Loss,
    /// It was below one packet for a whole time-out.
    Starved,
    /// The retransmission timer expired.
    TimeOut,
    /// What was held to be lost had arrived: the cut is undone.
    Undone,
}

/// The value of a field of an event.
enum Value<'a> {
    Address(SocketAddr),
    Name(&'a dyn fmt::Debug),
    Null,
    Number(u64),
}

impl TraceEvent {
    /// The name of its kind.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Acked { .. } => "acked",
            Self::Closed { .. } => "closed",
            Self::Cut { .. } => "cut",
            Self::DelaySample { .. } => "delay_sample",
            Self::Limited { .. } => "limited",
            Self::Lost { .. } => "lost",
            Self::MtuChanged { .. } => "mtu_changed",
            Self::Opened { .. } => "opened",
            Self::PacketDropped { .. } => "packet_dropped",
            Self::PacketReceived { .. } => "packet_received",
            Self::PacketSent { .. } => "packet_sent",
            Self::Resent { .. } => "resent",
            Self::StateChanged { .. } => "state_changed",
            Self::TimedOut { .. } => "timed_out",
            Self::Withheld { .. } => "withheld",
        }
    }

    /// Calls `field` with the name and the value of every field, in a fixed order.
    fn fields(&self, mut field: impl FnMut(&'static str, Value<'_>)) {
        use Value::{Address, Name, Number};
        match self {
            Self::Acked { bytes, rtt_us } => {
                field("bytes", Number(*bytes));
                field("rtt_us", optional(*rtt_us));
            }
            Self::Closed { error } => field("error", Name(error)),
            Self::Cut { cause, before_bytes, window_bytes } => {
                field("cause", Name(cause));
                field("before_bytes", Number(*before_bytes));
                field("window_bytes", Number(*window_bytes));
            }
            Self::DelaySample { ours_us, theirs_us } => {
                field("ours_us", optional(*ours_us));
                field("theirs_us", optional(*theirs_us));
            }
            Self::Limited { by } => field("by", Name(by)),
            Self::Lost { seq_nr, cause } => {
                field("seq_nr", Number(seq_nr.0.into()));
                field("cause", Name(cause));
            }
            Self::MtuChanged { payload_bytes } => {
                field("payload_bytes", Number((*payload_bytes).into()));
            }
            Self::Opened { remote, id_recv, id_send, state } => {
                field("remote", Address(*remote));
                field("id_recv", Number(id_recv.0.into()));
                field("id_send", Number(id_send.0.into()));
                field("state", Name(state));
            }
            Self::PacketDropped { packet }
            | Self::PacketReceived { packet }
            | Self::PacketSent { packet } => packet.fields(field),
            Self::Resent { seq_nr, cause, transmissions } => {
                field("seq_nr", Number(seq_nr.0.into()));
                field("cause", Name(cause));
                field("transmissions", Number((*transmissions).into()));
            }
            Self::StateChanged { from, to } => {
                field("from", Name(from));
                field("to", Name(to));
            }
            Self::TimedOut { in_flight_bytes, rto_us } => {
                field("in_flight_bytes", Number(*in_flight_bytes));
                field("rto_us", Number(*rto_us));
            }
            Self::Withheld { seq_nr } => field("seq_nr", Number(seq_nr.0.into())),
        }
    }
}

impl PacketFields {
    fn fields(&self, mut field: impl FnMut(&'static str, Value<'_>)) {
        use Value::Number;
        let header = &self.header;
        field("type", Value::Name(&header.packet_type));
        field("seq_nr", Number(header.seq_nr.0.into()));
        field("ack_nr", Number(header.ack_nr.0.into()));
        field("wnd_size", Number(header.wnd_size.into()));
        field("timestamp_us", Number(header.timestamp_microseconds.0.into()));
        let difference = header.timestamp_difference_microseconds.0;
        field("timestamp_difference_us", Number(difference.into()));
        field("payload_bytes", Number(self.payload_bytes.into()));
    }
}

fn optional(value: Option<u32>) -> Value<'static> {
    value.map_or(Value::Null, |value| Value::Number(value.into()))
}

/// The kind, then its fields: `resent seq_nr=7 cause=TimeOut transmissions=2`.
impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let mut result = Ok(());
        self.fields(|name, value| {
            result = result.and_then(|()| match value {
                Value::Address(address) => write!(f, " {name}={address}"),
                Value::Name(text) => write!(f, " {name}={text:?}"),
                Value::Null => write!(f, " {name}=-"),
                Value::Number(number) => write!(f, " {name}={number}"),
            });
        });
        result
    }
}

/// Whether events of this kind are rare enough for a log of what matters.
#[cfg(feature = "tracing")]
pub(crate) const fn is_notable(event: &TraceEvent) -> bool {
    !matches!(
        event,
        TraceEvent::Acked { .. }
            | TraceEvent::DelaySample { .. }
            | TraceEvent::Limited { .. }
            | TraceEvent::PacketReceived { .. }
            | TraceEvent::PacketSent { .. }
    )
}

#[cfg(test)]
mod tests;
