//! Owns the streams of a socket as the driver sees them, and moves bytes and news between each of
//! them and its connection in the core.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use utp_proto::{
    ConnectionError, ConnectionHandle, ConnectionMut, Endpoint, ReadError, State, WriteError,
};
use utp_wire::Instant;

use crate::error::Failure;
use crate::shared::{Fin, RX_CHUNKS_MAX, ReadEnd, StreamShared, StreamWishes, Tx};

/// The streams, by the index of their handle.
#[derive(Debug, Default)]
pub(super) struct Streams {
    slots: Vec<Option<Slot>>,
    live: usize,
    /// Connections whose stream is gone and which still deliver what was written.
    draining: Vec<ConnectionHandle>,
    /// How many of those make it worth to look which are done.
    draining_check_at: usize,
}

/// A stream and what the driver keeps of it.
#[derive(Debug)]
struct Slot {
    handle: ConnectionHandle,
    stream: Arc<StreamShared>,
    /// It came from outside and its user does not know yet.
    unannounced: bool,
}

impl Streams {
    pub(super) const fn len(&self) -> usize {
        self.live
    }

    pub(super) fn insert(
        &mut self,
        endpoint: &Endpoint,
        handle: ConnectionHandle,
        stream: Arc<StreamShared>,
        unannounced: bool,
    ) {
        let index = handle.index();
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, || None);
        }
        stream.handle.get_or_init(|| handle);
        stream.tx().open_account(endpoint.queue_account());
        let before = self.slots[index].replace(Slot { handle, stream, unannounced });
        debug_assert!(before.is_none(), "a connection keeps its index until it is released");
        self.live += 1;
    }

    /// The stream of a connection, unless it is gone.
    pub(super) fn get(&self, handle: ConnectionHandle) -> Option<&Arc<StreamShared>> {
        let slot = self.slots.get(handle.index())?.as_ref()?;
        (slot.handle == handle).then_some(&slot.stream)
    }

    /// The stream of a connection if its user does not know of it, which with this call he does.
    pub(super) fn announce(&mut self, handle: ConnectionHandle) -> Option<Arc<StreamShared>> {
        let slot = self.slots.get_mut(handle.index())?.as_mut()?;
        let first = slot.handle == handle && mem::take(&mut slot.unannounced);
        first.then(|| Arc::clone(&slot.stream))
    }

    /// Parts stream and connection: the connection delivers what was written and ends.
    pub(super) fn release(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        handle: ConnectionHandle,
    ) {
        if self.get(handle).is_none() {
            return;
        }
        self.slots[handle.index()] = None;
        self.live -= 1;
        endpoint.release(now, handle);
        if self.draining.len() >= self.draining_check_at {
            self.forget_drained(endpoint);
            self.draining_check_at = (2 * self.draining.len()).max(DRAINING_CHECK_MIN);
        }
        if !is_drained(endpoint, handle) {
            self.draining.push(handle);
        }
    }

    /// Releases every connection from outside that nobody knows of yet.
    pub(super) fn release_unannounced(&mut self, now: Instant, endpoint: &mut Endpoint) {
        for index in 0..self.slots.len() {
            if let Some(slot) = self.slots[index].as_ref().filter(|slot| slot.unannounced) {
                let handle = slot.handle;
                self.release(now, endpoint, handle);
            }
        }
    }

    /// Whether every stream is gone and everything written is delivered or given up.
    pub(super) fn is_drained(&mut self, endpoint: &Endpoint) -> bool {
        if self.live > 0 {
            return false;
        }
        self.forget_drained(endpoint);
        self.draining.is_empty()
    }

    fn forget_drained(&mut self, endpoint: &Endpoint) {
        self.draining.retain(|handle| !is_drained(endpoint, *handle));
    }

    /// Resets every connection that has not ended by itself.
    pub(super) fn abort_all(&mut self, now: Instant, endpoint: &mut Endpoint) {
        let live = self.slots.iter().flatten().map(|slot| slot.handle);
        for handle in live.chain(self.draining.iter().copied()) {
            if let Some(mut connection) = endpoint.connection_mut(handle) {
                connection.abort(now);
            }
        }
        self.draining.clear();
    }

    /// Ends every stream because the socket is gone.
    pub(super) fn fail_all(&mut self, failure: Failure, wakers: &mut Vec<Waker>) {
        for slot in self.slots.drain(..).flatten() {
            slot.stream.fail(failure, wakers);
        }
        self.live = 0;
    }

    /// Does what the user of `stream` wants.
    pub(super) fn apply(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        stream: &StreamShared,
        wakers: &mut Vec<Waker>,
    ) {
        let Some(&handle) = stream.handle.get() else { return };
        if self.get(handle).is_none() {
            return;
        }
        if let Some(mut connection) = endpoint.connection_mut(handle) {
            let consumed = stream.take_consumed();
            if consumed > 0 {
                connection.consume(now, consumed);
            }
            if stream.wants_more.swap(false, Ordering::AcqRel) {
                self.on_readable(now, &mut connection, stream, wakers);
            }
            push_writes(now, &mut connection, stream, wakers);
            abort_if_wanted(now, &mut connection, stream);
            *stream.stats() = connection.stats();
        }
        self.release_if_done(now, endpoint, handle, stream);
    }

    /// Releases a connection that its user has dropped, once the core has all that was written and
    /// knows how it ends.
    pub(super) fn release_if_done(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        handle: ConnectionHandle,
        stream: &StreamShared,
    ) {
        if !stream.released.load(Ordering::Acquire) || !stream.tx().is_told() {
            return;
        }
        // The user may have wanted that since the driver looked last.
        if let Some(mut connection) = endpoint.connection_mut(handle) {
            abort_if_wanted(now, &mut connection, stream);
        }
        self.release(now, endpoint, handle);
    }

    /// Moves what has arrived to the user, as much as the queue takes; all of it when the
    /// connection is over.
    pub(super) fn on_readable(
        &mut self,
        now: Instant,
        connection: &mut ConnectionMut<'_>,
        stream: &StreamShared,
        wakers: &mut Vec<Waker>,
    ) {
        let mut rx = stream.rx();
        let is_over = connection.state() == State::Closed;
        let mut bytes = 0;
        let mut end = None;
        loop {
            if !is_over && !rx.discard && rx.chunks.len() >= RX_CHUNKS_MAX {
                rx.more = true;
                break;
            }
            match connection.take_chunk(usize::MAX) {
                Ok(chunk) => {
                    bytes += chunk.len();
                    if !rx.discard {
                        if rx.chunks.capacity() == 0 {
                            // Most streams get little at a time, and keep what it takes.
                            rx.chunks.reserve_exact(1);
                        }
                        rx.chunks.push_back(chunk);
                    }
                }
                Err(ReadError::Closed(error)) => {
                    end = Some(ReadEnd::Failed(Failure::Connection(error)));
                    break;
                }
                Err(ReadError::Finished) => {
                    end = Some(ReadEnd::Finished);
                    break;
                }
                Err(_) => break,
            }
        }
        if end.is_some() {
            // Whoever finds the end finds the reason for it.
            *stream.stats() = connection.stats();
        }
        rx.end = rx.end.or(end);
        if bytes > 0 || end.is_some() {
            wakers.extend(rx.waker.take());
        }
        let discarded = if rx.discard { bytes } else { 0 };
        drop(rx);
        // What was read meanwhile opens the window in the ack that is due anyway.
        let consumed = stream.take_consumed() + discarded;
        if consumed > 0 {
            connection.consume(now, consumed);
        }
    }
}

