//! Owns the UDP socket of the operating system: [`UdpTransport`], made of tokio's socket and
//! quinn-udp's batched system calls.
//!
//! Beside sending and receiving it decides what to do about each error the kernel comes up with.
//! Reading its error queue is the business of the module `error_queue`.

mod refusals;

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use quinn_udp::{BATCH_SIZE, Transmit, UdpSocketState};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::{Instant, Sleep};

use super::{
    AsyncUdpSocket, BufferBytes, Datagrams, Dscp, IcmpMessage, RecvMeta, is_out_of_buffers,
    is_too_large,
};
use super::{dscp, error_queue};
use refusals::{insist, is_kept};

/// A UDP socket of the operating system, with everything that makes it fast: segmentation offload
/// in both directions, several buffers per system call, large kernel buffers.
///
/// Datagrams are not fragmented, here or on their way (`IP_PMTUDISC_PROBE`), since the core
/// searches the path MTU. On Linux those that ask for it are; on other systems they are lost where
/// the path carries them no more. On Linux it also reports ICMP messages and how long each datagram
/// waited in the kernel.
pub struct UdpTransport {
    io: Arc<UdpSocket>,
    state: UdpSocketState,
    local_addr: SocketAddr,
    buffer_bytes: BufferBytes,
    /// The class of what is sent, if it has one.
    dscp: Option<Dscp>,
    /// Whether the kernel keeps datagrams whole now.
    dont_fragment: AtomicBool,
    /// Datagrams per send; 1 once segmentation offload has turned out not to work.
    send_segments: AtomicUsize,
    /// Batches in a row that went only without segmentation offload.
    offload_failures: AtomicUsize,
    /// Receive errors in a row.
    receive_failures: AtomicUsize,
    /// Waits for the kernel to flag an error.
    error_flag: Mutex<Option<ErrorFlag>>,
    /// Runs while the next attempt to send is put off, see [`SEND_DELAY`].
    send_delay: Mutex<Option<Pin<Box<Sleep>>>>,
}

/// tokio's future that waits for an error on a socket.
type ErrorFlag = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

impl UdpTransport {
    /// Binds a socket to `address` and asks the kernel for buffers of `buffer_bytes` each.
    ///
    /// What it grants may be less, see [`AsyncUdpSocket::buffer_bytes`]; on Linux the limits are
    /// the settings `net.core.rmem_max` and `net.core.wmem_max`.
    ///
    /// # Errors
    ///
    /// What the operating system says about the address.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O enabled.
    pub fn bind(address: SocketAddr, buffer_bytes: usize) -> io::Result<Self> {
        Self::from_std(std::net::UdpSocket::bind(address)?, buffer_bytes)
    }

