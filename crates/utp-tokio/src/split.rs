//! Owns the halves of a stream, for a task each.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::num::{NonZeroU8, NonZeroU32};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use utp_proto::Stats;

use crate::side::{ReadSide, WriteSide};

/// The readable half of a [`UtpStream`](crate::UtpStream), made by
/// [`into_split`](crate::UtpStream::into_split).
///
/// When it is dropped, what the peer sends is acknowledged and discarded.
#[derive(Debug)]
pub struct OwnedReadHalf {
    side: ReadSide,
}

/// The writable half of a [`UtpStream`](crate::UtpStream), made by
/// [`into_split`](crate::UtpStream::into_split).
///
/// When it is dropped, what was written is delivered and this direction ends.
#[derive(Debug)]
pub struct OwnedWriteHalf {
    side: WriteSide,
}

impl OwnedReadHalf {
    pub(crate) const fn new(side: ReadSide) -> Self {
        Self { side }
    }

    /// See [`UtpStream::peer_addr`](crate::UtpStream::peer_addr).
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.side.owner().peer_addr()
    }

    /// See [`UtpStream::local_addr`](crate::UtpStream::local_addr).
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.side.owner().local_addr()
    }

    /// See [`UtpStream::stats`](crate::UtpStream::stats).
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.side.owner().stats()
    }

    /// See [`UtpStream::close_reason`](crate::UtpStream::close_reason).
    #[must_use]
    pub fn close_reason(&self) -> Option<u16> {
        self.stats().close_reason
    }

    /// See [`UtpStream::set_weight`](crate::UtpStream::set_weight): it is about what the other half
    /// sends, and can be set here while that is busy writing.
    pub fn set_weight(&self, weight: NonZeroU8) {
        self.side.owner().set_weight(weight);
    }

    /// See [`UtpStream::set_send_rate_max`](crate::UtpStream::set_send_rate_max); as for the
    /// weight, it is about the other half.
    pub fn set_send_rate_max(&self, bytes_per_second: Option<NonZeroU32>) {
        self.side.owner().set_send_rate_max(bytes_per_second);
    }

    /// See [`UtpStream::read_chunk`](crate::UtpStream::read_chunk).
    ///
    /// # Errors
    ///
    /// As for [`UtpStream`](crate::UtpStream).
    pub async fn read_chunk(&mut self, len_max: usize) -> io::Result<Option<Bytes>> {
        poll_fn(|cx| self.side.poll_read_chunk(cx, len_max)).await
    }
}

impl OwnedWriteHalf {
    pub(crate) const fn new(side: WriteSide) -> Self {
        Self { side }
    }

    /// See [`UtpStream::peer_addr`](crate::UtpStream::peer_addr).
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.side.owner().peer_addr()
    }

    /// See [`UtpStream::local_addr`](crate::UtpStream::local_addr).
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.side.owner().local_addr()
    }

    /// See [`UtpStream::stats`](crate::UtpStream::stats).
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.side.owner().stats()
    }

    /// See [`UtpStream::close_reason`](crate::UtpStream::close_reason).
    #[must_use]
    pub fn close_reason(&self) -> Option<u16> {
        self.stats().close_reason
    }

    /// See [`UtpStream::set_weight`](crate::UtpStream::set_weight).
    pub fn set_weight(&self, weight: NonZeroU8) {
        self.side.owner().set_weight(weight);
    }

    /// See [`UtpStream::set_send_rate_max`](crate::UtpStream::set_send_rate_max).
    pub fn set_send_rate_max(&self, bytes_per_second: Option<NonZeroU32>) {
        self.side.owner().set_send_rate_max(bytes_per_second);
    }

    /// See [`UtpStream::write_chunk`](crate::UtpStream::write_chunk).
    ///
    /// # Errors
    ///
    /// As for [`UtpStream`](crate::UtpStream).
    pub async fn write_chunk(&mut self, mut chunk: Bytes) -> io::Result<()> {
        poll_fn(|cx| self.side.poll_write_chunk(cx, &mut chunk)).await
    }

    /// See [`UtpStream::shutdown_with_reason`](crate::UtpStream::shutdown_with_reason).
    ///
    /// # Errors
    ///
    /// As for [`UtpStream`](crate::UtpStream).
    pub async fn shutdown_with_reason(&mut self, reason: u16) -> io::Result<()> {
        poll_fn(|cx| self.side.poll_shutdown(cx, Some(reason))).await
    }
}

impl AsyncRead for OwnedReadHalf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.side.poll_read(cx, buf)
    }
}

impl AsyncWrite for OwnedWriteHalf {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.side.poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.side.poll_shutdown(cx, None)
    }
}
