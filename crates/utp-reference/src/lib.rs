//! A safe wrapper over libutp: one context, its sockets by number, and its callbacks as a queue of
//! events.
//!
//! The callbacks only take notes: bytes that arrive are copied into the socket's inbox, and
//! everything else becomes an [`Event`]. Calls back into the library are then made from the
//! caller's loop, so that none of its re-entrancy rules can be broken. What it needs in the middle
//! of a call it gets from the [`Outside`]: the time, random numbers, and somebody who takes its
//! datagrams at once, since they carry time stamps. With an outside of one's own it runs in
//! virtual time, and the same way every time.
//!
//! The library never blocks, opens no socket and needs [`Context::check_timeouts`] at least every
//! 500 ms. It ends the process where one of its assertions fails. A process may have many contexts,
//! on any thread: the library keeps scratch memory in statics, so that one lock is held during
//! every call.

#![expect(unsafe_code, reason = "libutp is a C++ library behind a C interface")]

mod callbacks;
mod gauges;
mod icmp;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::ptr::NonNull;
use std::rc::Rc;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use libutp_rs2_sys as sys;
use socket2::SockAddr;

pub use gauges::Gauges;
pub use icmp::IcmpError;

/// Names one socket of a [`Context`]; never used again for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketId(usize);

/// What the library told about a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A peer's SYN was answered. The socket cannot be written to before data arrived.
    Accepted(SocketId),
    /// The peer answered our SYN.
    Connected(SocketId),
    /// The socket is gone: the last event about it.
    Destroyed(SocketId),
    /// The peer's stream ended, after everything that is in the inbox.
    Eof(SocketId),
    /// The connection failed. It stays until it is closed.
    Error(SocketId, Failure),
    /// The inbox has bytes again.
    Readable(SocketId),
    /// A write that was cut short may go on.
    Writable(SocketId),
}

/// Why a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The network said that nobody is there.
    Refused,
    /// The peer sent a RESET.
    Reset,
    /// The peer stopped answering.
    TimedOut,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "nobody is there",
            Self::Reset => "the peer has reset the connection",
            Self::TimedOut => "the peer stopped answering",
        })
    }
}

/// Where an initiator's SYN number shall lie.
///
/// libutp's fast retransmit depends on it: with a number from 0x8000 on, the connection has none
/// until its numbers pass zero, and mends every loss by time-out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SynSeq {
    /// 0x8000 or above.
    Above,
    /// As it comes.
    #[default]
    Any,
    /// Below 0x8000.
    Below,
}

impl SynSeq {
    /// The names of all of them, as they are parsed and shown.
    pub const NAMES: [&'static str; 3] = ["above", "any", "below"];
}

impl fmt::Display for SynSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::NAMES[*self as usize])
    }
}

impl FromStr for SynSeq {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "above" => Ok(Self::Above),
            "any" => Ok(Self::Any),
            "below" => Ok(Self::Below),
            _ => Err("neither above nor any nor below"),
        }
    }
}

/// How a [`Context`] is set up. Sizes that are absent keep the library's default of 1 MiB.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Constrains the SYN number of [`Context::connect`].
    pub syn_seq: SynSeq,
    /// Receive buffer of each socket, in bytes: the highest window it advertises.
    pub rcvbuf_bytes: Option<i32>,
    /// Send buffer of each socket, in bytes: the most it has in flight.
    pub sndbuf_bytes: Option<i32>,
    /// Whether peers may connect.
    pub accept: bool,
    /// Whether [`Context::gauges`] has something to show; costs a text for each ack.
    pub gauges: bool,
}

/// What the library needs in the middle of a call. None of these may call back into it.
pub trait Outside {
    /// A clock that does not go back, in microseconds. Packets show the lower 32 bits of it, timers
    /// rest on its milliseconds; it should not be at zero, which stands for no time.
    fn now_us(&self) -> u64;

    /// Uniform random bits, for connection ids and sequence numbers.
    fn random(&self) -> u16;

    /// Takes a datagram. With `dont_fragment` the library wants to know whether the path takes its
    /// size.
    fn send(&self, datagram: &[u8], to: SocketAddr, dont_fragment: bool);
}

/// A libutp context.
pub struct Context {
    raw: NonNull<sys::utp_context>,
    shared: Rc<Shared>,
    /// The sender of the last datagram, because most come from the same.
    from: Option<(SocketAddr, SockAddr)>,
    /// The last datagram, and zeros behind it.
    padded: Vec<u8>,
    /// The library must stay on one thread.
    _not_send: PhantomData<*mut ()>,
}

