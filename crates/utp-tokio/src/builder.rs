//! Owns the options of a socket and how it is put together.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use utp_proto::{Config, EndpointConfig};

use crate::driver::{Backlog, Driver, DriverParts};
use crate::runtime::{Runtime, TokioRuntime};
use crate::shared::SocketShared;
use crate::socket::UtpSocket;
use crate::trace::TraceSink;
use crate::transport::{AsyncUdpSocket, Dscp, UdpTransport};
use crate::unclaimed::UNCLAIMED_MAX;

/// Options of a [`UtpSocket`]; made by [`UtpSocket::builder`], used up by one of its last four
/// methods.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let mut config = utp_proto::Config::default();
/// config.receive_buffer_bytes = 4 << 20;
/// let socket = utp_tokio::UtpSocket::builder()
///     .config(config)
///     .backlog(16)
///     .bind(([127, 0, 0, 1], 0).into())
///     .await?;
/// assert_ne!(socket.local_addr().port(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct UtpSocketBuilder {
    config: Config,
    endpoint_config: EndpointConfig,
    udp_buffer_bytes: usize,
    dscp: Option<Dscp>,
    trace: Option<TraceSink>,
    backlog: usize,
    accept_at_syn: bool,
    close_timeout: Duration,
}

impl Default for UtpSocketBuilder {
    fn default() -> Self {
        Self {
            config: Config::default(),
            endpoint_config: EndpointConfig::default(),
            udp_buffer_bytes: UDP_BUFFER_BYTES,
            dscp: None,
            trace: None,
            backlog: BACKLOG,
            accept_at_syn: false,
            close_timeout: CLOSE_TIMEOUT,
        }
    }
}

impl UtpSocketBuilder {
    /// Settings of each connection, unless [`UtpSocket::connect_with`] brings others.
    ///
    /// The receive buffer is made smaller if the socket's is: see
    /// [`udp_buffer_bytes`](Self::udp_buffer_bytes).
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Limits for all connections of the socket together.
    pub fn endpoint_config(mut self, config: EndpointConfig) -> Self {
        self.endpoint_config = config;
        self
    }

    /// How large the kernel's two buffers of the UDP socket are wanted, in bytes; 4 MiB by
    /// default.
    ///
    /// What the kernel grants may be less, and stands in
    /// [`SocketStats::buffer_bytes`](crate::SocketStats::buffer_bytes). The receive buffer of a
    /// connection is held to half of that: Linux charges its bookkeeping to the buffer as well, and
    /// a peer that fills the window in one burst must not overrun the socket.
    pub const fn udp_buffer_bytes(mut self, bytes: usize) -> Self {
        self.udp_buffer_bytes = bytes;
        self
    }

    /// The class of service of everything that the socket sends; none by default, which is best
    /// effort. [`Dscp::LE`] asks networks to put it behind all other traffic.
    ///
    /// Binding fails with [`Unsupported`](io::ErrorKind::Unsupported) on others than Linux and
    /// Android. A transport of one's own has to see to its class itself.
    pub const fn dscp(mut self, dscp: Dscp) -> Self {
        self.dscp = Some(dscp);
        self
    }

    /// Where the events of all connections are written; nowhere by default.
    ///
    /// Sockets that share a sink cannot be told apart in it.
    pub fn trace(mut self, sink: TraceSink) -> Self {
        self.trace = Some(sink);
        self
    }

    /// How many streams from outside may wait for [`UtpSocket::accept`]; 128 by default.
    ///
    /// Connects beyond are refused, all of them if this is 0. Streams whose peer has not proved
    /// itself yet do not count; [`EndpointConfig::half_open_max`] is about those. They are kept
    /// when they come after that, so that the two limits together bound what can wait.
    pub const fn backlog(mut self, streams: usize) -> Self {
        self.backlog = streams;
        self
    }

    /// Whether [`UtpSocket::accept`] resolves at the SYN already and not when the peer has
    /// acknowledged the answer to it; not so by default.
    ///
    /// A SYN proves nothing: its address may be forged, and each stream of a forged one costs
    /// memory for a minute. Until that ack comes, nothing that is written leaves this host,
    /// and if none comes in that minute the stream fails with
    /// [`TimedOut`](std::io::ErrorKind::TimedOut). On the other hand an acceptor that wants to
    /// decide before that, or waits for a peer that has nothing to say, needs it. While more than
    /// [`EndpointConfig::half_open_max`] streams wait so, others come with that ack.
    ///
    /// It sets [`EndpointConfig::report_at_syn`].
    pub const fn accept_at_syn(mut self, at_syn: bool) -> Self {
        self.accept_at_syn = at_syn;
        self
    }

