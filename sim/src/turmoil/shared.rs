//! What the engine and the hosts share: the network, and each host's sockets and arrivals.
//!
//! Everything runs on one thread; the lock is there because sockets have to be `Send`, is never
//! held across a wake, and is never waited for.

use crate::network::Network;
use crate::packet::{Datagram, Delivery, HostId, TooBig};
use crate::taps::{DatagramTap, Direction};
use crate::time::Ns;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// The world behind its lock.
#[derive(Debug)]
pub(super) struct Shared(Mutex<World>);

/// The network and the hosts at its ends.
#[derive(Debug)]
pub(super) struct World {
    pub(super) network: Network,
    datagrams: DatagramTap,
    hosts: [HostState; 2],
    /// Room for [`World::exchange`], kept for its memory.
    sent: Vec<(Ns, HostId, Datagram)>,
    window_start: Ns,
    arrivals: u64,
    late: u64,
    failure: Option<anyhow::Error>,
}

#[derive(Debug, Default)]
struct HostState {
    /// What will arrive, by time and then in the order of announcement.
    inbox: BTreeMap<(Ns, u64), Delivery>,
    /// What was sent in the current window.
    outbox: Vec<(Ns, Datagram)>,
    sockets: BTreeMap<u16, SocketState>,
}

#[derive(Debug, Default)]
struct SocketState {
    received: VecDeque<Datagram>,
    too_big: VecDeque<TooBig>,
    reader: Option<Waker>,
}

impl Shared {
    pub(super) fn new(network: Network, datagrams: DatagramTap) -> Self {
        Self(Mutex::new(World {
            network,
            datagrams,
            hosts: [HostState::default(), HostState::default()],
            sent: Vec::new(),
            window_start: Ns::ZERO,
            arrivals: 0,
            late: 0,
            failure: None,
        }))
    }

    /// The world. A panic of a host's task is reported by its own way, so that a poisoned lock is
    /// taken as it is.
    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn into_network(self) -> Network {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).network
    }
}

impl World {
    /// Takes what the hosts sent before `now` into the network and its answers into their inboxes.
    pub(super) fn exchange(&mut self, now: Ns) {
        self.window_start = now;
        // In the order of time, and at one moment the left host's first: the sort is stable.
        let mut sent = std::mem::take(&mut self.sent);
        for host in HostId::ALL {
            let outbox = self.hosts[host.index()].outbox.drain(..);
            sent.extend(outbox.map(|(at, datagram)| (at, host, datagram)));
        }
        sent.sort_by_key(|entry| entry.0);
        for (at, host, datagram) in sent.drain(..) {
            self.network.inject(at, host, datagram);
        }
        self.sent = sent;
        let Self { network, hosts, arrivals, .. } = self;
        network.run_until(now, &mut |at, host, delivery| {
            hosts[host.index()].inbox.insert((at, *arrivals), delivery);
            *arrivals += 1;
        });
    }

    /// When the current window began.
    pub(super) const fn window_start(&self) -> Ns {
        self.window_start
    }

    /// `host` comes back: what has reached it before the current window found nobody.
    pub(super) fn forget_arrivals(&mut self, host: HostId) {
        let inbox = &mut self.hosts[host.index()].inbox;
        *inbox = inbox.split_off(&(self.window_start, 0));
    }

    /// When the next datagram reaches `host`, if it does so before `end`.
    pub(super) fn next_arrival_before(&self, host: HostId, end: Ns) -> Option<Ns> {
        let (&(at, _), _) = self.hosts[host.index()].inbox.first_key_value()?;
        (at < end).then_some(at)
    }

    /// Puts all that has reached `host` by `now` into its sockets and adds those who wait for it to
    /// `readers`. What nobody is bound for is dropped, as by a kernel without its ICMP.
    pub(super) fn hand_over(&mut self, host: HostId, now: Ns, readers: &mut Vec<Waker>) {
        let state = &mut self.hosts[host.index()];
        while let Some(entry) = state.inbox.first_entry().filter(|entry| entry.key().0 <= now) {
            self.late += u64::from(entry.key().0 < now);
            let port = match entry.get() {
                Delivery::Datagram(datagram) => {
                    self.datagrams.show(now, host, Direction::Received, datagram);
                    datagram.destination
                }
                Delivery::TooBig(message) => message.source,
            };
            let delivery = entry.remove();
            let Some(socket) = state.sockets.get_mut(&port) else { continue };
            match delivery {
                Delivery::Datagram(datagram) => socket.received.push_back(datagram),
                Delivery::TooBig(message) => socket.too_big.push_back(message),
            }
            readers.extend(socket.reader.take());
        }
    }

    /// Opens `port` at `host`; what it had received under an earlier owner is gone.
    pub(super) fn bind(&mut self, host: HostId, port: u16) {
        self.hosts[host.index()].sockets.insert(port, SocketState::default());
    }

    pub(super) fn close(&mut self, host: HostId, port: u16) {
        self.hosts[host.index()].sockets.remove(&port);
    }

    /// `host` sends a datagram at `now`.
    pub(super) fn send(&mut self, host: HostId, now: Ns, datagram: Datagram) {
        self.datagrams.show(now, host, Direction::Sent, &datagram);
        self.hosts[host.index()].outbox.push((now, datagram));
    }

    /// The next datagram for `port`; without one, `waker` is woken when it comes.
    pub(super) fn receive(&mut self, host: HostId, port: u16, waker: &Waker) -> Option<Datagram> {
        let socket = self.hosts[host.index()].sockets.get_mut(&port)?;
        let datagram = socket.received.pop_front();
        if datagram.is_none() {
            socket.reader = Some(waker.clone());
        }
        datagram
    }

    /// The next ICMP message about what `port` has sent; who waits for datagrams is woken when one
    /// comes.
    pub(super) fn too_big(&mut self, host: HostId, port: u16) -> Option<TooBig> {
        self.hosts[host.index()].sockets.get_mut(&port)?.too_big.pop_front()
    }

    /// Datagrams that were somewhere too late; not zero means that the run cannot be trusted.
    pub(super) const fn late(&self) -> u64 {
        self.late + self.network.late()
    }

    /// Notes why the run cannot go on; the first reason stays.
    pub(super) fn fail(&mut self, error: anyhow::Error) {
        self.failure.get_or_insert(error);
    }

    pub(super) const fn take_failure(&mut self) -> Option<anyhow::Error> {
        self.failure.take()
    }
}
