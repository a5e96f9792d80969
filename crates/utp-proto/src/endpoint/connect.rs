//! Connects: the ids and numbers that they take.

use std::net::SocketAddr;
use std::sync::Arc;

use utp_wire::{ConnectionId, Instant};

use super::key::Key;
use super::{ConnectionHandle, Endpoint, random};
use crate::config::Config;
use crate::connection::{Clock, Connection};
use crate::error::ConnectError;

impl Endpoint {
    /// Starts a connect. [`Event::Connected`](crate::Event::Connected) or
    /// [`Event::Closed`](crate::Event::Closed) follows.
    ///
    /// # Errors
    /// When no connection can be made at all; nothing is sent then.
    pub fn connect(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        config: Arc<Config>,
    ) -> Result<ConnectionHandle, ConnectError> {
        let now = self.advance(now);
        if remote.port() == 0 || remote.ip().is_unspecified() {
            return Err(ConnectError::InvalidRemote);
        }
        if self.entries.len() >= self.config.connections_max {
            return Err(ConnectError::TooManyConnections);
        }
        let id = self.free_id(remote).ok_or(ConnectError::IdsExhausted)?;
        let seq_nr = self.numbers.initiator(now, remote, id);
        let mut connection = Connection::connect(now, remote, id, seq_nr, config);
        connection.announce_holds_more(self.config.announce_holds_more);
        Ok(self.insert(connection))
    }

    /// A connection id to receive on. Neither it nor its neighbours are in use with this peer, so
    /// that no id of one connection is taken for that of another. Rather not one that something
    /// late may still come for, and 0xFFFF, which libutp cannot count beyond (quirk Q13), only when
    /// there is no other.
    // req: ID-04, ID-05
    pub(super) fn free_id(&mut self, remote: SocketAddr) -> Option<ConnectionId> {
        let start = random(&mut *self.entropy);
        let now = self.now;
        let ids = || {
            let order = (0..=u16::MAX).map(|step| ConnectionId(start.wrapping_add(step)));
            order.filter(|id| self.is_free(remote, *id))
        };
        let usual = || ids().filter(|id| id.0 != u16::MAX);
        let rested = |id: &ConnectionId| {
            let key = Key::new(remote, *id);
            !self.tombstones.contains(now, &key) && self.openings.get(now, &key).is_none()
        };
        usual()
            .take(RESTED_IDS_TRIED)
            .find(rested)
            .or_else(|| usual().next())
            .or_else(|| ids().next())
    }

    pub(super) fn is_free(&self, remote: SocketAddr, id: ConnectionId) -> bool {
        let near = [id.previous(), id, id.next()];
        near.iter().all(|near| self.index.get(remote, *near).is_none())
    }

    /// A connect goes on with another id and another first number.
    pub(super) fn change_id(&mut self, now: Instant, slot: usize) {
        let Some(remote) = self.entries.get(slot).map(|entry| entry.connection.remote()) else {
            return;
        };
        let id = self.free_id(remote);
        let Some(entry) = self.entries.get_mut(slot) else { return };
        let old = entry.indexed.take();
        // Without a free id the old one serves on.
        let id = id.or(old).unwrap_or(ConnectionId(0));
        let seq_nr = self.numbers.initiator(now, remote, id);
        entry.connection.set_initiator_ids(id, seq_nr);
        entry.connection.show_clock(Clock::new(&self.secret, remote, id));
        entry.indexed = Some(id);
        if let Some(old) = old {
            self.index.remove(remote, old, slot);
        }
        self.index.insert(remote, id, slot);
    }
}

/// Free ids that are looked at for one that nothing late may come for.
const RESTED_IDS_TRIED: usize = 64;
