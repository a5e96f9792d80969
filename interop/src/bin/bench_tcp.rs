//! `bench-tcp`: a side of a benchmark on the kernel's TCP.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use utp_bench_side::{Options, Stack};

fn main() {
    utp_bench_side::main::<Tcp>(&[]);
}

struct Tcp {
    listener: TcpListener,
    port: u16,
}

impl Stack for Tcp {
    type Stream = TcpStream;

    async fn bind(local: SocketAddr, _options: &Options) -> io::Result<Self> {
        let listener = TcpListener::bind(local).await?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    fn port(&self) -> u16 {
        self.port
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(peer).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
