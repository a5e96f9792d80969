//! Owns the one task of a socket: [`Driver`], a future that holds the core by value and moves
//! everything between it, the transport and the streams.
//!
//! What a turn does, and in which order, stands in [`Driver::round`].

mod inbound;
mod receiver;
mod sender;
mod streams;

use std::io::ErrorKind;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::{io, mem};

use tokio::sync::{mpsc, oneshot};
use utp_proto::{Config, Endpoint, EndpointConfig, Entropy, Event};
use utp_wire::Instant;

use crate::error::Failure;
use crate::runtime::{Runtime, Timer};
use crate::shared::{
    Closing, ConnectRequest, RAW_DATAGRAMS_MAX, RawDatagram, SocketShared, StreamShared, Wishes,
};
use crate::stats::SocketStats;
use crate::stream::UtpStream;
use crate::trace::TraceSink;
use crate::transport::AsyncUdpSocket;
use crate::unclaimed::Unclaimed;
use crate::work_limiter::WorkLimiter;
use receiver::Receiver;
use sender::{Sender, Stop};
use streams::Streams;

/// What a driver is made of.
pub(crate) struct DriverParts {
    pub(crate) transport: Arc<dyn AsyncUdpSocket>,
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) shared: Arc<SocketShared>,
    pub(crate) endpoint_config: Arc<EndpointConfig>,
    pub(crate) config: Arc<Config>,
    /// Where accepted streams go; none refuses every connect.
    pub(crate) backlog: Option<Backlog>,
    /// Where the events of connections go.
    pub(crate) trace: Option<TraceSink>,
    /// Whether streams go there before their peer has proved itself, if the core reports them then.
    pub(crate) accept_at_syn: bool,
    /// Where datagrams go that are not uTP.
    pub(crate) unclaimed: mpsc::Sender<Unclaimed>,
    /// How long a socket that is being closed waits for its streams, in microseconds.
    pub(crate) close_timeout_us: u64,
    /// Dropped when every stream of a closing socket is gone and has delivered its bytes.
    pub(crate) drained: oneshot::Sender<()>,
}

/// Where streams wait to be accepted.
pub(crate) struct Backlog {
    pub(crate) queue: mpsc::Sender<UtpStream>,
    /// Connects are refused while as many wait. The queue has more room than that, for those who
    /// came before.
    pub(crate) streams_max: usize,
}

impl Backlog {
    fn has_room(&self) -> bool {
        self.queue.max_capacity() - self.queue.capacity() < self.streams_max
    }
}

/// The task of a socket.
pub(crate) struct Driver {
    transport: Arc<dyn AsyncUdpSocket>,
    runtime: Arc<dyn Runtime>,
    shared: Arc<SocketShared>,
    endpoint: Endpoint,
    config: Arc<Config>,
    backlog: Option<Backlog>,
    accept_at_syn: bool,
    unclaimed: mpsc::Sender<Unclaimed>,
    streams: Streams,
    receiver: Receiver,
    sender: Sender,
    timer: Pin<Box<dyn Timer>>,
    /// What the timer is set to, until it has fired.
    armed: Option<Instant>,
    closing: Option<Closing>,
    close_timeout_us: u64,
    close_at: Option<Instant>,
    /// When the last stream of a socket that is closing was gone.
    drained_at: Option<Instant>,
    /// Why the transport gave up.
    failure: Option<ErrorKind>,
    stats: SocketStats,
    /// The task has just let others go first.
    yielded: bool,
    /// Whom to wake once nothing is locked or borrowed.
    wakers: Vec<Waker>,
    changed: Vec<Arc<StreamShared>>,
    connects: Vec<ConnectRequest>,
    datagrams: Vec<RawDatagram>,
    /// Who waits for the end. The last field: fields are dropped in their order, and whoever is
    /// told finds the port free.
    _drained: oneshot::Sender<()>,
}

impl Driver {
    pub(crate) fn new(parts: DriverParts) -> Self {
        let entropy = Box::new(RuntimeEntropy(Arc::clone(&parts.runtime)));
        let stats =
            SocketStats { buffer_bytes: parts.transport.buffer_bytes(), ..SocketStats::default() };
        let mut endpoint = Endpoint::new(parts.endpoint_config, entropy);
        if let Some(sink) = parts.trace {
            endpoint.set_trace(Some(Box::new(sink)));
        }
        Self {
            endpoint,
            sender: Sender::new(Arc::clone(&parts.transport), Arc::clone(&parts.runtime)),
            timer: parts.runtime.timer(),
            transport: parts.transport,
            runtime: parts.runtime,
            shared: parts.shared,
            config: parts.config,
            backlog: parts.backlog,
            accept_at_syn: parts.accept_at_syn,
            unclaimed: parts.unclaimed,
            streams: Streams::default(),
            receiver: Receiver::new(),
            armed: None,
            closing: None,
            close_timeout_us: parts.close_timeout_us,
            close_at: None,
            drained_at: None,
            _drained: parts.drained,
            failure: None,
            stats,
            yielded: false,
            wakers: Vec::new(),
            changed: Vec::new(),
            connects: Vec::new(),
            datagrams: Vec::new(),
        }
    }

