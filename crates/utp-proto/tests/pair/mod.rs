//! Two endpoints and a network between them in virtual time. Nothing here waits for a clock.
//!
//! Faults are scripted (a closure sees every datagram) or drawn from a seeded generator.

#![allow(dead_code, reason = "every test file uses another part of the harness")]
#![allow(unreachable_pub, reason = "a module of test binaries")]

pub mod path;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use utp_proto::{
    Config, ConnectionHandle, Disposition, Endpoint, EndpointConfig, Entropy, Event, Instant,
    ReadError, RecvMeta, WriteError,
};
use utp_wire::{Packet, PacketType};

pub use path::Path;

/// SplitMix64: small, seeded, good enough to draw faults and ids from.
#[derive(Clone, Debug)]
pub struct Draws(pub u64);

impl Draws {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// True in `per_mille` of 1 000 draws.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.next() % 1_000 < per_mille
    }
}

impl Entropy for Draws {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.next().to_le_bytes()[0];
        }
    }
}

/// What the network does to a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Deliver,
    Drop,
    /// Delivered now and once more after the given time.
    Duplicate(u64),
    /// Delivered later by the given time.
    Delay(u64),
    /// Delivered with this bit of the header flipped.
    Flip(u16),
}

/// Random faults, per mille.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub loss: u64,
    pub duplication: u64,
    pub reordering: u64,
}

/// A stream's application: writes a pattern, reads and checks one.
#[derive(Debug, Default)]
pub struct App {
    pub to_write: u64,
    pub written: u64,
    pub finish: bool,
    pub finish_called: bool,
    pub read: u64,
    /// Reads stop at this many bytes.
    pub read_max: Option<u64>,
    /// Somebody meddles with the stream: what is read need not be what was written.
    pub unchecked: bool,
    /// Which pattern the peer writes.
    pub reads_pattern: u8,
    /// Takes the pattern from the first byte that is read, which names it.
    pub adopts: bool,
    pub writes_pattern: u8,
    pub connected: bool,
    pub finished: bool,
    pub end_of_stream: bool,
    pub closed: Option<utp_proto::ConnectionError>,
}

/// The byte at `offset` of a pattern. The first one is the name of the pattern.
pub fn pattern(which: u8, offset: u64) -> u8 {
    (offset.wrapping_mul(0x9e37_79b9) >> 16).to_le_bytes()[0] ^ which
}

/// A datagram as the network saw it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub at: Instant,
    pub from: usize,
    pub packet_type: PacketType,
    pub connection_id: u16,
    pub seq_nr: u16,
    pub ack_nr: u16,
    pub len: usize,
    pub payload_len: usize,
    pub has_selective_ack: bool,
    pub dont_fragment: bool,
    /// The datagram, if the pair keeps them.
    pub bytes: Vec<u8>,
}

type Script = Box<dyn FnMut(&Seen) -> Fate>;

pub struct Pair {
    pub now: Instant,
    pub endpoints: [Endpoint; 2],
    pub addresses: [SocketAddr; 2],
    pub latency_us: u64,
    /// What the way from each side carries.
    pub paths: [Path; 2],
    /// What limits each direction; nothing by default.
    pub links: [Option<Link>; 2],
    /// How far the clock of each side is ahead of `now`.
    pub clocks_us: [u64; 2],
    pub faults: Faults,
    pub script: Option<Script>,
    pub seen: Vec<Seen>,
    pub record: bool,
    pub keep_bytes: bool,
    pub apps: [BTreeMap<ConnectionHandle, App>; 2],
    /// Template for connections accepted by either side.
    pub accepts: Acceptor,
    pub config: Arc<Config>,
    /// Another configuration for the connections of side 1.
    pub config_of_1: Option<Arc<Config>>,
    pub accept: bool,
    /// Streams that are not accepted are refused and not ignored.
    pub refuse: bool,
    /// Set, every end of a stream writes a pattern of its own, the next of these, and adopts that
    /// of its peer.
    pub next_pattern: Option<u8>,
    /// No end compares what it reads.
    pub unchecked: bool,
    /// Counts the packets and hashes them with the times at which they were sent.
    pub trace: Trace,
    pub segments_max: usize,
    pub draws: Draws,
    network: BinaryHeap<Reverse<InFlight>>,
    sequence: u64,
}

/// Arrival, order of sending, receiver, bytes.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct InFlight(u64, u64, usize, Vec<u8>);

