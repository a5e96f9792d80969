//! Counters of an endpoint.

/// What an endpoint has seen that belongs to no connection. A snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Datagrams handed in.
    pub datagrams_received: u64,
    /// Datagrams handed back because they are not uTP.
    pub not_utp: u64,
    /// Datagrams with a uTP header and a broken extension chain; dropped.
    pub malformed: u64,
    /// Packets that match no connection.
    pub unmatched: u64,
    /// Resets sent in answer to those.
    pub resets_sent: u64,
    /// Resets not sent because of the rate limit.
    pub resets_suppressed: u64,
    /// Resets received that matched no connection or did not look like an answer to us.
    pub resets_ignored: u64,
    /// Connects offered to the application.
    pub syns_offered: u64,
    /// SYNs answered without a connection.
    pub syns_answered: u64,
    /// SYNs that were not answered: the filter ignores them, too many connections exist, or too
    /// many answers wait.
    pub syns_dropped: u64,
    /// SYNs answered with a reset, if the limits allow one.
    pub syns_refused: u64,
    /// Connections given up because their peers took nothing and memory was used up.
    pub stalled_culled: u64,
    /// Bytes in the send and receive buffers of all connections, as charged.
    pub memory_bytes: usize,
    /// Connections that exist, finished ones that linger included.
    pub connections: usize,
    /// Initiators that have not proved themselves yet: those remembered, and those accepted at the
    /// SYN.
    pub half_open: usize,
}
