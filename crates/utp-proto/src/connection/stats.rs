//! Counters of one connection.

/// What a connection has done and measured so far. A snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
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
    /// DATA and FIN packets sent again, for whatever reason.
    pub retransmissions: u64,
    /// Packets taken for lost because later ones had arrived, before any time-out.
    pub losses_detected: u64,
    /// Expiries of the retransmission timer.
    pub timeouts: u64,
    /// DATA and FIN packets received that were there already.
    pub duplicates_received: u64,
    /// Packets held because something before them was missing.
    pub reordered_received: u64,
    /// Packets dropped because they did not fit the connection: an impossible ack, a number beyond
    /// the window, no memory left.
    pub packets_dropped: u64,
    /// Probes of a window that was shut.
    pub window_probes: u64,
    /// Probes of a peer that had been silent for long.
    pub liveness_probes: u64,
    /// Packets granted while the window was below one packet.
    pub starved_sends: u64,
    /// Smoothed round-trip time in microseconds, 0 before the first sample.
    pub rtt_us: u32,
    /// Smallest round-trip time seen in microseconds, 0 before the first sample.
    pub rtt_min_us: u32,
    /// Retransmission time-out in force, in microseconds.
    pub rto_us: u64,
    /// Congestion window in bytes of payload.
    pub window_bytes: u64,
    /// Payload bytes in flight.
    pub in_flight_bytes: u64,
    /// Window the peer last announced.
    pub peer_window_bytes: u32,
    /// Queueing delay the controller sees on our path, in microseconds, 0 if unknown.
    pub queuing_delay_us: u32,
    /// Bytes written and not acknowledged.
    pub send_buffered_bytes: u64,
    /// Bytes received and not consumed, as charged against the receive buffer.
    pub receive_charged_bytes: u64,
}
