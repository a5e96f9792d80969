//! A long transfer allocates payload chunks and, once it is warm, nothing else.
//!
//! The allocator counts what this thread allocates inside the calls of an endpoint.
#![allow(clippy::unwrap_used, reason = "tests")]
#![expect(unsafe_code, reason = "an allocator that counts can be written in no other way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use utp_proto::{
    Config, ConnectionHandle, Disposition, Endpoint, EndpointConfig, Entropy, Event, Instant,
    RecvMeta,
};

struct Counting;

thread_local! {
    static COUNTS: Cell<bool> = const { Cell::new(false) };
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    if COUNTS.get() {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    }
}

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` comes from the system's allocator, with this layout.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: `at` comes from the system's allocator, with this layout.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `call` and adds what it allocates to the count.
fn counted<T>(call: impl FnOnce() -> T) -> T {
    COUNTS.set(true);
    let result = call();
    COUNTS.set(false);
    result
}

struct Steps(u8);

impl Entropy for Steps {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(5).wrapping_add(113);
            *byte = self.0;
        }
    }
}

/// Two endpoints, 10 ms apart.
struct Path {
    now: Instant,
    endpoints: [Endpoint; 2],
    addresses: [SocketAddr; 2],
    config: Arc<Config>,
    /// Arrival, receiver, datagram.
    network: VecDeque<(Instant, usize, Bytes)>,
    accepted: Option<ConnectionHandle>,
    buf: Vec<u8>,
    /// Every so many packets of side 0 one is lost.
    loses_every: Option<u64>,
    packets: u64,
    read: u64,
}

impl Path {
    fn new(config: Config) -> Self {
        let limits = Arc::new(EndpointConfig::default());
        Self {
            now: Instant::from_micros(1),
            endpoints: [3, 4].map(|seed| Endpoint::new(limits.clone(), Box::new(Steps(seed)))),
            addresses: [([10, 0, 0, 1], 1).into(), ([10, 0, 0, 2], 2).into()],
            config: Arc::new(config),
            network: VecDeque::new(),
            accepted: None,
            buf: Vec::with_capacity(1 << 20),
            loses_every: None,
            packets: 0,
            read: 0,
        }
    }

    /// One millisecond: what arrives, what is due, what is read, what is sent.
    fn step(&mut self) {
        self.now = self.now.saturating_add(1_000);
        while self.network.front().is_some_and(|(at, ..)| *at <= self.now) {
            let (_, to, datagram) = self.network.pop_front().unwrap();
            let meta =
                RecvMeta { remote: self.addresses[1 - to], local_ip: None, received_at: None };
            let endpoint = &mut self.endpoints[to];
            match counted(|| endpoint.handle_datagram(self.now, meta, &datagram)) {
                Disposition::Incoming(incoming) => {
                    let config = self.config.clone();
                    self.accepted = Some(endpoint.accept(self.now, incoming, config).unwrap());
                }
                disposition => assert!(matches!(disposition, Disposition::Consumed)),
            }
        }
        for side in [0, 1] {
            let endpoint = &mut self.endpoints[side];
            counted(|| endpoint.handle_timeout(self.now));
            while let Some((handle, event)) = counted(|| endpoint.poll_event()) {
                if event == Event::Readable {
                    let mut connection = endpoint.connection_mut(handle).unwrap();
                    while let Ok(bytes) = counted(|| connection.read_chunk(self.now, usize::MAX)) {
                        self.read += bytes.len() as u64;
                    }
                }
            }
            self.transmit(side);
        }
    }

    fn transmit(&mut self, side: usize) {
        let max = NonZeroUsize::new(16).unwrap();
        self.buf.clear();
        let endpoint = &mut self.endpoints[side];
        while let Some(transmit) = counted(|| endpoint.poll_transmit(self.now, max, &mut self.buf))
        {
            let bytes = &self.buf[transmit.start..transmit.start + transmit.size];
            for segment in bytes.chunks(transmit.segment_size.unwrap_or(transmit.size)) {
                self.packets += 1;
                let lost = self.loses_every.is_some_and(|every| self.packets.is_multiple_of(every));
                if lost && side == 0 {
                    continue;
                }
                // As a driver hands them in: parts of a larger buffer.
                let datagram = BytesMut::from(segment).split_to(segment.len()).freeze();
                let at = self.now.saturating_add(10_000);
                self.network.push_back((at, 1 - side, datagram));
            }
        }
    }
}

/// Transfers `warm_up` bytes, then `len` bytes; returns the packets and the allocations of the
/// latter. `fill` writes what fits into the send buffer.
fn transfer(
    path: &mut Path,
    warm_up: u64,
    len: u64,
    mut fill: impl FnMut(&mut Endpoint, ConnectionHandle, Instant),
) -> (u64, u64) {
    let remote = path.addresses[1];
    let handle = path.endpoints[0].connect(path.now, remote, path.config.clone()).unwrap();
    let mut packets = 0;
    while path.read < warm_up + len {
        if path.read < warm_up {
            packets = path.packets;
            ALLOCATIONS.set(0);
        }
        fill(&mut path.endpoints[0], handle, path.now);
        path.step();
        assert!(path.now.as_micros() < 3_600_000_000, "it stands still at {}", path.read);
    }
    (path.packets - packets, ALLOCATIONS.get())
}

fn shared_chunks(payload: Bytes) -> impl FnMut(&mut Endpoint, ConnectionHandle, Instant) {
    move |endpoint, handle, now| {
        let mut connection = endpoint.connection_mut(handle).unwrap();
        while connection.send_room() > 0 {
            counted(|| connection.write_chunk(now, payload.clone())).unwrap();
        }
    }
}

#[test]
fn a_transfer_of_shared_chunks_allocates_only_what_the_reader_gets() {
    let mut path = Path::new(Config::default());
    let payload = Bytes::from(vec![7; 64 * 1024]);
    let (packets, allocations) = transfer(&mut path, 20 << 20, 40 << 20, shared_chunks(payload));
    assert!(packets > 28_000, "{packets}");
    // The payloads that arrive together, which pacing makes fewer, are copied into a few chunks.
    assert!(allocations < packets / 3, "{allocations} for {packets} packets");
}

#[test]
fn a_transfer_with_losses_allocates_what_waits_for_the_lost() {
    let mut path = Path::new(Config::default());
    path.loses_every = Some(300);
    let payload = Bytes::from(vec![7; 64 * 1024]);
    let (packets, allocations) = transfer(&mut path, 5 << 20, 10 << 20, shared_chunks(payload));
    assert!(packets > 7_500, "{packets}");
    assert!(allocations < packets * 9 / 10, "{allocations} for {packets} packets");
}

#[test]
fn copied_writes_allocate_their_chunks_only() {
    let mut path = Path::new(Config::default());
    let data = vec![7; 16 * 1024];
    let (packets, allocations) =
        transfer(&mut path, 20 << 20, 40 << 20, |endpoint, handle, now| {
            let mut connection = endpoint.connection_mut(handle).unwrap();
            while connection.send_room() > data.len() {
                counted(|| connection.write(now, &data)).unwrap();
            }
        });
    assert!(packets > 28_000, "{packets}");
    let chunks = (40 << 20) / (16 * 1024);
    let expected = chunks * 9 / 10..chunks * 11 / 10 + packets / 3;
    assert!(expected.contains(&allocations), "{allocations} for {chunks} chunks");
}

#[test]
fn small_packets_are_gathered_into_few_chunks() {
    let mut config = Config::default();
    config.datagram_bytes_max_v4 = 150;
    let mut path = Path::new(config);
    let payload = Bytes::from(vec![7; 64 * 1024]);
    let (packets, allocations) = transfer(&mut path, 2 << 20, 4 << 20, shared_chunks(payload));
    assert!(packets > 30_000, "{packets}");
    assert!(allocations < packets / 4, "{allocations} for {packets} packets");
}