    /// How long [`UtpSocket::close`] waits for streams before it resets them; 10 s by default.
    pub const fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Binds a UDP socket to `address`, port 0 standing for any, and starts.
    ///
    /// # Errors
    ///
    /// What the operating system says about the address.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and time enabled.
    #[expect(clippy::unused_async, reason = "binding may have to wait on other systems")]
    pub async fn bind(self, address: SocketAddr) -> io::Result<UtpSocket> {
        let transport = UdpTransport::bind(address, self.udp_buffer_bytes)?;
        self.with_udp(transport)
    }

    /// Takes over a UDP socket that is bound already and starts. Its buffers are set as for a new
    /// one.
    ///
    /// # Errors
    ///
    /// What the operating system says about the socket.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and time enabled.
    pub fn from_std(self, socket: std::net::UdpSocket) -> io::Result<UtpSocket> {
        let transport = UdpTransport::from_std(socket, self.udp_buffer_bytes)?;
        self.with_udp(transport)
    }

    fn with_udp(self, mut transport: UdpTransport) -> io::Result<UtpSocket> {
        if let Some(dscp) = self.dscp {
            transport.set_dscp(dscp)?;
        }
        self.with_transport(Arc::new(transport), Arc::new(TokioRuntime::new()))
    }

    /// Starts on any transport and in any runtime. A simulator comes in here.
    ///
    /// # Errors
    ///
    /// If the transport does not know its address.
    pub fn with_transport(
        self,
        transport: Arc<dyn AsyncUdpSocket>,
        runtime: Arc<dyn Runtime>,
    ) -> io::Result<UtpSocket> {
        let shared = Arc::new(SocketShared::new(transport.local_addr()?));
        let mut endpoint_config = self.endpoint_config;
        endpoint_config.report_at_syn |= self.accept_at_syn;
        let receive_max = transport.buffer_bytes().receive.map(|bytes| bytes / 2);
        let config = Arc::new(held_to(self.config, receive_max));
        let (backlog, accepted) = match self.backlog {
            0 => (None, None),
            streams => {
                let streams = streams.min(BACKLOG_MAX);
                let half_open = endpoint_config.half_open_max.min(BACKLOG_MAX);
                let (queue, receiver) = mpsc::channel(streams + half_open);
                (Some(Backlog { queue, streams_max: streams }), Some(receiver))
            }
        };
        let (unclaimed_sender, unclaimed) = mpsc::channel(UNCLAIMED_MAX);
        let (drained_sender, drained) = oneshot::channel();
        let driver = Driver::new(DriverParts {
            transport,
            runtime: Arc::clone(&runtime),
            shared: Arc::clone(&shared),
            accept_at_syn: endpoint_config.report_at_syn,
            endpoint_config: Arc::new(endpoint_config),
            config: Arc::clone(&config),
            backlog,
            trace: self.trace,
            unclaimed: unclaimed_sender,
            close_timeout_us: u64::try_from(self.close_timeout.as_micros()).unwrap_or(u64::MAX),
            drained: drained_sender,
        });
        runtime.spawn(Box::pin(driver));
        Ok(UtpSocket::new(shared, config, receive_max, accepted, unclaimed, drained))
    }
}

/// `config` with a receive buffer of at most `receive_max` bytes to begin with. It grows by what
/// the path holds, which does not arrive at once.
pub(crate) fn held_to(mut config: Config, receive_max: Option<usize>) -> Config {
    let receive_max = receive_max.and_then(|bytes| u32::try_from(bytes).ok());
    if let Some(receive_max) = receive_max {
        config.receive_buffer_bytes = config.receive_buffer_bytes.min(receive_max);
    }
    config
}

/// The buffers asked for by default: 30 ms at 1 Gbit/s, the most that many systems grant.
const UDP_BUFFER_BYTES: usize = 4 << 20;

/// The backlog by default, as usual for TCP.
const BACKLOG: usize = 128;

/// The largest backlog, which is as many streams as a peer can have with one port.
const BACKLOG_MAX: usize = 65_536;

/// Long enough for a few time-outs and repeats in a row.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);
