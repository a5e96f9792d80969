//! uTP (BEP-29) for tokio: [`UtpSocket`] connects and accepts, [`UtpStream`] reads and writes.
//!
//! uTP is a byte stream over UDP whose congestion control, LEDBAT, yields to everything else on
//! the way. BitTorrent clients speak it.
//!
//! ```
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use utp_tokio::UtpSocket;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let server = UtpSocket::bind(([127, 0, 0, 1], 0).into()).await?;
//! let address = server.local_addr();
//! tokio::spawn(async move {
//!     let (mut reader, mut writer) = server.accept().await?.into_split();
//!     tokio::io::copy(&mut reader, &mut writer).await?;
//!     writer.shutdown().await
//! });
//!
//! let client = UtpSocket::bind(([127, 0, 0, 1], 0).into()).await?;
//! let mut stream = client.connect(address).await?;
//! stream.write_all(b"hello").await?;
//! stream.shutdown().await?; // The peer has every byte.
//! let mut echo = Vec::new();
//! stream.read_to_end(&mut echo).await?;
//! assert_eq!(echo, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! Each socket has one task, the driver. It owns the protocol core ([`utp_proto::Endpoint`]) by
//! value, so that no lock guards it. Users and driver meet at two small queues per stream and one
//! list of streams that have changed:
//!
//! ```text
//!   UtpStream ──write──► queue ─┐                             ┌─► queue ──read──► UtpStream
//!       └─ changed ► list ─┐    │ Bytes                 Bytes │     └─ read so much ► list
//!                          ▼    ▼                             │
//!  ┌─ driver, one round ──────────────────────────────────────┴──────────────────────────┐
//!  │ receive a batch ► ICMP ► changed streams ► deadlines ► events ► send ► wake the users │
//!  └───────▲──────────────────────────────────────────────────────────┬──────────────────┘
//!          │ up to 32 buffers, each up to 64 datagrams (GRO)          │ up to 64 datagrams
//!          │                                                          ▼ a call (GSO)
//!       transport::AsyncUdpSocket: UDP, or whatever a test or a simulator brings
//! ```
//!
//! A turn of the driver repeats the round while there is work, for 200 us or so. Received bytes
//! are copied once, by the core, out of the receive buffers into chunks that go all the way to the
//! reader. A batch that the transport does not take at once gets new time stamps before it goes,
//! since LEDBAT measures by them.
//!
//! Memory is bounded: a stream that is not read keeps its receive buffer
//! ([`Config::receive_buffer_bytes`](utp_proto::Config::receive_buffer_bytes), more if it was read
//! fast before) and no more, for bytes are charged to it until the user has read them. A stream
//! that is written keeps its send buffer and a queue of 256 KiB.
//!
//! Time, tasks, randomness and datagrams come through two traits,
//! [`Runtime`](runtime::Runtime) and [`AsyncUdpSocket`](transport::AsyncUdpSocket). With both
//! replaced, the same code runs in virtual time, and the same seed gives the same run.

#![forbid(unsafe_code)]

mod builder;
mod driver;
mod error;
pub mod runtime;
mod shared;
mod side;
mod socket;
mod split;
mod stats;
mod stream;
mod trace;
pub mod transport;
mod unclaimed;
mod work_limiter;

pub use builder::UtpSocketBuilder;
pub use socket::UtpSocket;
pub use split::{OwnedReadHalf, OwnedWriteHalf};
pub use stats::SocketStats;
pub use stream::UtpStream;
pub use trace::TraceSink;
pub use transport::Dscp;
pub use unclaimed::UnclaimedDatagram;
pub use utp_proto::{Config, EndpointConfig};

/// The examples of the project's README are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
mod readme {}
