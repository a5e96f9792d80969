//! One endpoint in virtual time, and a peer that the test plays packet by packet.
//!
//! Numbers in tests are relative: 0 is the first packet after the handshake in either direction,
//! so that one script runs at any place of the circle. What the endpoint sends is compared as
//! text: `DATA 0 ack -1 len 1382`.

#![allow(dead_code, reason = "every test file uses another part of the harness")]
#![allow(unreachable_pub, reason = "a module of test binaries")]

pub mod opening;
pub mod raw;
pub mod sent;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use utp_proto::{
    Config, Connection, ConnectionHandle, ConnectionMut, Disposition, Endpoint, Event, IcmpError,
    Incoming, Instant, ReadError, RecvMeta, Stats,
};
use utp_wire::PacketType;

#[allow(unused_imports, reason = "every test file uses another part of the harness")]
pub use opening::{Role, endpoint, fixed_size, plain, with_window};
pub use raw::Raw;
pub use sent::Sent;

pub const MS: u64 = 1_000;
pub const SECOND: u64 = 1_000_000;
/// Payload of a full packet where a test does not say otherwise.
pub const FULL: usize = 1_382;

pub struct Wire {
    pub now: Instant,
    pub endpoint: Endpoint,
    pub peer: SocketAddr,
    pub config: Arc<Config>,
    pub connection: Option<ConnectionHandle>,
    /// The id the endpoint receives on, and the one it sends with.
    pub id_in: u16,
    pub id_out: u16,
    /// The numbers that tests call 0: of the endpoint's packets, and of the peer's.
    pub us: u16,
    pub them: u16,
    pub events: Vec<Event>,
    /// What came of the last datagram.
    pub not_utp: Option<Bytes>,
    pub incoming: Option<Incoming>,
    pub segments_max: usize,
    numbers: Arc<Mutex<VecDeque<u16>>>,
    sent: Vec<Sent>,
    /// When packets were fed last, and how many.
    fed: (Instant, u64),
}

impl Wire {
    pub fn seq_nr_of_us(&self, relative: i32) -> u16 {
        self.us.wrapping_add_signed(i16::try_from(relative).unwrap())
    }

    pub fn seq_nr_of_them(&self, relative: i32) -> u16 {
        self.them.wrapping_add_signed(i16::try_from(relative).unwrap())
    }

    fn raw(&self, packet_type: PacketType, seq: i32, ack: i32) -> Raw {
        Raw {
            packet_type,
            id: self.id_in,
            seq_nr: self.seq_nr_of_them(seq),
            ack_nr: self.seq_nr_of_us(ack),
            wnd_size: 1 << 20,
            stamp: None,
            diff: 30_000,
            extensions: Vec::new(),
            payload: Vec::new(),
        }
    }

    /// Packets of the peer: number and ack are relative.
    pub fn state(&self, seq: i32, ack: i32) -> Raw {
        self.raw(PacketType::State, seq, ack)
    }

    pub fn data(&self, seq: i32, ack: i32, payload: &[u8]) -> Raw {
        Raw { payload: payload.to_vec(), ..self.raw(PacketType::Data, seq, ack) }
    }

    pub fn fin(&self, seq: i32, ack: i32) -> Raw {
        self.raw(PacketType::Fin, seq, ack)
    }

    /// A reset as libutp makes it: the id of the packet it answers, no stamps.
    pub fn reset(&self, ack: i32) -> Raw {
        let raw = self.raw(PacketType::Reset, 12_345, ack);
        Raw { id: self.id_out, wnd_size: 0, stamp: Some(0), diff: 0, ..raw }
    }

    pub fn syn(&self, seq: i32) -> Raw {
        Raw::syn(self.id_out, self.seq_nr_of_them(seq))
    }

    /// Hands a packet in and drains.
    pub fn recv(&mut self, raw: Raw) {
        self.feed(raw);
        self.drain();
    }

    /// Hands a packet in; it may be one of a batch.
    /// Packets fed at one moment left the peer a microsecond apart.
    pub fn feed(&mut self, raw: Raw) {
        let later_us = if self.fed.0 == self.now { self.fed.1 } else { 0 };
        self.fed = (self.now, later_us + 1);
        let bytes = raw.encode(self.now.saturating_add(later_us));
        self.feed_bytes(self.peer, bytes);
    }