    /// Takes over a socket that is bound already, otherwise as [`bind`](Self::bind).
    ///
    /// # Errors
    ///
    /// What the operating system says about the socket.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O enabled.
    pub fn from_std(socket: std::net::UdpSocket, buffer_bytes: usize) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let local_addr = socket.local_addr()?;
        let state = UdpSocketState::new((&socket).into())?;
        state.enable_transport_errors((&socket).into())?;
        error_queue::set_dont_fragment(&socket, local_addr, true)?;
        let buffer_bytes = set_buffer_bytes(&socket, buffer_bytes)?;
        Ok(Self {
            io: Arc::new(UdpSocket::from_std(socket)?),
            dont_fragment: AtomicBool::new(true),
            send_segments: AtomicUsize::new(state.max_gso_segments()),
            state,
            local_addr,
            buffer_bytes,
            dscp: None,
            offload_failures: AtomicUsize::new(0),
            receive_failures: AtomicUsize::new(0),
            error_flag: Mutex::new(None),
            send_delay: Mutex::new(None),
        })
    }

    /// Gives everything that is sent from now on a class of service.
    ///
    /// # Errors
    ///
    /// What the operating system says; [`Unsupported`](io::ErrorKind::Unsupported) on others than
    /// Linux and Android.
    pub fn set_dscp(&mut self, dscp: Dscp) -> io::Result<()> {
        dscp::set(&*self.io, self.local_addr, dscp)?;
        self.dscp = Some(dscp);
        Ok(())
    }

    /// Receives once, and says whether that emptied the socket.
    fn receive(
        &self,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> io::Result<(usize, bool)> {
        let mut raw = [quinn_udp::RecvMeta::default(); BATCH_SIZE];
        let batch = bufs.len().min(meta.len()).min(BATCH_SIZE);
        let count = self.state.recv((&*self.io).into(), &mut bufs[..batch], &mut raw[..batch])?;
        let now = SystemTime::UNIX_EPOCH.elapsed().ok();
        for (meta, raw) in meta.iter_mut().zip(&raw[..count]) {
            *meta = RecvMeta {
                source: SocketAddr::new(raw.addr.ip().to_canonical(), raw.addr.port()),
                local_ip: raw.dst_ip.map(|ip| ip.to_canonical()).filter(is_unicast),
                len: raw.len,
                stride: raw.stride,
                age: age(now, raw.timestamp),
            };
            keep_scope(&mut meta.source, raw.addr);
        }
        Ok((count, count < batch))
    }

    /// Counts an error of receiving and says what to do about it: ready to try again at once,
    /// pending to try again later, or an error to give the socket up.
    fn on_receive_error(&self, cx: &Context<'_>, error: io::Error) -> Poll<io::Result<()>> {
        let failures = self.receive_failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures >= RECEIVE_FAILURES_MAX {
            return Poll::Ready(Err(error));
        }
        if failures.is_multiple_of(RECEIVE_FAILURES_AT_ONCE) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    /// Sends as much of a batch as goes with one system call, or one by one if segmentation
    /// offload fails, and says how many bytes went.
    fn send(&self, datagrams: &Datagrams<'_>) -> io::Result<usize> {
        self.set_dont_fragment(datagrams.dont_fragment);
        let segment = datagrams.segment_size.unwrap_or(datagrams.contents.len()).max(1);
        let segments = (SEND_BYTES_MAX / segment).min(self.max_send_segments()).max(1);
        let len = datagrams.contents.len().min(segments.saturating_mul(segment));
        let mut transmit = Transmit {
            destination: self.native(datagrams.destination),
            ecn: None,
            contents: &datagrams.contents[..len],
            segment_size: Some(segment),
            src_ip: datagrams.source.filter(|_| self.local_addr.ip().is_unspecified()),
        };
        match self.send_once(&transmit) {
            Ok(()) if len > segment => self.offload_failures.store(0, Ordering::Relaxed),
            Err(error) if is_too_large(&error) || is_out_of_buffers(&error) => return Err(error),
            Err(error) if len > segment && error.kind() != io::ErrorKind::WouldBlock => {
                transmit.segment_size = None;
                return self.send_one_by_one(transmit, segment);
            }
            result => result?,
        }
        Ok(len)
    }

    /// Sends the datagrams of a batch one by one. If that works, segmentation offload is to blame.
    ///
    /// One that fails is lost and the others need not be: the error is returned only if it met
    /// them all. One that is too large is not lost, nor is one that the host has no room for: it is
    /// met again with the next call.
    fn send_one_by_one(&self, mut transmit: Transmit<'_>, segment: usize) -> io::Result<usize> {
        let len = transmit.contents.len();
        let (mut done, mut lost, mut failure) = (0, 0, None);
        for datagram in transmit.contents.chunks(segment) {
            transmit.contents = datagram;
            match self.send_once(&transmit) {
                Ok(()) => {}
                Err(error) if is_kept(&error) => match done {
                    0 => return Err(error),
                    _ => break,
                },
                Err(error) => {
                    lost += datagram.len();
                    failure = failure.or(Some(error));
                }
            }
            done += datagram.len();
        }
        match failure {
            None => {}
            Some(error) if lost == len => return Err(error),
            Some(error) => {
                tracing::debug!(%error, destination = %transmit.destination, lost, "bytes are lost");
                return Ok(done);
            }
        }
        let failures = self.offload_failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures == OFFLOAD_FAILURES_MAX {
            tracing::warn!(socket = %self.local_addr, "segmentation offload fails, doing without");
            self.send_segments.store(1, Ordering::Relaxed);
        }
        Ok(done)
    }

    /// Hands datagrams to the kernel.
    fn send_once(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        insist(|| match self.dscp {
            Some(_) => dscp::send(&*self.io, transmit),
            None => self.state.try_send((&*self.io).into(), transmit),
        })
    }

    /// Has the kernel keep datagrams whole or not, from the next on.
    fn set_dont_fragment(&self, on: bool) {
        if self.dont_fragment.load(Ordering::Relaxed) == on {
            return;
        }
        match error_queue::set_dont_fragment(&*self.io, self.local_addr, on) {
            Ok(()) => self.dont_fragment.store(on, Ordering::Relaxed),
            Err(error) => tracing::debug!(%error, on, "don't-fragment bit cannot be set"),
        }
    }

    /// `address` as a socket of this family wants it.
    fn native(&self, address: SocketAddr) -> SocketAddr {
        match (self.local_addr, address) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddr::V6(SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0))
            }
            _ => address,
        }
    }
}

