//! What a peer can make an endpoint allocate by packets out of order, and what is left when a
//! connection idles.
//!
//! The allocator keeps account of the bytes that this thread allocates and frees.
#![allow(clippy::unwrap_used, reason = "tests")]
#![expect(unsafe_code, reason = "an allocator that counts can be written in no other way")]

mod wire;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use utp_proto::Config;
use wire::{FULL, MS, Role, SECOND, Wire, plain};

struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn add(bytes: isize) {
    LIVE.set(LIVE.get() + bytes);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size().cast_signed());
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        add(-layout.size().cast_signed());
        // SAFETY: `at` comes from the system's allocator, with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn with_buffer(receive_buffer_bytes: u32) -> Config {
    let mut config = plain();
    config.receive_buffer_bytes = receive_buffer_bytes;
    config
}

/// Feeds packets of `len` bytes with the numbers `order`, all out of order; returns the most bytes
/// that were allocated at any time, beyond those before.
fn peak_of(buffer: u32, len: usize, order: impl Iterator<Item = i32>) -> isize {
    let mut wire = Wire::established(Role::Acceptor, with_buffer(buffer), 100, 200);
    let payload = vec![7; len];
    // The packets of the harness are freed before the next one is made.
    wire.take();
    let before = LIVE.get();
    PEAK.set(before);
    for seq in order {
        wire.feed(wire.data(seq, -1, &payload));
    }
    let peak = PEAK.get() - before;
    wire.recv(wire.data(0, -1, &vec![7; len.max(1)]));
    assert!(wire.stats().bytes_received > 0, "the next packet has room: {buffer}, {len}");
    peak
}

// req: H-24, HO-07
#[test]
fn packets_out_of_order_cost_no_more_than_the_receive_buffer_says() {
    for buffer in [4_096, 1 << 20, 4 << 20] {
        for len in [0, 1, 100, FULL, 65_000] {
            let harness = 3 * isize::try_from(len + 100).unwrap();
            let most = isize::try_from(buffer).unwrap() * 11 / 10 + harness;
            let orders: [&dyn Fn(i32) -> i32; 5] = [
                &|at| at,
                &|at| 16_384 - at,
                &|at| 2 * at % 16_384,
                &|at| 16_383 - (2 * at % 16_384),
                &|at| at * 9_973 % 16_384,
            ];
            for (which, order) in orders.iter().enumerate() {
                let order = (1..16_384).map(order).filter(|seq| *seq > 0);
                let peak = peak_of(buffer, len, order);
                assert!(peak <= most, "{peak} for {buffer}, packets of {len}, order {which}");
            }
        }
    }
}

// req: H-24
#[test]
fn one_packet_far_ahead_costs_little() {
    for buffer in [4_096, 1 << 20, 16 << 20] {
        let peak = peak_of(buffer, 1, std::iter::once(16_383));
        let most = isize::try_from(buffer / 10).unwrap().min(40_000) + 400;
        assert!(peak <= most, "{peak} for a buffer of {buffer}");
    }
}

// req: H-37
#[test]
fn an_idle_connection_keeps_no_memory_of_its_last_transfer() {
    for role in [Role::Initiator, Role::Acceptor] {
        let mut wire = Wire::established(role, plain(), 100, 200);
        wire.advance(30 * SECOND);
        wire.take();
        let before = LIVE.get();
        for round in 0..20 {
            let seq = round * 20;
            wire.write(FULL * 20);
            // Out of order, with a loss and its repair.
            for at in (1..20).rev() {
                wire.recv(wire.data(seq + at, seq - 1, &[1; 500]));
            }
            wire.advance(20 * MS);
            wire.recv(wire.state(seq, seq - 1).sack(&[0xff; 4]));
            wire.advance(20 * MS);
            wire.recv(wire.data(seq, seq + 19, &[1; 500]));
            assert_eq!(wire.read().len(), 10_000);
        }
        assert_eq!(wire.stats().send_buffered_bytes, 0);
        assert!(wire.stats().retransmissions >= 20);
        wire.advance(30 * SECOND);
        drop(wire.take());
        drop(wire.take_events());
        let kept = LIVE.get() - before;
        assert!(kept <= 256, "{kept} bytes are left of a transfer");
    }
}