    pub fn feed_bytes(&mut self, remote: SocketAddr, bytes: Vec<u8>) {
        let meta = RecvMeta { remote, local_ip: None, received_at: None };
        match self.endpoint.handle_datagram(self.now, meta, &bytes) {
            Disposition::Incoming(incoming) => self.incoming = Some(incoming),
            Disposition::NotUtp => self.not_utp = Some(Bytes::from(bytes)),
            _ => {}
        }
    }

    pub fn icmp(&mut self, quoted: &[u8]) {
        self.endpoint.handle_icmp(self.now, self.peer, IcmpError::Unreachable, quoted);
        self.drain();
    }

    /// Collects events and packets.
    pub fn drain(&mut self) {
        while let Some((handle, event)) = self.endpoint.poll_event() {
            assert_eq!(Some(handle), self.connection, "an event of another connection: {event:?}");
            self.events.push(event);
        }
        let mut buf = Vec::new();
        let max = NonZeroUsize::new(self.segments_max).unwrap();
        while let Some(transmit) = self.endpoint.poll_transmit(self.now, max, &mut buf) {
            let bytes = &buf[transmit.start..transmit.start + transmit.size];
            for datagram in bytes.chunks(transmit.segment_size.unwrap_or(transmit.size)) {
                let sent = Sent::new(self.now, transmit.destination, datagram);
                self.sent.push(sent);
            }
            assert!(self.sent.len() < 100_000, "it does not stop sending");
        }
    }

    /// Lets time pass, acting on every deadline at its moment.
    pub fn advance(&mut self, us: u64) {
        let end = self.now.saturating_add(us);
        let mut stuck = 0;
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= end) {
            stuck = if at > self.now { 0 } else { stuck + 1 };
            assert!(stuck < 10, "a deadline that is never met");
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
        self.drain();
    }

    pub fn handle(&self) -> ConnectionHandle {
        self.connection.expect("there is a connection")
    }

    pub fn connection(&self) -> &Connection {
        self.endpoint.connection(self.handle()).expect("it exists")
    }

    pub fn connection_mut(&mut self) -> ConnectionMut<'_> {
        let handle = self.handle();
        self.endpoint.connection_mut(handle).expect("it exists")
    }

    pub fn stats(&self) -> Stats {
        self.connection().stats()
    }

    pub fn write(&mut self, len: usize) {
        self.write_bytes(&vec![0x5a; len]);
    }

    pub fn write_bytes(&mut self, data: &[u8]) {
        let now = self.now;
        assert_eq!(self.connection_mut().write(now, data), Ok(data.len()));
        self.drain();
    }

    pub fn finish(&mut self) {
        let now = self.now;
        self.connection_mut().finish(now);
        self.drain();
    }

    pub fn release(&mut self) {
        let handle = self.handle();
        self.endpoint.release(self.now, handle);
        self.drain();
    }

    /// Reads all there is.
    pub fn read(&mut self) -> Vec<u8> {
        self.read_until_end().0
    }

    /// Reads all there is; also says why there is no more.
    pub fn read_until_end(&mut self) -> (Vec<u8>, ReadError) {
        let now = self.now;
        let mut read = Vec::new();
        let end = loop {
            match self.connection_mut().read_chunk(now, usize::MAX) {
                Ok(bytes) => read.extend_from_slice(&bytes),
                Err(end) => break end,
            }
        };
        self.drain();
        (read, end)
    }

    /// What was sent since the last look.
    pub fn take(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// What was sent since the last look, as text.
    pub fn flow(&mut self) -> Vec<String> {
        self.take().iter().map(|sent| sent.brief(self.us, self.them)).collect()
    }

    /// Compares what was sent since the last look.
    #[track_caller]
    pub fn expect(&mut self, expected: &[&str]) {
        let flow = self.flow();
        assert_eq!(flow, expected, "us {} them {}", self.us, self.them);
    }

    /// Takes what happened since the last look.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}
