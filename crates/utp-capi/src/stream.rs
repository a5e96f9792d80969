//! What a program does with a socket that has a peer.

use std::ffi::c_int;
use std::net::SocketAddr;

use utp_proto::{Instant, State as Stage};

use crate::context::{Context, Life, State};
use crate::dispatch::Wants;
use crate::handles::Id;
use crate::types::how;

impl Context {
    /// Writes what the window takes of `pieces`, one after the other. `None` if there is no such
    /// socket.
    pub(crate) fn write<'a>(
        &self,
        id: Id,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> Option<usize> {
        let now = self.enter()?;
        let written = {
            let mut state = self.lock().filter(|state| state.life == Life::Open)?;
            let State { sockets, endpoint, .. } = &mut *state;
            let socket = sockets.get(id)?;
            let connection = socket
                .connection()
                .filter(|_| !socket.flags.closed)
                .and_then(|connection| endpoint.as_mut()?.connection_mut(connection))
                .filter(|connection| connection.state() == Stage::Connected);
            let Some(mut connection) = connection else { return Some(0) };
            let mut written = 0;
            for mut piece in pieces {
                while !piece.is_empty()
                    && let Ok(len) = connection.write(now, piece)
                {
                    written += len;
                    piece = &piece[len..];
                }
                if !piece.is_empty() {
                    break;
                }
            }
            written
        };
        self.drain(now, Wants::SEND);
        Some(written)
    }

    /// The program has read of what it held.
    pub(crate) fn read_drained(&self, id: Id) {
        let Some(now) = self.enter() else { return };
        let connected = self
            .lock()
            .is_some_and(|state| state.sockets.get(id).is_some_and(|s| s.connection().is_some()));
        if connected {
            self.ask_held(now, id);
            self.drain(now, Wants::SEND);
        }
    }

    pub(crate) fn shutdown(&self, id: Id, how: c_int) {
        let Some(now) = self.enter() else { return };
        if let Some(mut state) = self.lock() {
            let Some(socket) = state.sockets.get_mut(id) else { return };
            socket.flags.deaf |= how != how::WRITE;
            if how != how::READ {
                state.finish(now, id);
            }
        }
        self.drain(now, Wants::SEND);
    }

    /// The program is done with a socket. Once more does nothing.
    pub(crate) fn close(&self, id: Id) {
        let Some(now) = self.enter() else { return };
        if let Some(mut state) = self.lock() {
            let Some(socket) = state.sockets.get_mut(id) else { return };
            socket.flags.closed = true;
            let delivers = !socket.flags.fin_acked && state.stage(id) == Some(Stage::Connected);
            if delivers {
                state.finish(now, id);
            } else {
                state.let_go(now, id);
            }
        }
        self.drain(now, Wants::SEND);
    }

    pub(crate) fn peer_of(&self, id: Id) -> Option<SocketAddr> {
        self.lock()?.sockets.get(id)?.remote
    }

    /// Queuing delays of our packets and the peer's in microseconds, and milliseconds since ours
    /// was measured.
    pub(crate) fn delays(&self, id: Id) -> Option<[u32; 3]> {
        let now = self.now()?;
        let state = self.lock()?;
        let socket = state.sockets.get(id).filter(|socket| socket.remote.is_some())?;
        let (ours_us, theirs_us, at) = socket.gauge.as_ref()?.delays();
        let age_ms = u32::try_from(now.saturating_since(at) / 1_000).unwrap_or(u32::MAX);
        Some([ours_us, theirs_us, age_ms])
    }

    /// Brings the counters of a socket up to date and says where they are.
    pub(crate) fn socket_stats(&self, id: Id) -> Option<*const crate::stats::SocketStats> {
        let mut state = self.lock()?;
        let State { sockets, endpoint, .. } = &mut *state;
        let socket = sockets.get_mut(id)?;
        let connection =
            socket.connection().and_then(|connection| endpoint.as_ref()?.connection(connection));
        let stats = socket.stats.get_or_insert_default();
        if let Some(connection) = connection {
            stats.update(&connection.stats());
        }
        Some(std::ptr::from_ref(&**stats))
    }

    /// What has happened to a socket, if it exists.
    pub(crate) fn flags(&self, id: Id) -> Option<crate::socket::Flags> {
        Some(self.lock()?.sockets.get(id)?.flags)
    }
}

impl State {
    /// Where the connection of a socket is in its life.
    pub(crate) fn stage(&self, id: Id) -> Option<Stage> {
        let connection = self.sockets.get(id)?.connection()?;
        Some(self.endpoint.as_ref()?.connection(connection)?.state())
    }

    /// Ends our direction of a stream, if there is one.
    fn finish(&mut self, now: Instant, id: Id) {
        let connection = self.sockets.get(id).and_then(|socket| socket.connection());
        let connection =
            connection.and_then(|connection| self.endpoint.as_mut()?.connection_mut(connection));
        if let Some(mut connection) = connection {
            connection.finish(now);
        }
    }
}
