//! What comes out of a stream: bytes, and its end.

use bytes::Bytes;
use utp_proto::{Instant, ReadError, State as Stage};

use crate::callbacks::Call;
use crate::context::{Context, Life, State};
use crate::handles::Id;
use crate::types::Name;

/// What was taken out of a stream.
pub(crate) struct Taken {
    pub(crate) bytes: Bytes,
    pub(crate) call: Option<Call>,
    /// Why there is no more behind it, if there is not.
    pub(crate) end: Option<ReadError>,
}

impl Context {
    /// Takes the next bytes of a socket, and the callback that they are for, if anybody wants them.
    pub(crate) fn take_chunk(&self, now: Instant, id: Id) -> Option<Result<Taken, ReadError>> {
        let mut state = self.lock().filter(|state| state.life == Life::Open)?;
        let State { callbacks, sockets, endpoint, .. } = &mut *state;
        let socket = sockets.get(id)?;
        let wanted = !socket.flags.closed && !socket.flags.deaf;
        let mut connection = endpoint.as_mut()?.connection_mut(socket.connection()?)?;
        let bytes = match connection.take_chunk(READ_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(end) => return Some(Err(end)),
        };
        let callback = callbacks.get(Name::OnRead).filter(|_| wanted);
        // Whoever says what he holds is asked once he has it.
        if callback.is_none() || !callbacks.has(Name::GetReadBufferSize) {
            connection.consume(now, bytes.len());
        }
        let more = connection.readable_bytes() > 0;
        // Mostly a datagram brought one chunk, and looking again would cost as much as taking it.
        let end = if more { None } else { connection.take_chunk(READ_BYTES_MAX).err() };
        let call = callback.map(|callback| Call::new(self, Name::OnRead, callback).of(id));
        Some(Ok(Taken { bytes, call, end }))
    }

    /// Whether the program is to hear of the end of the stream.
    pub(crate) fn note_end(&self, id: Id) -> bool {
        let Some(mut state) = self.lock() else { return false };
        let stage = state.stage(id);
        let Some(socket) = state.sockets.get_mut(id) else { return false };
        // With the end came the ack of our own FIN, and a closed socket is gone with that.
        let gone = socket.flags.closed && stage == Some(Stage::Lingering);
        !std::mem::replace(&mut socket.flags.ended, true) && !gone
    }
}

/// Most bytes that a program is handed at once: no more than libutp hands out, which is what came
/// in one datagram. There are programs that have room for no more.
const READ_BYTES_MAX: usize = 1_380;
