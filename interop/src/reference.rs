//! A safe wrapper over libutp: one context, its sockets by number, and its callbacks as a queue of
//! events.
//!
//! The callbacks only take notes: bytes that arrive are copied into the socket's inbox, and
//! everything else becomes an [`Event`]. Calls back into the library are then made from the
//! caller's loop, so that none of its re-entrancy rules can be broken. The one exception is
//! outgoing datagrams, which go to the transmit function at once: they carry time stamps.
//!
//! The library never blocks, opens no socket and needs [`Context::check_timeouts`] at least every
//! 500 ms. It is not safe to use from two threads, not even with two contexts, because it keeps
//! scratch memory in statics: [`Context::new`] refuses a second context.

#![expect(unsafe_code, reason = "libutp is a C++ library behind a C interface")]

mod callbacks;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use libutp_rs2_sys as sys;
use socket2::SockAddr;

use crate::shim::SplitMix64;

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

/// Where an initiator's SYN number shall lie.
///
/// libutp's fast retransmit depends on it: with a number from 0x8000 on, the connection has none
/// until its numbers pass zero, and mends every loss by time-out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum SynSeq {
    /// 0x8000 or above.
    Above,
    /// As it comes.
    #[default]
    Any,
    /// Below 0x8000.
    Below,
}

/// How a [`Context`] is set up. Sizes that are absent keep the library's default of 1 MiB.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Seeds connection ids and sequence numbers.
    pub seed: u64,
    /// Constrains the SYN number of [`Context::connect`].
    pub syn_seq: SynSeq,
    /// Receive buffer of each socket, in bytes: the highest window it advertises.
    pub rcvbuf_bytes: Option<i32>,
    /// Send buffer of each socket, in bytes: the most it has in flight.
    pub sndbuf_bytes: Option<i32>,
    /// Whether peers may connect.
    pub accept: bool,
}

/// Takes a datagram and its destination, while the library waits.
pub type Transmit = Box<dyn Fn(&[u8], SocketAddr)>;

/// A libutp context.
pub struct Context {
    raw: NonNull<sys::utp_context>,
    shared: Rc<Shared>,
    /// The sender of the last datagram, because most come from the same.
    from: Option<(SocketAddr, SockAddr)>,
    /// The library must stay on one thread.
    _not_send: PhantomData<*mut ()>,
}

/// What the callbacks work on. They get at it through the context's user data while a call into
/// the library is under way, hence cells; no cell stays borrowed during such a call.
struct Shared {
    transmit: Transmit,
    sockets: RefCell<Vec<Entry>>,
    events: RefCell<VecDeque<Event>>,
    random: RefCell<SplitMix64>,
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
}

impl Context {
    /// A context that sends its datagrams through `transmit`.
    ///
    /// # Panics
    ///
    /// When the process has another one.
    pub fn new(options: Options, transmit: Transmit) -> Self {
        assert!(!TAKEN.swap(true, Ordering::Acquire), "libutp allows one context in a process");
        let shared = Rc::new(Shared {
            transmit,
            sockets: RefCell::default(),
            events: RefCell::default(),
            random: RefCell::new(SplitMix64::new(options.seed)),
            syn_seq: options.syn_seq,
            draw: Cell::new(Draw::Other),
        });
        // SAFETY: version 2 is the one there is; a null answer is caught.
        let raw = NonNull::new(unsafe { sys::utp_init(2) }).expect("libutp knows version 2");
        callbacks::register(raw, &shared, options.accept);
        let sizes =
            [(sys::UTP_RCVBUF, options.rcvbuf_bytes), (sys::UTP_SNDBUF, options.sndbuf_bytes)];
        for (option, bytes) in sizes {
            if let Some(bytes) = bytes {
                assert!(bytes > 0, "libutp aborts on a buffer of {bytes} bytes");
                // SAFETY: the context is alive, the option known and its value in range.
                let status = unsafe {
                    sys::utp_context_set_option(raw.as_ptr(), option.cast_signed(), bytes)
                };
                assert_eq!(status, 0, "libutp has options for its buffers");
            }
        }
        Self { raw, shared, from: None, _not_send: PhantomData }
    }

    /// Sends a SYN to `remote`.
    pub fn connect(&mut self, remote: SocketAddr) -> SocketId {
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
        // SAFETY: the context is alive; datagram and address are only read during the call.
        let mine = unsafe {
            sys::utp_process_udp(
                self.raw.as_ptr(),
                datagram.as_ptr(),
                datagram.len(),
                address.as_ptr().cast(),
                address.len(),
            )
        };
        mine != 0
    }

    /// Sends the acks that wait; to be called when the UDP socket has been drained.
    pub fn issue_deferred_acks(&mut self) {
        // SAFETY: the context is alive, and no callback is running.
        unsafe { sys::utp_issue_deferred_acks(self.raw.as_ptr()) }
    }

