//! A transfer of 10 MB between two endpoints in virtual time, of which one path is measured: by the
//! benchmarks in time, by the example `hot_paths` in instructions.
#![allow(clippy::unwrap_used, reason = "a program for measurements")]

use std::hint::black_box;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use utp_ledbat::FixedWindowFactory;
use utp_proto::{Config, ConnectionHandle, Disposition, Endpoint, EndpointConfig, Entropy};
use utp_proto::{Event, Instant, RecvMeta};
use utp_wire::Packet;

/// How the work of the path is measured.
pub(crate) trait Meter {
    /// Does some of it.
    fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T;
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// Decoding a DATA packet.
    Decode,
    /// Receiving DATA packets in order.
    InOrder,
    /// The same when every other one overtakes the one before it.
    Reordered,
    /// Receiving acks.
    Acks,
    /// Making packets, so many at once.
    Transmit(usize),
    /// All of the transfer.
    Transfer,
}

struct Ids(u8);

impl Entropy for Ids {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(5).wrapping_add(113);
            *byte = self.0;
        }
    }
}

/// Two endpoints, the first of which sends.
pub(crate) struct Transfer<M> {
    path: Path,
    pub(crate) meter: M,
    endpoints: [Endpoint; 2],
    sender: ConnectionHandle,
    config: Arc<Config>,
    now: Instant,
    written: usize,
    received: usize,
    /// Packets that the path had to do with.
    pub(crate) packets: u64,
    datagrams: Vec<Vec<u8>>,
    buf: Vec<u8>,
}

impl<M: Meter> Transfer<M> {
    pub(crate) fn new(path: Path, meter: M) -> Self {
        let mut config = Config::default();
        // The whole of a transfer is under congestion control, its parts are not.
        if path != Path::Transfer {
            config.controller = Arc::new(FixedWindowFactory(1 << 20));
        }
        config.receive_buffer_bytes = 4 << 20;
        let config = Arc::new(config);
        let endpoint =
            |seed| Endpoint::new(Arc::new(EndpointConfig::default()), Box::new(Ids(seed)));
        let mut endpoints = [1, 2].map(endpoint);
        let now = Instant::from_micros(1_000_000);
        let sender = endpoints[0].connect(now, address(1), Arc::clone(&config)).unwrap();
        let (datagrams, buf) = (Vec::new(), Vec::new());
        let (written, received, packets) = (0, 0, 0);
        Self {
            path,
            meter,
            endpoints,
            sender,
            config,
            now,
            written,
            received,
            packets,
            datagrams,
            buf,
        }
    }

    /// Runs until everything has arrived.
    pub(crate) fn run(&mut self) {
        while self.received < BYTES {
            for side in [0, 1] {
                self.now = self.now.saturating_add(DELAY_US);
                self.endpoints[side].handle_timeout(self.now);
                self.handle_events(side);
                self.transmit(side);
                self.deliver(1 - side);
            }
        }
    }

    fn handle_events(&mut self, side: usize) {
        while let Some((handle, event)) = self.endpoints[side].poll_event() {
            if event != Event::Readable {
                continue;
            }
            let mut connection = self.endpoints[side].connection_mut(handle).unwrap();
            while let Ok(bytes) = connection.read_chunk(self.now, 1 << 20) {
                self.received += bytes.len();
            }
        }
        if side == 0 {
            let mut connection = self.endpoints[0].connection_mut(self.sender).unwrap();
            while self.written < BYTES {
                let len = CHUNK.len().min(BYTES - self.written);
                let Ok(taken) = connection.write(self.now, &CHUNK[..len]) else { break };
                self.written += taken;
            }
        }
    }

    /// Takes what a side has to send.
    fn transmit(&mut self, side: usize) {
        let segments_max = match self.path {
            Path::Transmit(segments) => NonZeroUsize::new(segments).unwrap(),
            _ => NonZeroUsize::new(45).unwrap(),
        };
        let measured = side == 0 && matches!(self.path, Path::Transmit(_));
        self.datagrams.clear();
        loop {
            self.buf.clear();
            let (endpoint, now, buf) = (&mut self.endpoints[side], self.now, &mut self.buf);
            let mut poll = || endpoint.poll_transmit(now, segments_max, buf);
            let transmit = if measured { self.meter.measure(poll) } else { poll() };
            let Some(transmit) = transmit else { return };
            let bytes = &self.buf[transmit.start..transmit.start + transmit.size];
            let before = self.datagrams.len();
            let size = transmit.segment_size.unwrap_or(bytes.len());
            self.datagrams.extend(bytes.chunks(size).map(<[u8]>::to_vec));
            if measured {
                self.packets += (self.datagrams.len() - before) as u64;
            }
        }
    }

    /// Hands in what the other side has sent.
    fn deliver(&mut self, to: usize) {
        if self.path == Path::Reordered && to == 1 {
            for pair in self.datagrams.chunks_exact_mut(2) {
                pair.swap(0, 1);
            }
        }
        let measured = match self.path {
            Path::InOrder | Path::Reordered => to == 1,
            Path::Acks => to == 0,
            _ => false,
        };
        if self.path == Path::Decode && to == 1 {
            let datagrams = &self.datagrams;
            let decode = |datagram| black_box(Packet::decode(black_box(datagram))).is_ok();
            self.meter.measure(|| datagrams.iter().all(|datagram| decode(datagram)));
        }
        let meta = RecvMeta { remote: address(1 - to), local_ip: None, received_at: None };
        let (endpoint, now) = (&mut self.endpoints[to], self.now);
        let (datagrams, config) = (&self.datagrams, &self.config);
        let mut handle = || {
            for datagram in datagrams {
                let disposition = endpoint.handle_datagram(now, meta, datagram);
                if let Disposition::Incoming(incoming) = disposition {
                    endpoint.accept(now, incoming, Arc::clone(config)).unwrap();
                }
            }
        };
        if measured {
            self.meter.measure(handle)
        } else {
            handle()
        }
        let counts =
            measured || self.path == Path::Transfer || (self.path == Path::Decode && to == 1);
        self.packets += if counts { datagrams.len() as u64 } else { 0 };
    }
}

fn address(side: usize) -> SocketAddr {
    ([10, 0, 0, if side == 0 { 1 } else { 2 }], 6881).into()
}

/// What is transferred.
pub(crate) const BYTES: usize = 10_000_000;

/// What is written at once.
static CHUNK: [u8; 64 * 1024] = [7; 64 * 1024];

/// How long a datagram takes.
const DELAY_US: u64 = 1_000;