/// What the callbacks work on. They get at it through the context's user data while a call into
/// the library is under way, hence cells; no cell stays borrowed during such a call.
struct Shared {
    outside: Rc<dyn Outside>,
    sockets: RefCell<Vec<Entry>>,
    events: RefCell<VecDeque<Event>>,
    syn_seq: SynSeq,
    /// Which of the random numbers of a connect comes next.
    draw: Cell<Draw>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Draw {
    ConnectionId,
    Other,
    SynSeq,
}

struct Entry {
    /// `None` once destroyed.
    raw: Option<NonNull<sys::utp_socket>>,
    closed: bool,
    inbox: Vec<u8>,
    /// How much of the inbox the application has taken.
    taken: usize,
    /// The library was told of unread bytes, and so has to be told when they are gone.
    told_unread: Cell<bool>,
    gauges: Cell<Gauges>,
}

impl Context {
    /// A context in `outside`.
    pub fn new(options: Options, outside: Rc<dyn Outside>) -> Self {
        let shared = Rc::new(Shared {
            outside,
            sockets: RefCell::default(),
            events: RefCell::default(),
            syn_seq: options.syn_seq,
            draw: Cell::new(Draw::Other),
        });
        let _one = one_call();
        // SAFETY: version 2 is the one there is; a null answer is caught.
        let raw = NonNull::new(unsafe { sys::utp_init(2) }).expect("libutp knows version 2");
        callbacks::register(raw, &shared, options);
        let sizes =
            [(sys::UTP_RCVBUF, options.rcvbuf_bytes), (sys::UTP_SNDBUF, options.sndbuf_bytes)];
        let gauges = (sys::UTP_LOG_NORMAL, options.gauges.then_some(1));
        for (option, value) in sizes.into_iter().chain([gauges]) {
            if let Some(value) = value {
                assert!(value > 0, "libutp aborts on a buffer of {value} bytes");
                // SAFETY: the context is alive, the option known and its value in range.
                let status = unsafe {
                    sys::utp_context_set_option(raw.as_ptr(), option.cast_signed(), value)
                };
                assert_eq!(status, 0, "libutp has these options");
            }
        }
        Self { raw, shared, from: None, padded: Vec::new(), _not_send: PhantomData }
    }

    /// Sends a SYN to `remote`.
    pub fn connect(&mut self, remote: SocketAddr) -> SocketId {
        let _one = one_call();
        // SAFETY: the context is alive.
        let raw = NonNull::new(unsafe { sys::utp_create_socket(self.raw.as_ptr()) })
            .expect("libutp always makes a socket");
        let socket = self.shared.adopt(raw);
        let address = SockAddr::from(remote);
        self.shared.draw.set(Draw::ConnectionId);
        // SAFETY: the socket is fresh, and the address outlives the call, which copies it.
        let status =
            unsafe { sys::utp_connect(raw.as_ptr(), address.as_ptr().cast(), address.len()) };
        self.shared.draw.set(Draw::Other);
        assert_eq!(status, 0, "a fresh socket can connect");
        socket
    }

    /// Hands in a datagram. False when it is not uTP.
    pub fn process_udp(&mut self, datagram: &[u8], from: SocketAddr) -> bool {
        if self.from.as_ref().is_none_or(|(last, _)| *last != from) {
            self.from = Some((from, SockAddr::from(from)));
        }
        let (_, address) = self.from.as_ref().expect("set above");
        self.padded.clear();
        self.padded.extend_from_slice(datagram);
        self.padded.extend_from_slice(&[0; PADDING]);
        let _one = one_call();
        // SAFETY: the context is alive; datagram and address are only read during the call, and
        // there is room for reading past the end of the datagram.
        let mine = unsafe {
            sys::utp_process_udp(
                self.raw.as_ptr(),
                self.padded.as_ptr(),
                datagram.len(),
                address.as_ptr().cast(),
                address.len(),
            )
        };
        mine != 0
    }

    /// Sends the acks that wait; to be called when the UDP socket has been drained.
    pub fn issue_deferred_acks(&mut self) {
        let _one = one_call();
        // SAFETY: the context is alive, and no callback is running.
        unsafe { sys::utp_issue_deferred_acks(self.raw.as_ptr()) }
    }

    /// Runs the timers; to be called at least every 500 ms. Does nothing when called sooner.
    pub fn check_timeouts(&mut self) {
        let _one = one_call();
        // SAFETY: the context is alive, and no callback is running. Sockets that it frees leave
        // our table in the callback that announces it.
        unsafe { sys::utp_check_timeouts(self.raw.as_ptr()) }
    }

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.shared.events.borrow_mut().pop_front()
    }

    /// Writes what fits into the window now, and returns how much that was. An empty write on a
    /// connected socket sends an empty packet.
    pub fn write(&mut self, socket: SocketId, bytes: &[u8]) -> usize {
        let Some(raw) = self.open(socket) else { return 0 };
        let mut vector =
            sys::utp_iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let _one = one_call();
        // SAFETY: the socket is alive; the library copies from the vector and never writes to it.
        let written = unsafe { sys::utp_writev(raw.as_ptr(), &raw mut vector, 1) };
        usize::try_from(written).expect("only null arguments are an error")
    }

