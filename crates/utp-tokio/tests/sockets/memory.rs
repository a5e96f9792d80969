//! A network in memory with a delay and whatever faults a test wants, for tokio's paused clock.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, Sleep};
use utp_tokio::runtime::{Runtime, Timer, TokioRuntime};
use utp_tokio::transport::{AsyncUdpSocket, BufferBytes, Datagrams, RecvMeta};
use utp_tokio::{UtpSocket, UtpSocketBuilder};

use crate::support::next_random;

/// What becomes of a datagram, given how many were sent before it.
type Fate = Box<dyn FnMut(u64, &[u8]) -> bool + Send>;

/// The network. Every datagram takes 10 ms.
#[derive(Clone)]
pub(crate) struct Network(Arc<Mutex<Inner>>);

struct Inner {
    nodes: BTreeMap<SocketAddr, Node>,
    start: Instant,
    delivers: Fate,
    sent: u64,
    /// How many of 1 000 calls to send fail.
    failing_per_mille: u64,
    failing_state: u64,
    /// When each datagram was sent and what it said.
    trace: Vec<(Duration, Vec<u8>)>,
}

#[derive(Default)]
struct Node {
    arrivals: VecDeque<(Instant, SocketAddr, Vec<u8>)>,
    receiver: Option<Waker>,
    blocked: bool,
    sender: Option<Waker>,
    /// The largest datagram that goes without fragments.
    whole_bytes_max: Option<usize>,
    /// How many datagrams that have arrived wait to be read; more are dropped.
    unread_max: Option<usize>,
    /// How many were.
    overflown: u64,
}

pub(crate) const DELAY: Duration = Duration::from_millis(10);

impl Network {
    /// A network that loses nothing.
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            nodes: BTreeMap::new(),
            start: Instant::now(),
            delivers: Box::new(|_, _| true),
            sent: 0,
            failing_per_mille: 0,
            failing_state: 16,
            trace: Vec::new(),
        })))
    }

    /// Delivers only what `delivers` says from now on.
    pub(crate) fn deliver_if(&self, delivers: impl FnMut(u64, &[u8]) -> bool + Send + 'static) {
        self.0.lock().unwrap().delivers = Box::new(delivers);
    }

    /// Lets a node send nothing until it is called again with false.
    pub(crate) fn block(&self, address: SocketAddr, blocked: bool) {
        let mut inner = self.0.lock().unwrap();
        let node = inner.nodes.entry(address).or_default();
        node.blocked = blocked;
        let sender = node.sender.take();
        drop(inner);
        if let Some(sender) = sender {
            sender.wake();
        }
    }

    /// Fails so many of 1 000 calls to send from now on, for want of memory.
    pub(crate) fn fail_sends(&self, per_mille: u64) {
        self.0.lock().unwrap().failing_per_mille = per_mille;
    }

    /// Lets a node send no datagram above `bytes` without fragments from now on.
    #[cfg(target_os = "linux")]
    pub(crate) fn limit_size(&self, address: SocketAddr, bytes: usize) {
        let mut inner = self.0.lock().unwrap();
        inner.nodes.entry(address).or_default().whole_bytes_max = Some(bytes);
    }

    /// Drops what arrives at a node where more than `datagrams` wait to be read.
    pub(crate) fn limit_unread(&self, address: SocketAddr, datagrams: usize) {
        let mut inner = self.0.lock().unwrap();
        inner.nodes.entry(address).or_default().unread_max = Some(datagrams);
    }

    /// How many datagrams were dropped for that.
    pub(crate) fn overflown(&self, address: SocketAddr) -> u64 {
        self.0.lock().unwrap().nodes[&address].overflown
    }

    /// A datagram out of nowhere.
    pub(crate) fn inject(&self, source: SocketAddr, destination: SocketAddr, datagram: &[u8]) {
        self.0.lock().unwrap().send(source, destination, datagram);
    }

    pub(crate) fn trace(&self) -> Vec<(Duration, Vec<u8>)> {
        self.0.lock().unwrap().trace.clone()
    }

    /// A transport at 10.0.0.`host`, port 1.
    pub(crate) fn transport(&self, host: u8) -> Arc<MemoryTransport> {
        self.0.lock().unwrap().nodes.entry(address(host)).or_default();
        Arc::new(MemoryTransport {
            network: self.clone(),
            address: address(host),
            arrival: Mutex::default(),
        })
    }

    /// A socket on such a transport.
    pub(crate) fn socket(&self, host: u8, options: UtpSocketBuilder) -> UtpSocket {
        self.socket_on(self.transport(host), host, options)
    }

    /// A socket on this transport.
    pub(crate) fn socket_on(
        &self,
        transport: Arc<MemoryTransport>,
        host: u8,
        options: UtpSocketBuilder,
    ) -> UtpSocket {
        UtpSocket::with_transport(transport, Arc::new(Seeded::new(host)), options).unwrap()
    }
}

