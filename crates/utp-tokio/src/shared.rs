//! Owns what the driver of a socket and the users of its streams share: a pair of queues for each
//! stream and the inbox of the driver.
//!
//! Every lock is held for moves and flags only, never while a waker is woken or bytes are copied
//! (small writes, which are gathered under it, excepted). A stream that changes puts itself on the
//! list of the inbox; the first to do so since the driver went to sleep wakes it.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU8, NonZeroU32};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use utp_proto::{Config, ConnectionHandle, QueueAccount, Stats};

use crate::error::Failure;
use crate::stats::SocketStats;

/// What a stream's user and the driver share.
#[derive(Debug)]
pub(crate) struct StreamShared {
    pub(crate) remote: SocketAddr,
    /// The name of the connection in the core, once there is one.
    pub(crate) handle: OnceLock<ConnectionHandle>,
    /// The address of this host that the peer uses, once that is known.
    pub(crate) local_ip: OnceLock<IpAddr>,
    /// Whether it stands on the list of the inbox.
    listed: AtomicBool,
    /// Bytes the user has read and the core does not know of.
    consumed: AtomicUsize,
    /// That many of them are worth waking the driver for: a quarter of the receive buffer.
    consumed_worth_telling: usize,
    /// The user dropped the stream.
    pub(crate) released: AtomicBool,
    /// The user wants the connection to end with a reset, and perhaps says why.
    pub(crate) aborted: OnceLock<Option<u16>>,
    /// The user has emptied a queue that took no more.
    pub(crate) wants_more: AtomicBool,
    rx: Mutex<Rx>,
    tx: Mutex<Tx>,
    stats: Mutex<Stats>,
}

/// Bytes on their way to the user.
#[derive(Debug, Default)]
pub(crate) struct Rx {
    pub(crate) chunks: VecDeque<Bytes>,
    /// What follows the last of them.
    pub(crate) end: Option<ReadEnd>,
    pub(crate) waker: Option<Waker>,
    /// The user does not read any more.
    pub(crate) discard: bool,
    /// The queue took no more chunks; the core may hold bytes that follow.
    pub(crate) more: bool,
}

/// Chunks that wait for the user. What follows stays in the core, which gathers small pieces: here
/// every chunk costs more than its bytes.
pub(crate) const RX_CHUNKS_MAX: usize = 64;

/// How the readable side of a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadEnd {
    Failed(Failure),
    Finished,
}

/// Bytes on their way to the core.
#[derive(Debug, Default)]
pub(crate) struct Tx {
    pub(crate) chunks: VecDeque<Bytes>,
    /// Small writes, gathered. They come after the chunks.
    pub(crate) tail: Vec<u8>,
    /// Bytes in the chunks and the tail.
    bytes: usize,
    /// Them as the endpoint counts them, once it knows the stream.
    account: QueueAccount,
    pub(crate) waker: Option<Waker>,
    /// The core has no room: it will tell, so there is no point in waking the driver.
    pub(crate) core_is_full: bool,
    /// The handshake is done, or need not be waited for.
    pub(crate) open: bool,
    pub(crate) fin: Fin,
    /// Why our direction ends, if the user says so.
    pub(crate) reason: Option<u16>,
    pub(crate) wishes: StreamWishes,
    pub(crate) failure: Option<Failure>,
}

/// How the user of a stream wants it to send from now on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StreamWishes {
    /// Another weight.
    pub(crate) weight: Option<NonZeroU8>,
    /// Another rate cap, or none.
    pub(crate) send_rate_max: Option<Option<NonZeroU32>>,
}

/// How far the end of our direction has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fin {
    #[default]
    Open,
    /// The user has written the last byte.
    Wanted,
    /// The core knows.
    Told,
    /// The peer has everything.
    Acked,
}

impl StreamShared {
    pub(crate) fn new(remote: SocketAddr, config: &Config) -> Self {
        Self {
            remote,
            handle: OnceLock::new(),
            local_ip: OnceLock::new(),
            listed: AtomicBool::new(false),
            consumed: AtomicUsize::new(0),
            consumed_worth_telling: (config.receive_buffer_bytes / 4).max(1) as usize,
            released: AtomicBool::new(false),
            aborted: OnceLock::new(),
            wants_more: AtomicBool::new(false),
            rx: Mutex::default(),
            tx: Mutex::default(),
            stats: Mutex::default(),
        }
    }

