//! Drives a stack on tokio as the shim protocol wants: it accepts or connects, gives every
//! connection a task and a number, and hands it the commands of standard input.
//!
//! A shim on top of it says how its stack binds, connects and accepts ([`Stack`]), and how bytes
//! get into and out of a stream ([`Stream`]).

mod connection;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use self::connection::Connection;
use crate::{
    Command, ConnId, EXIT_FAILED, EXIT_UNIMPLEMENTED, Emitter, ErrorKind, Event, Input, Mode,
    Stats, cpu_seconds, memory_kib, read_input,
};

/// An implementation, bound to a UDP socket.
pub trait Stack: Sized + Send + Sync + 'static {
    /// Its streams.
    type Stream: Stream;

    /// The UDP port that it listens on.
    fn port(&self) -> u16;

    /// Takes in the next connection.
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Connects. Dropping the future gives the connect up.
    fn connect(&self, peer: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Sends what still waits, such as acks, before the process leaves.
    fn close(self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// Adds what the stack counts itself to what the kernel knows of the process.
    fn stats(&self, of_process: Stats) -> Stats {
        of_process
    }
}

/// A connection of a stack.
pub trait Stream: Send + 'static {
    /// Bytes that came together.
    type Chunk: AsRef<[u8]>;

    /// Takes up to `len_max` bytes that the peer sent, or none at the end of its stream.
    ///
    /// # Errors
    ///
    /// When the connection failed.
    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        len_max: usize,
    ) -> Poll<io::Result<Option<Self::Chunk>>>;

    /// Hands over bytes to send and says how many were taken.
    ///
    /// # Errors
    ///
    /// When the connection failed.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Ends the sending direction; ready once the peer has all of it.
    ///
    /// # Errors
    ///
    /// When the connection failed.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Drops the connection with a RESET.
    ///
    /// # Errors
    ///
    /// `Unsupported` when the stack cannot, which is what it says unless this is implemented.
    fn abort(self) -> io::Result<()>
    where
        Self: Sized,
    {
        Err(unsupported("it cannot drop a connection"))
    }

    /// Whether a direction can be ended alone. A stack that always ends both is not asked to.
    const HALF_CLOSES: bool = true;

    /// What an error of this stack means.
    fn kind_of(error: &io::Error) -> ErrorKind {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => ErrorKind::Refused,
            io::ErrorKind::ConnectionReset => ErrorKind::Reset,
            io::ErrorKind::TimedOut => ErrorKind::Timeout,
            _ => ErrorKind::Other,
        }
    }
}

/// The error that ends a shim with [`EXIT_UNIMPLEMENTED`].
pub fn unsupported(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, what)
}

/// Runs a shim until it is done, and returns its exit status. What cannot be done or failed is
/// said on standard error, in the name of the shim.
pub async fn run<S: Stack>(name: &str, stack: io::Result<S>, mode: Mode) -> u8 {
    let result = match stack {
        Ok(stack) => drive(stack, mode).await,
        Err(error) => Err(error),
    };
    result.unwrap_or_else(|error| {
        eprintln!("{name}: {error}");
        match error.kind() {
            io::ErrorKind::Unsupported => EXIT_UNIMPLEMENTED,
            _ => 3,
        }
    })
}

async fn drive<S: Stack>(stack: S, mode: Mode) -> io::Result<u8> {
    let (sender, mut input) = unbounded_channel();
    read_input(move |line| sender.send(line).is_ok());
    let mut shim = Shim {
        mode,
        stack: Arc::new(stack),
        emitter: Emitter::default(),
        connections: JoinSet::new(),
        newest: None,
        last: 0,
        failed: false,
    };
    let status = shim.run(&mut input).await?;
    shim.emitter.emit(&shim.stats())?;
    shim.connections.shutdown().await;
    if let Some(stack) = Arc::into_inner(shim.stack) {
        stack.close().await;
    }
    Ok(status)
}

struct Shim<S: Stack> {
    mode: Mode,
    stack: Arc<S>,
    emitter: Emitter,
    /// Each returns whether its connection went well.
    connections: JoinSet<io::Result<bool>>,
    /// Where commands go.
    newest: Option<UnboundedSender<Command>>,
    /// The number that the last connection got.
    last: ConnId,
    /// A connection failed.
    failed: bool,
}

impl<S: Stack> Shim<S> {
    async fn run(&mut self, input: &mut UnboundedReceiver<Input>) -> io::Result<u8> {
        let stack = Arc::clone(&self.stack);
        let listens = match self.mode {
            Mode::Listen { .. } => {
                self.emitter.emit(&Event::Listening { port: stack.port() })?;
                true
            }
            Mode::Connect { .. } => {
                self.connect_more();
                false
            }
        };
        // One future for each accept: a stack may lose what an abandoned one was about to get.
        let mut accept = Box::pin(stack.accept());
        loop {
            tokio::select! {
                Some(line) = input.recv() => {
                    if self.handle_input(line)? {
                        return Ok(0);
                    }
                }
                stream = &mut accept, if listens => {
                    accept.set(stack.accept());
                    let stream = stream?;
                    self.start(|connection| connection.accepted(stream));
                }
                Some(done) = self.connections.join_next() => {
                    self.failed |= !done.map_err(io::Error::other)??;
                    self.connect_more();
                    if self.mode.once() && (listens || self.connections.is_empty()) {
                        return Ok(if self.failed { EXIT_FAILED } else { 0 });
                    }
                }
            }
        }
    }

    /// Opens as many connections as are still wanted and may be open at once.
    fn connect_more(&mut self) {
        let Mode::Connect { address, count, parallel, .. } = self.mode else { return };
        while self.last < count && self.connections.len() < parallel as usize {
            let stack = Arc::clone(&self.stack);
            self.start(|connection| connection.connect(stack, address));
        }
    }

    /// Gives a connection its number and a task.
    fn start<F>(&mut self, task: impl FnOnce(Connection) -> F)
    where
        F: Future<Output = io::Result<bool>> + Send + 'static,
    {
        self.last += 1;
        let (sender, commands) = unbounded_channel();
        self.newest = Some(sender);
        let app = self.mode.app(self.last);
        self.connections.spawn(task(Connection::new(self.last, app, commands, self.emitter)));
    }

    /// Does what standard input said; true when that is to leave.
    fn handle_input(&self, line: Input) -> io::Result<bool> {
        match line {
            Input::Command(Command::Quit) => return Ok(true),
            Input::Command(Command::Stats) => self.emitter.emit(&self.stats())?,
            Input::Command(Command::Shutdown) if !S::Stream::HALF_CLOSES => {
                return Err(unsupported("it cannot end one direction alone"));
            }
            Input::Command(command) => {
                let sent = self.newest.as_ref().is_some_and(|newest| newest.send(command).is_ok());
                if !sent {
                    self.complain(format!("{command:?} without a connection"))?;
                }
            }
            Input::End => return Ok(self.mode.stream().quit_on_eof),
            Input::Mistake(mistake) => self.complain(mistake)?,
        }
        Ok(false)
    }

    fn complain(&self, detail: String) -> io::Result<()> {
        self.emitter.emit(&Event::Error { conn: 0, kind: ErrorKind::Other, detail })
    }

    fn stats(&self) -> Event {
        let memory = memory_kib();
        Event::Stats(self.stack.stats(Stats {
            rss_kib: memory.map_or(0, |(now, _)| now),
            conns: u32::try_from(self.connections.len()).unwrap_or(u32::MAX),
            peak_rss_kib: memory.map(|(_, peak)| peak),
            cpu_s: cpu_seconds(),
            ..Stats::default()
        }))
    }
}
