//! An allocator that counts what each endpoint holds: whatever is allocated and freed inside the
//! calls of an endpoint is its own.
#![expect(unsafe_code, reason = "an allocator that counts can be written in no other way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Whom allocations are charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The program itself, and peers that are not measured.
    Nobody,
    /// The endpoint that is measured.
    First,
    /// Its peer, where that is measured, too.
    Second,
}

const OWNERS: usize = 3;

static CHARGED: AtomicUsize = AtomicUsize::new(0);
static LIVE: [AtomicI64; OWNERS] = [const { AtomicI64::new(0) }; OWNERS];
static PEAK: [AtomicI64; OWNERS] = [const { AtomicI64::new(0) }; OWNERS];
static ALLOCATIONS: [AtomicU64; OWNERS] = [const { AtomicU64::new(0) }; OWNERS];

struct Counting;

/// The program has one thread: what is read here is what was written.
fn count(allocations: u64, allocated: usize, freed: usize) {
    let owner = CHARGED.load(Relaxed);
    let change = signed(allocated) - signed(freed);
    let live = LIVE[owner].fetch_add(change, Relaxed) + change;
    PEAK[owner].fetch_max(live, Relaxed);
    ALLOCATIONS[owner].fetch_add(allocations, Relaxed);
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

// SAFETY: every call goes to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, layout.size(), 0);
        // SAFETY: the caller keeps to the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(0, 0, layout.size());
        // SAFETY: `at` comes from the system's allocator, with this layout.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, size, layout.size());
        // SAFETY: `at` comes from the system's allocator, with this layout.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `call` at the expense of `owner`.
pub fn charged<T>(owner: Owner, call: impl FnOnce() -> T) -> T {
    CHARGED.store(owner as usize, Relaxed);
    let result = call();
    CHARGED.store(Owner::Nobody as usize, Relaxed);
    result
}

/// Bytes that the owner holds; only differences of it mean something.
pub fn live(owner: Owner) -> i64 {
    LIVE[owner as usize].load(Relaxed)
}

/// The most that the owner has held since [`start_peak`].
pub fn peak(owner: Owner) -> i64 {
    PEAK[owner as usize].load(Relaxed)
}

/// Forgets the peak before now.
pub fn start_peak(owner: Owner) {
    PEAK[owner as usize].store(live(owner), Relaxed);
}

/// Allocations of the owner since the start.
pub fn allocations(owner: Owner) -> u64 {
    ALLOCATIONS[owner as usize].load(Relaxed)
}