/// A transmitter with a queue before it, first in, first out.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub bits_per_second: u64,
    /// Bytes that wait for transmission; a packet that finds less room is dropped.
    pub queue_bytes: u64,
    /// Beside its UDP payload each packet takes this, for the headers of IP and UDP.
    pub overhead_bytes: u64,
    /// When the last bit of the last packet is sent, in nanoseconds.
    free_at_ns: u64,
    pub dropped: u64,
}

impl Link {
    pub const fn new(bits_per_second: u64, queue_bytes: u64) -> Self {
        Self { bits_per_second, queue_bytes, overhead_bytes: 28, free_at_ns: 0, dropped: 0 }
    }

    /// Takes a packet; returns how long it is until its last bit is sent.
    fn take(&mut self, now: Instant, len: usize) -> Option<u64> {
        let now_ns = now.as_micros() * 1_000;
        let backlog_ns = self.free_at_ns.saturating_sub(now_ns);
        let bits = (len as u64 + self.overhead_bytes) * 8;
        let waiting_bits = backlog_ns * self.bits_per_second / 1_000_000_000;
        if backlog_ns > 0 && waiting_bits + bits > self.queue_bytes * 8 {
            self.dropped += 1;
            return None;
        }
        self.free_at_ns = now_ns + backlog_ns + bits * 1_000_000_000 / self.bits_per_second;
        Some((self.free_at_ns - now_ns) / 1_000)
    }
}

/// What an acceptor's application does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Acceptor {
    pub to_write: u64,
    pub finish: bool,
    pub read_max: Option<u64>,
}

impl Pair {
    pub fn new(seed: u64) -> Self {
        Self::with_config(seed, Config::default())
    }

    pub fn with_config(seed: u64, config: Config) -> Self {
        Self::with_limits(seed, config, EndpointConfig::default())
    }

    pub fn with_limits(seed: u64, config: Config, limits: EndpointConfig) -> Self {
        let limits = Arc::new(limits);
        let endpoint = |side: u64| {
            Endpoint::new(limits.clone(), Box::new(Draws(seed.wrapping_mul(2).wrapping_add(side))))
        };
        Self {
            now: Instant::from_micros(1_000_000),
            endpoints: [endpoint(0), endpoint(1)],
            addresses: [([10, 0, 0, 1], 1000).into(), ([10, 0, 0, 2], 2000).into()],
            latency_us: 10_000,
            paths: [Path::default(); 2],
            links: [None; 2],
            clocks_us: [0; 2],
            faults: Faults::default(),
            script: None,
            seen: Vec::new(),
            record: true,
            keep_bytes: false,
            apps: [BTreeMap::new(), BTreeMap::new()],
            accepts: Acceptor::default(),
            config: Arc::new(config),
            config_of_1: None,
            accept: true,
            refuse: false,
            next_pattern: None,
            unchecked: false,
            trace: Trace::default(),
            segments_max: 10,
            draws: Draws(seed ^ 0xdead_beef),
            network: BinaryHeap::new(),
            sequence: 0,
        }
    }

    /// Opens a stream from side 0 that writes `to_write` bytes.
    pub fn connect(&mut self, to_write: u64, finish: bool) -> ConnectionHandle {
        self.connect_from(0, to_write, finish)
    }

    pub fn connect_from(&mut self, side: usize, to_write: u64, finish: bool) -> ConnectionHandle {
        let remote = self.addresses[1 - side];
        let now = self.clock(side);
        let handle = self.endpoints[side]
            .connect(now, remote, self.config_of(side))
            .expect("the endpoint has room");
        let app = App { to_write, finish, reads_pattern: 2, writes_pattern: 1, ..App::default() };
        self.insert_app(side, handle, app);
        self.drain(side);
        handle
    }

    pub fn app(&self, side: usize, handle: ConnectionHandle) -> &App {
        &self.apps[side][&handle]
    }

    /// The only application of `side`.
    pub fn only(&self, side: usize) -> &App {
        assert_eq!(self.apps[side].len(), 1, "one stream expected");
        self.apps[side].values().next().expect("one")
    }

    pub fn only_handle(&self, side: usize) -> ConnectionHandle {
        *self.apps[side].keys().next().expect("one")
    }

    fn config_of(&self, side: usize) -> Arc<Config> {
        self.config_of_1.as_ref().filter(|_| side == 1).unwrap_or(&self.config).clone()
    }

    /// What the clock of `side` shows.
    pub fn clock(&self, side: usize) -> Instant {
        self.now.saturating_add(self.clocks_us[side])
    }

    /// Runs until `done` holds or `for_us` have passed; says whether it held.
    pub fn run_until(&mut self, for_us: u64, mut done: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now.saturating_add(for_us);
        while !done(self) {
            if !self.step(end) {
                return done(self);
            }
        }
        true
    }

