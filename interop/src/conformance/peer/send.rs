//! The sockets of the peer, and what it sends from them.

use std::net::SocketAddr;
use std::time::Instant;

use super::socket::PeerSocket;
use super::{Peer, SocketText};
use crate::conformance::packet::{Packet, hex_start};
use crate::conformance::stop::{CaseResult, Stop};
use crate::conformance::trace::SENT;

impl Peer {
    /// Opens another socket on the loopback address and returns its number. The first one is 0.
    pub(crate) fn open_socket(&mut self) -> CaseResult<usize> {
        self.open_socket_at(self.family.loopback())
    }

    /// Opens another socket on an address of this machine.
    pub(crate) fn open_socket_at(&mut self, address: SocketAddr) -> CaseResult<usize> {
        let number = self.sockets.len();
        let socket = PeerSocket::bind(address, number, self.sender.clone())
            .map_err(|error| Stop::internal(format!("a socket on {address}"), error))?;
        self.sockets.push(Some(socket));
        Ok(number)
    }

    /// Closes a socket: its port then answers with ICMP.
    pub(crate) fn close_socket(&mut self, number: usize) {
        self.sockets[number] = None;
    }

    /// The address of an open socket.
    pub(crate) fn socket_address(&self, number: usize) -> SocketAddr {
        self.sockets[number].as_ref().expect("the case has not closed it").address()
    }

    /// Sends a packet from the first socket.
    #[track_caller]
    pub(crate) fn send(&mut self, packet: &Packet) -> CaseResult {
        self.send_on(0, packet)
    }

    /// Sends a packet from a socket; stamps that it leaves open are those of now.
    #[track_caller]
    pub(crate) fn send_on(&mut self, socket: usize, packet: &Packet) -> CaseResult {
        let packet = self.stamped(packet);
        self.mark = Instant::now();
        self.note(SENT, SocketText(socket, &packet));
        self.send_unseen(socket, &packet.encode())
    }

    /// Sends bytes that need not be a packet.
    #[track_caller]
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> CaseResult {
        self.mark = Instant::now();
        self.note(SENT, format_args!("raw {} ({} bytes)", hex_start(bytes), bytes.len()));
        self.send_unseen(0, bytes)
    }

    /// Sends a datagram that the trace does not show, for the thousands of a flood.
    pub(crate) fn send_unseen(&mut self, socket: usize, bytes: &[u8]) -> CaseResult {
        let to = self.remote.ok_or_else(|| Stop::Internal("nobody to send to yet".into()))?;
        let Some(Some(from)) = self.sockets.get(socket) else {
            return Err(Stop::Internal(format!("socket {socket} is not open")));
        };
        from.send(bytes, to).map_err(|error| Stop::internal(format!("sending to {to}"), error))
    }
}
