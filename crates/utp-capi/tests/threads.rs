//! Contexts on several threads, and one context on several threads.

#![expect(unsafe_code, reason = "the interface is one of C")]

mod random;

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use utp::{CallbackArguments, UtpContext};

#[test]
fn contexts_on_several_threads_do_not_meet() {
    let alone = random::run(7, 3_000).expect("nothing breaks");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let told = random::run(7, 3_000).expect("nothing breaks");
                assert_eq!(told, alone, "each is as if it were alone");
            });
        }
    });
}

static TOLD: AtomicU64 = AtomicU64::new(0);

unsafe extern "C-unwind" fn on_callback(_arguments: *mut CallbackArguments) -> u64 {
    TOLD.fetch_add(1, Ordering::Relaxed);
    0
}

/// A handle that goes to other threads.
#[derive(Clone, Copy)]
struct Shared(*mut UtpContext);

// SAFETY: a handle is a number to the library.
unsafe impl Send for Shared {}

impl Shared {
    fn handle(self) -> *mut UtpContext {
        self.0
    }
}

#[test]
fn one_context_serves_several_threads_until_it_is_destroyed() {
    let context = Shared(utp::utp_init(2));
    for name in [0, 1, 2, 3, 4, 6, 15] {
        // SAFETY: it is a callback.
        unsafe { utp::utp_set_callback(context.handle(), name, Some(on_callback)) };
    }
    let threads: Vec<_> =
        (0..4_u8).map(|thread| thread::spawn(move || use_it(context, thread))).collect();
    while TOLD.load(Ordering::Relaxed) < 1_000 {
        thread::yield_now();
    }
    utp::utp_destroy(context.handle());
    for thread in threads {
        thread.join().expect("nothing breaks");
    }
    assert!(utp::utp_create_socket(context.handle()).is_null());
    utp::utp_destroy(context.handle());
}

/// Connects, listens to SYNs, and ends sockets, until the context is gone.
fn use_it(context: Shared, thread: u8) {
    let context = context.handle();
    let mut address = [0_u8; 16];
    address[..2].copy_from_slice(&2_u16.to_ne_bytes());
    for round in 0_u32.. {
        address[2..8].copy_from_slice(&[1, 2, 10, thread, 0, 1]);
        let socket = utp::utp_create_socket(context);
        if socket.is_null() {
            return;
        }
        let mut syn = [0_u8; 20];
        syn[0] = 0x41;
        syn[2..4].copy_from_slice(&round.to_be_bytes()[2..]);
        // SAFETY: addresses and bytes are as long as they are said to be.
        unsafe {
            utp::utp_connect(socket, address.as_ptr().cast(), 16);
            utp::utp_write(socket, syn.as_mut_ptr().cast(), 20);
            utp::utp_process_udp(context, syn.as_ptr(), 20, address.as_ptr().cast(), 16);
            utp::utp_getpeername(socket, ptr::null_mut(), ptr::null_mut());
        }
        utp::utp_close(socket);
        utp::utp_check_timeouts(context);
        utp::utp_issue_deferred_acks(context);
    }
}
