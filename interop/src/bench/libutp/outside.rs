//! What the library gets from the system: a clock, random numbers and a UDP socket.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::net::UdpSocket;

use crate::shim::{SplitMix64, random_seed};

/// A socket bound to `local`, with kernel buffers of `buffer_bytes` or as the system gives them.
pub(super) fn bind(local: SocketAddr, buffer_bytes: Option<usize>) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(local)?;
    socket.set_nonblocking(true)?;
    if let Some(bytes) = buffer_bytes {
        let options = SockRef::from(&socket);
        options.set_recv_buffer_size(bytes)?;
        options.set_send_buffer_size(bytes)?;
    }
    UdpSocket::from_std(socket)
}

/// The outside of a context.
pub(super) struct Outside {
    began: Instant,
    random: RefCell<SplitMix64>,
    udp: Rc<UdpSocket>,
    /// What waits for room in the kernel, oldest first.
    waiting: RefCell<VecDeque<(Vec<u8>, SocketAddr)>>,
    sent: Cell<u64>,
}

impl Outside {
    pub(super) fn new(udp: Rc<UdpSocket>) -> Self {
        Self {
            began: Instant::now(),
            random: RefCell::new(SplitMix64::new(random_seed())),
            udp,
            waiting: RefCell::default(),
            sent: Cell::new(0),
        }
    }

    /// Whether something waits for room in the kernel.
    pub(super) fn waits(&self) -> bool {
        !self.waiting.borrow().is_empty()
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

    pub(super) const fn sent(&self) -> u64 {
        self.sent.get()
    }

    /// False when there is no room. Every other failure is a lost datagram.
    fn try_send(&self, datagram: &[u8], to: SocketAddr) -> bool {
        match self.udp.try_send_to(datagram, to) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            _ => {
                self.sent.set(self.sent.get() + 1);
                true
            }
        }
    }
}

impl utp_reference::Outside for Outside {
    fn now_us(&self) -> u64 {
        let shown = self.began.elapsed() + AT_START;
        u64::try_from(shown.as_micros()).expect("half a million years have not passed")
    }

    fn random(&self) -> u16 {
        let [low, high, ..] = self.random.borrow_mut().next_u64().to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    fn send(&self, datagram: &[u8], to: SocketAddr, _dont_fragment: bool) {
        let waits = self.waits();
        if !waits && self.try_send(datagram, to) {
            return;
        }
        // A full queue drops the newest, as the network would.
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() < WAITING_MAX {
            waiting.push_back((datagram.to_vec(), to));
        }
    }
}

/// What the clock shows at the start: libutp takes zero for no time.
const AT_START: Duration = Duration::from_secs(1);

/// Twice the packets that one connection can have in flight.
const WAITING_MAX: usize = 2_048;