    /// Lets `take` have the unread bytes and remove as many as it returns, at most `max`.
    pub fn read(&mut self, socket: SocketId, max: usize, take: impl FnOnce(&[u8])) -> usize {
        let (raw, read, told) = {
            let mut sockets = self.shared.sockets.borrow_mut();
            let entry = &mut sockets[socket.0];
            let unread = &entry.inbox[entry.taken..];
            let read = unread.len().min(max);
            take(&unread[..read]);
            entry.taken += read;
            if entry.taken == entry.inbox.len() {
                entry.inbox.clear();
                entry.taken = 0;
            }
            (entry.raw, read, entry.told_unread.replace(false))
        };
        if let Some(raw) = raw.filter(|_| told && read > 0) {
            let _one = one_call();
            // SAFETY: the socket is alive and was connected or accepted, for it has an inbox.
            unsafe { sys::utp_read_drained(raw.as_ptr()) }
        }
        read
    }

    /// How many bytes wait to be read.
    pub fn unread(&self, socket: SocketId) -> usize {
        self.shared.sockets.borrow()[socket.0].unread()
    }

    /// What a connection that sends shows of itself; zeros without [`Options::gauges`].
    pub fn gauges(&self, socket: SocketId) -> Gauges {
        self.shared.sockets.borrow()[socket.0].gauges.get()
    }

    /// Finishes the sending direction. Lost on a socket that is not connected yet.
    pub fn shutdown(&mut self, socket: SocketId) {
        if let Some(raw) = self.open(socket) {
            let _one = one_call();
            // SAFETY: the socket is alive and not closed.
            unsafe { sys::utp_shutdown(raw.as_ptr(), sys::SHUT_WR.cast_signed()) }
        }
    }

    /// Closes both directions. What was written is still delivered; [`Event::Destroyed`] follows.
    pub fn close(&mut self, socket: SocketId) {
        if let Some(raw) = self.open(socket) {
            self.shared.sockets.borrow_mut()[socket.0].closed = true;
            let _one = one_call();
            // SAFETY: the socket is alive, and this is the only close it ever gets.
            unsafe { sys::utp_close(raw.as_ptr()) }
        }
    }

    /// The library's socket, unless it was closed.
    fn open(&self, socket: SocketId) -> Option<NonNull<sys::utp_socket>> {
        let sockets = self.shared.sockets.borrow();
        let entry = &sockets[socket.0];
        entry.raw.filter(|_| !entry.closed)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let _one = one_call();
        // SAFETY: the context is alive and not used afterwards; what its callbacks work on is
        // dropped later.
        unsafe { sys::utp_destroy(self.raw.as_ptr()) }
    }
}

impl Entry {
    fn unread(&self) -> usize {
        self.inbox.len() - self.taken
    }
}

impl Shared {
    /// Gives a socket its number, which the library keeps for us.
    fn adopt(&self, raw: NonNull<sys::utp_socket>) -> SocketId {
        let mut sockets = self.sockets.borrow_mut();
        sockets.push(Entry {
            raw: Some(raw),
            closed: false,
            inbox: Vec::new(),
            taken: 0,
            told_unread: Cell::new(false),
            gauges: Cell::default(),
        });
        // Null stands for a socket without a number, so that numbers start at 1 there.
        let number = std::ptr::without_provenance_mut(sockets.len());
        // SAFETY: the socket is alive; its user data is ours, and only ever a number.
        unsafe { sys::utp_set_userdata(raw.as_ptr(), number) };
        SocketId(sockets.len() - 1)
    }

    fn push(&self, event: Event) {
        self.events.borrow_mut().push_back(event);
    }

    /// The random number that libutp asks for.
    fn random(&self) -> u16 {
        let number = self.outside.random();
        match self.draw.get() {
            // Id 0xFFFF makes libutp's own next id overflow, and the connection fails.
            Draw::ConnectionId if number == u16::MAX => self.random(),
            Draw::SynSeq if self.syn_seq == SynSeq::Above => number | 0x8000,
            Draw::SynSeq if self.syn_seq == SynSeq::Below => number & !0x8000,
            Draw::ConnectionId | Draw::Other | Draw::SynSeq => number,
        }
    }
}

/// The library reads the byte behind a selective ack, with which a datagram may end, and takes it
/// for more of the ack.
const PADDING: usize = 8;

/// Held during a call into the library, so that no other one is under way in this process.
fn one_call() -> MutexGuard<'static, ()> {
    ONE_CALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Contexts share nothing but scratch memory: the vector of a write, and the text of an address.
static ONE_CALL: Mutex<()> = Mutex::new(());

#[cfg(test)]
mod tests;
