//! Owns the door to the network: the trait [`AsyncUdpSocket`] and the values that pass it.
//!
//! The types are this crate's own and made of what `std` has, so that another transport (an
//! in-memory network, a simulator, a relay) is quickly written.

mod dscp;
mod error_queue;
mod udp;

pub use dscp::Dscp;
pub use udp::UdpTransport;

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::task::{Context, Poll};
use std::time::Duration;

/// A UDP socket that moves datagrams in batches.
///
/// One task, the driver of a `UtpSocket`, calls the polling methods, so that
/// remembering the newest waker of each of them is enough. No method blocks.
pub trait AsyncUdpSocket: fmt::Debug + Send + Sync + 'static {
    /// Receives up to `bufs.len()` buffers and says how many of them were filled.
    ///
    /// Buffer `i` holds `meta[i].len` bytes: datagrams from one peer, each of
    /// [`stride`](RecvMeta::stride) bytes but for the last, which may be shorter. A transport that
    /// takes one datagram at a time sets the stride to the length. `meta` is at least as long as
    /// `bufs`, and each buffer holds the largest datagram, 65535 bytes.
    ///
    /// # Errors
    ///
    /// An error ends the socket and everything on it. What passes by itself (an ICMP message in
    /// the way, no memory for the moment) is for the transport to swallow.
    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>>;

    /// Sends datagrams to one peer and says how many bytes of [`Datagrams::contents`] went out.
    ///
    /// Ready with less than all of them, but always with whole datagrams, says that the rest is to
    /// be offered again at once. Pending says that nothing was taken: the task of `cx` is woken
    /// when it is worth to try again. The driver puts new time stamps on the rest before that.
    ///
    /// # Errors
    ///
    /// An error says that the datagrams are lost, such as for want of a route to the peer
    /// ([`NetworkUnreachable`](io::ErrorKind::NetworkUnreachable),
    /// [`HostUnreachable`](io::ErrorKind::HostUnreachable)). The socket lives on.
    ///
    /// One for which [`is_too_large`] holds says that the first of them is larger than its link
    /// takes, and that none was sent: the core cuts them anew. One for which [`is_out_of_buffers`]
    /// holds says that none was sent for now: they are offered again after a pause.
    fn poll_send(&self, cx: &mut Context<'_>, datagrams: &Datagrams<'_>)
    -> Poll<io::Result<usize>>;

    /// Takes the next ICMP message about a datagram sent from here.
    ///
    /// A transport that cannot have any keeps this default, which is pending for ever.
    fn poll_icmp(&self, cx: &mut Context<'_>) -> Poll<IcmpMessage> {
        let _ = cx;
        Poll::Pending
    }

    /// The address this socket is bound to, with the port filled in.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// The most datagrams that one [`poll_send`](Self::poll_send) can take at once, at least 1.
    ///
    /// It is asked again before each batch, since it drops to 1 when segmentation turns out not to
    /// work.
    fn max_send_segments(&self) -> usize {
        1
    }

    /// The most datagrams that one buffer of [`poll_recv`](Self::poll_recv) can come back with, at
    /// least 1.
    fn max_recv_segments(&self) -> usize {
        1
    }

    /// What the operating system gave this socket to buffer datagrams in.
    fn buffer_bytes(&self) -> BufferBytes {
        BufferBytes::default()
    }
}

/// What is known about one buffer that [`AsyncUdpSocket::poll_recv`] filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvMeta {
    /// The peer that sent the datagrams. An IPv4 address may be mapped into IPv6.
    pub source: SocketAddr,
    /// The address of this host that the peer sent them to, if that is known. Answers leave from
    /// it.
    pub local_ip: Option<IpAddr>,
    /// Bytes in the buffer.
    pub len: usize,
    /// Bytes of each datagram in the buffer but for the last, which may be shorter.
    pub stride: usize,
    /// How long ago the operating system received the datagrams, if it says so.
    ///
    /// The delay measured for LEDBAT is better for it: the time a datagram waits for this process
    /// is no queue of the network's. None, as zero, stands for right now.
    pub age: Option<Duration>,
}

impl RecvMeta {
    /// One datagram of `len` bytes from `source`, received right now.
    #[must_use]
    pub const fn single(source: SocketAddr, len: usize) -> Self {
        Self { source, local_ip: None, len, stride: len, age: None }
    }
}

impl Default for RecvMeta {
    /// A value to be overwritten.
    fn default() -> Self {
        Self::single(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0), 0)
    }
}

/// Datagrams for one peer, to be handed to [`AsyncUdpSocket::poll_send`].
#[derive(Clone, Copy, Debug)]
pub struct Datagrams<'a> {
    /// The peer.
    pub destination: SocketAddr,
    /// The address of this host they leave from. None leaves the choice to the routing table.
    pub source: Option<IpAddr>,
    /// The datagrams one after the other.
    pub contents: &'a [u8],
    /// Bytes of each datagram but for the last, which may be shorter. None says that the contents
    /// are one datagram.
    pub segment_size: Option<usize>,
    /// Whether the datagrams go whole or not at all. It is unset for few: those that were made when
    /// the path carried larger ones. A transport that cannot tell them apart keeps them all whole.
    pub dont_fragment: bool,
}

