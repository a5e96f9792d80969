//! The shim of ours: streams of the tokio adapter.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWrite as _;
use tokio::time::timeout;
use utp_ledbat::{CONTROLLER_NAMES, ControllerFactory, by_name};
use utp_proto::{Config, Gate, Instant};
use utp_tokio::runtime::{Runtime, Timer, TokioRuntime};
use utp_tokio::transport::UdpTransport;
use utp_tokio::{UtpSocket, UtpStream};

use crate::shim::driver::{self, Stack, Stream};
use crate::shim::{Buffers, ShimArgs, Stats};

/// What the shim of ours takes beyond the protocol.
#[derive(Debug, Clone, clap::Args)]
pub struct UtpArgs {
    /// Threads of the runtime. With one, driver and application share it, as in libutp's shim.
    #[arg(long, default_value_t = 1, global = true)]
    pub threads: usize,
    /// Report `accepted` at a peer's SYN and not at its first data.
    #[arg(long, global = true)]
    pub accept_at_syn: bool,
    /// Drop packets that do not show the clocks of their connection.
    #[arg(long, global = true)]
    pub gate: bool,
    /// The law of the congestion window, such as ledbat++ or libutp.
    #[arg(long, value_parser = controller, global = true)]
    pub controller: Option<Arc<dyn ControllerFactory>>,
    /// Each byte of a random number, in place of what the system draws.
    #[arg(long, value_name = "BYTE", global = true)]
    pub random_byte: Option<u8>,
}

/// Parses the name of a law.
fn controller(name: &str) -> Result<Arc<dyn ControllerFactory>, String> {
    let found = by_name(name).map(Arc::from);
    found.ok_or_else(|| format!("expected one of {}", CONTROLLER_NAMES.join(", ")))
}

/// Runs the shim until it is done, and returns its exit status.
pub async fn run(args: &ShimArgs, utp: &UtpArgs) -> u8 {
    let mode = args.mode.clone();
    let buffers = mode.stream().buffers;
    let builder = UtpSocket::builder()
        .config(config(buffers, utp))
        .udp_buffer_bytes(buffers.udp_buffer)
        .accept_at_syn(utp.accept_at_syn);
    let socket = match utp.random_byte {
        None => builder.bind(mode.local()).await,
        Some(byte) => UdpTransport::bind(mode.local(), buffers.udp_buffer).and_then(|udp| {
            let runtime = OneByte { tokio: TokioRuntime::new(), byte };
            builder.with_transport(Arc::new(udp), Arc::new(runtime))
        }),
    };
    driver::run("utp-peer", socket.map(Ours), mode).await
}

/// A runtime whose random numbers are always the same.
#[derive(Debug)]
struct OneByte {
    tokio: TokioRuntime,
    byte: u8,
}

impl Runtime for OneByte {
    fn now(&self) -> Instant {
        self.tokio.now()
    }

    fn timer(&self) -> Pin<Box<dyn Timer>> {
        self.tokio.timer()
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.tokio.spawn(future);
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        bytes.fill(self.byte);
    }
}

struct Ours(UtpSocket);

impl Stack for Ours {
    type Stream = OurStream;

    fn port(&self) -> u16 {
        self.0.local_addr().port()
    }

    async fn accept(&self) -> io::Result<OurStream> {
        self.0.accept().await.map(OurStream)
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<OurStream> {
        self.0.connect(peer).await.map(OurStream)
    }

    async fn close(self) {
        drop(timeout(CLOSE_PATIENCE, self.0.close()).await);
    }

    fn stats(&self, mut of_process: Stats) -> Stats {
        let socket = self.0.stats();
        of_process.udp_recv_buffer = socket.buffer_bytes.receive;
        of_process.udp_send_buffer = socket.buffer_bytes.send;
        of_process.datagrams_sent = Some(socket.datagrams_sent);
        of_process.send_blocked = Some(socket.sends_blocked);
        of_process
    }
}

struct OurStream(UtpStream);

impl Stream for OurStream {
    type Chunk = Bytes;

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        len_max: usize,
    ) -> Poll<io::Result<Option<Bytes>>> {
        // The future keeps nothing between polls, so that it need not be kept.
        pin!(self.0.read_chunk(len_max)).poll(cx)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn abort(self) -> io::Result<()> {
        self.0.abort();
        Ok(())
    }
}

/// The adapter's defaults, with the buffers and the law that were asked for.
fn config(buffers: Buffers, utp: &UtpArgs) -> Config {
    let mut config = Config::default();
    if let Some(controller) = &utp.controller {
        config.controller = Arc::clone(controller);
    }
    if utp.gate {
        config.timestamp_gate = Gate::Drop;
    }
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
