//! Owns [`UtpStream`], a connection as its user sees it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use utp_proto::Stats;

use crate::shared::{SocketShared, StreamShared};
use crate::side::{Owner, ReadSide, WriteSide};
use crate::split::{OwnedReadHalf, OwnedWriteHalf};

/// A byte stream over uTP, as reliable and ordered as one over TCP.
///
/// It comes from [`UtpSocket::connect`](crate::UtpSocket::connect) or
/// [`UtpSocket::accept`](crate::UtpSocket::accept), and is used through tokio's
/// [`AsyncReadExt`](https://docs.rs/tokio/latest/tokio/io/trait.AsyncReadExt.html) and
/// [`AsyncWriteExt`](https://docs.rs/tokio/latest/tokio/io/trait.AsyncWriteExt.html), or without
/// copies through [`read_chunk`](Self::read_chunk) and [`write_chunk`](Self::write_chunk).
///
/// * A write is ready when the bytes are queued, not when they are delivered. Flushing has nothing
///   to do: what is queued goes as soon as the windows permit.
/// * A shutdown ends this direction and is ready when the peer has acknowledged every byte and the
///   end itself. Reading goes on until the peer ends its direction too.
/// * Dropping the stream delivers what was written, then ends the connection; nobody hears whether
///   that worked. What the peer still sends is discarded.
///
/// # Errors
///
/// Reading and writing fail with [`ConnectionReset`](io::ErrorKind::ConnectionReset) when the peer
/// gave the connection up, with [`TimedOut`](io::ErrorKind::TimedOut) when it has not answered for
/// [`give_up_us`](utp_proto::Config::give_up_us), with
/// [`ConnectionAborted`](io::ErrorKind::ConnectionAborted) after [`abort`](Self::abort) and when
/// the socket was closed. Writing after a shutdown fails with
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe).
#[derive(Debug)]
pub struct UtpStream {
    read: ReadSide,
    write: WriteSide,
}

impl UtpStream {
    pub(crate) fn new(stream: Arc<StreamShared>, socket: Arc<SocketShared>) -> Self {
        let owner = Arc::new(Owner::new(stream, socket));
        Self { read: ReadSide::new(Arc::clone(&owner)), write: WriteSide::new(owner) }
    }

    /// Waits for the end of the handshake.
    pub(crate) async fn opened(self) -> io::Result<Self> {
        poll_fn(|cx| self.write.poll_open(cx)).await?;
        Ok(self)
    }

    /// The peer's address.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.read.owner().peer_addr()
    }

    /// The address of this side: that of the socket, with the IP address that the peer uses if it
    /// is known.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.read.owner().local_addr()
    }

    /// Counters and measurements of the connection, as of the last time the driver looked at it.
    ///
    /// Asking makes it look again, so that whoever asks regularly is as late as the interval.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.read.owner().stats()
    }

    /// Why the peer says that it ended the stream, a number that applications agree on; `None` if
    /// it did not say. Known as late as [`stats`](Self::stats).
    #[must_use]
    pub fn close_reason(&self) -> Option<u16> {
        self.stats().close_reason
    }

    /// Takes the next bytes, at most `len_max`, without copying them; none at the end of the
    /// stream.
    ///
    /// Nothing is lost if the future is dropped before it is ready.
    ///
    /// # Errors
    ///
    /// As for the [type](Self).
    pub async fn read_chunk(&mut self, len_max: usize) -> io::Result<Option<Bytes>> {
        poll_fn(|cx| self.read.poll_read_chunk(cx, len_max)).await
    }

    /// Writes all of `chunk` without copying it.
    ///
    /// If the future is dropped before it is ready, the first part may have been written.
    ///
    /// # Errors
    ///
    /// As for the [type](Self).
    pub async fn write_chunk(&mut self, mut chunk: Bytes) -> io::Result<()> {
        poll_fn(|cx| self.write.poll_write_chunk(cx, &mut chunk)).await
    }

    /// Splits the stream so that two tasks can use it.
    ///
    /// Dropping the write half ends this direction as a shutdown does; dropping the read half
    /// discards what the peer sends. With both the connection is released.
    #[must_use]
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        (OwnedReadHalf::new(self.read), OwnedWriteHalf::new(self.write))
    }

    /// Ends the connection at once with a reset. What was not delivered yet is lost, and the
    /// peer's reads and writes fail.
    pub fn abort(self) {
        self.read.owner().abort();
    }
}

impl AsyncRead for UtpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.read.poll_read(cx, buf)
    }
}

impl AsyncWrite for UtpStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write.poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write.poll_shutdown(cx)
    }
}

const _: () = {
    const fn can_be_shared<T: Send + Sync + 'static>() {}
    can_be_shared::<UtpStream>();
    can_be_shared::<crate::UtpSocket>();
    can_be_shared::<OwnedReadHalf>();
    can_be_shared::<OwnedWriteHalf>();
};
