//! Random calls of the C interface, right ones and wrong ones, from without and from within
//! callbacks, and what must hold whatever is called.
//!
//! Everything is drawn from a seed: contexts that come and go, sockets between them, a network that
//! loses, repeats and spoils, a clock that jumps, handles of what is gone and pointers that never
//! were handles. What a callback does in turn is drawn as well.

#![expect(unsafe_code, reason = "the interface is one of C")]
#![allow(dead_code, unreachable_pub, reason = "a module of a test and of an example")]

mod calls;

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::ptr;

use utp::{CallbackArguments, UtpContext, UtpSocket};

/// Contexts that exist at a time.
const PLACES: usize = 3;

/// How deep callbacks call: beyond, they do nothing.
const DEPTH_MAX: u32 = 4;

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Draws(u64);

impl Draws {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).expect("it is below a usize")
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// A datagram on its way.
struct Datagram {
    /// The place of the context it is for.
    to: usize,
    from: SocketAddr,
    bytes: Vec<u8>,
}

/// What the calls share.
struct World {
    draws: Draws,
    now_us: u64,
    places: [*mut UtpContext; PLACES],
    /// Every handle there ever was, gone or not, the newest last.
    contexts: Vec<*mut UtpContext>,
    sockets: Vec<*mut UtpSocket>,
    /// Handles that the program was told are gone.
    gone: BTreeSet<usize>,
    network: VecDeque<Datagram>,
    depth: u32,
    calls: u64,
    told: Told,
    wrong: Option<String>,
}

/// How often something was told: a run in which nothing happens shows nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub accepted: u64,
    pub connected: u64,
    pub errors: u64,
    pub read_bytes: u64,
    pub ends: u64,
    pub writable: u64,
    pub destroyed: u64,
    pub nested: u64,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new(0));
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            draws: Draws(seed),
            now_us: 1_000_000,
            places: [ptr::null_mut(); PLACES],
            contexts: Vec::new(),
            sockets: Vec::new(),
            gone: BTreeSet::new(),
            network: VecDeque::new(),
            depth: 0,
            calls: 0,
            told: Told::default(),
            wrong: None,
        }
    }

    fn place_of(&self, context: *mut UtpContext) -> Option<usize> {
        self.places.iter().position(|place| *place == context)
    }
}

/// Looks at the world; never while the library is called.
fn with<T>(look: impl FnOnce(&mut World) -> T) -> T {
    WORLD.with_borrow_mut(look)
}

fn draw(bound: usize) -> usize {
    with(|world| world.draws.below(bound))
}

fn chance(percent: u64) -> bool {
    with(|world| world.draws.chance(percent))
}

fn complain(words: String) {
    with(|world| {
        world.wrong.get_or_insert(words);
    });
}

/// The address of the context in a place, of IPv4 or IPv6.
fn address_of(place: usize, v4: bool) -> SocketAddr {
    let port = 1_000 + u16::try_from(place).expect("places are few");
    let ip = u8::try_from(place + 1).expect("places are few");
    match v4 {
        true => ([10, 0, 0, ip], port).into(),
        false => ([0xfd00, 0, 0, 0, 0, 0, 0, ip.into()], port).into(),
    }
}

/// An address as the system has it, with its length.
fn raw(address: SocketAddr) -> ([u8; 28], u32) {
    let mut bytes = [0; 28];
    bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
    match address {
        SocketAddr::V4(v4) => {
            bytes[..2].copy_from_slice(&2_u16.to_ne_bytes());
            bytes[4..8].copy_from_slice(&v4.ip().octets());
            (bytes, 16)
        }
        SocketAddr::V6(v6) => {
            bytes[..2].copy_from_slice(&10_u16.to_ne_bytes());
            bytes[8..24].copy_from_slice(&v6.ip().octets());
            (bytes, 28)
        }
    }
}

