//! One endpoint in virtual time, and a peer that the test plays packet by packet.
//!
//! Numbers in tests are relative: 0 is the first packet after the handshake in either direction,
//! so that one script runs at any place of the circle. What the endpoint sends is compared as
//! text: `DATA 0 ack -1 len 1382`.

#![allow(dead_code, reason = "every test file uses another part of the harness")]
#![allow(unreachable_pub, reason = "a module of test binaries")]

pub mod raw;
pub mod sent;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use utp_ledbat::FixedWindowFactory;
use utp_proto::{
    Config, Connection, ConnectionHandle, ConnectionMut, Disposition, Endpoint, EndpointConfig,
    Entropy, Event, IcmpError, Incoming, Instant, ReadError, RecvMeta, Stats,
};
use utp_wire::PacketType;

pub use raw::Raw;
pub use sent::Sent;

pub const MS: u64 = 1_000;
pub const SECOND: u64 = 1_000_000;
/// Payload of a full packet where a test does not say otherwise.
pub const FULL: usize = 1_382;

/// Random numbers of which a test may set the next ones.
#[derive(Clone, Debug)]
struct Numbers {
    next: Arc<Mutex<VecDeque<u16>>>,
    seed: u64,
}

impl Entropy for Numbers {
    fn fill(&mut self, bytes: &mut [u8]) {
        if let [low, high] = &mut *bytes
            && let Some(number) = self.next.lock().unwrap().pop_front()
        {
            [*low, *high] = number.to_le_bytes();
            return;
        }
        for byte in bytes {
            self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = self.seed.to_be_bytes()[0];
        }
    }
}

/// Which side of the handshake the endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Initiator,
    Acceptor,
}

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

/// A constant congestion window of 1 MiB, so that nothing but the subject of a test limits.
pub fn plain() -> Config {
    with_window(1 << 20)
}

pub fn with_window(bytes: u64) -> Config {
    let mut config = fixed_size(FULL + 20);
    config.controller = Arc::new(FixedWindowFactory(bytes));
    config
}

/// Full datagrams have `bytes`, no other size is probed, and none is withheld: peers of tests
/// acknowledge numbers without a look whether they were sent.
pub fn fixed_size(bytes: usize) -> Config {
    let mut config = Config::default();
    config.withhold_packets = false;
    config.datagram_bytes_base_v4 = u16::try_from(bytes).expect("a datagram is shorter");
    config.datagram_bytes_max_v4 = config.datagram_bytes_base_v4;
    config
}

/// An endpoint with nothing on it, and its entropy.
pub fn endpoint(limits: EndpointConfig) -> (Endpoint, Arc<Mutex<VecDeque<u16>>>) {
    endpoint_from(0, limits)
}

/// The same, with the place where its numbers begin. Everything else is random, but always the
/// same.
fn endpoint_from(origin: u16, limits: EndpointConfig) -> (Endpoint, Arc<Mutex<VecDeque<u16>>>) {
    let numbers = Arc::new(Mutex::new(VecDeque::from([origin])));
    let entropy = Numbers { next: numbers.clone(), seed: 1 };
    (Endpoint::new(Arc::new(limits), Box::new(entropy)), numbers)
}

/// An endpoint whose first number is `first` in what `open` makes it send: a trial tells what it
/// would be otherwise.
fn endpoint_with(
    first: u16,
    limits: &EndpointConfig,
    open: impl Fn(&mut Endpoint, &Mutex<VecDeque<u16>>),
) -> (Endpoint, Arc<Mutex<VecDeque<u16>>>) {
    let mut trial = limits.clone();
    (trial.report_at_syn, trial.syn_filter, trial.connections_max) = (false, None, 1);
    let (mut endpoint, numbers) = endpoint_from(0, trial);
    open(&mut endpoint, &numbers);
    let mut buf = Vec::new();
    let sent = endpoint.poll_transmit(START, NonZeroUsize::MIN, &mut buf);
    assert!(sent.is_some(), "it answers or connects");
    let origin = first.wrapping_sub(u16::from_be_bytes([buf[16], buf[17]]));
    endpoint_from(origin, limits.clone())
}

const START: Instant = Instant::from_micros(5_000_000);

const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 2000);

impl Wire {
    /// An endpoint without a connection. If the first SYN it sees is number -2 with the id `id`,
    /// its answer is number 0.
    pub fn idle(limits: EndpointConfig, config: Config, us: u16, them: u16, id: u16) -> Self {
        let syn = Raw::syn(id, them.wrapping_sub(2)).encode(START);
        let meta = RecvMeta { remote: PEER, local_ip: None, received_at: None };
        let opened = endpoint_with(us, &limits, |endpoint, _| {
            assert!(matches!(endpoint.handle_datagram(START, meta, &syn), Disposition::Consumed));
        });
        Self::new(opened, config, us, them, id)
    }

