//! A flow of kind `utp`: a bulk sender on one host and a sink on the other, over the shipped
//! adapter.

use super::host::Host;
use super::runtime::SimRuntime;
use super::sampler::Sampler;
use super::source::Source;
use crate::packet::HostId;
use crate::rng::Streams;
use crate::scenario::{Controller, FlowKind, Scenario};
use crate::time::Ns;
use anyhow::{Context as _, bail, ensure};
use sha2::{Digest, Sha256};
use std::future::{Future, pending};
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use utp_tokio::{Config, UtpSocket, UtpStream};

/// One transfer, as both of its ends know it; clones are the same transfer.
#[derive(Clone, Debug)]
pub(crate) struct Transfer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    flow: u16,
    name: String,
    controller: Controller,
    bytes: Option<u64>,
    start: Ns,
    stop: Option<Ns>,
    /// When the run ends at the latest.
    end: Ns,
    streams: Streams,
    /// Digest of all that was sent, known once all was written.
    digest: Mutex<Option<[u8; 32]>>,
    complete: Notify,
}

impl Transfer {
    /// All flows of kind `utp` of a scenario.
    pub(crate) fn all(scenario: &Scenario) -> Vec<Self> {
        let streams = Streams::new(scenario.seed);
        let numbered = (0_u16..).zip(&scenario.flows);
        let transfers = numbered.filter_map(|(flow, spec)| {
            let FlowKind::Utp(utp) = &spec.kind else { return None };
            Some(Self(Arc::new(Inner {
                flow,
                name: spec.name.clone(),
                controller: utp.controller.clone(),
                bytes: utp.bytes,
                start: scenario.start_of(usize::from(flow)),
                stop: spec.stop,
                end: scenario.duration,
                streams,
                digest: Mutex::new(None),
                complete: Notify::new(),
            })))
        });
        transfers.collect()
    }

    /// Starts the end of the transfer that is on `host`.
    pub(crate) fn start(&self, host: &Host) {
        let (transfer, host) = (self.clone(), host.clone());
        host.clone().spawn_fallible(async move {
            let result = match host.id() {
                HostId::Left => transfer.send(&host).await,
                HostId::Right => transfer.receive(&host).await,
            };
            result.with_context(|| format!("flow {}", transfer.0.name))
        });
    }

    async fn send(&self, host: &Host) -> anyhow::Result<()> {
        let inner = &*self.0;
        let socket = self.socket(host)?;
        tokio::time::sleep_until(host.instant(inner.start)).await;
        let mut stop = pin!(stop_at(host, inner.stop));
        let peer = host.address(HostId::Right, inner.flow);
        let mut stream = tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            stream = socket.connect(peer) => stream.context("connect")?,
        };
        let mut source = Source::new(inner.bytes, inner.streams.payload(usize::from(inner.flow)));
        let mut sampler = Sampler::new(host, inner.flow, inner.end);
        let mut ended = false;
        loop {
            tokio::select! {
                biased;
                () = &mut stop => {
                    // Stopping is a user's cancel: nothing more is sent, not even what waits.
                    sampler.sample(&stream).await;
                    stream.abort();
                    return keep(socket).await;
                }
                () = sampler.due() => sampler.sample(&stream).await,
                () = inner.complete.notified() => sampler.sample(&stream).await,
                written = push(&mut stream, source.next()), if !ended => {
                    let written = written.context("send")?;
                    ended = written == 0;
                    source.advance(written);
                    *self.digest() = source.digest();
                }
            }
        }
    }

    async fn receive(&self, host: &Host) -> anyhow::Result<()> {
        let inner = &*self.0;
        let socket = self.socket(host)?;
        let mut stream = socket.accept().await.context("accept")?;
        let mut sampler = Sampler::new(host, inner.flow, inner.end);
        let mut received = Sink::default();
        loop {
            let chunk = tokio::select! {
                biased;
                () = sampler.due() => {
                    sampler.sample(&stream).await;
                    continue;
                }
                chunk = stream.read_chunk(CHUNK_MAX) => chunk,
            };
            let now = host.now();
            match chunk {
                Ok(Some(chunk)) => {
                    host.record(inner.flow, |record| record.deliver(now, chunk.len() as u64));
                    if inner.bytes.is_some() {
                        received.take(&chunk);
                    }
                    if inner.bytes == Some(received.bytes) {
                        self.complete(host, &mut sampler, &stream, &received).await;
                    }
                }
                Ok(None) => {
                    ensure!(inner.bytes == Some(received.bytes), "it ended too early");
                    return keep(socket).await;
                }
                // A sender that stops leaves a reset behind.
                Err(_) if inner.stop.is_some_and(|stop| now >= stop) => return keep(socket).await,
                Err(error) => bail!(error),
            }
        }
    }

    /// All bytes are there: settles what the flow leaves behind.
    async fn complete(
        &self,
        host: &Host,
        sampler: &mut Sampler,
        stream: &UtpStream,
        received: &Sink,
    ) {
        let same = *self.digest() == Some(received.digest());
        let now = host.now();
        sampler.sample(stream).await;
        host.record(self.0.flow, |record| {
            record.completed_at = Some(now);
            record.sha256_ok = Some(same);
        });
        self.0.complete.notify_one();
    }

    fn socket(&self, host: &Host) -> anyhow::Result<UtpSocket> {
        let mut config = Config::default();
        config.controller = self.0.controller.factory();
        let transport = Arc::new(host.socket(self.0.flow));
        let runtime = Arc::new(SimRuntime::new(host.clone()));
        let mut builder = UtpSocket::builder().config(config);
        if let Some(sink) = host.trace_sink(self.0.flow) {
            builder = builder.trace(sink);
        }
        builder.with_transport(transport, runtime).context("bind")
    }

    fn digest(&self) -> std::sync::MutexGuard<'_, Option<[u8; 32]>> {
        self.0.digest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has arrived of a sized transfer.
#[derive(Default)]
struct Sink {
    bytes: u64,
    digest: Sha256,
}

impl Sink {
    fn take(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        self.digest.update(chunk);
    }

    fn digest(&self) -> [u8; 32] {
        self.digest.clone().finalize().into()
    }
}

/// Writes some of `bytes`, or ends the stream if there are none; says how many were written.
///
/// Nothing is written if the future is dropped before it is ready.
async fn push(stream: &mut UtpStream, bytes: &[u8]) -> io::Result<usize> {
    if bytes.is_empty() {
        return stream.shutdown().await.map(|()| 0);
    }
    stream.write(bytes).await
}

/// Sleeps until the flow's stop, for ever without one.
fn stop_at(host: &Host, stop: Option<Ns>) -> impl Future<Output = ()> + use<> {
    let sleep = stop.map(|stop| tokio::time::sleep_until(host.instant(stop)));
    async move {
        match sleep {
            Some(sleep) => sleep.await,
            None => pending().await,
        }
    }
}

/// Keeps the socket to the end of the run, so that the peer still gets its answers.
async fn keep(socket: UtpSocket) -> anyhow::Result<()> {
    pending::<()>().await;
    drop(socket);
    Ok(())
}

/// Largest piece that is read at once.
const CHUNK_MAX: usize = 1 << 16;