    /// One round: everything that has come in, then everything that goes out. Ready says that
    /// there may be more to do at once.
    fn round(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<io::Result<()>> {
        let received = self.poll_receive(cx, now)?;
        self.handle_icmp(cx, now);
        self.apply_inbox(now);
        self.handle_deadlines(now);
        self.handle_events(now);
        if self.yields_to_users(cx) {
            return Poll::Pending;
        }
        let stop = self.sender.run(cx, &mut self.endpoint, &mut self.datagrams, &mut self.stats);
        // What could not be delivered may have ended a connect, and what was sent made room.
        let wrote = self.handle_events(now);
        self.wake_all();
        if received.is_ready() || stop == Stop::Enough || wrote {
            return Poll::Ready(Ok(()));
        }
        if self.poll_timer(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        self.shared.poll_changed(cx, self.closing).map(Ok)
    }

    /// Whether those who have just got something to read or room to write go first, once, before
    /// anything is sent: an answer takes the ack along, which would be a packet of its own.
    fn yields_to_users(&mut self, cx: &mut Context<'_>) -> bool {
        self.yielded = !self.yielded && !self.wakers.is_empty();
        if self.yielded {
            self.wake_all();
            // This task comes after all that are awake, which one that only wakes itself does not.
            if pin!(tokio::task::yield_now()).poll(cx).is_ready() {
                cx.waker().wake_by_ref();
            }
        }
        self.yielded
    }

    /// Does what the users of streams and socket want.
    fn apply_inbox(&mut self, now: Instant) {
        let mut changed = mem::take(&mut self.changed);
        let mut connects = mem::take(&mut self.connects);
        let mut datagrams = Vec::new();
        let closing = self.shared.collect(&mut changed, &mut connects, &mut datagrams);
        // They are sent from the back, and the newest are dropped.
        datagrams.reverse();
        datagrams.append(&mut self.datagrams);
        datagrams.drain(..datagrams.len().saturating_sub(RAW_DATAGRAMS_MAX));
        self.datagrams = datagrams;
        self.apply_wishes();
        for request in connects.drain(..) {
            self.connect(now, request);
        }
        for stream in changed.drain(..) {
            stream.unlist();
            self.streams.apply(now, &mut self.endpoint, &stream, &mut self.wakers);
        }
        self.changed = changed;
        self.connects = connects;
        if closing.is_some() && self.closing.is_none() {
            self.closing = closing;
            self.backlog = None;
            self.streams.release_unannounced(now, &mut self.endpoint);
            if closing == Some(Closing::Bounded) {
                self.close_at = Some(now.saturating_add(self.close_timeout_us));
            }
        }
    }

    /// Does what the user of the socket wants.
    fn apply_wishes(&mut self) {
        let Wishes { totals, send_rate_max } = self.shared.take_wishes();
        if let Some(bytes_per_second) = send_rate_max {
            self.endpoint.set_send_rate_max(bytes_per_second);
        }
        if totals {
            self.stats.totals = self.endpoint.totals();
        }
    }

    fn connect(&mut self, now: Instant, request: ConnectRequest) {
        let ConnectRequest { stream, config } = request;
        match self.endpoint.connect(now, stream.remote, config) {
            Ok(handle) => self.streams.insert(&self.endpoint, handle, stream, false),
            Err(error) => stream.fail(Failure::Connect(error), &mut self.wakers),
        }
    }

    fn handle_deadlines(&mut self, now: Instant) {
        let stalled = self.sender.is_stalled(now);
        if !stalled && self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            self.endpoint.handle_timeout(now);
        }
        if self.close_at.is_some_and(|at| at <= now) {
            self.close_at = None;
            self.streams.abort_all(now, &mut self.endpoint);
        }
    }

    /// Says whether the core has taken more of what was written.
    fn handle_events(&mut self, now: Instant) -> bool {
        let mut wrote = false;
        while let Some((handle, event)) = self.endpoint.poll_event() {
            if event == Event::Connected
                && let Some(stream) = self.streams.announce(handle)
            {
                self.offer(now, stream);
                continue;
            }
            let Some(stream) = self.streams.get(handle).map(Arc::clone) else { continue };
            let Some(mut connection) = self.endpoint.connection_mut(handle) else { continue };
            let wakers = &mut self.wakers;
            match event {
                Event::Closed(error) => {
                    self.streams.on_readable(now, &mut connection, &stream, wakers);
                    streams::on_closed(&connection, &stream, error, wakers);
                    drop(connection);
                    self.streams.release(now, &mut self.endpoint, handle);
                    continue;
                }
                Event::Connected => streams::on_connected(&stream, wakers),
                Event::Finished => streams::on_finished(&stream, wakers),
                Event::Readable => {
                    self.streams.on_readable(now, &mut connection, &stream, wakers);
                }
                Event::Writable => {
                    streams::push_writes(now, &mut connection, &stream, wakers);
                    wrote = true;
                    *stream.stats() = connection.stats();
                    drop(connection);
                    self.streams.release_if_done(now, &mut self.endpoint, handle, &stream);
                    continue;
                }
                _ => {}
            }
            if let Some(ip) = connection.local_ip() {
                stream.local_ip.get_or_init(|| ip);
            }
            *stream.stats() = connection.stats();
        }
        wrote
    }

    /// Ready when the next deadline has come. Sets the timer only if it would ring too late:
    /// deadlines that move away, as they do with every ack, cost nothing until it rings.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // A transport that takes nothing wakes the task when it does.
        let stalled_until = self.sender.stalled_until(self.runtime.now());
        let next = self.endpoint.poll_timeout().map(|at| at.max(stalled_until));
        let deadlines = [next, self.close_at];
        let Some(deadline) = deadlines.into_iter().flatten().min() else {
            return Poll::Pending;
        };
        if self.armed.is_none_or(|armed| deadline < armed) {
            self.armed = Some(deadline);
            self.timer.as_mut().reset(deadline);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            self.armed = None;
            if deadline <= self.runtime.now() {
                return Poll::Ready(());
            }
            self.armed = Some(deadline);
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    fn wake_all(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }

    /// Whether nobody will ever want anything again. A socket that was dropped goes on to answer
    /// repeated FINs for a while; one that was closed gives its port back at once.
    fn is_done(&mut self, now: Instant) -> bool {
        let Some(closing) = self.closing else { return false };
        if !self.streams.is_drained(&self.endpoint) || !self.sender.is_idle() {
            return false;
        }
        self.close_at = None;
        // Peers that repeat themselves without end wake this task, and keep it no longer than that.
        let drained_at = *self.drained_at.get_or_insert(now);
        closing == Closing::Bounded
            || self.endpoint.is_idle()
            || now.saturating_since(drained_at) > ANSWERS_US_MAX
    }

    fn publish(&mut self) {
        self.stats.endpoint = self.endpoint.stats();
        self.stats.streams = self.streams.len();
        self.stats.send_segments_max = self.transport.max_send_segments();
        self.stats.recv_segments_max = self.transport.max_recv_segments();
        let mut stats = self.stats;
        stats.connects_refused += stats.endpoint.syns_refused;
        *self.shared.stats() = stats;
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut now = this.runtime.now();
        let mut limiter = WorkLimiter::new(now);
        loop {
            let round = this.round(cx, now);
            if let Poll::Ready(Err(error)) = round {
                tracing::warn!(%error, "the socket fails");
                this.failure = Some(error.kind());
                return Poll::Ready(());
            }
            now = this.runtime.now();
            if round.is_pending() {
                // Not earlier: what there is to send, a last reset perhaps, is sent.
                if !this.yielded && this.is_done(now) {
                    return Poll::Ready(());
                }
                break;
            }
            if !limiter.permits_another(now) {
                cx.waker().wake_by_ref();
                break;
            }
        }
        this.publish();
        Poll::Pending
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stats.totals = self.endpoint.totals();
        self.publish();
        let kind = self.failure.unwrap_or(ErrorKind::ConnectionAborted);
        self.streams.fail_all(Failure::Socket(kind), &mut self.wakers);
        self.shared.die(kind, &mut self.wakers);
        self.wake_all();
    }
}

/// The core's source of randomness.
struct RuntimeEntropy(Arc<dyn Runtime>);

impl Entropy for RuntimeEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_random(bytes);
    }
}

/// How long a dropped socket goes on to answer peers that repeat themselves: far beyond the last
/// resend of an honest one, in microseconds.
const ANSWERS_US_MAX: u64 = 120_000_000;
