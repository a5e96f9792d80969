//! The shim of ours: streams of the tokio adapter, a task each.

mod connection;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;
use utp_proto::Config;
use utp_tokio::UtpSocket;

use self::connection::Connection;
use crate::shim::{
    Buffers, Command, ConnId, EXIT_FAILED, Emitter, ErrorKind, Event, Input, Mode, ShimArgs, Stats,
    cpu_seconds, memory_kib, read_input,
};

/// What the shim of ours takes beyond the protocol.
#[derive(Debug, Clone, clap::Args)]
pub struct UtpArgs {
    /// Threads of the runtime. With one, driver and application share it, as in libutp's shim.
    #[arg(long, default_value_t = 1, global = true)]
    pub threads: usize,
    /// Report `accepted` at a peer's SYN and not at its first data.
    #[arg(long, global = true)]
    pub accept_at_syn: bool,
}

/// Runs the shim until it is done, and returns its exit status.
///
/// # Errors
///
/// When the UDP socket or standard output fails.
pub async fn run(args: &ShimArgs, utp: &UtpArgs) -> io::Result<u8> {
    let mode = args.mode.clone();
    let buffers = mode.stream().buffers;
    let socket = UtpSocket::builder()
        .config(config(buffers))
        .udp_buffer_bytes(buffers.udp_buffer)
        .accept_at_syn(utp.accept_at_syn)
        .bind(mode.local())
        .await?;
    let (sender, input) = unbounded_channel();
    read_input(move |line| sender.send(line).is_ok());
    let shim = Shim {
        mode,
        socket: socket.into(),
        emitter: Emitter::default(),
        connections: JoinSet::new(),
        newest: None,
        last: 0,
        failed: false,
    };
    shim.run(input).await
}

struct Shim {
    mode: Mode,
    socket: Arc<UtpSocket>,
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

impl Shim {
    async fn run(mut self, mut input: UnboundedReceiver<Input>) -> io::Result<u8> {
        let listens = match self.mode {
            Mode::Listen { .. } => {
                self.emitter.emit(&Event::Listening { port: self.socket.local_addr().port() })?;
                true
            }
            Mode::Connect { .. } => {
                self.connect_more();
                false
            }
        };
        let status = loop {
            tokio::select! {
                Some(line) = input.recv() => {
                    if self.handle_input(line)? {
                        break 0;
                    }
                }
                stream = self.socket.accept(), if listens => {
                    let stream = stream?;
                    self.start(|connection| connection.accepted(stream));
                }
                Some(done) = self.connections.join_next() => {
                    self.failed |= !done.map_err(io::Error::other)??;
                    self.connect_more();
                    if self.mode.once() && (listens || self.connections.is_empty()) {
                        break if self.failed { EXIT_FAILED } else { 0 };
                    }
                }
            }
        };
        self.emitter.emit(&self.stats())?;
        // Acks that wait still go out.
        drop(self.connections);
        if let Some(socket) = Arc::into_inner(self.socket) {
            drop(timeout(CLOSE_PATIENCE, socket.close()).await);
        }
        Ok(status)
    }

    /// Opens as many connections as are still wanted and may be open at once.
    fn connect_more(&mut self) {
        let Mode::Connect { address, count, parallel, .. } = self.mode else { return };
        while self.last < count && self.connections.len() < parallel as usize {
            let socket = Arc::clone(&self.socket);
            self.start(|connection| connection.connect(socket, address));
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
        let role = self.mode.stream().role;
        self.connections.spawn(task(Connection::new(self.last, role, commands, self.emitter)));
    }

    /// Does what standard input said; true when that is to leave.
    fn handle_input(&self, line: Input) -> io::Result<bool> {
        match line {
            Input::Command(Command::Quit) => return Ok(true),
            Input::Command(Command::Stats) => self.emitter.emit(&self.stats())?,
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
        let socket = self.socket.stats();
        Event::Stats(Stats {
            rss_kib: memory.map_or(0, |(now, _)| now),
            conns: u32::try_from(self.connections.len()).unwrap_or(u32::MAX),
            peak_rss_kib: memory.map(|(_, peak)| peak),
            cpu_s: cpu_seconds(),
            udp_recv_buffer: socket.buffer_bytes.receive,
            udp_send_buffer: socket.buffer_bytes.send,
            datagrams_received: None,
            datagrams_sent: Some(socket.datagrams_sent),
            send_blocked: Some(socket.sends_blocked),
        })
    }
}

/// The adapter's defaults, with the buffers that were asked for.
fn config(buffers: Buffers) -> Config {
    let mut config = Config::default();
    let to_u32 = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
    if let Some(bytes) = buffers.rcvbuf {
        config.receive_buffer_bytes = to_u32(bytes);
        config.receive_buffer_max_bytes = to_u32(bytes);
    }
    if let Some(bytes) = buffers.sndbuf {
        config.send_buffer_bytes = to_u32(bytes);
    }
    config
}

/// How long the socket may take to send what waits when the shim leaves.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
