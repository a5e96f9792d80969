//! UDP sockets of the scripted peer: a thread waits for each, so that an arrival has its time.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::Input;

/// A bound socket. Dropping it frees the port.
#[derive(Debug)]
pub(super) struct PeerSocket {
    socket: Arc<UdpSocket>,
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl PeerSocket {
    /// Binds a socket; what arrives goes to `inbox` with the number of the socket.
    pub(super) fn bind(
        address: SocketAddr,
        number: usize,
        inbox: Sender<Input>,
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // A burst must not be lost here: what the kernel does not grant, it cuts.
        socket.set_recv_buffer_size(BUFFER_BYTES)?;
        socket.set_send_buffer_size(BUFFER_BYTES)?;
        socket.bind(&SockAddr::from(address))?;
        let socket = Arc::new(UdpSocket::from(socket));
        let address = socket.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let (from, stop) = (Arc::clone(&socket), Arc::clone(&stopped));
        let thread = thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(move || receive(&from, number, &inbox, &stop))?;
        Ok(Self { socket, address, stopped, thread: Some(thread) })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a datagram. That the port was unreachable for an earlier one is no error.
    pub(super) fn send(&self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        match self.socket.send_to(datagram, to) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
            other => other.map(drop),
        }
    }
}

impl Drop for PeerSocket {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread, which holds the socket open as long as it waits. If there is no room
        // for the datagram, others wake it.
        drop(self.socket.send_to(&[], self.address));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn receive(socket: &UdpSocket, number: usize, inbox: &Sender<Input>, stopped: &AtomicBool) {
    let mut buffer = vec![0; DATAGRAM_MAX];
    loop {
        let received = socket.recv_from(&mut buffer);
        let at = Instant::now();
        if stopped.load(Ordering::SeqCst) {
            return;
        }
        // Errors are those of datagrams that were sent earlier.
        let Ok((len, from)) = received else { continue };
        let bytes = buffer[..len].to_vec();
        if inbox.send(Input::Datagram { socket: number, at, from, bytes }).is_err() {
            return;
        }
    }
}

const BUFFER_BYTES: usize = 4 << 20;

const DATAGRAM_MAX: usize = 65_536;

/// The thread only moves datagrams; a hundred such threads wait at once.
const STACK_BYTES: usize = 128 << 10;