pub(crate) fn address(host: u8) -> SocketAddr {
    (Ipv4Addr::new(10, 0, 0, host), 1).into()
}

impl Inner {
    fn send(&mut self, source: SocketAddr, destination: SocketAddr, datagram: &[u8]) {
        self.trace.push((self.start.elapsed(), datagram.to_vec()));
        let nr = self.sent;
        self.sent += 1;
        if !(self.delivers)(nr, datagram) {
            return;
        }
        let Some(node) = self.nodes.get_mut(&destination) else { return };
        node.arrivals.push_back((Instant::now() + DELAY, source, datagram.to_vec()));
        if let Some(waker) = node.receiver.take() {
            waker.wake();
        }
    }
}

impl Node {
    /// Drops what had no room when it arrived.
    fn overflow(&mut self, now: Instant) {
        let Some(unread_max) = self.unread_max else { return };
        let arrived = self.arrivals.partition_point(|(at, ..)| *at <= now);
        if arrived > unread_max {
            self.overflown += (arrived - unread_max) as u64;
            self.arrivals.drain(unread_max..arrived);
        }
    }
}

pub(crate) struct MemoryTransport {
    network: Network,
    address: SocketAddr,
    arrival: Mutex<Option<Pin<Box<Sleep>>>>,
}

impl AsyncUdpSocket for MemoryTransport {
    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.network.0.lock().unwrap();
        let node = inner.nodes.entry(self.address).or_default();
        loop {
            let mut count = 0;
            let now = Instant::now();
            node.overflow(now);
            while count < bufs.len() && node.arrivals.front().is_some_and(|(at, ..)| *at <= now) {
                let (_, source, datagram) = node.arrivals.pop_front().unwrap();
                bufs[count][..datagram.len()].copy_from_slice(&datagram);
                meta[count] = RecvMeta::single(source, datagram.len());
                count += 1;
            }
            if count > 0 {
                return Poll::Ready(Ok(count));
            }
            node.receiver = Some(cx.waker().clone());
            let Some((at, ..)) = node.arrivals.front() else { return Poll::Pending };
            let mut arrival = Box::pin(tokio::time::sleep_until(*at));
            if arrival.as_mut().poll(cx).is_pending() {
                *self.arrival.lock().unwrap() = Some(arrival);
                return Poll::Pending;
            }
        }
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        datagrams: &Datagrams<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut inner = self.network.0.lock().unwrap();
        let node = inner.nodes.entry(self.address).or_default();
        if node.blocked {
            node.sender = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let largest = datagrams.iter().map(<[u8]>::len).max();
        let whole_bytes_max = node.whole_bytes_max.filter(|_| datagrams.dont_fragment);
        if whole_bytes_max.is_some_and(|max| largest > Some(max)) {
            return Poll::Ready(Err(io::Error::from_raw_os_error(EMSGSIZE)));
        }
        if next_random(&mut inner.failing_state) % 1_000 < inner.failing_per_mille {
            return Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()));
        }
        for datagram in datagrams.iter() {
            inner.send(self.address, datagrams.destination, datagram);
        }
        Poll::Ready(Ok(datagrams.contents.len()))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn max_send_segments(&self) -> usize {
        8
    }

    fn buffer_bytes(&self) -> BufferBytes {
        BufferBytes { receive: Some(RECEIVE_BYTES), send: None }
    }
}

/// "Message too long" on Linux, where the test of it runs.
const EMSGSIZE: i32 = 90;

/// What a node claims for its receive buffer.
pub(crate) const RECEIVE_BYTES: usize = 1 << 20;

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemoryTransport").field(&self.address).finish()
    }
}

/// tokio's runtime with numbers that are random in name only, and a clock that shows later with
/// each look, as that of a machine does.
#[derive(Debug)]
pub(crate) struct Seeded {
    tokio: TokioRuntime,
    looked_at: Mutex<utp_wire::Instant>,
    state: Mutex<u64>,
}

impl Seeded {
    pub(crate) fn new(seed: u8) -> Self {
        let looked_at = Mutex::default();
        Self { tokio: TokioRuntime::new(), looked_at, state: Mutex::new(u64::from(seed)) }
    }
}

impl Runtime for Seeded {
    fn now(&self) -> utp_wire::Instant {
        let mut looked_at = self.looked_at.lock().unwrap();
        *looked_at = self.tokio.now().max(looked_at.saturating_add(1));
        *looked_at
    }

    fn timer(&self) -> Pin<Box<dyn Timer>> {
        self.tokio.timer()
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        self.tokio.spawn(future);
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        let mut state = self.state.lock().unwrap();
        for byte in bytes {
            *byte = next_random(&mut state).to_le_bytes()[0];
        }
    }
}
