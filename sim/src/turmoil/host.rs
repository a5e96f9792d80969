//! A host as its software sees it: clock, tasks, sockets, randomness and the addresses of both
//! ends.

use super::pump::Polls;
use super::shared::{Shared, World};
use super::socket::SimSocket;
use crate::clock::HostClock;
use crate::packet::HostId;
use crate::record::FlowRecord;
use crate::rng::Stream;
use crate::taps::{ProtocolEvent, SharedProtocolSink, address};
use crate::time::Ns;
use anyhow::anyhow;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;
use utp_tokio::TraceSink;

/// One of the two hosts; clones are the same host.
#[derive(Clone, Debug)]
pub struct Host(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    machine: Arc<Machine>,
    polls: Polls,
    /// What the clock of the host's runtime showed at boot, and when that was.
    origin: Instant,
    booted_at: Ns,
}

/// What is left of a host that has crashed.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) id: HostId,
    pub(super) shared: Arc<Shared>,
    pub(super) window: Notify,
    pub(super) clock: HostClock,
    pub(super) entropy: Mutex<Stream>,
    pub(super) protocol: Option<SharedProtocolSink>,
}

impl Host {
    /// Boots the host inside its runtime, at the start of a window.
    pub(super) fn boot(machine: Arc<Machine>) -> Self {
        for host in HostId::ALL {
            assert_eq!(turmoil::lookup(name(host)), address(host), "hosts are added in order");
        }
        let booted_at = machine.shared.lock().window_start();
        let (polls, origin) = (Polls::default(), Instant::now());
        Self(Arc::new(Inner { machine, polls, origin, booted_at }))
    }

    /// Which end of the network it is.
    pub fn id(&self) -> HostId {
        self.0.machine.id
    }

    /// Time since the start of the run, exact at every arrival.
    pub fn now(&self) -> Ns {
        self.0.booted_at + Ns::from_duration(Instant::now() - self.0.origin)
    }

    /// The moment `at` on the clock of the host's runtime, that of boot if it was before.
    pub fn instant(&self, at: Ns) -> Instant {
        self.0.origin + at.saturating_sub(self.0.booted_at).as_duration()
    }

    pub(crate) fn clock(&self) -> &HostClock {
        &self.0.machine.clock
    }

    /// Address of the flow's port at `host`.
    pub fn address(&self, host: HostId, flow: u16) -> SocketAddr {
        SocketAddr::new(address(host), host.port(flow))
    }

    /// The UDP socket of the flow at this host.
    pub fn socket(&self, flow: u16) -> SimSocket {
        SimSocket::bind(self.clone(), flow)
    }

    /// Starts a task. All tasks of a host must start here: the pump has to know when they rest.
    ///
    /// A panic of the task ends the run.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let task = tokio::task::spawn_local(self.0.polls.counted(task));
        let shared = Arc::clone(&self.0.machine.shared);
        tokio::task::spawn_local(async move {
            if let Err(error) = task.await {
                shared.lock().fail(anyhow!(error));
            }
        });
    }

    /// Starts a task whose failure ends the run.
    pub fn spawn_fallible(&self, task: impl Future<Output = anyhow::Result<()>> + 'static) {
        let host = self.clone();
        self.spawn(async move {
            if let Err(error) = task.await {
                host.world().fail(error);
            }
        });
    }

    /// Random bytes from the host's own stream.
    pub fn fill_random(&self, bytes: &mut [u8]) {
        self.0.machine.entropy.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
    }

    /// Changes what the flow with index `flow` leaves behind.
    pub fn record<T>(&self, flow: u16, change: impl FnOnce(&mut FlowRecord) -> T) -> T {
        change(self.world().network.flow_record(usize::from(flow)))
    }

    /// Where the protocol events of the flow's connections go, if somebody wants them.
    pub fn trace_sink(&self, flow: u16) -> Option<TraceSink> {
        let (host, sink) = (self.clone(), self.0.machine.protocol.clone()?);
        Some(TraceSink::to_fn(move |_, connection, event| {
            let (at, host, event) = (host.now(), host.id(), *event);
            sink.record(&ProtocolEvent { at, host, flow, connection, event });
        }))
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.machine.shared.lock()
    }

    pub(super) fn polls(&self) -> &Polls {
        &self.0.polls
    }

    pub(super) async fn window_begun(&self) {
        self.0.machine.window.notified().await;
    }
}

/// The host's name in turmoil's DNS.
pub(super) const fn name(host: HostId) -> &'static str {
    match host {
        HostId::Left => "left",
        HostId::Right => "right",
    }
}