/// Resets a connection if its user wants that.
fn abort_if_wanted(now: Instant, connection: &mut ConnectionMut<'_>, stream: &StreamShared) {
    match stream.aborted.get() {
        Some(Some(reason)) => connection.abort_with_reason(now, *reason),
        Some(None) => connection.abort(now),
        None => {}
    }
}

/// Moves what the user has written to the core, as far as it takes it, and then the end; before
/// that how it is to be sent.
pub(super) fn push_writes(
    now: Instant,
    connection: &mut ConnectionMut<'_>,
    stream: &StreamShared,
    wakers: &mut Vec<Waker>,
) {
    let mut tx = stream.tx();
    let StreamWishes { weight, send_rate_max } = mem::take(&mut tx.wishes);
    if let Some(weight) = weight {
        connection.set_weight(weight);
    }
    if let Some(bytes_per_second) = send_rate_max {
        connection.set_send_rate_max(bytes_per_second);
    }
    tx.core_is_full = false;
    tx.pause_account();
    let mut bytes = tx.bytes();
    bytes -= push_tail(now, connection, &mut tx);
    while let Some(mut chunk) = tx.chunks.pop_front() {
        let len = chunk.len();
        let written = if len < COPY_BELOW_BYTES {
            connection.write(now, &chunk)
        } else {
            connection.write_chunk(now, chunk.clone()).map(|()| len)
        };
        match written {
            Ok(written) => {
                bytes -= written;
                if written < len {
                    let _written = chunk.split_to(written);
                    tx.chunks.push_front(chunk);
                }
            }
            Err(WriteError::Blocked) => {
                tx.core_is_full = true;
                tx.chunks.push_front(chunk);
                break;
            }
            // The event that says so is on its way.
            Err(_) => bytes -= len,
        }
    }
    tx.set_bytes(bytes);
    if tx.fin == Fin::Wanted && tx.chunks.is_empty() {
        tx.fin = Fin::Told;
        match tx.reason {
            Some(reason) => connection.finish_with_reason(now, reason),
            None => connection.finish(now),
        }
    }
    if tx.is_half_empty() && tx.fin == Fin::Open && tx.open {
        wakers.extend(tx.waker.take());
    }
}

