//! What a task of a host may touch while it runs.

use super::tasks::{TaskId, Tasks};
use super::timers::{TimerId, Timers};
use crate::clock::HostClock;
use crate::network::Network;
use crate::packet::{Datagram, HostId, UDP_OVERHEAD_V4};
use crate::taps::{DatagramTap, Direction};
use crate::time::Ns;
use bytes::Bytes;
use std::net::SocketAddr;
use utp_proto::Instant;

/// What is outside of the hosts.
pub(super) struct World {
    pub(super) network: Network,
    pub(super) datagrams: DatagramTap,
    /// Transfers that have completed at the right host, which the left one is to hear of.
    pub(super) completed: Vec<u16>,
    /// Where the sockets put what they send, one after the other: a single one, so that it stays at
    /// hand however many sockets there are.
    pub(super) buf: Vec<u8>,
}

/// The task that runs, and its surroundings.
pub(super) struct Cx<'a> {
    pub(super) now: Ns,
    /// What the host's clock shows now.
    pub(super) instant: Instant,
    pub(super) host: HostId,
    pub(super) flow: u16,
    /// The other end of the flow.
    pub(super) peer: SocketAddr,
    pub(super) app_task: TaskId,
    pub(super) driver_task: TaskId,
    pub(super) driver_timer: TimerId,
    pub(super) clock: &'a HostClock,
    pub(super) tasks: &'a mut Tasks,
    pub(super) timers: &'a mut Timers<TaskId>,
    pub(super) world: &'a mut World,
}

impl Cx<'_> {
    /// Sends a datagram from the flow's port.
    pub(super) fn send(&mut self, destination: u16, dont_fragment: bool, payload: Bytes) {
        let source = self.host.port(self.flow);
        let overhead = UDP_OVERHEAD_V4;
        let datagram = Datagram { source, destination, overhead, dont_fragment, payload };
        self.world.datagrams.show(self.now, self.host, Direction::Sent, &datagram);
        self.world.network.inject(self.now, self.host, datagram);
    }

    pub(super) fn wake_app_if(&mut self, wake: bool) {
        if wake {
            self.tasks.wake(self.app_task);
        }
    }
}
