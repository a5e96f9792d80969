//! The UDP socket under libutp: large buffers, and a queue for what the kernel does not take.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use mio::net::UdpSocket;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::{Icmp, icmp};

/// A non-blocking UDP socket.
#[derive(Debug)]
pub(super) struct Udp {
    socket: UdpSocket,
    /// What waits for room in the kernel, oldest first.
    waiting: RefCell<VecDeque<(Vec<u8>, SocketAddr)>>,
    sent: Cell<u64>,
    received: Cell<u64>,
    blocked: Cell<u64>,
    hears_icmp: bool,
}

impl Udp {
    /// Binds, with kernel buffers of `buffer_bytes` or what the kernel grants of it.
    pub(super) fn bind(local: SocketAddr, buffer_bytes: usize, icmp: Icmp) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        socket.set_recv_buffer_size(buffer_bytes)?;
        socket.set_send_buffer_size(buffer_bytes)?;
        socket.bind(&local.into())?;
        let hears_icmp = icmp == Icmp::Heard;
        if hears_icmp {
            icmp::ask_for(&socket, local)?;
        }
        Ok(Self {
            socket: UdpSocket::from_std(socket.into()),
            waiting: RefCell::default(),
            sent: Cell::new(0),
            received: Cell::new(0),
            blocked: Cell::new(0),
            hears_icmp,
        })
    }

    /// The socket, to register it with a poller.
    pub(super) const fn source(&mut self) -> &mut UdpSocket {
        &mut self.socket
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Sends a datagram, or keeps it until [`flush`](Self::flush) finds room.
    pub(super) fn send(&self, datagram: &[u8], to: SocketAddr) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() && self.try_send(datagram, to) {
            return;
        }
        // A full queue drops the newest, as the network would.
        if waiting.len() < WAITING_MAX {
            waiting.push_back((datagram.to_vec(), to));
        }
    }

    /// Sends what waits, as far as there is room.
    pub(super) fn flush(&self) {
        let mut waiting = self.waiting.borrow_mut();
        while let Some((datagram, to)) = waiting.front() {
            if !self.try_send(datagram, *to) {
                return;
            }
            waiting.pop_front();
        }
    }

    /// The length of the next datagram and its sender; `None` when the socket would block.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        loop {
            match self.socket.recv_from(buffer) {
                Ok(received) => {
                    self.received.set(self.received.get() + 1);
                    return Ok(Some(received));
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(None),
                    // What ICMP reports, some systems hand to the next receive.
                    io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::Interrupted
                    | io::ErrorKind::NetworkUnreachable => {}
                    _ if is_too_large(&error) => {}
                    _ => return Err(error),
                },
            }
        }
    }

    /// The next ICMP message about what was sent.
    pub(super) fn next_icmp(&self) -> Option<icmp::Message> {
        if self.hears_icmp { icmp::next(&self.socket) } else { None }
    }

    /// Receive and send buffer that the kernel granted.
    pub(super) fn granted(&self) -> Option<(usize, usize)> {
        let socket = SockRef::from(&self.socket);
        Some((socket.recv_buffer_size().ok()?, socket.send_buffer_size().ok()?))
    }

    pub(super) const fn sent(&self) -> u64 {
        self.sent.get()
    }

    pub(super) const fn received(&self) -> u64 {
        self.received.get()
    }

    /// How often the kernel had no room.
    pub(super) const fn blocked(&self) -> u64 {
        self.blocked.get()
    }

    /// False when there is no room. Every other failure is a lost datagram, which the protocol
    /// above is made for.
    fn try_send(&self, datagram: &[u8], to: SocketAddr) -> bool {
        match self.socket.send_to(datagram, to) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.blocked.set(self.blocked.get() + 1);
                false
            }
            _ => {
                self.sent.set(self.sent.get() + 1);
                true
            }
        }
    }
}

/// Whether a socket reports that something which was sent does not fit the path.
fn is_too_large(error: &io::Error) -> bool {
    cfg!(target_os = "linux") && error.raw_os_error() == Some(EMSGSIZE)
}

/// The number of that error on Linux.
const EMSGSIZE: i32 = 90;

/// The largest UDP datagram.
pub(super) const DATAGRAM_MAX: usize = 65_535;

/// Twice the packets that one libutp connection can have in flight.
const WAITING_MAX: usize = 2048;
