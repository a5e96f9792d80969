//! Counters of one connection, and what limits its sending.

use std::ops::Deref;

/// What a connection has done so far.
///
/// What is counted in 32 bits stays there: it would take years on any path, since it is rarer than
/// packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Packets sent, of every type.
    pub packets_sent: u64,
    /// Packets accepted, of every type.
    pub packets_received: u64,
    /// Payload bytes sent, repeats included.
    pub bytes_sent: u64,
    /// Payload bytes the peer has acknowledged.
    pub bytes_acked: u64,
    /// In-order payload bytes received.
    pub bytes_received: u64,
    /// For how long sending was limited, and by what.
    pub limited: LimitedUs,
    /// DATA and FIN packets sent again, for whatever reason.
    pub retransmissions: u32,
    /// Those sent again because later packets had arrived.
    pub retransmissions_overtaken: u32,
    /// Those sent again as a probe for the loss of the last packets, or since a probe of the path
    /// MTU was lost.
    pub retransmissions_probe: u32,
    /// Those sent again because the retransmission timer had expired.
    pub retransmissions_timeout: u32,
    /// Those of all these that were needless: an earlier copy was acknowledged. At least: an ack
    /// does not say of which copy it is.
    pub retransmissions_spurious: u32,
    /// Packets taken for lost because later ones had arrived, before any time-out.
    pub losses_detected: u32,
    /// Expiries of the retransmission timer.
    pub timeouts: u32,
    /// Probes for the loss of the last packets, with new data or by a repeat.
    pub tail_probes: u32,
    /// Cuts of the congestion window, and time-outs, that were undone as needless.
    pub cuts_undone: u32,
    /// DATA and FIN packets received that were there already.
    pub duplicates_received: u32,
    /// Packets held because something before them was missing.
    pub reordered_received: u32,
    /// Packets dropped because they did not fit the connection: an impossible ack, a number beyond
    /// the window, no memory left.
    pub packets_dropped: u32,
    /// Packets that did not show the clocks of this connection, taken or not (see
    /// [`Config::timestamp_gate`](crate::Config::timestamp_gate)).
    pub gate_failures: u32,
    /// How often the peer's clock was found to have moved.
    pub gate_rebases: u32,
    /// Probes of a window that was shut.
    pub window_probes: u32,
    /// Probes of a peer that had been silent for long.
    pub liveness_probes: u32,
    /// Packets granted while the window was below one packet.
    pub starved_sends: u32,
    /// Packets sent to find out how large a packet the path carries.
    pub mtu_probes: u32,
    /// Those that were lost; no sign of congestion.
    pub mtu_probes_lost: u32,
    /// Times that the path was taken to swallow packets of a size that had arrived before.
    pub mtu_black_holes: u32,
    /// Packets kept back for a round trip to see whether the peer acknowledges what it has not got
    /// (see [`Config::withhold_packets`](crate::Config::withhold_packets)); no losses.
    pub packets_withheld: u32,
    /// Those that it did acknowledge.
    pub false_acks: u32,
}

/// What a connection has done and measured so far. A snapshot; the [`Counters`] read like fields
/// of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// What it has counted.
    pub counters: Counters,
    /// What limits sending now.
    pub limit: Limit,
    /// Smoothed round-trip time in microseconds, 0 before the first sample.
    pub rtt_us: u32,
    /// Smallest round-trip time seen in microseconds, 0 before the first sample.
    pub rtt_min_us: u32,
    /// Retransmission time-out in force, in microseconds.
    pub rto_us: u64,
    /// UDP payload of a full packet in bytes: the largest known to arrive.
    pub datagram_bytes: u16,
    /// Congestion window in bytes of payload.
    pub window_bytes: u64,
    /// Payload bytes in flight.
    pub in_flight_bytes: u64,
    /// Window the peer last announced.
    pub peer_window_bytes: u32,
    /// Delay of our packets on an empty path in microseconds, with the offset between the two
    /// clocks in it; 0 if unknown.
    pub base_delay_us: u32,
    /// Queueing delay the controller sees on our path, in microseconds, 0 if unknown.
    pub queuing_delay_us: u32,
    /// Bytes written and not acknowledged.
    pub send_buffered_bytes: u64,
    /// Memory for what is received and not consumed: its bytes, and 64 for each packet beyond a
    /// gap.
    pub receive_charged_bytes: u64,
    /// Why the peer says that it ended the stream, if it did.
    pub close_reason: Option<u16>,
    /// Size of the receive buffer, which follows what the application takes.
    pub receive_buffer_bytes: u32,
}

