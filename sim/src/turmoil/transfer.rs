//! The applications at the ends of a transfer, over the shipped adapter.

use super::alarm::Alarm;
use super::host::Host;
use super::runtime::SimRuntime;
use crate::app::{
    CHUNK_MAX, Pace, RETRY_PAUSE, Samples, Sink, Source, Transfer, next_sample, note_failure,
};
use crate::packet::HostId;
use crate::time::Ns;
use anyhow::Context as _;
use bytes::Bytes;
use std::future::{Future as _, pending, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use utp_tokio::{UtpSocket, UtpStream};

/// Starts the end of `transfer` that is on `host`. The receiver tells the sender by `complete` that
/// it has everything.
pub(crate) fn start(transfer: &Transfer, host: &Host, complete: &Arc<Notify>) {
    let end =
        End { host: host.clone(), transfer: transfer.clone(), complete: Arc::clone(complete) };
    host.spawn_fallible(async move {
        let name = end.transfer.name().to_owned();
        let result = match end.host.id() {
            HostId::Left => end.send().await,
            HostId::Right => end.receive().await,
        };
        result.with_context(|| format!("flow {name}"))
    });
}

/// One end of a transfer.
struct End {
    host: Host,
    transfer: Transfer,
    complete: Arc<Notify>,
}

/// How a connection of the sender ended.
enum Ending {
    Failed(io::Error),
    Stopped,
}

impl End {
    async fn send(self) -> anyhow::Result<()> {
        let socket = self.socket()?;
        tokio::time::sleep_until(self.host.instant(self.transfer.start())).await;
        let mut stop = Alarm::new(&self.host);
        if let Some(at) = self.transfer.stop() {
            stop.set(at);
        }
        let mut pace = self.transfer.write_pace();
        let peer = self.host.address(HostId::Right, self.transfer.flow());
        while !self.is_complete() {
            let connected = tokio::select! {
                biased;
                () = stop.due() => break,
                connected = socket.connect(peer) => connected,
            };
            let ending = match connected {
                Ok(stream) => self.send_all(stream, &mut stop, &mut pace).await,
                Err(error) => Ending::Failed(error),
            };
            let Ending::Failed(error) = ending else { break };
            self.note_failure(&error);
            let pause = tokio::time::sleep_until(self.host.instant(self.host.now() + RETRY_PAUSE));
            tokio::select! {
                biased;
                () = stop.due() => break,
                () = pause => {}
            }
        }
        keep(socket).await
    }

    /// Writes all there is on one connection, and looks at it until it ends.
    async fn send_all(&self, mut stream: UtpStream, stop: &mut Alarm, pace: &mut Pace) -> Ending {
        let samples = self.begin();
        let mut source = self.transfer.source();
        let (mut sample, mut refill) = (Alarm::new(&self.host), Alarm::new(&self.host));
        sample.set(self.next_sample());
        let mut ended = false;
        loop {
            let allowance = pace.allowance(self.host.now());
            refill.follow(pace.wake_at());
            tokio::select! {
                biased;
                () = stop.due() => {
                    // Stopping is a user's cancel: nothing more is sent, not even what waits.
                    self.sample(samples, &stream).await;
                    stream.abort();
                    return Ending::Stopped;
                }
                () = sample.due() => {
                    self.sample(samples, &stream).await;
                    sample.set(self.next_sample());
                }
                () = self.complete.notified() => {
                    self.sample(samples, &stream).await;
                    sample.set(self.next_sample());
                }
                () = refill.due() => refill.clear(),
                written = self.push(&mut stream, &source, pace), if !ended && allowance > 0 => {
                    match written {
                        Ok(None) => {}
                        Ok(Some(0)) => ended = true,
                        Ok(Some(written)) => {
                            drop(source.take(written));
                            self.transfer.note_sent(&source);
                            pace.take(written);
                        }
                        Err(error) => {
                            self.keep(samples, &stream);
                            return Ending::Failed(error);
                        }
                    }
                }
            }
        }
    }

    async fn receive(self) -> anyhow::Result<()> {
        let socket = self.socket()?;
        let mut stream = socket.accept().await.context("accept")?;
        let mut pace = self.transfer.read_pace();
        loop {
            let next = self.receive_all(&socket, &mut stream, &mut pace).await?;
            // The newest stream takes the place of the one before.
            stream = next;
        }
    }

    /// Reads from one stream until another comes.
    async fn receive_all(
        &self,
        socket: &UtpSocket,
        stream: &mut UtpStream,
        pace: &mut Pace,
    ) -> anyhow::Result<UtpStream> {
        let flow = self.transfer.flow();
        let samples = self.samples();
        let mut received = Sink::new(self.transfer.bytes());
        let (mut sample, mut refill) = (Alarm::new(&self.host), Alarm::new(&self.host));
        sample.set(self.next_sample());
        let mut is_open = true;
        loop {
            let allowance = if is_open { pace.allowance(self.host.now()) } else { 0 };
            refill.follow(pace.wake_at());
            let chunk = tokio::select! {
                biased;
                () = sample.due(), if is_open => {
                    self.sample(samples, stream).await;
                    sample.set(self.next_sample());
                    continue;
                }
                () = refill.due(), if is_open => {
                    refill.clear();
                    continue;
                }
                chunk = self.pull(stream, pace), if allowance > 0 => chunk,
                next = socket.accept() => return next.context("accept"),
            };
            match chunk {
                Ok(Some(chunk)) if chunk.is_empty() => continue,
                Ok(Some(chunk)) => {
                    let now = self.host.now();
                    pace.take(chunk.len());
                    self.host.record(flow, |record| record.deliver(now, chunk.len() as u64));
                    received.take(&chunk);
                    if received.is_complete() {
                        self.note_complete(samples, stream, &received).await;
                        sample.set(self.next_sample());
                    }
                    continue;
                }
                Ok(None) if received.is_complete() => self.keep(samples, stream),
                Ok(None) => {
                    self.keep(samples, stream);
                    self.note_failure_unless_stopped(&"the stream ended too early");
                }
                Err(error) => {
                    self.keep(samples, stream);
                    self.note_failure_unless_stopped(&error);
                }
            }
            is_open = false;
        }
    }

    /// Writes some of what `source` has next, or ends the stream if there is nothing; says how many
    /// bytes were written. None if there was no allowance when it would have been ready.
    ///
    /// Nothing is written if the future is dropped before it is ready.
    async fn push(
        &self,
        stream: &mut UtpStream,
        source: &Source,
        pace: &mut Pace,
    ) -> io::Result<Option<usize>> {
        let bytes = source.next();
        if bytes.is_empty() {
            return stream.shutdown().await.map(|()| Some(0));
        }
        poll_fn(|cx| {
            // It may have to wait, and then the allowance is another.
            let allowance = pace.allowance(self.host.now());
            if allowance == 0 {
                return Poll::Ready(Ok(None));
            }
            let writing = pin!(stream.write(&bytes[..bytes.len().min(allowance)]));
            writing.poll(cx).map_ok(Some)
        })
        .await
    }

    /// Reads what the allowance permits; nothing at all if there is none when it would have been
    /// ready.
    async fn pull(&self, stream: &mut UtpStream, pace: &mut Pace) -> io::Result<Option<Bytes>> {
        poll_fn(|cx| {
            let allowance = pace.allowance(self.host.now());
            // A read of no bytes is ready at once.
            pin!(stream.read_chunk(allowance.min(CHUNK_MAX))).poll(cx)
        })
        .await
    }

    /// All bytes are there: settles what the flow leaves behind.
    async fn note_complete(&self, samples: Samples, stream: &UtpStream, received: &Sink) {
        let same = self.transfer.is_same(received.digest());
        let now = self.host.now();
        self.sample(samples, stream).await;
        self.host.record(self.transfer.flow(), |record| {
            record.completed_at = Some(now);
            record.sha256_ok = Some(same);
        });
        self.complete.notify_one();
    }

    fn socket(&self) -> anyhow::Result<UtpSocket> {
        let flow = self.transfer.flow();
        let transport = Arc::new(self.host.socket(flow));
        let runtime = Arc::new(SimRuntime::new(self.host.clone()));
        let mut builder = UtpSocket::builder().config(self.transfer.config());
        if let Some(sink) = self.host.trace_sink(flow) {
            builder = builder.trace(sink);
        }
        builder.with_transport(transport, runtime).context("bind")
    }

    /// Notes a connection that was made.
    fn begin(&self) -> Samples {
        self.host.record(self.transfer.flow(), |record| record.connections += 1);
        self.samples()
    }

    fn samples(&self) -> Samples {
        let id = self.host.id();
        self.host.record(self.transfer.flow(), |record| Samples::new(id, record))
    }

    /// Looks at a stream.
    async fn sample(&self, samples: Samples, stream: &UtpStream) {
        // The first look asks the driver for fresh numbers, which it leaves in its next turn.
        let _stale = stream.stats();
        tokio::task::yield_now().await;
        self.keep(samples, stream);
    }

    /// Keeps what the driver has left of a stream.
    fn keep(&self, samples: Samples, stream: &UtpStream) {
        let (now, stats) = (self.host.now(), stream.stats());
        let offset_us = self.transfer.clock_offset_us(now);
        self.host.record(self.transfer.flow(), |record| {
            samples.keep(now, offset_us, &stats, record);
        });
    }

    fn next_sample(&self) -> Ns {
        next_sample(self.host.now(), self.transfer.end())
    }

    fn note_failure(&self, error: &dyn std::fmt::Display) {
        let (now, id) = (self.host.now(), self.host.id());
        self.host.record(self.transfer.flow(), |record| note_failure(record, now, id, &error));
    }

    /// A sender that stops leaves a reset behind, which is no failure.
    fn note_failure_unless_stopped(&self, error: &dyn std::fmt::Display) {
        if !self.transfer.is_stopped(self.host.now()) {
            self.note_failure(error);
        }
    }

    fn is_complete(&self) -> bool {
        self.host.record(self.transfer.flow(), |record| record.completed_at.is_some())
    }
}

/// Keeps the socket to the end of the run, so that the peer still gets its answers.
async fn keep(socket: UtpSocket) -> anyhow::Result<()> {
    pending::<()>().await;
    drop(socket);
    Ok(())
}