    pub(crate) fn rx(&self) -> MutexGuard<'_, Rx> {
        lock(&self.rx)
    }

    pub(crate) fn tx(&self) -> MutexGuard<'_, Tx> {
        lock(&self.tx)
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, Stats> {
        lock(&self.stats)
    }

    /// The user has read `bytes`; says whether the driver should know by now.
    pub(crate) fn consume(&self, bytes: usize) -> bool {
        let before = self.consumed.fetch_add(bytes, Ordering::AcqRel);
        before + bytes >= self.consumed_worth_telling
    }

    /// What the user has read since the last call.
    pub(crate) fn take_consumed(&self) -> usize {
        self.consumed.swap(0, Ordering::AcqRel)
    }

    /// Takes the stream off the list, in the sense that the next change puts it there again.
    pub(crate) fn unlist(&self) {
        self.listed.swap(false, Ordering::AcqRel);
    }

    /// Ends both directions. What was received stays readable.
    pub(crate) fn fail(&self, failure: Failure, wakers: &mut Vec<Waker>) {
        let mut rx = self.rx();
        rx.end.get_or_insert(ReadEnd::Failed(failure));
        wakers.extend(rx.waker.take());
        drop(rx);
        let mut tx = self.tx();
        tx.failure.get_or_insert(failure);
        tx.chunks = VecDeque::new();
        tx.tail = Vec::new();
        tx.set_bytes(0);
        wakers.extend(tx.waker.take());
    }
}

impl Rx {
    /// Notes that `cx` waits for bytes.
    pub(crate) fn wait(&mut self, cx: &Context<'_>) {
        remember(&mut self.waker, cx);
    }
}

impl Tx {
    /// Notes that `cx` waits for room, for the handshake or for the end.
    pub(crate) fn wait(&mut self, cx: &Context<'_>) {
        remember(&mut self.waker, cx);
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// After bytes came or went.
    pub(crate) fn set_bytes(&mut self, bytes: usize) {
        self.bytes = bytes;
        self.account.settle(bytes);
    }

    /// The endpoint counts what is here from now on.
    pub(crate) fn open_account(&mut self, account: QueueAccount) {
        self.account = account;
        self.account.settle(self.bytes);
    }

    /// For the driver, which moves everything to the core as far as that takes it: nothing counts
    /// until [`set_bytes`](Self::set_bytes), lest what is moved counts twice.
    pub(crate) fn pause_account(&mut self) {
        self.account.settle(0);
    }

    /// Bytes the user may write now.
    pub(crate) fn room(&self) -> usize {
        let max = self.bytes_max();
        if max < QUEUE_BYTES_MAX && self.bytes > max / 2 {
            // Enough for a chunk, or nothing.
            return 0;
        }
        max.saturating_sub(self.bytes).min(self.account.room(self.bytes))
    }

    /// Whether a writer who waits for room finds enough of it.
    pub(crate) fn is_half_empty(&self) -> bool {
        self.bytes <= self.bytes_max() / 2
    }

    fn bytes_max(&self) -> usize {
        QUEUE_BYTES_MAX.min(self.account.worth_queueing())
    }

    /// Whether the core knows everything of a stream that its user has dropped: bytes, end, reason.
    pub(crate) fn is_told(&self) -> bool {
        self.bytes == 0 && self.fin > Fin::Wanted
    }

    /// Puts the gathered small writes among the chunks.
    pub(crate) fn flush_tail(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(mem::take(&mut self.tail).into());
        }
    }
}

/// What the users of a socket share with its driver.
#[derive(Debug)]
pub(crate) struct SocketShared {
    pub(crate) local_addr: SocketAddr,
    inbox: Mutex<Inbox>,
    stats: Mutex<SocketStats>,
    /// Bytes of datagrams that are not uTP and wait to be read.
    pub(crate) unclaimed_bytes: AtomicUsize,
}

/// What the driver is told.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    pub(crate) changed: Vec<Arc<StreamShared>>,
    pub(crate) connects: Vec<ConnectRequest>,
    pub(crate) datagrams: Vec<RawDatagram>,
    pub(crate) closing: Option<Closing>,
    pub(crate) wishes: Wishes,
    /// The driver's, while it sleeps.
    waker: Option<Waker>,
    /// Why there is no driver any more.
    dead: Option<ErrorKind>,
}

/// What the user of the socket wants beside that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wishes {
    /// Counters added up over all connections.
    pub(crate) totals: bool,
    /// Another rate cap, or none.
    pub(crate) send_rate_max: Option<Option<NonZeroU32>>,
}

/// A wish to connect.
#[derive(Debug)]
pub(crate) struct ConnectRequest {
    pub(crate) stream: Arc<StreamShared>,
    pub(crate) config: Arc<Config>,
}

/// A datagram that is not uTP, to be sent as it is.
#[derive(Debug)]
pub(crate) struct RawDatagram {
    pub(crate) destination: SocketAddr,
    pub(crate) bytes: Bytes,
}