impl Deref for Stats {
    type Target = Counters;

    fn deref(&self) -> &Counters {
        &self.counters
    }
}

impl Counters {
    /// Adds what another connection has done.
    pub(crate) fn add(&mut self, other: &Self) {
        self.packets_sent += other.packets_sent;
        self.packets_received += other.packets_received;
        self.bytes_sent += other.bytes_sent;
        self.bytes_acked += other.bytes_acked;
        self.bytes_received += other.bytes_received;
        self.limited.application_us += other.limited.application_us;
        self.limited.congestion_window_us += other.limited.congestion_window_us;
        self.limited.peer_window_us += other.limited.peer_window_us;
        self.limited.pacing_us += other.limited.pacing_us;
        for (sum, more) in [
            (&mut self.retransmissions, other.retransmissions),
            (&mut self.retransmissions_overtaken, other.retransmissions_overtaken),
            (&mut self.retransmissions_probe, other.retransmissions_probe),
            (&mut self.retransmissions_timeout, other.retransmissions_timeout),
            (&mut self.retransmissions_spurious, other.retransmissions_spurious),
            (&mut self.losses_detected, other.losses_detected),
            (&mut self.timeouts, other.timeouts),
            (&mut self.tail_probes, other.tail_probes),
            (&mut self.cuts_undone, other.cuts_undone),
            (&mut self.duplicates_received, other.duplicates_received),
            (&mut self.reordered_received, other.reordered_received),
            (&mut self.packets_dropped, other.packets_dropped),
            (&mut self.window_probes, other.window_probes),
            (&mut self.liveness_probes, other.liveness_probes),
            (&mut self.starved_sends, other.starved_sends),
            (&mut self.mtu_probes, other.mtu_probes),
            (&mut self.mtu_probes_lost, other.mtu_probes_lost),
            (&mut self.mtu_black_holes, other.mtu_black_holes),
            (&mut self.packets_withheld, other.packets_withheld),
            (&mut self.false_acks, other.false_acks),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// What keeps a connection from sending more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// Nothing is waiting to be sent.
    #[default]
    Application,
    /// The congestion window, or what may be outstanding at all.
    CongestionWindow,
    /// The peer's receive window.
    PeerWindow,
    /// Packets are spread in time, or held to a rate cap.
    Pacing,
}

/// For how long sending was limited by each [`Limit`], in microseconds, from the beginning
/// until the last time that the connection looked for something to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitedUs {
    /// [`Limit::Application`].
    pub application_us: u64,
    /// [`Limit::CongestionWindow`].
    pub congestion_window_us: u64,
    /// [`Limit::PeerWindow`].
    pub peer_window_us: u64,
    /// [`Limit::Pacing`].
    pub pacing_us: u64,
}

impl LimitedUs {
    /// Counts time under a limit.
    pub(super) const fn add(&mut self, by: Limit, elapsed_us: u64) {
        let sum = match by {
            Limit::Application => &mut self.application_us,
            Limit::CongestionWindow => &mut self.congestion_window_us,
            Limit::PeerWindow => &mut self.peer_window_us,
            Limit::Pacing => &mut self.pacing_us,
        };
        *sum += elapsed_us;
    }
}
