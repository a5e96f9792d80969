//! Owns [`UtpSocket`], the user's side of a socket.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{Mutex, mpsc, oneshot};
use utp_proto::Config;

use crate::builder::{UtpSocketBuilder, held_to};
use crate::runtime::Runtime;
use crate::shared::{Closing, ConnectRequest, RawDatagram, SocketShared, StreamShared};
use crate::stats::SocketStats;
use crate::stream::UtpStream;
use crate::transport::{AsyncUdpSocket, canonical};
use crate::unclaimed::{Unclaimed, UnclaimedDatagram};

/// A UDP socket that speaks uTP: it connects to peers and accepts connects, all on one port.
///
/// All methods take `&self`; share it by reference or in an [`Arc`]. A task of its own, the driver,
/// does the work. It lives on after the socket is dropped until every stream is gone and has
/// delivered what was written.
pub struct UtpSocket {
    shared: Arc<SocketShared>,
    config: Arc<Config>,
    receive_max: Option<usize>,
    accepted: Option<Mutex<mpsc::Receiver<UtpStream>>>,
    unclaimed: Mutex<mpsc::Receiver<Unclaimed>>,
    drained: Option<oneshot::Receiver<()>>,
}

impl UtpSocket {
    /// Binds to `address`, port 0 standing for any, with default options.
    ///
    /// # Errors
    ///
    /// What the operating system says about the address.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and time enabled.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::builder().bind(address).await
    }

    /// Options to bind with.
    pub fn builder() -> UtpSocketBuilder {
        UtpSocketBuilder::default()
    }

    /// Starts on any transport and in any runtime, see [`UtpSocketBuilder::with_transport`].
    ///
    /// # Errors
    ///
    /// If the transport does not know its address.
    pub fn with_transport(
        transport: Arc<dyn AsyncUdpSocket>,
        runtime: Arc<dyn Runtime>,
        options: UtpSocketBuilder,
    ) -> io::Result<Self> {
        options.with_transport(transport, runtime)
    }

    pub(crate) fn new(
        shared: Arc<SocketShared>,
        config: Arc<Config>,
        receive_max: Option<usize>,
        accepted: Option<mpsc::Receiver<UtpStream>>,
        unclaimed: mpsc::Receiver<Unclaimed>,
        drained: oneshot::Receiver<()>,
    ) -> Self {
        Self {
            shared,
            config,
            receive_max,
            accepted: accepted.map(Mutex::new),
            unclaimed: Mutex::new(unclaimed),
            drained: Some(drained),
        }
    }

    /// The address the socket is bound to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.local_addr
    }

    /// Connects to a peer. Dropping the future before it is ready gives the connect up.
    ///
    /// # Errors
    ///
    /// * [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) when the peer says so, and on
    ///   Linux at once when nobody listens there and an ICMP message tells.
    /// * [`TimedOut`](io::ErrorKind::TimedOut) without an answer for
    ///   [`connect_timeout_us`](Config::connect_timeout_us), 21 s by default.
    /// * [`InvalidInput`](io::ErrorKind::InvalidInput) for an address that cannot be reached from
    ///   this socket: an IPv6 address from an IPv4 one, no port, no host.
    /// * [`ResourceBusy`](io::ErrorKind::ResourceBusy) beyond
    ///   [`connections_max`](utp_proto::EndpointConfig::connections_max).
    pub async fn connect(&self, remote: SocketAddr) -> io::Result<UtpStream> {
        self.connect_clamped(remote, Arc::clone(&self.config)).await
    }

    /// As [`connect`](Self::connect), with settings of its own.
    ///
    /// # Errors
    ///
    /// As for [`connect`](Self::connect).
    pub async fn connect_with(
        &self,
        remote: SocketAddr,
        config: Arc<Config>,
    ) -> io::Result<UtpStream> {
        let buffer_bytes = config.receive_buffer_bytes as usize;
        let config = match self.receive_max {
            Some(max) if buffer_bytes > max => {
                Arc::new(held_to(Config::clone(&config), self.receive_max))
            }
            _ => config,
        };
        self.connect_clamped(remote, config).await
    }

    async fn connect_clamped(
        &self,
        remote: SocketAddr,
        config: Arc<Config>,
    ) -> io::Result<UtpStream> {
        let remote = canonical(remote);
        if self.shared.local_addr.is_ipv4() && remote.is_ipv6() {
            let text = "an IPv4 socket cannot reach an IPv6 address";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let stream = Arc::new(StreamShared::new(remote, &config));
        let request = ConnectRequest { stream: Arc::clone(&stream), config };
        self.shared.connect(request)?;
        UtpStream::new(stream, Arc::clone(&self.shared)).opened().await
    }

    /// Waits for the next stream from outside. Nothing is lost if the future is dropped.
    ///
    /// A stream comes when its peer has acknowledged the answer to its SYN, or at the SYN with
    /// [`accept_at_syn`](UtpSocketBuilder::accept_at_syn). Peers of this implementation acknowledge
    /// it at once; so this also works when the acceptor is the one to speak first. Some other
    /// implementations send nothing until they have something to say: such a stream comes only at
    /// its SYN, or with a keepalive half a minute later. If bytes are written before, its peer is
    /// asked for an ack once it can no longer be waiting for the answer, 22.5 s after its SYN.
    ///
    /// # Errors
    ///
    /// When the socket has failed, or does not listen since its
    /// [`backlog`](UtpSocketBuilder::backlog) is 0.
    pub async fn accept(&self) -> io::Result<UtpStream> {
        let Some(accepted) = &self.accepted else {
            let text = "this socket does not listen: its backlog is 0";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        };
        accepted.lock().await.recv().await.ok_or_else(gone)
    }

    /// Waits for the next datagram that is not uTP, such as one of the DHT on the same port.
    ///
    /// A few hundred of them are kept; the newest are dropped beyond. Nothing is lost if the
    /// future is dropped.
    ///
    /// # Errors
    ///
    /// When the socket has failed.
    pub async fn recv_unclaimed(&self) -> io::Result<UnclaimedDatagram> {
        let mut unclaimed = self.unclaimed.lock().await;
        loop {
            let next = unclaimed.recv().await.ok_or_else(gone)?;
            if let Some(datagram) = next.into_datagram() {
                return Ok(datagram);
            }
        }
    }

    /// Sends a datagram as it is from the port of this socket, for a protocol that shares it.
    ///
    /// Like any datagram it may get lost.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when a few hundred of them wait already; the kind
    /// of its failure when the socket has failed.
    pub fn send_unclaimed(&self, destination: SocketAddr, data: &[u8]) -> io::Result<()> {
        let bytes = Bytes::copy_from_slice(data);
        let datagram = RawDatagram { destination: canonical(destination), bytes };
        self.shared.send_raw(datagram).map_err(io::Error::from)
    }

    /// Limits what all streams of the socket together send to so many bytes of UDP payload per
    /// second; `None` lifts the limit. See
    /// [`Endpoint::set_send_rate_max`](utp_proto::Endpoint::set_send_rate_max).
    ///
    /// Datagrams that are not uTP do not count. [`EndpointConfig`](utp_proto::EndpointConfig) sets
    /// the limit from the start. A stream can have a [limit](UtpStream::set_send_rate_max) of its
    /// own, and its [weight](UtpStream::set_weight) decides about its part in this one.
    pub fn set_send_rate_max(&self, bytes_per_second: Option<NonZeroU32>) {
        self.shared.tell(|inbox| inbox.wishes.send_rate_max = Some(bytes_per_second));
    }

    /// Counters of the socket, as of the last time the driver ran. Asking makes it run.
    #[must_use]
    pub fn stats(&self) -> SocketStats {
        self.shared.tell(|inbox| inbox.wishes.totals = true);
        *self.shared.stats()
    }

    /// Closes the socket: no more accepts, while its streams are given time to finish.
    ///
    /// Ready when every stream was dropped and its peer has acknowledged all of it. Streams that
    /// are not that far after the [time](UtpSocketBuilder::close_timeout) for it are reset.
    ///
    /// The port is free then. A peer whose last FIN was answered by an ack that got lost finds
    /// nobody there; drop the socket instead, and the driver goes on to answer such peers for some
    /// seconds ([`linger_us`](Config::linger_us)).
    pub async fn close(mut self) {
        self.begin_closing(Closing::Bounded);
        // Nobody accepts these any more.
        self.accepted = None;
        if let Some(drained) = self.drained.take() {
            // The driver drops the other end, so that this is an error always.
            drained.await.unwrap_or_default();
        }
    }

    fn begin_closing(&self, closing: Closing) {
        self.shared.tell(|inbox| {
            inbox.closing.get_or_insert(closing);
        });
    }
}

impl Drop for UtpSocket {
    fn drop(&mut self) {
        self.begin_closing(Closing::Dropped);
    }
}

impl fmt::Debug for UtpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UtpSocket")
            .field("local_addr", &self.shared.local_addr)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the uTP socket has failed")
}