    fn new(
        (endpoint, numbers): (Endpoint, Arc<Mutex<VecDeque<u16>>>),
        config: Config,
        us: u16,
        them: u16,
        id: u16,
    ) -> Self {
        Self {
            now: START,
            endpoint,
            peer: PEER,
            config: Arc::new(config),
            connection: None,
            id_in: id.wrapping_add(1),
            id_out: id,
            us,
            them,
            events: Vec::new(),
            not_utp: None,
            incoming: None,
            segments_max: 1,
            numbers,
            sent: Vec::new(),
            fed: (START, 0),
        }
    }

    /// A connection that has sent its SYN: number -2 (-1 is the packet that unlocks the acceptor).
    pub fn connecting(config: Config, us: u16, them: u16, id: u16) -> Self {
        Self::connecting_with(EndpointConfig::default(), config, us, them, id)
    }

    pub fn connecting_with(
        limits: EndpointConfig,
        config: Config,
        us: u16,
        them: u16,
        id: u16,
    ) -> Self {
        let shared = Arc::new(config.clone());
        let opened = endpoint_with(us.wrapping_sub(2), &limits, |endpoint, numbers| {
            numbers.lock().unwrap().push_back(id);
            endpoint.connect(START, PEER, shared.clone()).unwrap();
        });
        let mut wire = Self::new(opened, config, us, them, id);
        (wire.id_in, wire.id_out) = (id, id.wrapping_add(1));
        wire.numbers.lock().unwrap().push_back(id);
        let handle = wire.endpoint.connect(wire.now, wire.peer, wire.config.clone()).unwrap();
        wire.connection = Some(handle);
        wire.drain();
        wire
    }

    /// A connection that was reported at its SYN, number -2 of the peer, with the id `id`, and has
    /// answered it. Its first packet is number 0.
    pub fn accepting(config: Config, us: u16, them: u16, id: u16) -> Self {
        let mut limits = EndpointConfig::default();
        limits.report_at_syn = true;
        let mut wire = Self::idle(limits, config, us, them, id);
        wire.recv(wire.syn(-2));
        wire.accept();
        wire
    }

    /// Sends a SYN, number -2, and the first data, number -1, and accepts what comes of it.
    pub fn open(&mut self, first: &[u8]) {
        self.recv(self.syn(-2));
        self.us = self.sent.last().expect("an answer").header.seq_nr.0;
        self.recv(self.data(-1, -1, first));
        self.accept();
    }

    /// Accepts who came last.
    pub fn accept(&mut self) {
        let incoming = self.incoming.take().expect("somebody wants to connect");
        let handle = self.endpoint.accept(self.now, incoming, self.config.clone()).unwrap();
        self.connection = Some(handle);
        self.drain();
    }

    /// A connection in either role; nothing is outstanding, and the peer has acked our packet -1. A
    /// round trip of 20 ms was measured, twice.
    pub fn established(role: Role, config: Config, us: u16, them: u16) -> Self {
        match role {
            Role::Initiator => {
                let mut wire = Self::connecting(config, us, them, 1_000);
                wire.advance(20 * MS);
                wire.recv(wire.state(0, -2));
                wire.advance(20 * MS);
                wire.recv(wire.state(0, -1));
                wire.take();
                wire.events.clear();
                wire
            }
            Role::Acceptor => {
                let limits = EndpointConfig::default();
                let mut wire = Self::idle(limits, config, us.wrapping_sub(2), them, 1_000);
                wire.open(b"");
                // It is sent no more than it sent before it acks something of ours: an empty
                // packet at first.
                wire.us = us;
                wire.write(1);
                for ack in [-2, -1] {
                    wire.advance(20 * MS);
                    wire.recv(wire.state(0, ack));
                }
                wire.take();
                wire.events.clear();
                wire
            }
        }
    }

    /// An initiator far from any wrap.
    pub fn plain() -> Self {
        Self::established(Role::Initiator, plain(), 100, 200)
    }

    pub fn with(config: Config) -> Self {
        Self::established(Role::Initiator, config, 100, 200)
    }

    /// Both roles, with both sides starting at each place where a number could wrap badly.
    pub fn everywhere(config: impl Fn() -> Config, mut test: impl FnMut(Self)) {
        for role in [Role::Initiator, Role::Acceptor] {
            for us in [0, 1, 2, 100, 0x7ffe, 0x8000, 0xfff0, 0xfffe, 0xffff] {
                for them in [0, 1, 0x7fff, 0x8001, 0xfff8, 0xffff] {
                    test(Self::established(role, config(), us, them));
                }
            }
        }
    }

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