    pub fn run_for(&mut self, for_us: u64) {
        self.run_until(for_us, |_| false);
    }

    /// Moves to the next thing that happens, at most to `end`; false when that is reached.
    fn step(&mut self, end: Instant) -> bool {
        let arrival =
            self.network.peek().map(|Reverse(InFlight(at, ..))| Instant::from_micros(*at));
        let deadlines = [0, 1].map(|side| {
            let at = self.endpoints[side].poll_timeout()?;
            Some(Instant::from_micros(at.as_micros().saturating_sub(self.clocks_us[side])))
        });
        let Some(next) = deadlines.into_iter().chain([arrival]).flatten().min() else {
            self.now = end;
            return false;
        };
        if next > end {
            self.now = end;
            return false;
        }
        self.now = self.now.max(next);
        self.trace.steps += 1;
        while let Some(Reverse(InFlight(at, ..))) = self.network.peek() {
            if *at > self.now.as_micros() {
                break;
            }
            let Reverse(InFlight(_, _, to, bytes)) = self.network.pop().expect("peeked");
            self.deliver(to, bytes);
        }
        for side in [0, 1] {
            let now = self.clock(side);
            self.endpoints[side].handle_timeout(now);
            self.drain(side);
        }
        true
    }

    /// Hands a datagram to `to` as if it came from the other side.
    pub fn deliver(&mut self, to: usize, bytes: Vec<u8>) {
        let remote = self.addresses[1 - to];
        let meta = RecvMeta { remote, local_ip: None, received_at: None };
        if let Disposition::Incoming(incoming) =
            self.endpoints[to].handle_datagram(self.clock(to), meta, &bytes)
        {
            if !self.accept {
                if self.refuse {
                    let now = self.clock(to);
                    self.endpoints[to].refuse(now, incoming);
                }
                return;
            }
            let handle = self.endpoints[to]
                .accept(self.clock(to), incoming, self.config_of(to))
                .expect("the endpoint has room");
            let app = App {
                to_write: self.accepts.to_write,
                finish: self.accepts.finish,
                read_max: self.accepts.read_max,
                reads_pattern: 1,
                writes_pattern: 2,
                ..App::default()
            };
            self.insert_app(to, handle, app);
        }
    }

    fn insert_app(&mut self, side: usize, handle: ConnectionHandle, mut app: App) {
        app.unchecked = self.unchecked;
        if let Some(pattern) = &mut self.next_pattern {
            app.adopts = true;
            app.writes_pattern = *pattern;
            *pattern = pattern.checked_add(1).expect("few streams");
        }
        self.apps[side].insert(handle, app);
    }

    /// Events, applications, transmits.
    pub fn drain(&mut self, side: usize) {
        loop {
            while let Some((handle, event)) = self.endpoints[side].poll_event() {
                let app = self.apps[side].entry(handle).or_default();
                match event {
                    Event::Closed(error) => app.closed = Some(error),
                    Event::Connected => app.connected = true,
                    Event::Finished => app.finished = true,
                    _ => {}
                }
            }
            self.run_apps(side);
            if !self.transmit(side) {
                break;
            }
        }
    }

    fn run_apps(&mut self, side: usize) {
        let now = self.clock(side);
        for (handle, app) in &mut self.apps[side] {
            let Some(mut connection) = self.endpoints[side].connection_mut(*handle) else {
                continue;
            };
            while app.written < app.to_write {
                let room = connection.send_room().max(1) as u64;
                let len = (app.to_write - app.written).min(5_000).min(room);
                let data: Vec<u8> = (app.written..app.written + len)
                    .map(|at| pattern(app.writes_pattern, at))
                    .collect();
                match connection.write(now, &data) {
                    Ok(written) => app.written += written as u64,
                    Err(WriteError::Blocked | WriteError::Closed(_)) => break,
                    Err(error) => panic!("write failed: {error}"),
                }
            }
            if app.finish && app.written == app.to_write && !app.finish_called {
                app.finish_called = true;
                connection.finish(now);
            }
            loop {
                let allowed = app.read_max.map_or(u64::MAX, |max| max - app.read);
                if allowed == 0 {
                    break;
                }
                let len_max = usize::try_from(allowed).unwrap_or(usize::MAX);
                match connection.read_chunk(now, len_max) {
                    Ok(bytes) => {
                        if app.adopts && app.read == 0 {
                            app.reads_pattern = bytes[0];
                        }
                        for byte in &bytes {
                            let expected = pattern(app.reads_pattern, app.read);
                            let good = app.unchecked || *byte == expected;
                            assert!(good, "byte {} of the stream", app.read);
                            app.read += 1;
                        }
                    }
                    Err(ReadError::Finished) => {
                        app.end_of_stream = true;
                        break;
                    }
                    Err(_) => break,
                }
            }
        }
    }

