//! What a connection costs that has nothing to do: memory, as the allocator sees it, and timers.
#![allow(clippy::unwrap_used, reason = "tests")]
#![expect(unsafe_code, reason = "an allocator that counts can be written in no other way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use utp_proto::{
    Config, ConnectionHandle, Disposition, Endpoint, EndpointConfig, Entropy, Instant, RecvMeta,
};

struct Counting;

thread_local! {
    static COUNTS: Cell<bool> = const { Cell::new(false) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

fn count(bytes: usize, sign: i64) {
    if COUNTS.get() {
        LIVE.set(LIVE.get() + sign * i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: `at` comes from the system's allocator, with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `call` and counts what it allocates and frees.
fn counted<T>(call: impl FnOnce() -> T) -> T {
    COUNTS.set(true);
    let result = call();
    COUNTS.set(false);
    result
}

struct Steps(u64);

impl Entropy for Steps {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = self.0.to_be_bytes()[0];
        }
    }
}

/// Two endpoints, 5 ms apart.
struct Path {
    now: Instant,
    endpoints: [Endpoint; 2],
    network: VecDeque<(Instant, usize, Vec<u8>)>,
    handles: [Vec<ConnectionHandle>; 2],
    /// Bytes still to be written and read by each.
    to_write: [Vec<usize>; 2],
    read: [usize; 2],
    config: Arc<Config>,
    calls: u64,
}

fn address(side: usize) -> SocketAddr {
    ([10, 0, 0, 1 + u8::from(side == 1)], 1).into()
}

impl Path {
    fn new(connections: usize, bytes: usize) -> Self {
        let limits = Arc::new(EndpointConfig::default());
        let endpoints = [3, 4].map(|seed| Endpoint::new(limits.clone(), Box::new(Steps(seed))));
        let mut path = Self {
            now: Instant::from_micros(1),
            endpoints,
            network: VecDeque::new(),
            handles: [Vec::new(), Vec::new()],
            to_write: [vec![bytes; connections], vec![bytes; connections]],
            read: [0; 2],
            config: Arc::new(Config::default()),
            calls: 0,
        };
        for _ in 0..connections {
            let (endpoint, now) = (&mut path.endpoints[0], path.now);
            let config = path.config.clone();
            let handle = counted(|| endpoint.connect(now, address(1), config)).unwrap();
            path.handles[0].push(handle);
        }
        path
    }

    /// To the next thing that happens, at most to `end`.
    fn step(&mut self, end: Instant) {
        let arrival = self.network.front().map(|(at, ..)| *at);
        let due = [0, 1].map(|side| self.endpoints[side].poll_timeout());
        let next = due.into_iter().chain([arrival]).flatten().min().unwrap_or(end).min(end);
        self.now = self.now.max(next);
        while self.network.front().is_some_and(|(at, ..)| *at <= self.now) {
            let (_, to, datagram) = self.network.pop_front().unwrap();
            let meta = RecvMeta { remote: address(1 - to), local_ip: None, received_at: None };
            let (endpoint, now) = (&mut self.endpoints[to], self.now);
            if let Disposition::Incoming(incoming) =
                counted(|| endpoint.handle_datagram(now, meta, &datagram))
            {
                let config = self.config.clone();
                let handle = counted(|| endpoint.accept(now, incoming, config)).unwrap();
                self.handles[to].push(handle);
            }
        }
        for side in [0, 1] {
            self.serve(side);
        }
    }

    fn serve(&mut self, side: usize) {
        let (endpoint, now) = (&mut self.endpoints[side], self.now);
        if endpoint.poll_timeout().is_some_and(|at| at <= now) {
            self.calls += 1;
            counted(|| endpoint.handle_timeout(now));
        }
        while let Some((handle, _)) = counted(|| endpoint.poll_event()) {
            let at = self.handles[side].iter().position(|known| *known == handle).unwrap();
            let mut connection = endpoint.connection_mut(handle).unwrap();
            while let Ok(bytes) = counted(|| connection.read_chunk(now, usize::MAX)) {
                self.read[side] -= bytes.len();
                counted(|| drop(bytes));
            }
            let left = &mut self.to_write[side][at];
            while *left > 0
                && let Ok(len) =
                    counted(|| connection.write(now, &[7; 16_384][..(*left).min(16_384)]))
            {
                *left -= len;
            }
            counted(|| drop(connection));
        }
        let max = NonZeroUsize::new(16).unwrap();
        let mut buf = Vec::with_capacity(1 << 17);
        while let Some(transmit) = counted(|| endpoint.poll_transmit(now, max, &mut buf)) {
            let bytes = &buf[transmit.start..transmit.start + transmit.size];
            for segment in bytes.chunks(transmit.segment_size.unwrap_or(transmit.size)) {
                let at = now.saturating_add(5_000);
                self.network.push_back((at, 1 - side, segment.to_vec()));
            }
            buf.clear();
        }
    }
}

/// With so many, what an endpoint costs by itself does not count. A power of two: the table of
/// connections doubles, and just after that half of it is empty.
const CONNECTIONS: usize = 256;

/// Controller, queues and maps of the endpoint included.
const BYTES_MAX: i64 = 1_024;

// req: H-37
#[test]
fn an_idle_connection_costs_little_in_the_core() {
    const BYTES: usize = 1_000_000;
    let mut path = Path::new(CONNECTIONS, BYTES);
    path.read = [CONNECTIONS * BYTES; 2];
    while path.read != [0; 2] {
        let end = path.now.saturating_add(1_000_000);
        path.step(end);
        assert!(path.now.as_micros() < 3_600_000_000, "{:?} left", path.read);
    }
    let end = path.now.saturating_add(60_000_000);
    while path.now < end {
        path.step(end);
    }
    let per_connection = LIVE.get() / (2 * i64::try_from(CONNECTIONS).unwrap());
    println!("{per_connection} bytes per idle connection");
    assert!(per_connection <= BYTES_MAX, "{per_connection}");
}
