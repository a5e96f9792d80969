//! Owns datagrams that are not uTP, on their way to whoever reads them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::shared::SocketShared;

/// A datagram that is not uTP, such as a message of the DHT on the same port. See
/// [`UtpSocket::recv_unclaimed`](crate::UtpSocket::recv_unclaimed).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnclaimedDatagram {
    /// Who sent it.
    pub source: SocketAddr,
    /// The address of this host it was sent to, if that is known.
    pub local_ip: Option<IpAddr>,
    /// What it says.
    pub data: Bytes,
}

/// One in the queue, which is bounded by bytes besides.
#[derive(Debug)]
pub(crate) struct Unclaimed {
    datagram: Option<UnclaimedDatagram>,
    bytes: usize,
    shared: Arc<SocketShared>,
}

impl Unclaimed {
    /// A copy of a datagram, so that it does not pin the buffer it came in; none if too many bytes
    /// wait already.
    pub(crate) fn new(
        source: SocketAddr,
        local_ip: Option<IpAddr>,
        data: &[u8],
        shared: &Arc<SocketShared>,
    ) -> Option<Self> {
        let bytes = data.len();
        let waiting = shared.unclaimed_bytes.fetch_add(bytes, Ordering::AcqRel);
        // From here on the bytes are counted back when this is dropped.
        let mut unclaimed = Self { datagram: None, bytes, shared: Arc::clone(shared) };
        if waiting + bytes > UNCLAIMED_BYTES_MAX {
            return None;
        }
        let data = Bytes::copy_from_slice(data);
        unclaimed.datagram = Some(UnclaimedDatagram { source, local_ip, data });
        Some(unclaimed)
    }

    pub(crate) fn into_datagram(mut self) -> Option<UnclaimedDatagram> {
        self.datagram.take()
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        self.shared.unclaimed_bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// Datagrams that wait to be read; the newest are dropped beyond.
pub(crate) const UNCLAIMED_MAX: usize = 256;

/// Bytes in them. DHT messages stay far below; this bounds a flood of large datagrams.
const UNCLAIMED_BYTES_MAX: usize = 1 << 20;
