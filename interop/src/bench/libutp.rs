//! libutp as a stack of benchmarks: its context on a tokio socket, with streams that wake tasks.
//!
//! It gets what makes it fast: a socket that is read until it is empty before acks are sent, writes
//! of as much as it takes, and datagrams that leave the moment it makes them.

mod outside;
mod stream;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::task::{spawn_local, yield_now};
use tokio::time::sleep_until;
use utp_bench_side::{Options, Stack};
use utp_reference::{Context, Event, Failure, SocketId, SynSeq};

use self::outside::Outside;
pub use self::stream::LibutpStream;

/// A context of libutp and the socket under it.
pub struct Libutp {
    shared: Rc<Shared>,
    port: u16,
}

/// What the driver and the streams share.
struct Shared {
    context: RefCell<Context>,
    outside: Rc<Outside>,
    connections: RefCell<BTreeMap<SocketId, Connection>>,
    incoming: RefCell<VecDeque<SocketId>>,
    accepting: RefCell<Vec<Waker>>,
    /// Datagrams that came.
    received: Cell<u64>,
}

/// What is known of a socket of the library.
#[derive(Default)]
struct Connection {
    connected: bool,
    eof: bool,
    failure: Option<Failure>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Libutp {
    /// The words that [`Options`] may have.
    pub const OPTIONS: &[&str] = &["os-buffers", "syn-above"];
}

impl Stack for Libutp {
    type Stream = LibutpStream;

    async fn bind(local: SocketAddr, options: &Options) -> io::Result<Self> {
        let buffer = (!options.has("os-buffers")).then_some(UDP_BUFFER);
        let udp = Rc::new(outside::bind(local, buffer)?);
        let port = udp.local_addr()?.port();
        let outside = Rc::new(Outside::new(Rc::clone(&udp)));
        let syn_seq = if options.has("syn-above") { SynSeq::Above } else { SynSeq::Below };
        let of_library = utp_reference::Options { syn_seq, accept: true, ..Default::default() };
        let shared = Rc::new(Shared {
            context: RefCell::new(Context::new(of_library, outside.clone())),
            outside,
            connections: RefCell::default(),
            incoming: RefCell::default(),
            accepting: RefCell::default(),
            received: Cell::new(0),
        });
        spawn_local(drive(Rc::clone(&shared), udp));
        Ok(Self { shared, port })
    }

    fn port(&self) -> u16 {
        self.port
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<LibutpStream> {
        let socket = self.shared.context.borrow_mut().connect(peer);
        self.shared.connections.borrow_mut().insert(socket, Connection::default());
        let stream = LibutpStream::new(Rc::clone(&self.shared), socket);
        poll_fn(|cx| {
            let mut connections = self.shared.connections.borrow_mut();
            let connection = connections.entry(socket).or_default();
            if let Some(failure) = connection.failure {
                return Poll::Ready(Err(io::Error::other(failure.to_string())));
            }
            connection.writer = Some(cx.waker().clone());
            if connection.connected { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await?;
        Ok(stream)
    }

    async fn accept(&self) -> io::Result<LibutpStream> {
        let socket = poll_fn(|cx| match self.shared.incoming.borrow_mut().pop_front() {
            Some(socket) => Poll::Ready(socket),
            None => {
                self.shared.accepting.borrow_mut().push(cx.waker().clone());
                Poll::Pending
            }
        })
        .await;
        Ok(LibutpStream::new(Rc::clone(&self.shared), socket))
    }

    fn datagrams_sent(&self) -> Option<u64> {
        Some(self.shared.outside.sent())
    }
}

/// The loop of the library: datagrams, deferred acks, timers, and what came of them.
async fn drive(shared: Rc<Shared>, udp: Rc<UdpSocket>) {
    let mut datagram = vec![0; DATAGRAM_MAX];
    let mut next_tick = Instant::now() + TICK;
    loop {
        let flush = async {
            match shared.outside.waits() {
                true => udp.writable().await,
                false => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            ready = udp.readable() => ready.unwrap_or(()),
            ready = flush => ready.unwrap_or(()),
            () = sleep_until(next_tick.into()) => {}
        }
        shared.outside.flush();
        let received = shared.receive(&udp, &mut datagram);
        if Instant::now() >= next_tick {
            shared.context.borrow_mut().check_timeouts();
            next_tick = Instant::now() + TICK;
        }
        shared.handle_events();
        if received == BATCH {
            yield_now().await;
        }
    }
}

impl Shared {
    /// Takes what has come, up to a batch of datagrams, and lets the library ack it.
    fn receive(&self, udp: &UdpSocket, datagram: &mut [u8]) -> usize {
        let mut context = self.context.borrow_mut();
        let mut received = 0;
        while received < BATCH {
            // What ICMP reports is not for the library here.
            let Ok((len, from)) = udp.try_recv_from(datagram) else { break };
            context.process_udp(&datagram[..len], from);
            received += 1;
        }
        if received > 0 {
            context.issue_deferred_acks();
        }
        self.received.set(self.received.get() + received as u64);
        received
    }

    fn handle_events(&self) {
        // The library is not called here: waking a task only marks it.
        let mut context = self.context.borrow_mut();
        let mut connections = self.connections.borrow_mut();
        while let Some(event) = context.poll_event() {
            match event {
                Event::Accepted(socket) => {
                    connections.insert(socket, Connection::default());
                    self.incoming.borrow_mut().push_back(socket);
                    self.accepting.borrow_mut().drain(..).for_each(Waker::wake);
                }
                Event::Destroyed(socket) => {
                    if let Some(mut connection) = connections.remove(&socket) {
                        connection.wake();
                    }
                }
                Event::Connected(socket) => {
                    change(&mut connections, socket, |connection| connection.connected = true);
                }
                Event::Eof(socket) => {
                    change(&mut connections, socket, |connection| connection.eof = true);
                }
                Event::Error(socket, failure) => {
                    change(&mut connections, socket, |of| of.failure = Some(failure));
                }
                Event::Readable(socket) | Event::Writable(socket) => {
                    change(&mut connections, socket, |_| {});
                }
            }
        }
    }
}

fn change(
    connections: &mut BTreeMap<SocketId, Connection>,
    socket: SocketId,
    change: impl FnOnce(&mut Connection),
) {
    if let Some(connection) = connections.get_mut(&socket) {
        change(connection);
        connection.wake();
    }
}

impl Connection {
    fn wake(&mut self) {
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }
}

/// The largest datagram that may come.
const DATAGRAM_MAX: usize = 65_535;

/// Datagrams that are taken before streams get their turn.
const BATCH: usize = 256;

/// Buffers of the UDP socket, as ours asks for them.
const UDP_BUFFER: usize = 4 << 20;

/// How often the library's timers run: it looks every 500 ms, applications call every 20 to 50.
const TICK: Duration = Duration::from_millis(20);
