//! What a host and an application do with a socket, whatever protocol stack is behind it.
//!
//! An application that has to wait is woken when it is worth another try. All that it is told is
//! what the shipped adapter would tell it.

use super::cx::Cx;
use super::stream::{Failure, StreamId};
use crate::packet::Delivery;
use bytes::Bytes;
use std::task::Poll;
use utp_proto::Stats;

/// A socket, the stack behind it and the task that drives both.
pub(super) trait Socket {
    /// Something arrives at the socket.
    fn hand_over(&mut self, delivery: Delivery);

    /// One turn of the task.
    fn poll(&mut self, cx: &mut Cx<'_>);

    /// Starts a connect; [`Socket::poll_open`] says what becomes of it.
    fn connect(&mut self, cx: &mut Cx<'_>) -> StreamId;

    /// The next stream from outside; without one the application is woken when it comes.
    fn accept(&mut self) -> Option<StreamId>;

    /// Waits for the end of the handshake.
    fn poll_open(&mut self, id: StreamId) -> Poll<Result<(), Failure>>;

    /// Waits until a byte may be written, and says how many may be at most.
    fn poll_room(&mut self, id: StreamId) -> Poll<Result<usize, Failure>>;

    /// Writes no more than there is room for.
    fn write(&mut self, cx: &mut Cx<'_>, id: StreamId, bytes: Bytes);

    /// Ends the direction to the peer; ready when the peer has all of it.
    fn poll_shutdown(&mut self, cx: &mut Cx<'_>, id: StreamId) -> Poll<Result<(), Failure>>;

    /// Takes the next bytes, at most `len_max`; none at the end of the stream.
    fn poll_read(
        &mut self,
        cx: &mut Cx<'_>,
        id: StreamId,
        len_max: usize,
    ) -> Poll<Result<Option<Bytes>, Failure>>;

    /// Asks for fresh statistics, which are there when the task has had its turn.
    fn want_stats(&mut self, cx: &mut Cx<'_>, id: StreamId);

    /// The statistics that were wanted, or those of a stream that has ended.
    fn stats(&mut self, cx: &mut Cx<'_>, id: StreamId) -> Stats;

    /// The application drops the stream: what was written is delivered.
    fn drop_stream(&mut self, cx: &mut Cx<'_>, id: StreamId);

    /// The application drops the stream, which ends with a reset.
    fn abort_stream(&mut self, cx: &mut Cx<'_>, id: StreamId);
}