/// Moves a few bytes as they are, if nothing waits before them; says how many. The core copies so
/// few anyway, and they need neither a chunk nor a queue before. All others become a chunk.
fn push_tail(now: Instant, connection: &mut ConnectionMut<'_>, tx: &mut Tx) -> usize {
    let mut written = 0;
    if tx.chunks.is_empty() && (1..COPY_BELOW_BYTES).contains(&tx.tail.len()) {
        written = connection.write(now, &tx.tail).unwrap_or(0);
        tx.tail.drain(..written);
    }
    if tx.tail.is_empty() {
        tx.tail = Vec::new();
    }
    tx.flush_tail();
    written
}

/// The handshake is done.
pub(super) fn on_connected(stream: &StreamShared, wakers: &mut Vec<Waker>) {
    let mut tx = stream.tx();
    tx.open = true;
    wakers.extend(tx.waker.take());
}

/// The peer has every byte and the end.
pub(super) fn on_finished(stream: &StreamShared, wakers: &mut Vec<Waker>) {
    let mut tx = stream.tx();
    tx.fin = Fin::Acked;
    wakers.extend(tx.waker.take());
}

/// The connection is over.
pub(super) fn on_closed(
    connection: &ConnectionMut<'_>,
    stream: &StreamShared,
    error: ConnectionError,
    wakers: &mut Vec<Waker>,
) {
    // In this order: whoever finds the failure finds the reason for it.
    *stream.stats() = connection.stats();
    stream.fail(Failure::Connection(error), wakers);
}

fn is_drained(endpoint: &Endpoint, handle: ConnectionHandle) -> bool {
    endpoint
        .connection(handle)
        .is_none_or(|connection| matches!(connection.state(), State::Closed | State::Lingering))
}

/// Chunks below this size are copied into the core's own, so that many small ones do not cost more
/// than they hold.
const COPY_BELOW_BYTES: usize = 4 * 1024;

/// How many connections may drain before anybody looks which are done.
const DRAINING_CHECK_MIN: usize = 64;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use utp_proto::{Config, EndpointConfig, Entropy};

    use super::*;

    struct Zeros;

    impl Entropy for Zeros {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }

    #[test]
    fn dropped_stream_is_not_released_before_the_core_knows_how_it_ends() {
        let now = Instant::from_micros(1_000_000);
        let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), Box::new(Zeros));
        let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let config = Arc::new(Config::default());
        let stream = Arc::new(StreamShared::new(remote, &config));
        let handle = endpoint.connect(now, remote, config).expect("there is room");
        let (mut streams, mut wakers) = (Streams::default(), Vec::new());
        streams.insert(&endpoint, handle, Arc::clone(&stream), false);
        // Its user says the last word and drops it, just after the driver has moved what there was.
        stream.tx().fin = Fin::Wanted;
        stream.tx().reason = Some(5);
        stream.released.store(true, Ordering::Release);
        streams.release_if_done(now, &mut endpoint, handle, &stream);
        assert!(streams.get(handle).is_some());
        streams.apply(now, &mut endpoint, &stream, &mut wakers);
        assert!(streams.get(handle).is_none());
        assert_eq!(stream.tx().fin, Fin::Told);
    }
}
