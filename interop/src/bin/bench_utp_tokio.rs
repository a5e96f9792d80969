//! `bench-utp-tokio`: a side of a benchmark on our own stack.
//!
//! `no-offload` sends every datagram by a call of its own, `os-buffers` asks the system for no more
//! socket buffer than it gives everybody, `libutp-law` has libutp's congestion control alone.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use socket2::SockRef;
use utp_bench_side::{Options, Stack};
use utp_proto::Config;
use utp_tokio::runtime::TokioRuntime;
use utp_tokio::transport::{
    AsyncUdpSocket, BufferBytes, Datagrams, IcmpMessage, RecvMeta, UdpTransport,
};
use utp_tokio::{UtpSocket, UtpStream};

fn main() {
    utp_bench_side::main::<Ours>(&["libutp-law", "no-offload", "os-buffers"]);
}

struct Ours(UtpSocket);

impl Stack for Ours {
    type Stream = UtpStream;

    async fn bind(local: SocketAddr, options: &Options) -> io::Result<Self> {
        let mut builder = UtpSocket::builder();
        if options.has("libutp-law") {
            let mut config = Config::default();
            config.controller = Arc::new(utp_ledbat::Config::libutp());
            builder = builder.config(config);
        }
        if options.has("os-buffers") {
            builder = builder.udp_buffer_bytes(default_buffer_bytes()?);
        }
        if options.has("no-offload") {
            let transport = Single(UdpTransport::bind(local, 4 << 20)?);
            let runtime = Arc::new(TokioRuntime::new());
            return builder.with_transport(Arc::new(transport), runtime).map(Self);
        }
        builder.bind(local).await.map(Self)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().port()
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<UtpStream> {
        self.0.connect(peer).await
    }

    async fn accept(&self) -> io::Result<UtpStream> {
        self.0.accept().await
    }

    fn datagrams_sent(&self) -> Option<u64> {
        Some(self.0.stats().datagrams_sent)
    }
}

/// What has to be asked for to get what every socket has. Linux doubles what it is asked for.
fn default_buffer_bytes() -> io::Result<usize> {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let granted = SockRef::from(&socket).recv_buffer_size()?;
    Ok(if cfg!(target_os = "linux") { granted / 2 } else { granted })
}

/// UDP without segmentation offload: what is not sent in trains does not come in trains either.
#[derive(Debug)]
struct Single(UdpTransport);

impl AsyncUdpSocket for Single {
    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_recv(cx, bufs, meta)
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        datagrams: &Datagrams<'_>,
    ) -> Poll<io::Result<usize>> {
        self.0.poll_send(cx, datagrams)
    }

    fn poll_icmp(&self, cx: &mut Context<'_>) -> Poll<IcmpMessage> {
        self.0.poll_icmp(cx)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn max_recv_segments(&self) -> usize {
        self.0.max_recv_segments()
    }

    fn buffer_bytes(&self) -> BufferBytes {
        self.0.buffer_bytes()
    }
}
