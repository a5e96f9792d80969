//! What a run allocates is bounded, and given back.
#![expect(unsafe_code, reason = "an allocator that counts can be written in no other way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use utp_swarm::{Plan, run};

struct Counting;

thread_local! {
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

fn count(change: i64) {
    LIVE.set(LIVE.get() + change);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

fn bytes(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(bytes(layout.size()));
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-bytes(layout.size()));
        // SAFETY: `at` comes from the system's allocator, with this layout.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A run holds two endpoints with some dozen streams, their applications and the packets under
/// way. Nearly all plans stay far below; the bound is for those with several streams of a megabyte.
const PEAK_BYTES_MAX: i64 = 64 << 20;

// req: H-30
#[test]
fn a_run_stays_within_its_memory_and_gives_everything_back() {
    for seed in 0..150 {
        let before = LIVE.get();
        PEAK.set(before);
        let result = run(&Plan::draw(seed));
        assert!(result.is_ok(), "seed {seed}: {result:?}");
        drop(result);
        assert_eq!(LIVE.get(), before, "seed {seed} leaks");
        assert!(PEAK.get() - before < PEAK_BYTES_MAX, "seed {seed}: {} bytes", PEAK.get() - before);
    }
}
