//! Owns [`UtpStream`], a connection as its user sees it.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::num::{NonZeroU8, NonZeroU32};
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
/// * A [shutdown](Self::shutdown_with_reason) and an [abort](Self::abort_with_reason) can say why;
///   what the peer says is the [`close_reason`](Self::close_reason).
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
    /// it did not say.
    ///
    /// Known at the latest when a read finds the end or an error. The peer says it with
    /// [`shutdown_with_reason`](Self::shutdown_with_reason),
    /// [`abort_with_reason`](Self::abort_with_reason), or what its implementation has for that.
    #[must_use]
    pub fn close_reason(&self) -> Option<u16> {
        self.stats().close_reason
    }

    /// Changes the part of this stream in what its socket sends when that is limited, by
    /// [`UtpSocket::set_send_rate_max`](crate::UtpSocket::set_send_rate_max) or by a full UDP
    /// socket: twice the weight sends twice as much. [`Config::weight`](utp_proto::Config::weight)
    /// is what a stream begins with, 16 by default.
    ///
    /// It holds from the next packet on.
    ///
    /// ```
    /// use std::num::{NonZeroU8, NonZeroU32};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let server = utp_tokio::UtpSocket::bind(([127, 0, 0, 1], 0).into()).await?;
    /// # let address = server.local_addr();
    /// let socket = utp_tokio::UtpSocket::bind(([127, 0, 0, 1], 0).into()).await?;
    /// socket.set_send_rate_max(NonZeroU32::new(1_000_000));
    /// let urgent = socket.connect(address).await?;
    /// let other = socket.connect(address).await?;
    /// urgent.set_weight(const { NonZeroU8::new(48).unwrap() }); // 750 kB/s of the 1 MB/s.
    /// # drop(other);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_weight(&self, weight: NonZeroU8) {
        self.write.owner().set_weight(weight);
    }

    /// Limits what this stream sends to so many bytes of UDP payload per second, headers and
    /// repeats included; `None` lifts the limit. See
    /// [`Connection::set_send_rate_max`](utp_proto::Connection::set_send_rate_max).
    ///
    /// It holds from the next packet on, beside the limit of the
    /// [socket](crate::UtpSocket::set_send_rate_max), and replaces
    /// [`Config::send_rate_max`](utp_proto::Config::send_rate_max), with which a stream begins.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// # let server = utp_tokio::UtpSocket::bind(([127, 0, 0, 1], 0).into()).await?;
    /// # let address = server.local_addr();
    /// let socket = utp_tokio::UtpSocket::bind(([127, 0, 0, 1], 0).into()).await?;
    /// let stream = socket.connect(address).await?;
    /// stream.set_send_rate_max(NonZeroU32::new(200_000)); // 200 kB/s.
    /// stream.set_send_rate_max(None); // As fast as the path permits.
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_send_rate_max(&self, bytes_per_second: Option<NonZeroU32>) {
        self.write.owner().set_send_rate_max(bytes_per_second);
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

    /// As a shutdown, and tells the peer why: `reason` is a number that applications agree on,
    /// which the peer finds in [`close_reason`](Self::close_reason). Libtorrent shows it to its
    /// application, libutp ignores it.
    ///
    /// The direction ends, with the reason, even if the future is dropped after it was polled.
    /// After a shutdown it is too late to say why: then this waits for the end of that.
    ///
    /// ```
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    /// use utp_tokio::UtpSocket;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let server = UtpSocket::bind(([127, 0, 0, 1], 0).into()).await?;
    /// let client = UtpSocket::bind(([127, 0, 0, 1], 0).into()).await?;
    /// let (ours, theirs) = tokio::join!(client.connect(server.local_addr()), server.accept());
    /// let (mut ours, mut theirs) = (ours?, theirs?);
    ///
    /// ours.write_all(b"last words").await?;
    /// ours.shutdown_with_reason(7).await?;
    ///
    /// let mut text = String::new();
    /// theirs.read_to_string(&mut text).await?;
    /// assert_eq!((text.as_str(), theirs.close_reason()), ("last words", Some(7)));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for the [type](Self).
    pub async fn shutdown_with_reason(&mut self, reason: u16) -> io::Result<()> {
        poll_fn(|cx| self.write.poll_shutdown(cx, Some(reason))).await
    }

    /// Ends the connection at once with a reset. What was not delivered yet is lost, and the
    /// peer's reads and writes fail.
    pub fn abort(self) {
        self.read.owner().abort(None);
    }

    /// As [`abort`](Self::abort), and tells the peer why, unless
    /// [`shutdown_with_reason`](Self::shutdown_with_reason) has named a reason before. The one
    /// packet that says it may get lost; then the reset that answers the peer's next one ends the
    /// stream there, without a reason.
    ///
    /// ```
    /// use std::io::ErrorKind;
    ///
    /// use tokio::io::AsyncReadExt;
    /// use utp_tokio::UtpSocket;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let server = UtpSocket::bind(([127, 0, 0, 1], 0).into()).await?;
    /// let client = UtpSocket::bind(([127, 0, 0, 1], 0).into()).await?;
    /// let (ours, theirs) = tokio::join!(client.connect(server.local_addr()), server.accept());
    /// let (ours, mut theirs) = (ours?, theirs?);
    ///
    /// ours.abort_with_reason(9);
    ///
    /// let error = theirs.read_u8().await.unwrap_err();
    /// assert_eq!((error.kind(), theirs.close_reason()), (ErrorKind::ConnectionReset, Some(9)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn abort_with_reason(self, reason: u16) {
        self.read.owner().abort(Some(reason));
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
        self.write.poll_shutdown(cx, None)
    }
}

const _: () = {
    const fn can_be_shared<T: Send + Sync + 'static>() {}
    can_be_shared::<UtpStream>();
    can_be_shared::<crate::UtpSocket>();
    can_be_shared::<OwnedReadHalf>();
    can_be_shared::<OwnedWriteHalf>();
};
