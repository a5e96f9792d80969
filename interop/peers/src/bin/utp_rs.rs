//! `utp-rs-peer`: the stack of Ethereum's Portal network behind the shim protocol.
//!
//! Closing ends both directions.

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::time::sleep;
use utp_peers::UtpRsStream;
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
    type Stream = Shimmed;

    fn port(&self) -> u16 {
        self.port
    }

    async fn accept(&self) -> io::Result<Shimmed> {
        self.socket.accept(ConnectionConfig::default()).await.map(Shimmed::new)
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<Shimmed> {
        let config = ConnectionConfig::default();
        self.socket.connect(Peer::new(peer), config).await.map(Shimmed::new)
    }

    async fn close(self) {
        // The last ack waits for the task of the socket, which cannot be asked when it is done.
        sleep(Duration::from_millis(100)).await;
    }
}

struct Shimmed(UtpRsStream);

impl Shimmed {
    const fn new(stream: UtpStream<SocketAddr>) -> Self {
        Self(UtpRsStream::new(stream))
    }
}

impl Stream for Shimmed {
    type Chunk = Vec<u8>;

    const HALF_CLOSES: bool = false;

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        len_max: usize,
    ) -> Poll<io::Result<Option<Vec<u8>>>> {
        self.0.poll_read(cx, len_max)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}
