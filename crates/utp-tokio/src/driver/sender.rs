//! Owns the way out: the buffer that batches are encoded into, and the batch that has to wait when
//! the transport takes no more.

mod batch;
mod pause;

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use utp_proto::{Endpoint, IcmpError};
use utp_wire::Instant;

use crate::runtime::Runtime;
use crate::shared::RawDatagram;
use crate::stats::SocketStats;
use crate::transport::{AsyncUdpSocket, Datagrams, QUOTED_MAX, is_out_of_buffers, is_too_large};
use batch::Batch;
use pause::Pause;

/// Sends batches.
#[derive(Debug)]
pub(super) struct Sender {
    transport: Arc<dyn AsyncUdpSocket>,
    runtime: Arc<dyn Runtime>,
    buf: Vec<u8>,
    /// The batch that is being sent, until all of it has gone.
    batch: Option<Batch>,
    /// What the core gave out when the batch before it was complete. It stands in the buffer, too.
    next: Option<Batch>,
    /// Since when the transport takes nothing.
    blocked_at: Option<Instant>,
    /// Until when it is not asked again, if it does not tell by itself when that is of use.
    pause: Pause,
}

/// Why sending stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The transport is full; the task is woken when it is not.
    Blocked,
    /// There is nothing more to send.
    Drained,
    /// It was enough for now.
    Enough,
}

impl Sender {
    pub(super) fn new(transport: Arc<dyn AsyncUdpSocket>, runtime: Arc<dyn Runtime>) -> Self {
        let pause = Pause::new(runtime.timer());
        Self {
            transport,
            runtime,
            buf: Vec::new(),
            batch: None,
            next: None,
            blocked_at: None,
            pause,
        }
    }

    /// Whether no batch waits for the transport.
    pub(super) const fn is_idle(&self) -> bool {
        self.batch.is_none() && self.next.is_none()
    }

    /// Whether the transport takes nothing, and has not for so long that the socket is broken.
    pub(super) fn is_stalled(&self, now: Instant) -> bool {
        self.blocked_at.is_some_and(|at| now.saturating_since(at) < STALL_US_MAX)
    }

    /// Until when deadlines wait for the transport; the beginning of time if they do not.
    pub(super) fn stalled_until(&self, now: Instant) -> Instant {
        let until = self.blocked_at.map(|at| at.saturating_add(STALL_US_MAX));
        until.filter(|until| *until > now).unwrap_or_default()
    }

    /// Sends what the core and the user have, one batch after the other.
    pub(super) fn run(
        &mut self,
        cx: &mut Context<'_>,
        endpoint: &mut Endpoint,
        raw: &mut Vec<RawDatagram>,
        stats: &mut SocketStats,
    ) -> Stop {
        for _ in 0..BATCHES_MAX {
            if self.poll_flush(cx, endpoint, stats).is_pending() {
                return Stop::Blocked;
            }
            let batch = self.take_raw(raw).or_else(|| self.encode(endpoint, raw.is_empty()));
            let Some(batch) = batch else {
                return Stop::Drained;
            };
            self.batch = Some(batch);
        }
        match self.poll_flush(cx, endpoint, stats) {
            Poll::Pending => Stop::Blocked,
            Poll::Ready(()) => Stop::Enough,
        }
    }

    /// Fills the buffer with the core's next batch. Connections with one peer share it, so that it
    /// costs no more to send on many of them than on one. Without `join`, what is in the buffer
    /// goes by itself, and leaves it free.
    fn encode(&mut self, endpoint: &mut Endpoint, join: bool) -> Option<Batch> {
        let datagrams_max = self.transport.max_send_segments().max(1);
        let mut batch = match self.next.take() {
            Some(mut next) => {
                next.take_turn(self.runtime.now(), &mut self.buf);
                next
            }
            None => {
                self.buf.clear();
                self.poll_core(endpoint, datagrams_max)?
            }
        };
        while join && let Some(room) = batch.room(datagrams_max) {
            let Some(more) = self.poll_core(endpoint, room) else { break };
            if !batch.join(&more) {
                self.next = Some(more);
                break;
            }
        }
        Some(batch)
    }

    /// Appends what the core sends next to the buffer.
    fn poll_core(&mut self, endpoint: &mut Endpoint, datagrams_max: usize) -> Option<Batch> {
        let now = self.runtime.now();
        let datagrams_max = NonZeroUsize::new(datagrams_max).unwrap_or(NonZeroUsize::MIN);
        let transmit = endpoint.poll_transmit(now, datagrams_max, &mut self.buf)?;
        Some(Batch::of_core(&transmit, now))
    }

    /// Fills the buffer with a datagram of the user's, if none of the core's is there.
    fn take_raw(&mut self, raw: &mut Vec<RawDatagram>) -> Option<Batch> {
        if self.next.is_some() {
            return None;
        }
        let datagram = raw.pop()?;
        self.buf.clear();
        self.buf.extend_from_slice(&datagram.bytes);
        // Nobody searches for the size of what others send from here.
        let dont_fragment = datagram.bytes.len() <= RAW_WHOLE_BYTES_MAX;
        Some(Batch::raw(datagram.destination, 0..self.buf.len(), dont_fragment))
    }