impl<'a> Datagrams<'a> {
    /// The datagrams one by one.
    ///
    /// ```
    /// use utp_tokio::transport::Datagrams;
    ///
    /// let batch = Datagrams {
    ///     destination: "192.0.2.1:6881".parse()?,
    ///     source: None,
    ///     contents: b"onetwosix!",
    ///     segment_size: Some(3),
    ///     dont_fragment: true,
    /// };
    /// let datagrams: Vec<&[u8]> = batch.iter().collect();
    /// assert_eq!(datagrams, [&b"one"[..], b"two", b"six", b"!"]);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let size = self.segment_size.unwrap_or(self.contents.len()).max(1);
        self.contents.chunks(size)
    }
}

/// Whether an error of sending says that a datagram is too large for the link of this host
/// (`EMSGSIZE`).
#[must_use]
pub fn is_too_large(error: &io::Error) -> bool {
    quinn_udp::is_msg_size_err(error)
}

/// Whether an error of sending says that this host has no room for a datagram at the moment
/// (`ENOBUFS`, `ENOMEM`): it was not sent, and may be a little later.
///
/// ```
/// use std::io;
///
/// use utp_tokio::transport::is_out_of_buffers;
///
/// assert!(is_out_of_buffers(&io::ErrorKind::OutOfMemory.into()));
/// assert!(!is_out_of_buffers(&io::ErrorKind::NetworkUnreachable.into()));
/// ```
#[must_use]
pub fn is_out_of_buffers(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::OutOfMemory || error.raw_os_error() == Some(NO_BUFFERS)
}

/// `ENOBUFS`.
#[cfg(any(target_os = "linux", target_os = "android"))]
const NO_BUFFERS: i32 = rustix::io::Errno::NOBUFS.raw_os_error();
#[cfg(windows)]
const NO_BUFFERS: i32 = 10_055;
#[cfg(not(any(target_os = "linux", target_os = "android", windows)))]
const NO_BUFFERS: i32 = 55;

/// What an [`IcmpMessage`] is about.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IcmpError {
    /// A datagram was too large for a link on its way.
    MessageTooLarge {
        /// The MTU of that link in bytes, IP header included, if it was told.
        mtu: Option<u16>,
    },
    /// Nobody listens there, or there is no way to get there.
    Unreachable,
}

/// An ICMP message about a datagram sent from a socket, see [`AsyncUdpSocket::poll_icmp`].
#[derive(Clone, Copy, Debug)]
pub struct IcmpMessage {
    /// Where that datagram was sent to.
    pub destination: SocketAddr,
    /// What went wrong.
    pub error: IcmpError,
    /// The first bytes of that datagram's UDP payload as the message quotes them.
    pub quoted: [u8; QUOTED_MAX],
    /// How many bytes of [`quoted`](Self::quoted) are filled, often 0.
    pub quoted_len: u8,
}

impl IcmpMessage {
    /// A message that quotes the start of `datagram`.
    #[must_use]
    pub fn new(destination: SocketAddr, error: IcmpError, datagram: &[u8]) -> Self {
        let mut quoted = [0; QUOTED_MAX];
        let len = datagram.len().min(QUOTED_MAX);
        quoted[..len].copy_from_slice(&datagram[..len]);
        let quoted_len = u8::try_from(len).unwrap_or(0);
        Self { destination, error, quoted, quoted_len }
    }

    /// The bytes that are quoted.
    #[must_use]
    pub fn quoted(&self) -> &[u8] {
        &self.quoted[..usize::from(self.quoted_len).min(QUOTED_MAX)]
    }
}

// req: F-29
/// The address a peer is known by, whatever a transport or a user calls it: an IPv4 address mapped
/// into IPv6 stands for itself.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::from((v4, v6.port())),
            // Flow labels are not part of an address.
            None => SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id()).into(),
        },
        SocketAddr::V4(_) => address,
    }
}

/// Buffer sizes as the operating system reports them, see [`AsyncUdpSocket::buffer_bytes`].
///
/// Linux reports twice what it was asked for, since it charges its bookkeeping to the same budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferBytes {
    /// `SO_RCVBUF` in bytes; none if there is no such limit.
    pub receive: Option<usize>,
    /// `SO_SNDBUF` in bytes; none if there is no such limit.
    pub send: Option<usize>,
}

/// The most bytes of a datagram that an [`IcmpMessage`] keeps: header and selective ack of any uTP
/// packet, without its data.
pub const QUOTED_MAX: usize = 64;
