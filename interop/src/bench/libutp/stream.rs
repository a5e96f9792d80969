//! A stream of libutp that a task can read and write.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use utp_reference::SocketId;

use super::{Connection, Shared};

/// A stream. Dropping it closes the connection.
pub struct LibutpStream {
    shared: Rc<Shared>,
    socket: SocketId,
    /// The window was full when it was written to last.
    was_full: bool,
    closing: Option<Closing>,
    shut_down: bool,
}

/// Waits for a moment without datagrams.
struct Closing {
    since: Instant,
    received: u64,
    timer: Pin<Box<Sleep>>,
}

impl LibutpStream {
    pub(super) const fn new(shared: Rc<Shared>, socket: SocketId) -> Self {
        Self { shared, socket, was_full: false, closing: None, shut_down: false }
    }

    /// The failure of the connection; changes what is known of it if there is none.
    fn or_failed(&self, change: impl FnOnce(&mut Connection)) -> io::Result<()> {
        let mut connections = self.shared.connections.borrow_mut();
        // One that is destroyed has been closed, or failed before.
        let Some(connection) = connections.get_mut(&self.socket) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        match connection.failure {
            Some(failure) => Err(io::Error::other(failure.to_string())),
            None => {
                change(connection);
                Ok(())
            }
        }
    }
}

impl AsyncRead for LibutpStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut context = self.shared.context.borrow_mut();
        let room = buffer.remaining();
        if context.read(self.socket, room, |bytes| buffer.put_slice(bytes)) > 0 {
            return Poll::Ready(Ok(()));
        }
        let mut eof = false;
        self.or_failed(|connection| {
            eof = connection.eof;
            connection.reader = Some(cx.waker().clone());
        })?;
        if eof { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl AsyncWrite for LibutpStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.shared.context.borrow_mut().write(self.socket, bytes);
        self.was_full = written < bytes.len();
        if written > 0 || bytes.is_empty() {
            return Poll::Ready(Ok(written));
        }
        self.or_failed(|connection| connection.writer = Some(cx.waker().clone()))?;
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// A FIN that is queued behind a full window holds back a last packet that is not full, until
    /// the library ticks: up to 500 ms later, which says nothing about how fast it is. So it waits
    /// until no datagram comes any more, all that was written being acked then.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.was_full && !this.shut_down {
            let closing = this.closing.get_or_insert_with(|| Closing {
                since: Instant::now(),
                received: this.shared.received.get(),
                timer: Box::pin(sleep(QUIET)),
            });
            ready!(closing.timer.as_mut().poll(cx));
            let received = this.shared.received.get();
            this.was_full = closing.received != received && closing.since.elapsed() < QUIET_MAX;
            closing.received = received;
            closing.timer = Box::pin(sleep(QUIET));
        }
        if !this.shut_down {
            this.shut_down = true;
            this.shared.context.borrow_mut().shutdown(this.socket);
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for LibutpStream {
    fn drop(&mut self) {
        self.shared.context.borrow_mut().close(self.socket);
    }
}

/// How long nothing has to come.
const QUIET: Duration = Duration::from_millis(20);

/// Others may go on for ever.
const QUIET_MAX: Duration = Duration::from_millis(500);