    fn transmit(&mut self, side: usize) -> bool {
        let mut sent = false;
        let mut buf = Vec::new();
        let max = NonZeroUsize::new(self.segments_max).expect("at least one");
        let now = self.clock(side);
        while let Some(transmit) = self.endpoints[side].poll_transmit(now, max, &mut buf) {
            sent = true;
            assert_eq!(transmit.destination, self.addresses[1 - side]);
            let bytes = buf[transmit.start..transmit.start + transmit.size].to_vec();
            let size = transmit.segment_size.unwrap_or(transmit.size);
            let host_bytes = self.paths[side].host_bytes;
            if transmit.dont_fragment && size > host_bytes {
                let (remote, segment_size) = (transmit.destination, transmit.segment_size);
                self.endpoints[side].handle_send_too_large(now, remote, &bytes, segment_size);
                continue;
            }
            for datagram in bytes.chunks(size) {
                self.send(side, datagram.to_vec(), transmit.dont_fragment);
            }
        }
        sent
    }

    fn send(&mut self, from: usize, mut datagram: Vec<u8>, dont_fragment: bool) {
        self.trace.add(self.now, from, &datagram);
        let packet = Packet::decode(&datagram).expect("what we send can be decoded");
        let seen = Seen {
            at: self.now,
            from,
            packet_type: packet.header.packet_type,
            connection_id: packet.header.connection_id.0,
            seq_nr: packet.header.seq_nr.0,
            ack_nr: packet.header.ack_nr.0,
            len: datagram.len(),
            payload_len: datagram.len() - packet.payload_offset,
            has_selective_ack: packet.selective_ack.is_some(),
            dont_fragment,
            bytes: if self.keep_bytes { datagram.clone() } else { Vec::new() },
        };
        let fate = match &mut self.script {
            Some(script) => script(&seen),
            None => self.draw_fate(),
        };
        if self.record {
            self.seen.push(seen);
        }
        let path = self.paths[from];
        if !path.carries(datagram.len(), dont_fragment) {
            if path.icmp && fate != Fate::Drop {
                let (now, remote) = (self.clock(from), self.addresses[1 - from]);
                path.tell(now, &mut self.endpoints[from], remote, &datagram);
            }
            return;
        }
        let mut at = self.now.as_micros() + self.latency_us;
        if let Some(link) = self.links[from].as_mut().filter(|_| fate != Fate::Drop) {
            let Some(after_us) = link.take(self.now, datagram.len()) else { return };
            at += after_us;
        }
        match fate {
            Fate::Deliver => self.enqueue(at, from, datagram),
            Fate::Drop => {}
            Fate::Delay(by) => self.enqueue(at + by, from, datagram),
            Fate::Flip(bit) => {
                datagram[usize::from(bit / 8)] ^= 1 << (bit % 8);
                self.enqueue(at, from, datagram);
            }
            Fate::Duplicate(by) => {
                self.enqueue(at, from, datagram.clone());
                self.enqueue(at + by, from, datagram);
            }
        }
    }

    fn draw_fate(&mut self) -> Fate {
        let faults = self.faults;
        if self.draws.chance(faults.loss) {
            Fate::Drop
        } else if self.draws.chance(faults.duplication) {
            Fate::Duplicate(self.draws.next() % 200_000)
        } else if self.draws.chance(faults.reordering) {
            Fate::Delay(self.draws.next() % 50_000)
        } else {
            Fate::Deliver
        }
    }

    fn enqueue(&mut self, at: u64, from: usize, datagram: Vec<u8>) {
        self.sequence += 1;
        self.network.push(Reverse(InFlight(at, self.sequence, 1 - from, datagram)));
    }

    pub fn sent(&self, from: usize, packet_type: PacketType) -> Vec<&Seen> {
        self.seen
            .iter()
            .filter(|seen| seen.from == from && seen.packet_type == packet_type)
            .collect()
    }
}

/// What two runs of one seed must have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    pub packets: u64,
    /// Moments at which something was due: an arrival, or a deadline of an endpoint.
    pub steps: u64,
    pub hash: u64,
}

impl Trace {
    fn add(&mut self, at: Instant, from: usize, datagram: &[u8]) {
        self.packets += 1;
        self.mix(at.as_micros() << 1 | from as u64);
        for chunk in datagram.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn mix(&mut self, word: u64) {
        self.hash = (self.hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
