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
    id: HostId,
    shared: Arc<Shared>,
    window: Arc<Notify>,
    polls: Polls,
    /// What the host's clock showed at the start of the run.
    origin: Instant,
    entropy: Mutex<Stream>,
    clock: HostClock,
    protocol: Option<SharedProtocolSink>,
}

impl Host {
    /// Boots the host inside its runtime, at the start of the run.
    pub(super) fn boot(
        id: HostId,
        shared: Arc<Shared>,
        window: Arc<Notify>,
        clock: HostClock,
        entropy: Stream,
        protocol: Option<SharedProtocolSink>,
    ) -> Self {
        for host in HostId::ALL {
            assert_eq!(turmoil::lookup(name(host)), address(host), "hosts are added in order");
        }
        Self(Arc::new(Inner {
            id,
            shared,
            window,
            polls: Polls::default(),
            origin: Instant::now(),
            entropy: Mutex::new(entropy),
            clock,
            protocol,
        }))
    }

    /// Which end of the network it is.
    pub fn id(&self) -> HostId {
        self.0.id
    }

    /// Time since the start of the run, exact at every arrival.
    pub fn now(&self) -> Ns {
        Ns::from_duration(Instant::now() - self.0.origin)
    }

    /// The moment `at` on the clock of the host's runtime.
    pub fn instant(&self, at: Ns) -> Instant {
        self.0.origin + at.as_duration()
    }

    pub(crate) fn clock(&self) -> &HostClock {
        &self.0.clock
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
        let shared = Arc::clone(&self.0.shared);
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
        self.0.entropy.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
    }

    /// Changes what the flow with index `flow` leaves behind.
    pub fn record<T>(&self, flow: u16, change: impl FnOnce(&mut FlowRecord) -> T) -> T {
        change(self.world().network.flow_record(usize::from(flow)))
    }

    /// Where the protocol events of the flow's connections go, if somebody wants them.
    pub fn trace_sink(&self, flow: u16) -> Option<TraceSink> {
        let (host, sink) = (self.clone(), self.0.protocol.clone()?);
        Some(TraceSink::to_fn(move |_, connection, event| {
            let (at, host, event) = (host.now(), host.id(), *event);
            sink.record(&ProtocolEvent { at, host, flow, connection, event });
        }))
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.shared.lock()
    }

    pub(super) fn polls(&self) -> &Polls {
        &self.0.polls
    }

    pub(super) async fn window_begun(&self) {
        self.0.window.notified().await;
    }
}

/// The host's name in turmoil's DNS.
pub(super) const fn name(host: HostId) -> &'static str {
    match host {
        HostId::Left => "left",
        HostId::Right => "right",
    }
}
