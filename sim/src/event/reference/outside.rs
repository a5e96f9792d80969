//! What libutp gets in place of a system: the host's clock and randomness, and a list for what it
//! sends.

use crate::event::host::SharedEntropy;
use std::cell::{Cell, RefCell};
use std::mem;
use std::net::SocketAddr;
use utp_proto::{Entropy, Instant};
use utp_reference::Outside;

/// A datagram that the library has sent.
pub(super) struct Sent {
    pub(super) payload: Vec<u8>,
    pub(super) to: SocketAddr,
    pub(super) dont_fragment: bool,
}

/// A system without a clock that runs by itself.
pub(super) struct Virtual {
    now: Cell<Instant>,
    entropy: RefCell<SharedEntropy>,
    sent: RefCell<Vec<Sent>>,
}

impl Virtual {
    pub(super) fn new(entropy: SharedEntropy) -> Self {
        Self {
            now: Cell::new(Instant::from_micros(0)),
            entropy: RefCell::new(entropy),
            sent: RefCell::default(),
        }
    }

    /// What the host's clock shows.
    pub(super) fn set_now(&self, now: Instant) {
        self.now.set(now);
    }

    /// What was sent since the last call, in order.
    pub(super) fn take_sent(&self) -> Vec<Sent> {
        mem::take(&mut *self.sent.borrow_mut())
    }

    /// A number below `bound`, every one nearly as likely.
    pub(super) fn below(&self, bound: u64) -> u64 {
        let mut bytes = [0; 8];
        self.entropy.borrow_mut().fill(&mut bytes);
        u64::from_le_bytes(bytes) % bound
    }
}

impl Outside for Virtual {
    fn now_us(&self) -> u64 {
        self.now.get().as_micros()
    }

    fn random(&self) -> u16 {
        let mut bytes = [0; 2];
        self.entropy.borrow_mut().fill(&mut bytes);
        u16::from_le_bytes(bytes)
    }

    fn send(&self, datagram: &[u8], to: SocketAddr, dont_fragment: bool) {
        let sent = Sent { payload: datagram.to_vec(), to, dont_fragment };
        self.sent.borrow_mut().push(sent);
    }
}