/// Makes about `calls` calls out of `seed`.
///
/// # Errors
/// What did not hold, in words.
pub fn run(seed: u64, calls: u64) -> Result<Told, String> {
    WORLD.replace(World::new(seed));
    while with(|world| world.calls < calls && world.wrong.is_none()) {
        calls::one();
    }
    for place in 0..PLACES {
        let context = with(|world| std::mem::replace(&mut world.places[place], ptr::null_mut()));
        utp::utp_destroy(context);
    }
    with(|world| {
        world.wrong.take().map_or(Ok(world.told), |words| Err(format!("{words}; seed {seed}")))
    })
}

/// Every callback.
pub unsafe extern "C-unwind" fn on_callback(arguments: *mut CallbackArguments) -> u64 {
    // SAFETY: the library calls with arguments that are there until this returns.
    let arguments = unsafe { *arguments };
    let (context, socket) = (arguments.context, arguments.socket);
    let name = arguments.callback_type;
    let known = with(|world| {
        let gone = |handle: usize| handle != 0 && world.gone.contains(&handle);
        !gone(socket.addr()) && !gone(context.addr())
    });
    if !known {
        complain(format!("callback {name} about what is gone"));
    }
    match name {
        // SAFETY: this callback has an address.
        15 => unsafe { on_send(&arguments) },
        4 => on_read(&arguments),
        1 => with(|world| {
            world.told.accepted += 1;
            world.sockets.push(socket);
        }),
        2 => with(|world| world.told.connected += 1),
        3 => with(|world| world.told.errors += 1),
        // SAFETY: this callback has a number there.
        6 => on_state(socket, unsafe { arguments.detail.number }),
        _ => {}
    }
    let answer = answer_of(name);
    let goes_on = with(|world| world.depth < DEPTH_MAX) && chance(8);
    if goes_on && !(name == 6 && chance(50)) {
        with(|world| {
            world.depth += 1;
            world.told.nested += 1;
        });
        for _ in 0..=draw(3) {
            calls::one();
        }
        with(|world| world.depth -= 1);
    }
    answer
}

/// What a callback answers: mostly something sensible.
fn answer_of(name: i32) -> u64 {
    match name {
        0 => u64::from(chance(5)),
        7 if chance(90) => 0,
        7 | 13 => with(|world| world.draws.next() >> 40),
        9 => [1_402, 576, 0, 65_535, 9_000][draw(5)],
        10 => 28,
        11 => with(|world| world.now_us / 1_000),
        12 => with(|world| world.now_us),
        _ => with(|world| world.draws.next()),
    }
}

/// # Safety
/// The arguments are those of a datagram.
unsafe fn on_send(arguments: &CallbackArguments) {
    // SAFETY: the library says where the datagram is.
    let bytes = unsafe { std::slice::from_raw_parts(arguments.buf, arguments.len) }.to_vec();
    // SAFETY: and where its address is, which has four bytes at least.
    let port = unsafe {
        let address = arguments.detail.address.cast::<u8>();
        u16::from_be_bytes([*address.add(2), *address.add(3)])
    };
    // SAFETY: and how long it is.
    let v4 = unsafe { arguments.extra.address_len } == 16;
    with(|world| {
        let from = world.place_of(arguments.context);
        let to = usize::from(port.wrapping_sub(1_000));
        if let Some(from) = from
            && to < PLACES
            && world.network.len() < 10_000
        {
            world.network.push_back(Datagram { to, from: address_of(from, v4), bytes });
        }
    });
}

fn on_read(arguments: &CallbackArguments) {
    if arguments.len == 0 || arguments.len > 1_382 || arguments.buf.is_null() {
        complain(format!("{} bytes are read", arguments.len));
        return;
    }
    // SAFETY: the library says where the bytes are.
    let bytes = unsafe { std::slice::from_raw_parts(arguments.buf, arguments.len) };
    // Nothing else is written, but some of it is spoiled on its way.
    let right = bytes.iter().filter(|byte| **byte == 0x55).count();
    with(|world| world.told.read_bytes += right as u64);
}

fn on_state(socket: *mut UtpSocket, state: i32) {
    with(|world| match state {
        1 => world.told.connected += 1,
        2 => world.told.writable += 1,
        3 => world.told.ends += 1,
        4 => {
            world.told.destroyed += 1;
            world.gone.insert(socket.addr());
        }
        _ => world.wrong = Some(format!("state {state}")),
    });
}
