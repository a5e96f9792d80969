//! What the hot paths cost, for a tool that counts instructions.
//!
//! `cargo xtask instructions` runs it under callgrind and compares with what is committed. By hand:
//!
//! ```sh
//! cargo build --release -p utp-proto --example hot_paths
//! valgrind --tool=callgrind --toggle-collect='*measured_work*' \
//!     target/release/examples/hot_paths in-order
//! ```
//!
//! It transfers 10 MB between two endpoints in virtual time and prints how many packets the chosen
//! path had to do with. Only what `measured_work` calls is of interest.
#![allow(clippy::unwrap_used, reason = "a program for measurements")]

use std::hint::black_box;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;

use utp_ledbat::FixedWindowFactory;
use utp_proto::{Config, ConnectionHandle, Disposition, Endpoint, EndpointConfig, Entropy};
use utp_proto::{Event, Instant, RecvMeta};
use utp_wire::Packet;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
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

fn main() -> ExitCode {
    let path = match std::env::args().nth(1).as_deref() {
        Some("decode") => Path::Decode,
        Some("in-order") => Path::InOrder,
        Some("reordered") => Path::Reordered,
        Some("acks") => Path::Acks,
        Some("transmit-1") => Path::Transmit(1),
        Some("transmit-10") => Path::Transmit(10),
        Some("transmit-45") => Path::Transmit(45),
        Some("transfer") => Path::Transfer,
        _ => {
            eprintln!(
                "usage: hot_paths decode|in-order|reordered|acks|transmit-1|transmit-10|\
                 transmit-45|transfer"
            );
            return ExitCode::from(2);
        }
    };
    let mut transfer = Transfer::new(path);
    if path == Path::Transfer {
        measured_work(|| transfer.run());
    } else {
        transfer.run();
    }
    println!("{}", transfer.packets);
    ExitCode::SUCCESS
}

/// What is counted.
#[inline(never)]
fn measured_work<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
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
struct Transfer {
    path: Path,
    endpoints: [Endpoint; 2],
    sender: ConnectionHandle,
    config: Arc<Config>,
    now: Instant,
    written: usize,
    received: usize,
    /// Packets that the path had to do with.
    packets: u64,
    datagrams: Vec<Vec<u8>>,
    buf: Vec<u8>,
}

impl Transfer {
    fn new(path: Path) -> Self {
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
        Self { path, endpoints, sender, config, now, written, received, packets, datagrams, buf }
    }

    /// Runs until everything has arrived.
    fn run(&mut self) {
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
            let transmit = if measured { measured_work(poll) } else { poll() };
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
        let meta = RecvMeta { remote: address(1 - to), local_ip: None, received_at: None };
        for datagram in &self.datagrams {
            if self.path == Path::Decode && to == 1 {
                measured_work(|| black_box(Packet::decode(black_box(datagram))).is_ok());
                self.packets += 1;
            }
            let (endpoint, now) = (&mut self.endpoints[to], self.now);
            let mut handle = || endpoint.handle_datagram(now, meta, datagram);
            let disposition = if measured { measured_work(handle) } else { handle() };
            self.packets += u64::from(measured || self.path == Path::Transfer);
            if let Disposition::Incoming(incoming) = disposition {
                endpoint.accept(now, incoming, Arc::clone(&self.config)).unwrap();
            }
        }
    }
}

fn address(side: usize) -> SocketAddr {
    ([10, 0, 0, if side == 0 { 1 } else { 2 }], 6881).into()
}

/// What is transferred.
const BYTES: usize = 10_000_000;

/// What is written at once.
static CHUNK: [u8; 64 * 1024] = [7; 64 * 1024];

/// How long a datagram takes.
const DELAY_US: u64 = 1_000;
