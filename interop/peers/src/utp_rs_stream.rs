//! A stream of utp-rs that can be polled.
//!
//! What it has received it hands over without a limit, so that its window never closes. Closing
//! ends both directions.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use utp_rs::stream::UtpStream;

/// A stream of utp-rs: it reads, writes or closes, one at a time.
pub struct UtpRsStream {
    state: State,
    received: Vec<u8>,
    /// How reading ended, once it has: it must not be tried again.
    ended: Option<io::Result<()>>,
}

type Owned<T> = Pin<Box<dyn Future<Output = (UtpStream<SocketAddr>, io::Result<T>)> + Send>>;

enum State {
    Idle(UtpStream<SocketAddr>),
    Writing(Owned<usize>),
    Closing(Owned<()>),
    /// Only while it changes.
    Moving,
}

impl UtpRsStream {
    /// A stream that is connected.
    pub const fn new(stream: UtpStream<SocketAddr>) -> Self {
        Self { state: State::Idle(stream), received: Vec::new(), ended: None }
    }

    /// The stream, if nothing else uses it.
    fn take(&mut self) -> Option<UtpStream<SocketAddr>> {
        match std::mem::replace(&mut self.state, State::Moving) {
            State::Idle(stream) => Some(stream),
            busy => {
                self.state = busy;
                None
            }
        }
    }
}

impl UtpRsStream {
    /// The next bytes, at most `len_max`; none at the end.
    ///
    /// # Errors
    ///
    /// How the stream failed, once.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        len_max: usize,
    ) -> Poll<io::Result<Option<Vec<u8>>>> {
        // Whatever the stream does meanwhile wakes the same task.
        if let (None, State::Idle(stream)) = (&self.ended, &mut self.state) {
            // It reads to the end or not at all, and leaves what came until now in the buffer.
            if let Poll::Ready(end) = pin!(stream.read_to_eof(&mut self.received)).poll(cx) {
                self.ended = Some(end.map(drop));
            }
        }
        if !self.received.is_empty() {
            let rest = self.received.split_off(len_max.min(self.received.len()));
            return Poll::Ready(Ok(Some(std::mem::replace(&mut self.received, rest))));
        }
        match &mut self.ended {
            None => Poll::Pending,
            Some(end) => Poll::Ready(std::mem::replace(end, Ok(())).map(|()| None)),
        }
    }

    /// Writes, and says how much.
    ///
    /// # Errors
    ///
    /// How the stream failed.
    pub fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Some(mut stream) = self.take() {
            let bytes = bytes.to_vec();
            self.state = State::Writing(Box::pin(async move {
                let written = stream.write(&bytes).await;
                (stream, written)
            }));
        }
        let State::Writing(writing) = &mut self.state else { return Poll::Pending };
        let (stream, written) = ready!(writing.as_mut().poll(cx));
        self.state = State::Idle(stream);
        Poll::Ready(written)
    }

    /// Closes both directions.
    ///
    /// # Errors
    ///
    /// How the stream failed.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(mut stream) = self.take() {
            self.state = State::Closing(Box::pin(async move {
                let closed = stream.close().await;
                (stream, closed)
            }));
        }
        let State::Closing(closing) = &mut self.state else { return Poll::Pending };
        let (stream, closed) = ready!(closing.as_mut().poll(cx));
        self.state = State::Idle(stream);
        Poll::Ready(match closed {
            // A peer that closed first has closed this side, too.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            closed => closed,
        })
    }
}

impl AsyncRead for UtpRsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        if let Some(bytes) = ready!(Self::poll_read(&mut self, cx, room))? {
            buffer.put_slice(&bytes);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for UtpRsStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Self::poll_write(&mut self, cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_shutdown(&mut self, cx)
    }
}
