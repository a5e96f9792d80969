//! What the driver does with what comes from the network.

use super::{Driver, Live};
use crate::event::cx::Cx;
use std::net::SocketAddr;
use std::sync::Arc;
use utp_proto::{Disposition, IcmpError, Incoming, RecvMeta};

impl Driver {
    /// Hands a batch of datagrams to the core; says whether there was one.
    pub(super) fn receive(&mut self, cx: &Cx<'_>) -> bool {
        if self.received.is_empty() {
            return false;
        }
        self.endpoint.refuse_connects(self.accepted.len() >= BACKLOG);
        for _ in 0..BUFFERS {
            let Some(datagram) = self.received.pop_front() else { break };
            let remote = SocketAddr::new(cx.peer.ip(), datagram.source);
            let meta = RecvMeta { remote, local_ip: None, received_at: None };
            let disposition = self.endpoint.handle_datagram(cx.instant, meta, &datagram.payload);
            if let Disposition::Incoming(incoming) = disposition {
                self.handle_incoming(cx, incoming);
            }
        }
        true
    }

    pub(super) fn handle_icmp(&mut self, cx: &Cx<'_>) {
        while let Some(message) = self.too_big.pop_front() {
            let remote = SocketAddr::new(cx.peer.ip(), message.destination);
            let error = IcmpError::MessageTooLarge { mtu: u16::try_from(message.mtu).ok() };
            let quoted = &message.quoted[..message.quoted.len().min(QUOTED_MAX)];
            self.endpoint.handle_icmp(cx.instant, remote, error, quoted);
        }
    }

    /// Somebody wants to connect.
    fn handle_incoming(&mut self, cx: &Cx<'_>, incoming: Incoming) {
        let accepted = self.endpoint.accept(cx.instant, incoming, Arc::clone(&self.config));
        let Ok(handle) = accepted else { return };
        let stream = self.add_stream();
        self.stream(stream).tx.open = true;
        self.live.push(Live { handle, stream, unannounced: true });
    }
}

/// Connects are refused while as many streams wait for the application.
const BACKLOG: usize = 128;

/// Bytes of a quoted packet that are looked at.
const QUOTED_MAX: usize = 64;

/// Datagrams received at once.
const BUFFERS: usize = 32;
