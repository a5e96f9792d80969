//! One stream, with the application on it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use super::{Stack, Stream};
use crate::{App, Command, ConnId, Emitter, Event};

/// A connection that is about to come up, or runs.
#[derive(Debug)]
pub(super) struct Connection {
    id: ConnId,
    app: App,
    commands: UnboundedReceiver<Command>,
    emitter: Emitter,
    /// The peer's stream has been read to its end.
    eof: bool,
    /// Our stream has been ended, and the peer has acked that.
    shut_down: bool,
}

/// What happened first.
#[derive(Debug)]
enum Step {
    Command,
    Read,
    ShutDown,
    Wrote,
}

impl Connection {
    pub(super) fn new(
        id: ConnId,
        app: App,
        commands: UnboundedReceiver<Command>,
        emitter: Emitter,
    ) -> Self {
        Self { id, app, commands, emitter, eof: false, shut_down: false }
    }

    /// Connects, unless it is told to close meanwhile, and runs the stream. False when it fails.
    pub(super) async fn connect<S: Stack>(
        mut self,
        stack: Arc<S>,
        address: SocketAddr,
    ) -> io::Result<bool> {
        let mut connect = pin!(stack.connect(address));
        let connected = loop {
            tokio::select! {
                connected = &mut connect => break connected,
                Some(command) = self.commands.recv() => {
                    self.app.command(command);
                    if matches!(command, Command::Abort | Command::Close) {
                        // Dropping the future gives the connect up.
                        return self.end(true);
                    }
                }
            }
        };
        match connected {
            Ok(stream) => {
                self.emitter.emit(&Event::Connected { conn: self.id })?;
                self.serve(stream).await
            }
            Err(error) => self.fail::<S::Stream>(error),
        }
    }

    /// Runs a stream from outside. False when it fails.
    pub(super) async fn accepted(self, stream: impl Stream) -> io::Result<bool> {
        self.emitter.emit(&Event::Accepted { conn: self.id })?;
        self.serve(stream).await
    }

    async fn serve<S: Stream>(mut self, mut stream: S) -> io::Result<bool> {
        loop {
            let step = poll_fn(|cx| self.poll_step(&mut stream, cx)).await;
            self.report()?;
            let intent = self.app.intent();
            if intent.abort {
                stream.abort()?;
                return self.end(true);
            }
            match step {
                // A peer that closed first may be gone when our FIN comes.
                Err(_) if intent.close && self.app.is_finished() => return self.end(true),
                Err(error) => return self.fail::<S>(error),
                Ok(_) if intent.close && self.shut_down => {
                    self.drain(&mut stream).await;
                    return self.end(true);
                }
                Ok(_) => {}
            }
        }
    }

    /// Waits a little for the peer to end its stream, too: a process that leaves before answers
    /// nothing any more, and its peer repeats its FIN for minutes.
    async fn drain(&mut self, stream: &mut impl Stream) {
        let drained =
            async { while !self.eof && poll_fn(|cx| self.poll_read(stream, cx)).await.is_ok() {} };
        drop(timeout(DRAIN_PATIENCE, drained).await);
    }

    /// Reads, writes and ends the stream as the application wants; ready after each step.
    fn poll_step(
        &mut self,
        stream: &mut impl Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Step>> {
        if let Poll::Ready(Some(command)) = self.commands.poll_recv(cx) {
            self.app.command(command);
            return Poll::Ready(Ok(Step::Command));
        }
        if let Poll::Ready(read) = self.poll_read(stream, cx) {
            return Poll::Ready(read.map(|()| Step::Read));
        }
        if self.shut_down {
            return Poll::Pending;
        }
        let intent = self.app.intent();
        let pending = self.app.pending();
        if !pending.is_empty() {
            let written = ready!(stream.poll_write(cx, pending))?;
            self.app.sent(written);
            return Poll::Ready(Ok(Step::Wrote));
        }
        if intent.shutdown || intent.close {
            ready!(stream.poll_shutdown(cx))?;
            self.shut_down = true;
            return Poll::Ready(Ok(Step::ShutDown));
        }
        Poll::Pending
    }

    fn poll_read(
        &mut self,
        stream: &mut impl Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        // What comes after the application closed is read and dropped, as a socket would.
        let closing = self.app.intent().close;
        let capacity = if closing { usize::MAX } else { self.app.read_capacity() };
        if self.eof || capacity == 0 {
            return Poll::Pending;
        }
        let len_max = capacity.min(READ_LEN_MAX);
        match ready!(stream.poll_read(cx, len_max))? {
            Some(bytes) if !closing => self.app.receive(Instant::now(), bytes.as_ref()),
            Some(_) => {}
            None => {
                self.eof = true;
                if !closing {
                    self.app.finish();
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// What a stack cannot do ends the shim, all else the connection.
    fn fail<S: Stream>(mut self, error: io::Error) -> io::Result<bool> {
        if error.kind() == io::ErrorKind::Unsupported {
            return Err(error);
        }
        self.app.fail(S::kind_of(&error), error.to_string());
        self.end(false)
    }

    fn end(mut self, went_well: bool) -> io::Result<bool> {
        self.report()?;
        self.emitter.emit(&Event::Closed { conn: self.id })?;
        Ok(went_well)
    }

    fn report(&mut self) -> io::Result<()> {
        while let Some(event) = self.app.poll_event() {
            self.emitter.emit(&event)?;
        }
        Ok(())
    }
}

/// How much is read at once at the most, so that reading does not hold up writing.
const READ_LEN_MAX: usize = 256 * 1024;

/// How long a peer may take to end its stream after ours has ended.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);
