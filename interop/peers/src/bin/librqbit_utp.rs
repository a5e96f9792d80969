//! `librqbit-utp-peer`: the stack of the BitTorrent client rqbit behind the shim protocol.
//!
//! It sizes the kernel's buffers itself, and drops a connection only by closing it. The ack of its
//! FIN it takes for the FIN of its peer, so that closing ends both directions.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use librqbit_utp::{SocketOpts, UtpSocket, UtpSocketUdp, UtpStream};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use utp_shim::driver::{Stack, Stream};
use utp_shim::{ErrorKind, Mode};

fn main() -> ExitCode {
    utp_peers::run("librqbit-utp-peer", bind)
}

async fn bind(mode: &Mode) -> io::Result<Librqbit> {
    let buffers = mode.stream().buffers;
    let options = SocketOpts {
        vsock_rx_bufsize_bytes: buffers.rcvbuf.and_then(NonZeroUsize::new),
        vsock_tx_bufsize_bytes_max: buffers.sndbuf.and_then(NonZeroUsize::new),
        ..SocketOpts::default()
    };
    let socket = UtpSocket::new_udp_with_opts(mode.local(), options, Default::default()).await;
    socket.map(Librqbit).map_err(io::Error::other)
}

struct Librqbit(Arc<UtpSocketUdp>);

impl Stack for Librqbit {
    type Stream = LibrqbitStream;

    fn port(&self) -> u16 {
        self.0.bind_addr().port()
    }

    async fn accept(&self) -> io::Result<LibrqbitStream> {
        self.0.accept().await.map(LibrqbitStream::new).map_err(io::Error::other)
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<LibrqbitStream> {
        self.0.connect(peer).await.map(LibrqbitStream::new).map_err(io::Error::other)
    }
}

struct LibrqbitStream {
    stream: UtpStream,
    buffer: Box<[u8]>,
    closing: bool,
}

impl LibrqbitStream {
    fn new(stream: UtpStream) -> Self {
        Self { stream, buffer: vec![0; BUFFER_LEN].into(), closing: false }
    }
}

impl Stream for LibrqbitStream {
    type Chunk = Vec<u8>;

    const HALF_CLOSES: bool = false;

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        len_max: usize,
    ) -> Poll<io::Result<Option<Vec<u8>>>> {
        let len = len_max.min(self.buffer.len());
        let mut read = ReadBuf::new(&mut self.buffer[..len]);
        match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read)) {
            // It is there no more, and would have said why if it had failed.
            Err(error) if self.closing && error.to_string() == "dispatcher dead" => {
                return Poll::Ready(Ok(None));
            }
            result => result?,
        }
        let read = read.filled();
        Poll::Ready(Ok((!read.is_empty()).then(|| read.to_vec())))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closing = true;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    /// Its errors are sentences.
    fn kind_of(error: &io::Error) -> ErrorKind {
        let words = error.to_string();
        let says = |word| words.contains(word);
        match () {
            () if says("ST_RESET") => ErrorKind::Reset,
            () if says("inactive") || says("retransmissions") => ErrorKind::Timeout,
            () => ErrorKind::Other,
        }
    }
}

const BUFFER_LEN: usize = 64 * 1024;
