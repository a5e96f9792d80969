//! Moves bytes and news between streams and their connections in the core.

use crate::event::stream::{Failure, Fin, RX_CHUNKS_MAX, ReadEnd, Stream};
use std::mem;
use utp_proto::{
    ConnectionError, ConnectionHandle, ConnectionMut, Endpoint, Instant, ReadError, State,
    WriteError,
};

/// Does what the application wants with a stream that has a connection; says whether that makes the
/// application run.
pub(super) fn apply(
    now: Instant,
    endpoint: &mut Endpoint,
    handle: ConnectionHandle,
    stream: &mut Stream,
) -> bool {
    let Some(mut connection) = endpoint.connection_mut(handle) else { return false };
    let consumed = stream.take_consumed();
    if consumed > 0 {
        connection.consume(now, consumed);
    }
    let mut wake = false;
    if mem::take(&mut stream.wants_more) {
        wake |= on_readable(now, &mut connection, stream);
    }
    wake |= push_writes(now, &mut connection, stream);
    if stream.aborted {
        connection.abort(now);
    }
    keep_stats(&connection, stream);
    wake
}

/// Moves what has arrived to the application, as much as the queue takes; all of it when the
/// connection is over.
pub(super) fn on_readable(
    now: Instant,
    connection: &mut ConnectionMut<'_>,
    stream: &mut Stream,
) -> bool {
    let is_over = connection.state() == State::Closed;
    let rx = &mut stream.rx;
    let (mut bytes, mut end) = (0, None);
    loop {
        if !is_over && !rx.discard && rx.chunks.len() >= RX_CHUNKS_MAX {
            rx.more = true;
            break;
        }
        match connection.take_chunk(usize::MAX) {
            Ok(chunk) => {
                bytes += chunk.len();
                if !rx.discard {
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
        stream.stats = connection.stats();
    }
    rx.end = rx.end.or(end);
    let wake = (bytes > 0 || end.is_some()) && mem::take(&mut rx.is_awaited);
    let discarded = if rx.discard { bytes } else { 0 };
    let consumed = stream.take_consumed() + discarded;
    if consumed > 0 {
        connection.consume(now, consumed);
    }
    wake
}

/// Moves what the application has written to the core, as far as it takes it, and then the end.
pub(super) fn push_writes(
    now: Instant,
    connection: &mut ConnectionMut<'_>,
    stream: &mut Stream,
) -> bool {
    let tx = &mut stream.tx;
    tx.core_is_full = false;
    tx.flush_tail();
    tx.pause_account();
    let mut bytes = tx.bytes();
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
                    drop(chunk.split_to(written));
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
        connection.finish(now);
    }
    let has_room = tx.is_half_empty() && tx.fin == Fin::Open && tx.open;
    has_room && mem::take(&mut tx.is_awaited)
}

/// The connection is over.
pub(super) fn on_closed(
    connection: &ConnectionMut<'_>,
    stream: &mut Stream,
    error: ConnectionError,
) -> bool {
    stream.stats = connection.stats();
    stream.fail(Failure::Connection(error))
}

/// Keeps the statistics if the application waits for them.
pub(super) fn keep_stats(connection: &ConnectionMut<'_>, stream: &mut Stream) {
    if stream.is_sampled {
        stream.stats = connection.stats();
    }
}

/// Chunks below this size are copied into the core's own.
const COPY_BELOW_BYTES: usize = 4 * 1024;
