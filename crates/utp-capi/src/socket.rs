//! The sockets of a context, and which connection belongs to each.

use std::ffi::c_void;
use std::net::SocketAddr;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicPtr;

use slab::Slab;
use utp_proto::ConnectionHandle;
use utp_wire::SeqNr;

use crate::gauge::Gauge;
use crate::handles::Id;
use crate::options::SocketOptions;
use crate::stats::SocketStats;

/// One socket, from its making until the program has been told that it is destroyed.
#[derive(Debug)]
pub(crate) struct Socket {
    id: Id,
    /// Set until the connection is over or left to the endpoint.
    connection: Option<ConnectionHandle>,
    /// The peer, once there is one.
    pub(crate) remote: Option<SocketAddr>,
    pub(crate) options: SocketOptions,
    /// What only the program understands. Atomic so that the table may move between threads.
    pub(crate) userdata: AtomicPtr<c_void>,
    pub(crate) gauge: Option<Arc<Gauge>>,
    pub(crate) stats: Option<Box<SocketStats>>,
    /// What follows the newest packet sent, for the statistics.
    pub(crate) next_seq_nr: Option<SeqNr>,
    pub(crate) flags: Flags,
}

/// What has happened to a socket.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags {
    /// It was accepted, not connected.
    pub(crate) accepted: bool,
    /// The program is done with it.
    pub(crate) closed: bool,
    /// The program wants no more bytes.
    pub(crate) deaf: bool,
    /// The program was told of the end of the stream.
    pub(crate) ended: bool,
    /// The peer has our FIN.
    pub(crate) fin_acked: bool,
    /// Nothing but telling the program is left to do.
    pub(crate) doomed: bool,
    /// The program was told so, or is being told: it hears no more.
    pub(crate) told_last: bool,
    /// The program said that it holds bytes.
    pub(crate) holds: bool,
}

impl Socket {
    pub(crate) const fn id(&self) -> Id {
        self.id
    }

    pub(crate) const fn connection(&self) -> Option<ConnectionHandle> {
        self.connection
    }

    /// Whether it can be connected.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.remote.is_none() && !self.flags.closed
    }
}

/// All sockets of a context.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    table: Slab<Socket>,
    /// Places of the sockets, by the index of their connections.
    owners: Vec<u32>,
}

impl Sockets {
    /// Makes a socket of `context`, unless there are too many.
    pub(crate) fn insert(&mut self, context: Id, options: SocketOptions) -> Option<Id> {
        let entry = self.table.vacant_entry();
        let id = context.socket(entry.key())?;
        entry.insert(Socket {
            id,
            connection: None,
            remote: None,
            options,
            userdata: AtomicPtr::new(ptr::null_mut()),
            gauge: None,
            stats: None,
            next_seq_nr: None,
            flags: Flags::default(),
        });
        Some(id)
    }

    pub(crate) fn get(&self, id: Id) -> Option<&Socket> {
        self.table.get(id.slot()).filter(|socket| socket.id == id)
    }

    pub(crate) fn get_mut(&mut self, id: Id) -> Option<&mut Socket> {
        self.table.get_mut(id.slot()).filter(|socket| socket.id == id)
    }

    pub(crate) fn remove(&mut self, id: Id) {
        if self.get(id).is_some() {
            self.table.remove(id.slot());
        }
    }

    /// Every socket, in the order of the table.
    pub(crate) fn ids(&self) -> Vec<Id> {
        self.table.iter().map(|(_, socket)| socket.id).collect()
    }

    /// Gives a socket its connection.
    pub(crate) fn bind(&mut self, id: Id, connection: ConnectionHandle) {
        let Some(socket) = self.get_mut(id) else { return };
        socket.connection = Some(connection);
        let index = connection.index();
        if self.owners.len() <= index {
            self.owners.resize(index + 1, u32::MAX);
        }
        self.owners[index] = u32::try_from(id.slot()).unwrap_or(u32::MAX);
    }

    /// Takes its connection from a socket.
    pub(crate) fn unbind(&mut self, id: Id) -> Option<ConnectionHandle> {
        self.get_mut(id)?.connection.take()
    }

    /// The socket that a connection belongs to.
    pub(crate) fn owner_of(&self, connection: ConnectionHandle) -> Option<Id> {
        let slot = *self.owners.get(connection.index())?;
        let socket = self.table.get(slot as usize)?;
        (socket.connection == Some(connection)).then_some(socket.id)
    }
}
