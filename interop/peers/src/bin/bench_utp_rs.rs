//! `bench-utp-rs`: a side of a benchmark on the stack of Ethereum's Portal network.

use std::io;
use std::net::SocketAddr;

use socket2::SockRef;
use tokio::net::UdpSocket;
use utp_bench_side::{Options, Stack};
use utp_peers::UtpRsStream;
use utp_rs::conn::ConnectionConfig;
use utp_rs::peer::Peer;
use utp_rs::socket::UtpSocket;

fn main() {
    utp_bench_side::main::<UtpRs>(&[]);
}

struct UtpRs {
    port: u16,
    socket: UtpSocket<SocketAddr>,
}

impl Stack for UtpRs {
    type Stream = UtpRsStream;

    async fn bind(local: SocketAddr, _options: &Options) -> io::Result<Self> {
        let socket = UdpSocket::bind(local).await?;
        let options = SockRef::from(&socket);
        options.set_recv_buffer_size(UDP_BUFFER)?;
        options.set_send_buffer_size(UDP_BUFFER)?;
        let port = socket.local_addr()?.port();
        Ok(Self { port, socket: UtpSocket::with_socket(socket) })
    }

    fn port(&self) -> u16 {
        self.port
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<UtpRsStream> {
        let config = ConnectionConfig::default();
        self.socket.connect(Peer::new(peer), config).await.map(UtpRsStream::new)
    }

    async fn accept(&self) -> io::Result<UtpRsStream> {
        self.socket.accept(ConnectionConfig::default()).await.map(UtpRsStream::new)
    }
}

/// Buffers of the UDP socket, as ours asks for them.
const UDP_BUFFER: usize = 4 << 20;