impl AsyncUdpSocket for UdpTransport {
    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut count = 0;
            // Saying that it would block although something was received makes tokio forget that
            // the socket was readable, which saves the call that would only find it empty.
            let result = self.io.try_io(Interest::READABLE, || {
                let empty;
                (count, empty) = self.receive(bufs, meta)?;
                if empty { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
            });
            if count > 0 {
                self.receive_failures.store(0, Ordering::Relaxed);
                return Poll::Ready(Ok(count));
            }
            match result {
                Ok(()) => return Poll::Ready(Ok(0)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.receive_failures.store(0, Ordering::Relaxed);
                    ready!(self.io.poll_recv_ready(cx))?;
                }
                Err(error) => ready!(self.on_receive_error(cx, error))?,
            }
        }
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        datagrams: &Datagrams<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut delay = lock(&self.send_delay);
        if let Some(sleep) = &mut *delay {
            ready!(sleep.as_mut().poll(cx));
            *delay = None;
        }
        for _ in 0..2 {
            match self.io.try_io(Interest::WRITABLE, || self.send(datagrams)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.io.poll_send_ready(cx))?;
                }
                result => return Poll::Ready(result),
            }
        }
        let mut sleep = Box::pin(tokio::time::sleep_until(Instant::now() + SEND_DELAY));
        if sleep.as_mut().poll(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        *delay = Some(sleep);
        Poll::Pending
    }

    fn poll_icmp(&self, cx: &mut Context<'_>) -> Poll<IcmpMessage> {
        let mut flag = lock(&self.error_flag);
        loop {
            // Reading until the queue is empty makes tokio forget the flag.
            let read = || error_queue::skip_failures(|| error_queue::next(&self.io));
            match self.io.try_io(Interest::ERROR, read) {
                Ok(Some(message)) => return Poll::Ready(message),
                Ok(None) => continue,
                // The queue is empty, see there.
                Err(_) => {}
            }
            let waiting = flag.get_or_insert_with(|| {
                let io = Arc::clone(&self.io);
                Box::pin(async move { io.ready(Interest::ERROR).await.map(drop) })
            });
            let flagged = ready!(waiting.as_mut().poll(cx));
            *flag = None;
            if flagged.is_err() {
                // The runtime shuts down.
                return Poll::Pending;
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local_addr)
    }

    fn max_send_segments(&self) -> usize {
        self.send_segments.load(Ordering::Relaxed).max(1)
    }

    fn max_recv_segments(&self) -> usize {
        self.state.gro_segments().max(1)
    }

    fn buffer_bytes(&self) -> BufferBytes {
        self.buffer_bytes
    }
}

impl fmt::Debug for UdpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpTransport")
            .field("local_addr", &self.local_addr)
            .field("buffer_bytes", &self.buffer_bytes)
            .field("send_segments", &self.send_segments)
            .finish_non_exhaustive()
    }
}

/// Asks for kernel buffers and says what is there afterwards. A kernel that refuses keeps its own
/// sizes, which is no reason to fail.
fn set_buffer_bytes(socket: &std::net::UdpSocket, bytes: usize) -> io::Result<BufferBytes> {
    let socket = SockRef::from(socket);
    for result in [socket.set_recv_buffer_size(bytes), socket.set_send_buffer_size(bytes)] {
        if let Err(error) = result {
            tracing::debug!(%error, bytes, "socket buffer cannot be set");
        }
    }
    Ok(BufferBytes {
        receive: Some(socket.recv_buffer_size()?),
        send: Some(socket.send_buffer_size()?),
    })
}

/// How long ago the kernel received a datagram. Nothing if the wall clock was set in between.
fn age(now: Option<Duration>, received: Option<Duration>) -> Option<Duration> {
    now?.checked_sub(received?).filter(|age| *age < AGE_MAX)
}

/// Whether answers can leave from this address.
fn is_unicast(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => !v4.is_multicast() && !v4.is_broadcast() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_multicast() && !v6.is_unspecified(),
    }
}

/// Gives a link-local address the interface it is valid on.
fn keep_scope(address: &mut SocketAddr, native: SocketAddr) {
    if let (SocketAddr::V6(address), SocketAddr::V6(native)) = (address, native) {
        address.set_scope_id(native.scope_id());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The most bytes one send call takes: an IP packet of 65535 bytes less its headers. Linux holds
/// a batch for segmentation to the same.
const SEND_BYTES_MAX: usize = 65_535 - 40 - 8;

/// Batches in a row that must fail with segmentation offload, and go without, before it is given
/// up. A single one may be the fault of a path with a small MTU.
const OFFLOAD_FAILURES_MAX: usize = 8;

/// Receive errors in a row before other tasks get a turn.
const RECEIVE_FAILURES_AT_ONCE: usize = 8;

/// Receive errors in a row that end the socket. ICMP messages cause one each.
const RECEIVE_FAILURES_MAX: usize = 1024;

/// How long sending rests when the kernel's buffer is full and tokio says it is not.
///
/// An ICMP message makes tokio take the socket for closed to writing, hence for writable, for good.
/// The buffer outlasts this pause at any speed.
const SEND_DELAY: Duration = Duration::from_millis(1);

/// A datagram that seems to have waited longer has not: the wall clock was set.
const AGE_MAX: Duration = Duration::from_secs(1);

#[cfg(all(test, target_os = "linux"))]
mod tests;
