//! What libutp gets from the system: its clock, seeded random numbers, and a UDP socket.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use utp_reference::Outside;

use super::udp::Udp;
use utp_shim::SplitMix64;

/// The outside of a process.
pub(super) struct System {
    began: Instant,
    random: RefCell<SplitMix64>,
    /// Both bytes of the next random number, in place of what is drawn. There is one such: who does
    /// not like it draws again.
    random_byte: Cell<Option<u8>>,
    udp: Rc<Udp>,
}

impl System {
    /// Sends through `udp` and draws from `seed`, but first what `random_byte` says.
    pub(super) fn new(seed: u64, random_byte: Option<u8>, udp: Rc<Udp>) -> Self {
        let random = RefCell::new(SplitMix64::new(seed));
        Self { began: Instant::now(), random, random_byte: Cell::new(random_byte), udp }
    }
}

impl Outside for System {
    fn now_us(&self) -> u64 {
        let shown = self.began.elapsed() + AT_START;
        u64::try_from(shown.as_micros()).expect("half a million years have not passed")
    }

    fn random(&self) -> u16 {
        let [low, high, ..] = self.random.borrow_mut().next_u64().to_le_bytes();
        u16::from_le_bytes(self.random_byte.take().map_or([low, high], |byte| [byte; 2]))
    }

    fn send(&self, datagram: &[u8], to: SocketAddr, _dont_fragment: bool) {
        self.udp.send(datagram, to);
    }
}

/// What the clock shows at the start: libutp takes zero for no time.
const AT_START: Duration = Duration::from_secs(1);
