//! A stream between two contexts over the C interface: datagrams go from callback to call, through
//! no socket.
#![expect(unsafe_code, reason = "the interface is one of C")]

use std::cell::RefCell;
use std::ffi::c_int;
use std::ptr;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use utp::{CallbackArguments, SockAddr, UtpContext, UtpSocket};

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = transfer
}
criterion_main!(benches);

fn transfer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("transfer");
    group.throughput(Throughput::Bytes(BYTES as u64));
    group.bench_function("1_MiB", |bencher| {
        let mut pair = Pair::connect();
        bencher.iter(|| pair.transfer());
    });
    group.finish();
}

/// What the callbacks leave behind.
#[derive(Default)]
struct World {
    contexts: [usize; 2],
    now_us: u64,
    /// Side that is to take it, and datagram.
    network: Vec<(usize, Vec<u8>)>,
    read: usize,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

fn with<T>(work: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(work)
}

/// Two contexts, and the socket of the first, which writes.
struct Pair {
    contexts: [*mut UtpContext; 2],
    socket: *mut UtpSocket,
}

impl Pair {
    fn connect() -> Self {
        let contexts = [utp::utp_init(2), utp::utp_init(2)];
        with(|world| world.contexts = contexts.map(|context| context.addr()));
        for context in contexts {
            for name in [ON_ACCEPT, ON_READ, GET_MICROSECONDS, SENDTO] {
                // SAFETY: it is a callback.
                unsafe { utp::utp_set_callback(context, name, Some(on_callback)) };
            }
            utp::utp_context_set_option(context, OPTION_RCVBUF, 4 << 20);
            utp::utp_context_set_option(context, OPTION_SNDBUF, 4 << 20);
        }
        let socket = utp::utp_create_socket(contexts[0]);
        let to = address_of(1);
        // SAFETY: it is an address, of this length.
        unsafe { utp::utp_connect(socket, ptr::from_ref(&to).cast::<SockAddr>(), ADDRESS_LEN) };
        let mut pair = Self { contexts, socket };
        pair.deliver();
        pair
    }

    /// Writes until all has been read at the other side.
    fn transfer(&mut self) {
        let end = with(|world| world.read) + BYTES;
        let mut left = BYTES;
        while with(|world| world.read) < end {
            let mut chunk = [7_u8; 16 * 1024];
            let len = chunk.len().min(left);
            // SAFETY: the bytes are there.
            let taken = unsafe { utp::utp_write(self.socket, chunk.as_mut_ptr().cast(), len) };
            left -= usize::try_from(taken).expect("the connection lives");
            self.deliver();
        }
    }

    /// Hands over what is on its way, and the acks of that.
    fn deliver(&mut self) {
        with(|world| world.now_us += 1_000);
        for context in self.contexts {
            utp::utp_check_timeouts(context);
        }
        loop {
            let network = with(|world| std::mem::take(&mut world.network));
            if network.is_empty() {
                return;
            }
            for (to, datagram) in network {
                let from = address_of(1 - to);
                // SAFETY: bytes and address are there.
                unsafe {
                    utp::utp_process_udp(
                        self.contexts[to],
                        datagram.as_ptr(),
                        datagram.len(),
                        ptr::from_ref(&from).cast::<SockAddr>(),
                        ADDRESS_LEN,
                    )
                };
            }
            for context in self.contexts {
                utp::utp_issue_deferred_acks(context);
            }
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for context in self.contexts {
            utp::utp_destroy(context);
        }
    }
}

unsafe extern "C-unwind" fn on_callback(arguments: *mut CallbackArguments) -> u64 {
    // SAFETY: the library says what is called.
    let arguments = unsafe { &*arguments };
    match arguments.callback_type {
        ON_READ => with(|world| world.read += arguments.len),
        GET_MICROSECONDS => return with(|world| world.now_us),
        SENDTO => {
            // SAFETY: the library says where the datagram is.
            let bytes = unsafe { std::slice::from_raw_parts(arguments.buf, arguments.len) };
            with(|world| {
                let to = usize::from(arguments.context.addr() == world.contexts[0]);
                world.network.push((to, bytes.to_vec()));
            });
        }
        _ => {}
    }
    0
}

/// `struct sockaddr_in` of a side.
fn address_of(side: usize) -> [u8; 16] {
    let mut address = [0; 16];
    // Some systems begin with the length, in a byte of its own.
    let family = if cfg!(target_vendor = "apple") {
        [16, AF_INET]
    } else {
        u16::from(AF_INET).to_ne_bytes()
    };
    address[..2].copy_from_slice(&family);
    address[2..4].copy_from_slice(&6_881_u16.to_be_bytes());
    address[4..8].copy_from_slice(if side == 0 { &[10, 0, 0, 1] } else { &[10, 0, 0, 2] });
    address
}

const AF_INET: u8 = 2;

/// Numbers of `utp.h`.
const ON_ACCEPT: c_int = 1;
const ON_READ: c_int = 4;
const GET_MICROSECONDS: c_int = 12;
const SENDTO: c_int = 15;
const OPTION_SNDBUF: c_int = 19;
const OPTION_RCVBUF: c_int = 20;

const ADDRESS_LEN: utp::SockLen = 16;

const BYTES: usize = 1 << 20;
