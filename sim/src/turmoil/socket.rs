//! The UDP socket of a simulated host: utp-tokio's transport onto the simulated network.

use super::host::Host;
use crate::clock::set_stamp;
use crate::packet::{DATAGRAM_MAX, Datagram, HostId, UDP_OVERHEAD_V4, UDP_OVERHEAD_V6};
use bytes::BytesMut;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use utp_tokio::transport::{AsyncUdpSocket, Datagrams, IcmpError, IcmpMessage, RecvMeta};

/// A socket bound to the port of one flow at one host.
///
/// Sending never blocks: the queue that matters is the link's. A datagram larger than an Ethernet
/// frame is lost, as it is where nothing fragments.
#[derive(Debug)]
pub struct SimSocket {
    host: Host,
    flow: u16,
}

impl SimSocket {
    pub(super) fn bind(host: Host, flow: u16) -> Self {
        host.world().bind(host.id(), host.id().port(flow));
        Self { host, flow }
    }

    fn address(&self, host: HostId) -> SocketAddr {
        self.host.address(host, self.flow)
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        let host = self.host.id();
        self.host.world().close(host, host.port(self.flow));
    }
}

impl AsyncUdpSocket for SimSocket {
    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let host = self.host.id();
        let source = self.address(host.peer());
        let mut world = self.host.world();
        let mut filled = 0;
        for (buf, meta) in bufs.iter_mut().zip(meta) {
            let Some(datagram) = world.receive(host, host.port(self.flow), cx.waker()) else {
                break;
            };
            // A buffer too small cuts the datagram, as a kernel does.
            let len = datagram.payload.len().min(buf.len());
            buf[..len].copy_from_slice(&datagram.payload[..len]);
            *meta = RecvMeta::single(SocketAddr::new(source.ip(), datagram.source), len);
            filled += 1;
        }
        if filled == 0 { Poll::Pending } else { Poll::Ready(Ok(filled)) }
    }

    fn poll_send(
        &self,
        _cx: &mut Context<'_>,
        datagrams: &Datagrams<'_>,
    ) -> Poll<io::Result<usize>> {
        let host = self.host.id();
        if datagrams.destination.ip() != self.address(host.peer()).ip() {
            return Poll::Ready(Err(io::ErrorKind::HostUnreachable.into()));
        }
        let overhead =
            if datagrams.destination.is_ipv4() { UDP_OVERHEAD_V4 } else { UDP_OVERHEAD_V6 };
        let now = self.host.now();
        let stamp = self.host.clock().stamp(now);
        let mut world = self.host.world();
        for payload in datagrams.iter().filter(|payload| payload.len() <= DATAGRAM_MAX) {
            let mut payload = BytesMut::from(payload);
            set_stamp(&mut payload, stamp);
            let datagram = Datagram {
                source: host.port(self.flow),
                destination: datagrams.destination.port(),
                overhead,
                dont_fragment: datagrams.dont_fragment,
                payload: payload.freeze(),
            };
            world.send(host, now, datagram);
        }
        Poll::Ready(Ok(datagrams.contents.len()))
    }

    fn poll_icmp(&self, _cx: &mut Context<'_>) -> Poll<IcmpMessage> {
        // The driver asks for datagrams first, and that wakes it for both.
        let host = self.host.id();
        let Some(message) = self.host.world().too_big(host, host.port(self.flow)) else {
            return Poll::Pending;
        };
        let destination = SocketAddr::new(self.address(host.peer()).ip(), message.destination);
        let mtu = u16::try_from(message.mtu).ok();
        let error = IcmpError::MessageTooLarge { mtu };
        Poll::Ready(IcmpMessage::new(destination, error, &message.quoted))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address(self.host.id()))
    }

    fn max_send_segments(&self) -> usize {
        SEGMENTS_MAX
    }
}

/// What Linux takes in one call.
const SEGMENTS_MAX: usize = 64;
