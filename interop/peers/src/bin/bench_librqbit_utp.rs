//! `bench-librqbit-utp`: a side of a benchmark on the stack of the BitTorrent client rqbit.
//!
//! It sizes the kernel's buffers itself.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use librqbit_utp::{UtpSocket, UtpSocketUdp, UtpStream};
use utp_bench_side::{Options, Stack};

fn main() {
    utp_bench_side::main::<Librqbit>(&[]);
}

struct Librqbit(Arc<UtpSocketUdp>);

impl Stack for Librqbit {
    type Stream = UtpStream;

    async fn bind(local: SocketAddr, _options: &Options) -> io::Result<Self> {
        UtpSocket::new_udp(local).await.map(Self).map_err(io::Error::other)
    }

    fn port(&self) -> u16 {
        self.0.bind_addr().port()
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<UtpStream> {
        self.0.connect(peer).await.map_err(io::Error::other)
    }

    async fn accept(&self) -> io::Result<UtpStream> {
        self.0.accept().await.map_err(io::Error::other)
    }
}