/// How the socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Its streams may take as long as they need.
    Dropped,
    /// Its streams are reset when the time for closing is over.
    Bounded,
}

impl SocketShared {
    pub(crate) fn new(local_addr: SocketAddr) -> Self {
        Self {
            local_addr,
            inbox: Mutex::default(),
            stats: Mutex::default(),
            unclaimed_bytes: AtomicUsize::new(0),
        }
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, SocketStats> {
        lock(&self.stats)
    }

    /// Has the driver look at `stream`.
    pub(crate) fn list(&self, stream: &Arc<StreamShared>) {
        if !stream.listed.swap(true, Ordering::AcqRel) {
            self.tell(|inbox| inbox.changed.push(Arc::clone(stream)));
        }
    }

    /// Changes the inbox and wakes the driver if it sleeps.
    pub(crate) fn tell<T>(&self, change: impl FnOnce(&mut Inbox) -> T) -> T {
        let mut inbox = lock(&self.inbox);
        let result = change(&mut inbox);
        let waker = inbox.waker.take();
        if inbox.dead.is_some() {
            // Nobody will read it.
            inbox.changed = Vec::new();
        }
        drop(inbox);
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    /// Sends a datagram that is not uTP.
    pub(crate) fn send_raw(&self, datagram: RawDatagram) -> Result<(), ErrorKind> {
        self.tell(|inbox| {
            if let Some(kind) = inbox.dead {
                return Err(kind);
            }
            if inbox.datagrams.len() >= RAW_DATAGRAMS_MAX {
                return Err(ErrorKind::WouldBlock);
            }
            inbox.datagrams.push(datagram);
            Ok(())
        })
    }

    /// Starts a connect.
    pub(crate) fn connect(&self, request: ConnectRequest) -> Result<(), Failure> {
        self.tell(|inbox| match inbox.dead {
            Some(kind) => Err(Failure::Socket(kind)),
            None => {
                inbox.connects.push(request);
                Ok(())
            }
        })
    }

    /// For the driver: exchanges the lists of what has happened with the empty ones given.
    pub(crate) fn collect(
        &self,
        changed: &mut Vec<Arc<StreamShared>>,
        connects: &mut Vec<ConnectRequest>,
        datagrams: &mut Vec<RawDatagram>,
    ) -> Option<Closing> {
        let mut inbox = lock(&self.inbox);
        inbox.waker = None;
        mem::swap(&mut inbox.changed, changed);
        mem::swap(&mut inbox.connects, connects);
        mem::swap(&mut inbox.datagrams, datagrams);
        inbox.closing
    }

    /// For the driver.
    pub(crate) fn take_wishes(&self) -> Wishes {
        mem::take(&mut lock(&self.inbox).wishes)
    }

    /// For the driver, which knows of `closing`: has it woken at the next change; ready if there
    /// was one already.
    pub(crate) fn poll_changed(&self, cx: &Context<'_>, closing: Option<Closing>) -> Poll<()> {
        let mut inbox = lock(&self.inbox);
        let is_empty =
            inbox.changed.is_empty() && inbox.connects.is_empty() && inbox.datagrams.is_empty();
        let wished = inbox.wishes != Wishes::default();
        if !is_empty || wished || inbox.closing != closing {
            return Poll::Ready(());
        }
        remember(&mut inbox.waker, cx);
        Poll::Pending
    }

    /// For the driver: its last word. Fails what nobody will take care of.
    pub(crate) fn die(&self, kind: ErrorKind, wakers: &mut Vec<Waker>) {
        let mut inbox = lock(&self.inbox);
        inbox.dead = Some(kind);
        inbox.waker = None;
        let connects = mem::take(&mut inbox.connects);
        let changed = mem::take(&mut inbox.changed);
        inbox.datagrams = Vec::new();
        drop(inbox);
        for request in connects {
            request.stream.fail(Failure::Socket(kind), wakers);
        }
        drop(changed);
    }
}

fn remember(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *slot = Some(cx.waker().clone()),
    }
}

/// A thread that panicked with the lock held left the data whole: they are only ever moved.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes written and not yet moved to the core, beyond which a writer has to wait.
///
/// The core keeps [`Config::send_buffer_bytes`](utp_proto::Config::send_buffer_bytes) besides. This
/// much lets the writer go on while the driver sleeps or is busy. It is less when the endpoint's
/// memory is used up, and when many streams have much to send.
pub(crate) const QUEUE_BYTES_MAX: usize = 256 * 1024;

/// Datagrams that are not uTP and wait to be sent; as many as a burst of DHT queries may need.
pub(crate) const RAW_DATAGRAMS_MAX: usize = 256;
