//! `utp-rs-peer`: the stack of Ethereum's Portal network behind the shim protocol.
//!
//! A stream of it reads, writes or closes, one at a time. What it has received it hands over
//! without a limit, so that its window never closes. Closing ends both directions.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::time::sleep;
use utp_rs::conn::ConnectionConfig;
use utp_rs::peer::Peer;
use utp_rs::socket::UtpSocket;
use utp_rs::stream::UtpStream;
use utp_shim::Mode;
use utp_shim::driver::{Stack, Stream};

fn main() -> ExitCode {
    utp_peers::run("utp-rs-peer", bind)
}

async fn bind(mode: &Mode) -> io::Result<UtpRs> {
    let buffers = mode.stream().buffers;
    utp_peers::no_stream_buffers(buffers)?;
    let socket = UdpSocket::bind(mode.local()).await?;
    let options = SockRef::from(&socket);
    options.set_recv_buffer_size(buffers.udp_buffer)?;
    options.set_send_buffer_size(buffers.udp_buffer)?;
    let port = socket.local_addr()?.port();
    Ok(UtpRs { port, socket: UtpSocket::with_socket(socket) })
}

struct UtpRs {
    port: u16,
    socket: UtpSocket<SocketAddr>,
}

impl Stack for UtpRs {
    type Stream = UtpRsStream;

    fn port(&self) -> u16 {
        self.port
    }

    async fn accept(&self) -> io::Result<UtpRsStream> {
        self.socket.accept(ConnectionConfig::default()).await.map(UtpRsStream::new)
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<UtpRsStream> {
        let config = ConnectionConfig::default();
        self.socket.connect(Peer::new(peer), config).await.map(UtpRsStream::new)
    }

    async fn close(self) {
        // The last ack waits for the task of the socket, which cannot be asked when it is done.
        sleep(Duration::from_millis(100)).await;
    }
}

struct UtpRsStream {
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
    const fn new(stream: UtpStream<SocketAddr>) -> Self {
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

impl Stream for UtpRsStream {
    type Chunk = Vec<u8>;

    const HALF_CLOSES: bool = false;

    fn poll_read(
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

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
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

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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
