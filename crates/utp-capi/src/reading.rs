//! What comes out of a stream: bytes, and its end.

use utp_proto::{Instant, ReadError, State as Stage};
use utp_wire::HEADER_LEN;

use crate::callbacks::Call;
use crate::context::{Context, Life, State};
use crate::handles::Id;
use crate::opening::UDP_MTU_V4;
use crate::types::Name;

/// What was taken out of a stream.
pub(crate) struct Taken {
    pub(crate) call: Option<Call>,
    /// Why there is no more behind it, if there is not.
    pub(crate) end: Option<ReadError>,
}

impl Context {
    /// Takes the next bytes of a socket to the end of `out`, and the callback that they are for, if
    /// anybody wants them.
    pub(crate) fn take_chunk(
        &self,
        now: Instant,
        id: Id,
        out: &mut Vec<u8>,
    ) -> Option<Result<Taken, ReadError>> {
        let mut state = self.lock().filter(|state| state.life == Life::Open)?;
        let State { callbacks, sockets, endpoint, .. } = &mut *state;
        let socket = sockets.get(id)?;
        let wanted = !socket.flags.closed && !socket.flags.deaf;
        let mut connection = endpoint.as_mut()?.connection_mut(socket.connection()?)?;
        let len = match connection.take_into(out, READ_BYTES_MAX) {
            Ok(len) => len,
            Err(end) => return Some(Err(end)),
        };
        let callback = callbacks.get(Name::OnRead).filter(|_| wanted);
        // Whoever says what he holds is asked once he has it.
        if callback.is_none() || !callbacks.has(Name::GetReadBufferSize) {
            connection.consume(now, len);
        }
        let more = connection.readable_bytes() > 0;
        // Mostly a datagram brought one chunk, and looking again would cost as much as taking it.
        let end = if more { None } else { connection.take_into(out, READ_BYTES_MAX).err() };
        let call = callback.map(|callback| Call::new(self, Name::OnRead, callback).of(id));
        Some(Ok(Taken { call, end }))
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
const READ_BYTES_MAX: usize = UDP_MTU_V4 as usize - HEADER_LEN;
