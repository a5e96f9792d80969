//! What the driver does with what comes from the network.

use super::{Driver, Live};
use crate::event::cx::Cx;
use std::net::SocketAddr;
use std::sync::Arc;
use utp_proto::{Disposition, Incoming, RecvMeta};

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

/// Datagrams received at once.
const BUFFERS: usize = 32;