    /// Runs the timers; to be called at least every 500 ms. Does nothing when called sooner.
    pub fn check_timeouts(&mut self) {
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
            // SAFETY: the socket is alive and was connected or accepted, for it has an inbox.
            unsafe { sys::utp_read_drained(raw.as_ptr()) }
        }
        read
    }

    /// How many bytes wait to be read.
    pub fn unread(&self, socket: SocketId) -> usize {
        self.shared.sockets.borrow()[socket.0].unread()
    }

    /// Finishes the sending direction. Lost on a socket that is not connected yet.
    pub fn shutdown(&mut self, socket: SocketId) {
        if let Some(raw) = self.open(socket) {
            // SAFETY: the socket is alive and not closed.
            unsafe { sys::utp_shutdown(raw.as_ptr(), sys::SHUT_WR.cast_signed()) }
        }
    }

    /// Closes both directions. What was written is still delivered; [`Event::Destroyed`] follows.
    pub fn close(&mut self, socket: SocketId) {
        if let Some(raw) = self.open(socket) {
            self.shared.sockets.borrow_mut()[socket.0].closed = true;
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
        // SAFETY: the context is alive and not used afterwards; what its callbacks work on is
        // dropped later.
        unsafe { sys::utp_destroy(self.raw.as_ptr()) }
        TAKEN.store(false, Ordering::Release);
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
    fn random(&self) -> u64 {
        let mut random = self.random.borrow_mut();
        let mut number = random.next_u64();
        match self.draw.get() {
            // Id 0xFFFF makes libutp's own next id overflow, and the connection fails.
            Draw::ConnectionId => {
                while number & 0xffff == 0xffff {
                    number = random.next_u64();
                }
                number
            }
            Draw::Other => number,
            Draw::SynSeq => match self.syn_seq {
                SynSeq::Above => number | 0x8000,
                SynSeq::Any => number,
                SynSeq::Below => number & !0x8000,
            },
        }
    }
}

/// Whether the process has a context.
static TAKEN: AtomicBool = AtomicBool::new(false);

#[cfg(test)]
mod tests {
    use super::*;

    struct Datagram {
        bytes: Vec<u8>,
        to: SocketAddr,
    }

    /// One context is both ends: what it sends to one address comes in from the other.
    struct Loop {
        context: Context,
        queue: Rc<RefCell<VecDeque<Datagram>>>,
    }

    impl Loop {
        fn new(options: Options) -> Self {
            let queue = Rc::new(RefCell::new(VecDeque::new()));
            let sent = Rc::clone(&queue);
            let transmit = move |datagram: &[u8], to| {
                sent.borrow_mut().push_back(Datagram { bytes: datagram.to_vec(), to });
            };
            Self { context: Context::new(options, Box::new(transmit)), queue }
        }

        /// Delivers until nothing is under way, and returns what happened.
        fn run(&mut self) -> Vec<Event> {
            let mut events = Vec::new();
            loop {
                let next = self.queue.borrow_mut().pop_front();
                if let Some(Datagram { bytes, to }) = next {
                    let from = if to == client() { server() } else { client() };
                    assert!(self.context.process_udp(&bytes, from));
                } else {
                    self.context.issue_deferred_acks();
                    if self.queue.borrow().is_empty() {
                        break;
                    }
                }
                events.extend(std::iter::from_fn(|| self.context.poll_event()));
            }
            events
        }

        fn last_sent(&self) -> Vec<u8> {
            self.queue.borrow().back().expect("something was sent").bytes.clone()
        }
    }

    fn client() -> SocketAddr {
        ([10, 0, 0, 1], 1).into()
    }

    fn server() -> SocketAddr {
        ([0xfd00, 0, 0, 0, 0, 0, 0, 1], 2).into()
    }

    // One test, because the library allows one context in a process.
    #[test]
    fn a_stream_goes_through_the_wrapper_and_syn_numbers_lie_where_asked() {
        for (seed, syn_seq) in (0..16).zip([SynSeq::Above, SynSeq::Below].into_iter().cycle()) {
            let mut ends = Loop::new(Options { seed, syn_seq, accept: true, ..Options::default() });
            let ours = ends.context.connect(server());
            let syn = ends.last_sent();
            assert_eq!(syn[16] >= 0x80, syn_seq == SynSeq::Above, "SYN number in bytes 16 and 17");
            assert_eq!(ends.context.write(ours, b"early"), 0, "not connected yet");
            let events = ends.run();
            let [Event::Accepted(theirs), Event::Connected(connected)] = events[..] else {
                panic!("{events:?}");
            };
            assert_eq!(connected, ours);

            assert_eq!(ends.context.write(ours, b"hello"), 5);
            assert_eq!(ends.run(), [Event::Readable(theirs)]);
            assert_eq!(ends.context.unread(theirs), 5);
            let mut got = Vec::new();
            assert_eq!(ends.context.read(theirs, 4, |bytes| got.extend_from_slice(bytes)), 4);
            assert_eq!(ends.context.read(theirs, 9, |bytes| got.extend_from_slice(bytes)), 1);
            assert_eq!(got, b"hello");

            ends.context.shutdown(ours);
            assert_eq!(ends.run(), [Event::Eof(theirs)]);
            ends.context.close(theirs);
            ends.context.close(theirs);
            assert_eq!(ends.run(), [Event::Eof(ours)]);
            ends.context.close(ours);
            assert_eq!(ends.context.write(ours, b"late"), 0);
        }
    }
}