    /// Hands the batch in the buffer to the transport; ready when there is none any more.
    fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        endpoint: &mut Endpoint,
        stats: &mut SocketStats,
    ) -> Poll<()> {
        let Some(mut batch) = self.batch else { return Poll::Ready(()) };
        ready!(self.pause.poll(cx));
        if batch.blocked {
            stats.batches_restamped += u64::from(batch.restamp(self.runtime.now(), &mut self.buf));
        }
        while batch.start < batch.end {
            batch.blocked = true;
            let Poll::Ready(sent) = self.offer(cx, &batch) else {
                stats.sends_blocked += 1;
                self.batch = Some(batch);
                return Poll::Pending;
            };
            batch.blocked = false;
            match sent {
                Ok(sent) => {
                    self.on_taken(endpoint);
                    let sent = sent.clamp(1, batch.end - batch.start);
                    stats.sends += 1;
                    stats.bytes_sent += sent as u64;
                    let size = batch.segment_size.unwrap_or(sent).max(1);
                    stats.datagrams_sent += sent.div_ceil(size) as u64;
                    batch.start += sent;
                }
                Err(error) => {
                    self.on_failed(&error, &batch, endpoint, stats);
                    batch.start = batch.end;
                }
            }
        }
        self.batch = None;
        Poll::Ready(())
    }

    // req: F-16
    /// Offers what is left of a batch to the transport. A host that is out of buffers is no other
    /// than a socket that is full, but tells nobody when it is not.
    fn offer(&mut self, cx: &mut Context<'_>, batch: &Batch) -> Poll<io::Result<usize>> {
        let sent = self.transport.poll_send(cx, &batch.datagrams(&self.buf));
        let refused = matches!(&sent, Poll::Ready(Err(error)) if is_out_of_buffers(error));
        if sent.is_ready() && !refused {
            return sent;
        }
        // What the core believes to be sent was so when the batch was made.
        let made_at = batch.stamped_at.filter(|_| batch.start == 0);
        let now = self.runtime.now();
        let blocked_at = *self.blocked_at.get_or_insert_with(|| made_at.unwrap_or(now));
        if refused {
            if now.saturating_since(blocked_at) >= STALL_US_MAX {
                return sent;
            }
            self.pause.begin(cx, now);
        }
        Poll::Pending
    }

    /// The transport takes something.
    fn on_taken(&mut self, endpoint: &mut Endpoint) {
        self.pause.end();
        if let Some(at) = self.blocked_at.take() {
            let now = self.runtime.now();
            if now.saturating_since(at) >= STALL_US_MIN {
                endpoint.handle_stall(now, at);
            }
        }
    }

    /// What is left of a batch does not go, now or later.
    fn on_failed(
        &mut self,
        error: &io::Error,
        batch: &Batch,
        endpoint: &mut Endpoint,
        stats: &mut SocketStats,
    ) {
        // One that is out of buffers for so long stays as it is until something goes.
        if !is_out_of_buffers(error) {
            self.on_taken(endpoint);
        }
        let datagrams = batch.datagrams(&self.buf);
        let now = self.runtime.now();
        if is_too_large(error) && batch.stamped_at.is_some() {
            stats.sends_too_large += 1;
            let Datagrams { destination, contents, segment_size, .. } = datagrams;
            endpoint.handle_send_too_large(now, destination, contents, segment_size);
        } else {
            stats.send_errors += 1;
            report_lost(error, now, &datagrams, endpoint);
        }
    }
}

/// Tells the core what it would learn from an ICMP message if the trouble were farther away.
fn report_lost(
    error: &io::Error,
    now: Instant,
    datagrams: &Datagrams<'_>,
    endpoint: &mut Endpoint,
) {
    tracing::debug!(%error, destination = %datagrams.destination, "datagrams are lost");
    let unreachable =
        matches!(error.kind(), io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable);
    if unreachable {
        for datagram in datagrams.iter() {
            let quoted = &datagram[..datagram.len().min(QUOTED_MAX)];
            endpoint.handle_icmp(now, datagrams.destination, IcmpError::Unreachable, quoted);
        }
    }
}

/// Up to this size a datagram of the user's fits any path whole, so that the kernel need not be
/// told otherwise.
const RAW_WHOLE_BYTES_MAX: usize = 1_200;

/// A stall below this is nothing beside a round trip that would matter.
const STALL_US_MIN: u64 = 10_000;

/// Deadlines wait no longer than this for a transport that takes nothing: then it is broken, and
/// streams must end.
const STALL_US_MAX: u64 = 30_000_000;

/// Batches in a row before the driver looks at what has come in.
const BATCHES_MAX: usize = 16;
