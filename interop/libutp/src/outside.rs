//! What libutp gets from the system: its clock, seeded random numbers, and a UDP socket.

use std::cell::RefCell;
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
    udp: Rc<Udp>,
}

impl System {
    /// Sends through `udp` and draws from `seed`.
    pub(super) fn new(seed: u64, udp: Rc<Udp>) -> Self {
        Self { began: Instant::now(), random: RefCell::new(SplitMix64::new(seed)), udp }
    }
}

impl Outside for System {
    fn now_us(&self) -> u64 {
        let shown = self.began.elapsed() + AT_START;
        u64::try_from(shown.as_micros()).expect("half a million years have not passed")
    }

    fn random(&self) -> u16 {
        let [low, high, ..] = self.random.borrow_mut().next_u64().to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    fn send(&self, datagram: &[u8], to: SocketAddr, _dont_fragment: bool) {
        self.udp.send(datagram, to);
    }
}

/// What the clock shows at the start: libutp takes zero for no time.
const AT_START: Duration = Duration::from_secs(1);
