//! How sockets come by their connections: connect, and accept.

use std::ffi::c_int;
use std::net::SocketAddr;
use std::sync::Arc;

use utp_proto::{Incoming, Instant};

use crate::context::{Context, Life, State, config_of};
use crate::dispatch::{Wants, Worker};
use crate::gauge::Gauge;
use crate::handles::Id;
use crate::types::Name;

impl Context {
    /// Makes a socket that belongs to nobody yet.
    pub(crate) fn create_socket(&self) -> Option<Id> {
        let mut state = self.lock().filter(|state| state.life == Life::Open)?;
        let options = state.options.socket;
        state.sockets.insert(self.id(), options)
    }

    /// Sends a SYN. Fails for a socket that was connected before, and without an address.
    pub(crate) fn connect(&self, id: Id, remote: Option<SocketAddr>) -> c_int {
        let connected = remote.and_then(|remote| self.try_connect(id, remote));
        let Some(now) = connected else { return -1 };
        self.ask_held(now, id);
        self.drain(now, Wants::SEND);
        0
    }

    fn try_connect(&self, id: Id, remote: SocketAddr) -> Option<Instant> {
        let now = self.enter()?;
        if !self.lock()?.sockets.get(id)?.is_fresh() {
            return None;
        }
        let mtu = self.ask_mtu(id, remote);
        let drawn = self.callback_of(Name::GetRandom, id).map(|call| call.run());
        let mut state = self.lock().filter(|state| state.life == Life::Open)?;
        // Any of these callbacks may have connected it.
        if !state.sockets.get(id)?.is_fresh() {
            return None;
        }
        let config = state.configure(now, id, mtu)?;
        state.drawn_id.set(drawn);
        let connection = state.endpoint.as_mut()?.connect(now, remote, config);
        state.drawn_id.set(None);
        state.sockets.bind(id, connection.ok()?);
        state.sockets.get_mut(id)?.remote = Some(remote);
        Some(now)
    }

    /// The largest datagram to try with a peer.
    fn ask_mtu(&self, id: Id, remote: SocketAddr) -> u16 {
        match self.callback_of(Name::GetUdpMtu, id) {
            // Sixteen bits of it are what counts.
            Some(call) => {
                let [low, high, ..] = call.run_with_address(remote).to_le_bytes();
                u16::from_le_bytes([low, high])
            }
            None if remote.is_ipv4() => UDP_MTU_V4,
            None => UDP_MTU_V6,
        }
    }

    /// Asks the program how much it holds, and sets the window by it.
    pub(crate) fn ask_held(&self, now: Instant, id: Id) {
        let Some(call) = self.callback_of(Name::GetReadBufferSize, id) else { return };
        let held = usize::try_from(call.run()).unwrap_or(usize::MAX);
        let Some(mut state) = self.lock() else { return };
        let State { sockets, endpoint, .. } = &mut *state;
        let Some(socket) = sockets.get_mut(id) else { return };
        socket.flags.holds = held > 0;
        let connection = socket
            .connection()
            .and_then(|connection| endpoint.as_mut()?.connection_mut(connection));
        if let Some(mut connection) = connection {
            connection.set_held_by_application(now, held);
        }
    }
}

impl Worker<'_> {
    /// Lets a peer in: the program is asked, the SYN is answered, then the program is told.
    pub(crate) fn admit(&mut self, incoming: Incoming, datagram: &[u8]) {
        let context = self.context;
        let remote = incoming.remote();
        if let Some(call) = context.callback(Name::OnFirewall)
            && call.run_with_address(remote) != 0
        {
            return;
        }
        let Some(id) = context.create_socket() else { return };
        let mtu = context.ask_mtu(id, remote);
        if context.accept(self.now, id, incoming, mtu).is_none() {
            // It never was one.
            if let Some(mut state) = context.lock() {
                state.sockets.remove(id);
            }
            return;
        }
        context.stats.on_received(datagram.len());
        context.count_received(id, remote, datagram);
        context.ask_held(self.now, id);
        self.flush();
        if let Some(call) = context.callback_of(Name::OnAccept, id) {
            call.run_with_address(remote);
        }
    }
}

impl Context {
    fn accept(&self, now: Instant, id: Id, incoming: Incoming, mtu: u16) -> Option<()> {
        let mut state = self.lock().filter(|state| state.life == Life::Open)?;
        if !state.sockets.get(id)?.is_fresh() {
            return None; // A callback has connected or closed it, who knows how.
        }
        let remote = incoming.remote();
        let config = state.configure(now, id, mtu)?;
        let connection = state.endpoint.as_mut()?.accept(now, incoming, config).ok()?;
        state.sockets.bind(id, connection);
        let socket = state.sockets.get_mut(id)?;
        socket.remote = Some(remote);
        socket.flags.accepted = true;
        Some(())
    }
}

impl State {
    /// The settings of the connection that a socket is about to get.
    fn configure(&mut self, now: Instant, id: Id, mtu: u16) -> Option<Arc<utp_proto::Config>> {
        let socket = self.sockets.get_mut(id)?;
        let options = socket.options;
        let gauge = Arc::new(Gauge::new(now, options.send_buffer(), options.target_us()));
        socket.gauge = Some(Arc::clone(&gauge));
        Some(config_of(&options, mtu, gauge))
    }
}

/// The largest datagrams that are tried unless the program says otherwise: what Ethernet leaves
/// behind the headers of PPPoE, GRE and some more, and what a Teredo tunnel leaves (libutp).
pub(crate) const UDP_MTU_V4: u16 = 1_402;
const UDP_MTU_V6: u16 = 1_232;
