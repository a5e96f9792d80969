//! Two endpoints and a network between them in virtual time. Nothing here waits for a clock.
//!
//! Faults are scripted (a closure sees every datagram) or drawn from a seeded generator.

#![allow(dead_code, reason = "every test file uses another part of the harness")]
#![allow(unreachable_pub, reason = "a module of test binaries")]

pub mod app;
pub mod draws;
pub mod network;
pub mod path;
pub mod trace;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::sync::Arc;

use utp_proto::{
    Config, ConnectionHandle, Disposition, Endpoint, EndpointConfig, Event, Instant, RecvMeta,
};
use utp_wire::PacketType;

pub use app::{Acceptor, App};
pub use draws::Draws;
use network::InFlight;
#[allow(unused_imports, reason = "every test file uses another part of the harness")]
pub use network::{Fate, Faults, Link, Script, Seen};
pub use path::Path;
pub use trace::Trace;

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
    /// Hands what several connections send to the host as one, as a driver does.
    pub joins_batches: bool,
    pub draws: Draws,
    network: BinaryHeap<Reverse<InFlight>>,
    sequence: u64,
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
            joins_batches: false,
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
            let now = self.clock(side);
            for (handle, app) in &mut self.apps[side] {
                if let Some(mut connection) = self.endpoints[side].connection_mut(*handle) {
                    app.run(now, &mut connection);
                }
            }
            if !self.transmit(side) {
                break;
            }
        }
    }

    pub fn sent(&self, from: usize, packet_type: PacketType) -> Vec<&Seen> {
        self.seen
            .iter()
            .filter(|seen| seen.from == from && seen.packet_type == packet_type)
            .collect()
    }
}
