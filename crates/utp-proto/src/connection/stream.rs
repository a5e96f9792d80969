//! What the application writes and reads.

use bytes::Bytes;
use utp_wire::Instant;

use super::Connection;
use super::state::{LocalFin, RemoteFin, State};
use crate::error::{ConnectionError, ReadError, WriteError};

impl Connection {
    /// Appends a copy of as much of `data` as the send buffer has room for.
    ///
    /// # Errors
    /// [`WriteError::Blocked`] when there is no room (an
    /// [`Event::Writable`](crate::Event::Writable) follows), [`WriteError::Finished`] after
    /// [`Self::finish`], [`WriteError::Closed`] when it is over.
    pub fn write(&mut self, now: Instant, data: &[u8]) -> Result<usize, WriteError> {
        self.check_writable()?;
        let len = data.len().min(self.send_room());
        self.send_queue.write(&data[..len]);
        self.on_written(now, len);
        Ok(len)
    }

    /// Appends `chunk` without a copy, whole, as long as there is any room.
    ///
    /// The send buffer may so be overshot by one chunk; 64 KiB is a good size.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_chunk(&mut self, now: Instant, chunk: Bytes) -> Result<(), WriteError> {
        self.check_writable()?;
        let len = chunk.len();
        self.send_queue.write_chunk(chunk);
        self.on_written(now, len);
        Ok(())
    }

    fn check_writable(&mut self) -> Result<(), WriteError> {
        if let Some(error) = self.error {
            return Err(WriteError::Closed(error));
        }
        if self.local_fin != LocalFin::Open || self.state == State::Closed {
            return Err(WriteError::Finished);
        }
        if self.send_room() == 0 {
            self.write_blocked = true;
            if self.unsent_room() == 0 {
                self.flight.unsent_blocked = true;
            }
            return Err(WriteError::Blocked);
        }
        self.forget_unsent_blocked();
        Ok(())
    }

    /// Bytes the send buffer has room for. When it is 0, an
    /// [`Event::Writable`](crate::Event::Writable) follows a write that was refused, once there is
    /// room again.
    pub fn send_room(&self) -> usize {
        self.own_send_room().min(self.memory.room(self.send_queue.buffered_bytes()))
    }

    /// Bytes of the stream that are there to be taken.
    pub fn readable_bytes(&self) -> usize {
        self.recv_queue.unread_bytes()
    }

    /// Moves at most `len_max` bytes of the stream out. They stay charged against the receive
    /// window until [`Self::consume`] says that the application has them.
    ///
    /// # Errors
    /// [`ReadError::Blocked`] when nothing is there, [`ReadError::Finished`] at the end of the
    /// stream, [`ReadError::Closed`] when the connection ended with an error and all was read.
    pub fn take_chunk(&mut self, len_max: usize) -> Result<Bytes, ReadError> {
        if self.recv_queue.unread_bytes() > 0
            && let Some(bytes) = self.recv_queue.take(len_max)
        {
            return Ok(bytes);
        }
        Err(self.why_nothing_is_there())
    }

    /// [`Self::take_chunk`] for who wants a copy at the end of `out`, and no memory to be made for
    /// every read. Returns how many bytes there were: not always `len_max`, even if there are more.
    ///
    /// # Errors
    /// As [`Self::take_chunk`].
    pub fn take_into(&mut self, out: &mut Vec<u8>, len_max: usize) -> Result<usize, ReadError> {
        match self.recv_queue.unread_bytes() {
            0 => Err(self.why_nothing_is_there()),
            _ => match self.recv_queue.take_into(out, len_max) {
                0 => Err(self.why_nothing_is_there()),
                len => Ok(len),
            },
        }
    }

    fn why_nothing_is_there(&self) -> ReadError {
        if self.error == Some(ConnectionError::Conflict) {
            return ReadError::Closed(ConnectionError::Conflict);
        }
        if matches!(self.remote_fin, RemoteFin::Reached(_)) {
            return ReadError::Finished;
        }
        if self.state == State::Closed {
            return ReadError::Closed(self.error.unwrap_or(ConnectionError::LocallyClosed));
        }
        ReadError::Blocked
    }

    /// The application has read `bytes` of what was taken: the window opens by as much, or by more
    /// if it limits the sender, and the peer is told when it matters.
    pub fn consume(&mut self, now: Instant, bytes: usize) {
        self.recv_queue.consume(bytes);
        self.tune_receive_buffer(now, bytes);
        self.announce_window_if_it_matters();
    }

    /// [`Self::take_chunk`] and [`Self::consume`] in one.
    ///
    /// # Errors
    /// As [`Self::take_chunk`].
    pub fn read_chunk(&mut self, now: Instant, len_max: usize) -> Result<Bytes, ReadError> {
        let bytes = self.take_chunk(len_max)?;
        self.consume(now, bytes.len());
        Ok(bytes)
    }
}
