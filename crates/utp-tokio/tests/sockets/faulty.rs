//! Transports and runtimes that do what those of a machine do on a bad day.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker, ready};

use utp_tokio::runtime::{Runtime, Timer};
use utp_tokio::transport::{AsyncUdpSocket, BufferBytes, Datagrams, RecvMeta};
use utp_tokio::{UtpSocket, UtpSocketBuilder};

use crate::memory::{MemoryTransport, Network, Seeded};

/// What becomes of a call to send.
pub(crate) enum SendFate {
    /// The transport takes it.
    Passes,
    /// The transport takes so many of its datagrams.
    Only(usize),
    /// The transport takes it, and it gets lost.
    Lost,
    /// It goes elsewhere.
    To(SocketAddr),
    /// The call fails.
    Fails(io::Error),
}

type OnSend = Box<dyn FnMut(&Datagrams<'_>) -> SendFate + Send>;
type OnReceive = Box<dyn FnMut(&mut RecvMeta) + Send>;

/// A transport of the network in memory with faults, which change while it runs.
pub(crate) struct Faulty {
    inner: Arc<MemoryTransport>,
    faults: Mutex<Faults>,
}

struct Faults {
    on_send: OnSend,
    on_receive: OnReceive,
    /// What the next call to receive says.
    receive_error: Option<io::Error>,
    receiver: Option<Waker>,
    /// Buffers that a call fills at most.
    buffers_max: usize,
    /// Datagrams of one peer share a buffer, so many at most.
    segments_max: usize,
    /// What had no room in the buffers of the last call.
    left: VecDeque<(RecvMeta, Vec<u8>)>,
    space: Vec<u8>,
}

/// The largest datagram.
const BUFFER_BYTES: usize = 65_536;

impl Faulty {
    /// A transport at 10.0.0.`host`, port 1, without faults so far.
    pub(crate) fn new(network: &Network, host: u8) -> Arc<Self> {
        let faults = Faults {
            on_send: Box::new(|_| SendFate::Passes),
            on_receive: Box::new(|_| {}),
            receive_error: None,
            receiver: None,
            buffers_max: usize::MAX,
            segments_max: 1,
            left: VecDeque::new(),
            space: vec![0; 32 * BUFFER_BYTES],
        };
        Arc::new(Self { inner: network.transport(host), faults: Mutex::new(faults) })
    }

    /// A socket on this transport.
    pub(crate) fn socket(self: &Arc<Self>, options: UtpSocketBuilder) -> UtpSocket {
        self.socket_in(Arc::new(Seeded::new(self.host())), options)
    }

    pub(crate) fn socket_in(
        self: &Arc<Self>,
        runtime: Arc<dyn Runtime>,
        options: UtpSocketBuilder,
    ) -> UtpSocket {
        let transport: Arc<Self> = Arc::clone(self);
        UtpSocket::with_transport(transport, runtime, options).unwrap()
    }

    fn host(&self) -> u8 {
        match self.inner.local_addr().unwrap() {
            SocketAddr::V4(v4) => v4.ip().octets()[3],
            SocketAddr::V6(_) => 0,
        }
    }

    /// Asks `on_send` about every call to send from now on.
    pub(crate) fn on_send(&self, on_send: impl FnMut(&Datagrams<'_>) -> SendFate + Send + 'static) {
        self.faults.lock().unwrap().on_send = Box::new(on_send);
    }

    /// Shows `on_receive` what is said of every datagram that is received from now on.
    pub(crate) fn on_receive(&self, on_receive: impl FnMut(&mut RecvMeta) + Send + 'static) {
        self.faults.lock().unwrap().on_receive = Box::new(on_receive);
    }

    /// Fails the next call to receive, which comes at once.
    pub(crate) fn fail_receive(&self, error: io::Error) {
        let mut faults = self.faults.lock().unwrap();
        faults.receive_error = Some(error);
        let receiver = faults.receiver.take();
        drop(faults);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }

    /// Receives in so many buffers at once, each with so many datagrams of a peer (GRO).
    pub(crate) fn receive_in(&self, buffers_max: usize, segments_max: usize) {
        let mut faults = self.faults.lock().unwrap();
        (faults.buffers_max, faults.segments_max) = (buffers_max, segments_max);
    }

    /// What has arrived, in a buffer each.
    fn receive_all(&self, cx: &mut Context<'_>, faults: &mut Faults) -> Poll<io::Result<()>> {
        let Faults { space, on_receive, left, .. } = faults;
        let mut bufs: Vec<_> = space.chunks_mut(BUFFER_BYTES).map(IoSliceMut::new).collect();
        let mut meta = [RecvMeta::default(); 32];
        let count = ready!(self.inner.poll_recv(cx, &mut bufs, &mut meta))?;
        for (meta, buf) in meta.iter_mut().zip(space.chunks(BUFFER_BYTES)).take(count) {
            on_receive(meta);
            left.push_back((*meta, buf[..meta.len].to_vec()));
        }
        Poll::Ready(Ok(()))
    }
}

impl Faults {
    /// Fills one buffer as Linux does: datagrams of one peer and one size, a shorter one last.
    fn fill(&mut self, buf: &mut [u8]) -> Option<RecvMeta> {
        let (mut meta, first) = self.left.pop_front()?;
        buf[..first.len()].copy_from_slice(&first);
        for _ in 1..self.segments_max {
            let fits = |(next, datagram): &(RecvMeta, Vec<u8>)| {
                next.source == meta.source
                    && (1..=meta.stride).contains(&datagram.len())
                    && meta.len % meta.stride.max(1) == 0
                    && meta.len + datagram.len() <= buf.len()
            };
            if !self.left.front().is_some_and(fits) {
                break;
            }
            let Some((_, datagram)) = self.left.pop_front() else { break };
            buf[meta.len..meta.len + datagram.len()].copy_from_slice(&datagram);
            meta.len += datagram.len();
        }
        Some(meta)
    }
}

impl AsyncUdpSocket for Faulty {
    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut faults = self.faults.lock().unwrap();
        faults.receiver = Some(cx.waker().clone());
        if let Some(error) = faults.receive_error.take() {
            return Poll::Ready(Err(error));
        }
        if faults.left.is_empty() {
            ready!(self.receive_all(cx, &mut faults))?;
        }
        let mut count = 0;
        while count < bufs.len().min(faults.buffers_max)
            && let Some(filled) = faults.fill(&mut bufs[count])
        {
            meta[count] = filled;
            count += 1;
        }
        Poll::Ready(Ok(count))
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        datagrams: &Datagrams<'_>,
    ) -> Poll<io::Result<usize>> {
        let fate = (self.faults.lock().unwrap().on_send)(datagrams);
        match fate {
            SendFate::Passes => self.inner.poll_send(cx, datagrams),
            SendFate::Only(count) => {
                let size = datagrams.segment_size.unwrap_or(datagrams.contents.len());
                let len = datagrams.contents.len().min(count * size);
                let some = Datagrams { contents: &datagrams.contents[..len], ..*datagrams };
                self.inner.poll_send(cx, &some)
            }
            SendFate::Lost => Poll::Ready(Ok(datagrams.contents.len())),
            SendFate::To(destination) => {
                self.inner.poll_send(cx, &Datagrams { destination, ..*datagrams })
            }
            SendFate::Fails(error) => Poll::Ready(Err(error)),
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_send_segments(&self) -> usize {
        self.inner.max_send_segments()
    }

    fn buffer_bytes(&self) -> BufferBytes {
        self.inner.buffer_bytes()
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Two such transports and a socket on each.
pub(crate) fn two(network: &Network) -> ([Arc<Faulty>; 2], UtpSocket, UtpSocket) {
    let transports = [Faulty::new(network, 1), Faulty::new(network, 2)];
    let [a, b] = [0, 1].map(|index: usize| transports[index].socket(UtpSocket::builder()));
    (transports, a, b)
}

/// A runtime that does not run its tasks for a while.
#[derive(Debug)]
pub(crate) struct Starving {
    inner: Seeded,
    gate: Arc<Mutex<Gate>>,
}

#[derive(Debug, Default)]
struct Gate {
    closed: bool,
    waiting: Option<Waker>,
}

impl Starving {
    pub(crate) fn new(seed: u8) -> Self {
        Self { inner: Seeded::new(seed), gate: Arc::default() }
    }

    /// Runs nothing until it is called again with false.
    pub(crate) fn starve(&self, closed: bool) {
        let mut gate = self.gate.lock().unwrap();
        gate.closed = closed;
        let waiting = gate.waiting.take();
        drop(gate);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

impl Runtime for Starving {
    fn now(&self) -> utp_wire::Instant {
        self.inner.now()
    }

    fn timer(&self) -> Pin<Box<dyn Timer>> {
        self.inner.timer()
    }

    fn spawn(&self, mut future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let gate = Arc::clone(&self.gate);
        self.inner.spawn(Box::pin(std::future::poll_fn(move |cx| {
            let mut gate = gate.lock().unwrap();
            if gate.closed {
                gate.waiting = Some(cx.waker().clone());
                return Poll::Pending;
            }
            drop(gate);
            future.as_mut().poll(cx)
        })));
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.inner.fill_random(bytes);
    }
}
