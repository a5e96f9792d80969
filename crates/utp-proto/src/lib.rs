//! uTP (BEP-29) without I/O: an [`Endpoint`] to embed in any event loop.
//!
//! The endpoint owns every connection of one UDP socket. It has no clock, no socket and no random
//! source: time is an argument, datagrams go in by [`Endpoint::handle_datagram`] and out by
//! [`Endpoint::poll_transmit`], entropy is given at the start. The same inputs give the same
//! outputs, always.
//!
//! # The run loop
//!
//! After one or more inputs or changes, drain: [`Endpoint::poll_event`] until `None`,
//! [`Endpoint::poll_transmit`] until `None`, then read [`Endpoint::poll_timeout`]. Inputs may be
//! batched, and should be: acks are made when transmits are polled, one per connection and batch.
//! `now` need not be exact and is clamped to be monotone. Early calls of
//! [`Endpoint::handle_timeout`] do nothing.
//!
//! What [`Endpoint::poll_transmit`] gave counts as sent. If the host refuses it for now (its socket
//! is full, it is out of buffers), keep it, offer it again with new time stamps
//! (`utp_wire::restamp`), and tell a longer wait by [`Endpoint::handle_stall`]; if it is too large
//! for the host's link, give it back by [`Endpoint::handle_send_too_large`].
//!
//! ```
//! use std::{net::SocketAddr, num::NonZeroUsize, sync::Arc};
//! use utp_proto::{Config, Disposition, Endpoint, EndpointConfig, Entropy, Event};
//! use utp_proto::{Instant, RecvMeta};
//!
//! struct Counter(u8); // A real driver asks the operating system.
//! impl Entropy for Counter {
//!     fn fill(&mut self, bytes: &mut [u8]) {
//!         for byte in bytes {
//!             self.0 = self.0.wrapping_mul(5).wrapping_add(113);
//!             *byte = self.0;
//!         }
//!     }
//! }
//!
//! let config = Arc::new(Config::default());
//! let addresses: [SocketAddr; 2] = [([10, 0, 0, 1], 6881).into(), ([10, 0, 0, 2], 6881).into()];
//! let mut endpoints = [1, 2].map(|seed| {
//!     Endpoint::new(Arc::new(EndpointConfig::default()), Box::new(Counter(seed)))
//! });
//! let mut now = Instant::from_micros(0);
//! let client = endpoints[0].connect(now, addresses[1], config.clone()).unwrap();
//! let (mut buf, mut received) = (Vec::new(), Vec::new());
//!
//! for _ in 0..10 {
//!     now = now.saturating_add(10_000); // Every datagram takes 10 ms.
//!     for side in 0..2 {
//!         endpoints[side].handle_timeout(now);
//!         while let Some((handle, event)) = endpoints[side].poll_event() {
//!             let mut connection = endpoints[side].connection_mut(handle).unwrap();
//!             match event {
//!                 Event::Connected if handle == client && side == 0 => {
//!                     connection.write(now, b"hello").unwrap();
//!                     connection.finish(now);
//!                 }
//!                 Event::Readable => {
//!                     while let Ok(bytes) = connection.read_chunk(now, 1024) {
//!                         received.extend_from_slice(&bytes);
//!                     }
//!                 }
//!                 _ => {}
//!             }
//!         }
//!         buf.clear();
//!         let one = NonZeroUsize::MIN; // A driver with GSO asks for more.
//!         while let Some(transmit) = endpoints[side].poll_transmit(now, one, &mut buf) {
//!             let bytes = &buf[transmit.start..transmit.start + transmit.size];
//!             let meta = RecvMeta { remote: addresses[side], local_ip: None, received_at: None };
//!             let peer = &mut endpoints[1 - side];
//!             if let Disposition::Incoming(incoming) =
//!                 peer.handle_datagram(now, meta, bytes)
//!             {
//!                 peer.accept(now, incoming, config.clone()).unwrap();
//!             }
//!         }
//!     }
//! }
//! assert_eq!(received, b"hello");
//! ```
#![forbid(unsafe_code)]

mod bit_ring;
mod budget;
mod chunk;
pub mod config;
mod connection;
mod endpoint;
mod error;
mod event;
mod held_packets;
mod lazy;
mod recv_queue;
mod secret;
mod send_queue;
mod sent_ring;
mod trace;

pub use budget::QueueAccount;
pub use config::{Config, EndpointConfig, Gate};
pub use connection::{Connection, Counters, Limit, LimitedUs, State, Stats};
pub use endpoint::{
    ConnectionHandle, ConnectionMut, Disposition, Endpoint, EndpointStats, Entropy, IcmpError,
    Incoming, RecvMeta, SynFilter, SynInfo, Transmit, Verdict,
};
pub use error::{AcceptError, ConnectError, ConnectionError, ReadError, WriteError};
pub use event::Event;
pub use trace::{CutCause, PacketFields, ResendCause, Trace, TraceEvent};
pub use utp_wire::Instant;
