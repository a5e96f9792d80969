//! A stream between an application and the driver of its socket, with the queues and limits of the
//! shipped adapter: when either side moves bytes, and in which pieces, decides when packets go.

use bytes::Bytes;
use std::collections::VecDeque;
use std::fmt;
use std::mem;
use utp_proto::{Config, ConnectError, ConnectionError, QueueAccount, Stats};

/// What an application and the driver share of a stream.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Whether the driver knows that it has to look at it.
    pub(super) listed: bool,
    /// Bytes the application has read and the core does not know of.
    pub(super) consumed: usize,
    consumed_worth_telling: usize,
    /// The application has dropped it.
    pub(super) released: bool,
    /// The application wants it to end with a reset.
    pub(super) aborted: bool,
    /// The application has emptied a queue that took no more.
    pub(super) wants_more: bool,
    pub(super) rx: Rx,
    pub(super) tx: Tx,
    /// As of the last time that the driver looked, if somebody wants to know.
    pub(super) stats: Stats,
    pub(super) is_sampled: bool,
}

/// Bytes on their way to the application.
#[derive(Debug, Default)]
pub(super) struct Rx {
    /// What the driver has put there.
    pub(super) chunks: VecDeque<Bytes>,
    /// What the application has taken out of there and not read yet.
    pub(super) taken: VecDeque<Bytes>,
    pub(super) end: Option<ReadEnd>,
    pub(super) is_awaited: bool,
    /// The application does not read any more.
    pub(super) discard: bool,
    /// The queue took no more chunks.
    pub(super) more: bool,
}

/// Bytes on their way to the core.
#[derive(Debug, Default)]
pub(super) struct Tx {
    pub(super) chunks: VecDeque<Bytes>,
    /// Small writes, gathered. They come after the chunks.
    tail: Vec<u8>,
    /// Bytes in the chunks and the tail.
    bytes: usize,
    /// Them as the endpoint counts them, once it knows the stream.
    account: QueueAccount,
    pub(super) is_awaited: bool,
    pub(super) core_is_full: bool,
    /// The handshake is done.
    pub(super) open: bool,
    pub(super) fin: Fin,
    pub(super) failure: Option<Failure>,
}

/// How far the end of our direction has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fin {
    #[default]
    Open,
    /// The application has written the last byte.
    Wanted,
    /// The core knows.
    Told,
    /// The peer has everything.
    Acked,
}

/// How the readable side ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadEnd {
    Failed(Failure),
    Finished,
}

/// Why a stream can do no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Connect(ConnectError),
    Connection(ConnectionError),
    #[cfg(feature = "reference")]
    Reference(utp_reference::Failure),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Connection(error) => error.fmt(f),
            #[cfg(feature = "reference")]
            Self::Reference(failure) => write!(f, "libutp: {failure}"),
        }
    }
}

impl Stream {
    pub(super) fn new(config: &Config, account: QueueAccount) -> Self {
        let consumed_worth_telling = (config.receive_buffer_bytes / 4).max(1) as usize;
        let tx = Tx { account, ..Tx::default() };
        Self { consumed_worth_telling, tx, ..Self::default() }
    }

    /// What the application has read since the last call.
    pub(super) const fn take_consumed(&mut self) -> usize {
        mem::replace(&mut self.consumed, 0)
    }

    /// Ends both directions; says whether the application waits for that.
    pub(super) fn fail(&mut self, failure: Failure) -> bool {
        self.rx.end.get_or_insert(ReadEnd::Failed(failure));
        self.tx.failure.get_or_insert(failure);
        self.tx.chunks.clear();
        self.tx.tail.clear();
        self.tx.set_bytes(0);
        mem::take(&mut self.rx.is_awaited) | mem::take(&mut self.tx.is_awaited)
    }

    /// The handshake is done; says whether the application waits for that.
    pub(super) const fn open(&mut self) -> bool {
        self.tx.open = true;
        mem::replace(&mut self.tx.is_awaited, false)
    }

    /// The peer has every byte and the end; says whether the application waits for that.
    pub(super) const fn finish(&mut self) -> bool {
        self.tx.fin = Fin::Acked;
        mem::replace(&mut self.tx.is_awaited, false)
    }

    /// Whether the core knows everything of a stream that its user has dropped.
    pub(super) fn is_told(&self) -> bool {
        self.tx.bytes == 0 && self.tx.fin > Fin::Wanted
    }

    /// The application has read `bytes`; says whether the driver should know by now.
    pub(super) const fn consume(&mut self, bytes: usize) -> bool {
        self.consumed += bytes;
        self.consumed >= self.consumed_worth_telling
    }
}

impl Tx {
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// After bytes came or went.
    pub(super) fn set_bytes(&mut self, bytes: usize) {
        self.bytes = bytes;
        self.account.settle(bytes);
    }

    /// What is moved to the core must not count twice: nothing does until
    /// [`set_bytes`](Self::set_bytes).
    pub(super) fn pause_account(&mut self) {
        self.account.settle(0);
    }

    /// Bytes that the application may write now.
    pub(super) fn room(&self) -> usize {
        let max = self.bytes_max();
        if max < QUEUE_BYTES_MAX && self.bytes > max / 2 {
            return 0;
        }
        max.saturating_sub(self.bytes).min(self.account.room(self.bytes))
    }

    /// Whether an application that waits for room finds enough of it.
    pub(super) fn is_half_empty(&self) -> bool {
        self.bytes <= self.bytes_max() / 2
    }

    fn bytes_max(&self) -> usize {
        QUEUE_BYTES_MAX.min(self.account.worth_queueing())
    }

    /// Puts the gathered small writes among the chunks.
    pub(super) fn flush_tail(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(mem::take(&mut self.tail).into());
        }
    }

    /// Takes what the application writes.
    pub(super) fn push(&mut self, mut bytes: Bytes) {
        self.set_bytes(self.bytes + bytes.len());
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(CHUNK_BYTES_MAX));
            if piece.len() >= GATHER_BELOW_BYTES {
                self.flush_tail();
                self.chunks.push_back(piece);
                continue;
            }
            self.tail.extend_from_slice(&piece);
            if self.tail.len() >= CHUNK_BYTES_MAX {
                self.flush_tail();
            }
        }
    }
}

/// Names a stream of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamId(pub(super) usize);

/// Bytes written and not yet moved to the core, beyond which a writer has to wait.
pub(super) const QUEUE_BYTES_MAX: usize = 256 * 1024;

/// Chunks that wait for the application; what follows stays in the core.
pub(super) const RX_CHUNKS_MAX: usize = 64;

/// The largest chunk handed to the core.
const CHUNK_BYTES_MAX: usize = 64 * 1024;

/// Smaller writes are gathered.
const GATHER_BELOW_BYTES: usize = 4 * 1024;
