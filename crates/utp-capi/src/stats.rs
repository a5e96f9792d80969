//! Counters that programs read in place.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use utp_proto::Stats;
use utp_wire::HEADER_LEN;

/// `utp_context_stats`: datagrams by their size.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct ContextStats {
    received: [AtomicU32; 5],
    sent: [AtomicU32; 5],
}

impl ContextStats {
    pub(crate) fn on_received(&self, len: usize) {
        self.received[bucket(len)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn on_sent(&self, len: usize) {
        self.sent[bucket(len)].fetch_add(1, Ordering::Relaxed);
    }
}

fn bucket(len: usize) -> usize {
    [23, 373, 723, 1_400].iter().take_while(|max| len > **max).count()
}

/// `utp_socket_stats`.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct SocketStats {
    bytes_received: AtomicU64,
    bytes_sent: AtomicU64,
    resends: AtomicU32,
    fast_resends: AtomicU32,
    packets_sent: AtomicU32,
    packets_received: AtomicU32,
    duplicates_received: AtomicU32,
    mtu_guess: AtomicU32,
}

impl SocketStats {
    /// Takes over what the connection has counted.
    pub(crate) fn update(&self, stats: &Stats) {
        let headers = |packets: u64| packets * HEADER_LEN as u64;
        let bytes_received = stats.bytes_received + headers(stats.packets_received);
        self.bytes_received.store(bytes_received, Ordering::Relaxed);
        let bytes_sent = stats.bytes_sent + headers(stats.packets_sent);
        self.bytes_sent.store(bytes_sent, Ordering::Relaxed);
        // Of the two counts libutp keeps one for selective acks and one for its time-outs.
        self.resends.store(stats.retransmissions_overtaken, Ordering::Relaxed);
        let others = stats.retransmissions.saturating_sub(stats.retransmissions_overtaken);
        self.fast_resends.store(others, Ordering::Relaxed);
        self.packets_sent.store(narrow(stats.packets_sent), Ordering::Relaxed);
        self.packets_received.store(narrow(stats.packets_received), Ordering::Relaxed);
        self.duplicates_received.store(stats.duplicates_received, Ordering::Relaxed);
        self.mtu_guess.store(stats.datagram_bytes.into(), Ordering::Relaxed);
    }
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};

    use super::*;

    #[test]
    fn sizes_fall_into_their_buckets() {
        let sizes = [0, 20, 23, 24, 373, 374, 723, 724, 1_400, 1_401, 65_507];
        assert_eq!(sizes.map(bucket), [0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn structures_lie_as_the_interface_says() {
        assert_eq!((size_of::<ContextStats>(), offset_of!(ContextStats, sent)), (40, 20));
        assert_eq!((size_of::<SocketStats>(), offset_of!(SocketStats, resends)), (40, 16));
        assert_eq!(offset_of!(SocketStats, mtu_guess), 36);
    }
}
