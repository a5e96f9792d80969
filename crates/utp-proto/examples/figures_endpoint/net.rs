//! Endpoints in virtual time with a path between each two, random numbers, and packets by hand.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;

use utp_proto::{
    Config, ConnectionHandle, Disposition, Endpoint, EndpointConfig, Entropy, Event, Incoming,
    Instant, RecvMeta,
};
use utp_wire::{ConnectionId, HEADER_LEN, Header, PacketType, SeqNr, Timestamp, TimestampDiff};

use crate::heap::{Owner, charged};

pub const MS: u64 = 1_000;
pub const SECOND: u64 = 1_000_000;

/// SplitMix64.
#[derive(Debug)]
pub struct Draws(pub u64);

impl Draws {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn number(&mut self) -> u16 {
        (self.next() & 0xffff) as u16
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    /// Somewhere on the internet, where no host of a [`Net`] is.
    pub fn address(&mut self) -> SocketAddr {
        let [_, b, c, d, e, f, ..] = self.next().to_be_bytes();
        let first = u8::try_from(1 + self.below(190)).unwrap();
        (Ipv4Addr::new(first, b, c, d), 1 + u16::from_be_bytes([e, f]) % 60_000).into()
    }
}

impl Entropy for Draws {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.next().to_le_bytes()[0];
        }
    }
}

/// A packet of nothing but a header.
pub fn packet(packet_type: PacketType, id: u16, seq_nr: u16, ack_nr: u16) -> [u8; HEADER_LEN] {
    let mut bytes = [0; HEADER_LEN];
    let header = Header {
        packet_type,
        connection_id: ConnectionId(id),
        timestamp_microseconds: Timestamp(77),
        timestamp_difference_microseconds: TimestampDiff(0),
        wnd_size: 1 << 20,
        seq_nr: SeqNr(seq_nr),
        ack_nr: SeqNr(ack_nr),
    };
    header.encode(0, &mut bytes);
    bytes
}

/// An endpoint, and what is needed to drive it.
pub struct Host {
    pub endpoint: Endpoint,
    pub address: SocketAddr,
    pub owner: Owner,
    pub config: Arc<Config>,
    /// What happened and was not looked at yet.
    pub events: VecDeque<(ConnectionHandle, Event)>,
    /// Connections that were accepted, the last one last.
    pub accepted: Vec<ConnectionHandle>,
    pub bytes_out: u64,
    buf: Vec<u8>,
}

impl Host {
    /// Host `number` of a [`Net`].
    pub fn new(number: usize, owner: Owner, seed: u64, limits: EndpointConfig) -> Self {
        let number = u16::try_from(number).unwrap();
        let [high, low] = number.to_be_bytes();
        Self {
            endpoint: charged(owner, || Endpoint::new(Arc::new(limits), Box::new(Draws(seed)))),
            address: (Ipv4Addr::new(198, 18, high, low), 10_000 + number).into(),
            owner,
            config: Arc::default(),
            events: VecDeque::new(),
            accepted: Vec::new(),
            bytes_out: 0,
            buf: Vec::with_capacity(1 << 16),
        }
    }

    /// Calls the endpoint at its own expense.
    pub fn call<T>(&mut self, call: impl FnOnce(&mut Endpoint) -> T) -> T {
        charged(self.owner, || call(&mut self.endpoint))
    }

    pub fn connect(&mut self, now: Instant, remote: SocketAddr) -> ConnectionHandle {
        let config = self.config.clone();
        self.call(|endpoint| endpoint.connect(now, remote, config)).unwrap()
    }

    /// Hands a datagram in; says who wants to connect.
    pub fn offer(&mut self, now: Instant, remote: SocketAddr, bytes: &[u8]) -> Option<Incoming> {
        let meta = RecvMeta { remote, local_ip: None, received_at: None };
        match self.call(|endpoint| endpoint.handle_datagram(now, meta, bytes)) {
            Disposition::Incoming(incoming) => Some(incoming),
            _ => None,
        }
    }

    /// Hands a datagram in and accepts who wants to connect; says whether somebody did.
    pub fn receive(&mut self, now: Instant, remote: SocketAddr, bytes: &[u8]) -> bool {
        let Some(incoming) = self.offer(now, remote, bytes) else { return false };
        let config = self.config.clone();
        let handle = self.call(|endpoint| endpoint.accept(now, incoming, config));
        self.accepted.extend(handle);
        true
    }

    /// Acts on time, collects events, and gives every datagram to `send`.
    pub fn drain(&mut self, now: Instant, mut send: impl FnMut(SocketAddr, &[u8])) {
        self.call(|endpoint| endpoint.handle_timeout(now));
        while let Some(event) = self.call(Endpoint::poll_event) {
            self.events.push_back(event);
        }
        loop {
            self.buf.clear();
            let Self { endpoint, buf, owner, .. } = self;
            let sent = charged(*owner, || endpoint.poll_transmit(now, NonZeroUsize::MIN, buf));
            let Some(transmit) = sent else { break };
            self.bytes_out += transmit.size as u64;
            send(transmit.destination, &self.buf[transmit.start..][..transmit.size]);
        }
    }

    /// Lets time pass without a datagram coming in; what is sent is lost.
    pub fn advance(&mut self, now: &mut Instant, us: u64) {
        let end = now.saturating_add(us);
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= end) {
            *now = at.max(*now);
            self.drain(*now, |_, _| {});
        }
        *now = end;
        self.drain(*now, |_, _| {});
    }
}

/// Hosts, each a latency apart from each other.
pub struct Net {
    pub now: Instant,
    pub hosts: Vec<Host>,
    latency_us: u64,
    /// Arrival, sender, receiver, datagram.
    wire: VecDeque<(Instant, usize, usize, Vec<u8>)>,
}

impl Net {
    pub fn new(latency_us: u64, hosts: Vec<Host>) -> Self {
        Self { now: Instant::from_micros(SECOND), hosts, latency_us, wire: VecDeque::new() }
    }

    /// Lets a little time pass: what has arrived is handed in, what is due is sent.
    pub fn step(&mut self, us: u64) {
        self.now = self.now.saturating_add(us);
        while self.wire.front().is_some_and(|(at, ..)| *at <= self.now) {
            let (_, from, to, bytes) = self.wire.pop_front().unwrap();
            let remote = self.hosts[from].address;
            self.hosts[to].receive(self.now, remote, &bytes);
        }
        for host in 0..self.hosts.len() {
            self.drain(host);
        }
    }

    /// Sends what a host has to say. What goes to strangers is lost.
    pub fn drain(&mut self, host: usize) {
        let Self { now, hosts, latency_us, wire } = self;
        let count = hosts.len();
        hosts[host].drain(*now, |destination, bytes| {
            let to = usize::from(destination.port().wrapping_sub(10_000));
            let SocketAddr::V4(v4) = destination else { return };
            if v4.ip().octets()[0] == 198 && to < count {
                let at = now.saturating_add(*latency_us);
                wire.push_back((at, host, to, bytes.to_vec()));
            }
        });
    }

    /// Lets time pass in steps of `step_us`.
    pub fn run(&mut self, us: u64, step_us: u64) {
        for _ in 0..us / step_us {
            self.step(step_us);
        }
    }
}
