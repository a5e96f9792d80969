//! Owns the counters of a socket.

use utp_proto::{Counters, EndpointStats};

use crate::transport::BufferBytes;

/// What a [`UtpSocket`](crate::UtpSocket) has done so far. A snapshot, as of the last time its
/// driver ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStats {
    /// What the core counts.
    pub endpoint: EndpointStats,
    /// What all connections have counted together, those included that are gone. As of the last
    /// time that somebody asked for these numbers: asking makes the driver add them up.
    pub totals: Counters,
    /// Kernel buffers as they were granted. `receive` may be less than was asked for.
    pub buffer_bytes: BufferBytes,
    /// Datagrams one send call can take, 1 without segmentation offload (GSO).
    pub send_segments_max: usize,
    /// Datagrams one receive buffer can hold, 1 without receive offload (GRO).
    pub recv_segments_max: usize,
    /// Streams that exist, waiting ones included.
    pub streams: usize,
    /// Receive calls that brought something.
    pub receives: u64,
    /// Buffers they filled.
    pub buffers_received: u64,
    /// Bytes of UDP payload received.
    pub bytes_received: u64,
    /// Send calls that took something.
    pub sends: u64,
    /// Datagrams handed to the transport.
    pub datagrams_sent: u64,
    /// Bytes of UDP payload handed to the transport.
    pub bytes_sent: u64,
    /// Times the transport took nothing because its buffer was full or its host had none.
    pub sends_blocked: u64,
    /// Batches that got new time stamps since they had to wait.
    pub batches_restamped: u64,
    /// Batches that came back since they were too large for the link of this host.
    pub sends_too_large: u64,
    /// Batches the transport lost because of an error.
    pub send_errors: u64,
    /// ICMP messages about datagrams sent from here.
    pub icmp_received: u64,
    /// Datagrams that are not uTP and were dropped since nobody reads them.
    pub unclaimed_dropped: u64,
    /// Connects from outside that were refused because the backlog was full or the socket closes.
    pub connects_refused: u64,
}
