//! In a long transfer nothing is allocated for a packet: chunks of payload are, each for many.
//!
//! The allocator counts what the thread of a test allocates, but for what its network does.
#![expect(unsafe_code, reason = "an allocator that counts can be written in no other way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use utp_tokio::UtpSocket;
use utp_tokio::transport::{AsyncUdpSocket, Datagrams, RecvMeta};

use crate::memory::{MemoryTransport, Network, Seeded, address};
use crate::support::within;

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

/// The network in memory, which allocates for every datagram, left out of the count.
#[derive(Debug)]
struct Uncounted(Arc<MemoryTransport>);

fn uncounted<T>(call: impl FnOnce() -> T) -> T {
    let counts = COUNTS.replace(false);
    let result = call();
    COUNTS.set(counts);
    result
}

impl AsyncUdpSocket for Uncounted {
    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        uncounted(|| self.0.poll_recv(cx, bufs, meta))
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        datagrams: &Datagrams<'_>,
    ) -> Poll<io::Result<usize>> {
        uncounted(|| self.0.poll_send(cx, datagrams))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    fn max_send_segments(&self) -> usize {
        self.0.max_send_segments()
    }
}

const WARM_UP: usize = 8 << 20;

#[tokio::test(start_paused = true)]
async fn a_transfer_allocates_chunks_and_nothing_for_a_packet() {
    const BYTES: usize = 24 << 20;
    let network = Network::new();
    let [sender, receiver] = [1, 2].map(|host| {
        let transport = Arc::new(Uncounted(network.transport(host)));
        let runtime = Arc::new(Seeded::new(host));
        UtpSocket::with_transport(transport, runtime, UtpSocket::builder()).unwrap()
    });
    let (ours, theirs) =
        within(async { tokio::join!(sender.connect(address(2)), receiver.accept()) }).await;
    let (mut ours, mut theirs) = (ours.unwrap(), theirs.unwrap());
    let writer = tokio::spawn(async move {
        let piece = vec![7; 256 << 10];
        while ours.write_all(&piece).await.is_ok() {}
    });
    let (mut room, mut read, mut packets) = (vec![0; 256 << 10], 0, 0);
    while read < WARM_UP + BYTES {
        read += within(theirs.read(&mut room)).await.unwrap();
        if !COUNTS.get() && read >= WARM_UP {
            packets = sender.stats().datagrams_sent;
            COUNTS.set(true);
        }
    }
    COUNTS.set(false);
    writer.abort();
    packets = sender.stats().datagrams_sent - packets;
    let allocations = ALLOCATIONS.get();
    assert!(packets > 17_000, "{packets}");
    // A chunk grows with the packets that come together, which pacing makes few.
    assert!(allocations < packets / 2, "{allocations} for {packets} packets");
}
