//! How a test begins: an endpoint, its entropy, and a connection in some state.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use utp_ledbat::FixedWindowFactory;
use utp_proto::{Config, Disposition, Endpoint, EndpointConfig, Entropy, Instant, RecvMeta};

use super::{FULL, MS, Raw, Wire};

/// Which side of the handshake the endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Initiator,
    Acceptor,
}

/// Random numbers of which a test may set the next ones.
#[derive(Clone, Debug)]
struct Numbers {
    next: Arc<Mutex<VecDeque<u16>>>,
    seed: u64,
}

impl Entropy for Numbers {
    fn fill(&mut self, bytes: &mut [u8]) {
        if let [low, high] = &mut *bytes
            && let Some(number) = self.next.lock().unwrap().pop_front()
        {
            [*low, *high] = number.to_le_bytes();
            return;
        }
        for byte in bytes {
            self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = self.seed.to_be_bytes()[0];
        }
    }
}

/// A constant congestion window of 1 MiB, so that nothing but the subject of a test limits.
pub fn plain() -> Config {
    with_window(1 << 20)
}

pub fn with_window(bytes: u64) -> Config {
    let mut config = fixed_size(FULL + 20);
    config.controller = Arc::new(FixedWindowFactory(bytes));
    config
}

/// Full datagrams have `bytes`, no other size is probed, and none is withheld: peers of tests
/// acknowledge numbers without a look whether they were sent.
pub fn fixed_size(bytes: usize) -> Config {
    let mut config = Config::default();
    config.withhold_packets = false;
    config.datagram_bytes_base_v4 = u16::try_from(bytes).expect("a datagram is shorter");
    config.datagram_bytes_max_v4 = config.datagram_bytes_base_v4;
    config
}

/// An endpoint with nothing on it, and its entropy.
pub fn endpoint(limits: EndpointConfig) -> (Endpoint, Arc<Mutex<VecDeque<u16>>>) {
    endpoint_from(0, limits)
}

/// The same, with the place where its numbers begin. Everything else is random, but always the
/// same.
fn endpoint_from(origin: u16, limits: EndpointConfig) -> (Endpoint, Arc<Mutex<VecDeque<u16>>>) {
    let numbers = Arc::new(Mutex::new(VecDeque::from([origin])));
    let entropy = Numbers { next: numbers.clone(), seed: 1 };
    (Endpoint::new(Arc::new(limits), Box::new(entropy)), numbers)
}

/// An endpoint whose first number is `first` in what `open` makes it send: a trial tells what it
/// would be otherwise.
fn endpoint_with(
    first: u16,
    limits: &EndpointConfig,
    open: impl Fn(&mut Endpoint, &Mutex<VecDeque<u16>>),
) -> (Endpoint, Arc<Mutex<VecDeque<u16>>>) {
    let mut trial = limits.clone();
    (trial.report_at_syn, trial.syn_filter, trial.connections_max) = (false, None, 1);
    let (mut endpoint, numbers) = endpoint_from(0, trial);
    open(&mut endpoint, &numbers);
    let mut buf = Vec::new();
    let sent = endpoint.poll_transmit(START, NonZeroUsize::MIN, &mut buf);
    assert!(sent.is_some(), "it answers or connects");
    let origin = first.wrapping_sub(u16::from_be_bytes([buf[16], buf[17]]));
    endpoint_from(origin, limits.clone())
}

const START: Instant = Instant::from_micros(5_000_000);

const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 2000);

impl Wire {
    /// An endpoint without a connection. If the first SYN it sees is number -2 with the id `id`,
    /// its answer is number 0.
    pub fn idle(limits: EndpointConfig, config: Config, us: u16, them: u16, id: u16) -> Self {
        let syn = Raw::syn(id, them.wrapping_sub(2)).encode(START);
        let meta = RecvMeta { remote: PEER, local_ip: None, received_at: None };
        let opened = endpoint_with(us, &limits, |endpoint, _| {
            assert!(matches!(endpoint.handle_datagram(START, meta, &syn), Disposition::Consumed));
        });
        Self::new(opened, config, us, them, id)
    }

    fn new(
        (endpoint, numbers): (Endpoint, Arc<Mutex<VecDeque<u16>>>),
        config: Config,
        us: u16,
        them: u16,
        id: u16,
    ) -> Self {
        Self {
            now: START,
            endpoint,
            peer: PEER,
            config: Arc::new(config),
            connection: None,
            id_in: id.wrapping_add(1),
            id_out: id,
            us,
            them,
            events: Vec::new(),
            not_utp: None,
            incoming: None,
            segments_max: 1,
            numbers,
            sent: Vec::new(),
            fed: (START, 0),
        }
    }

    /// A connection that has sent its SYN: number -2.
    pub fn connecting(config: Config, us: u16, them: u16, id: u16) -> Self {
        Self::connecting_with(EndpointConfig::default(), config, us, them, id)
    }

    pub fn connecting_with(
        limits: EndpointConfig,
        config: Config,
        us: u16,
        them: u16,
        id: u16,
    ) -> Self {
        let shared = Arc::new(config.clone());
        let opened = endpoint_with(us.wrapping_sub(2), &limits, |endpoint, numbers| {
            numbers.lock().unwrap().push_back(id);
            endpoint.connect(START, PEER, shared.clone()).unwrap();
        });
        let mut wire = Self::new(opened, config, us, them, id);
        (wire.id_in, wire.id_out) = (id, id.wrapping_add(1));
        wire.numbers.lock().unwrap().push_back(id);
        let handle = wire.endpoint.connect(wire.now, wire.peer, wire.config.clone()).unwrap();
        wire.connection = Some(handle);
        wire.drain();
        wire
    }

    /// A connection that was reported at its SYN, number -2 of the peer, with the id `id`, and has
    /// answered it. Its first packet is number 0.
    pub fn accepting(config: Config, us: u16, them: u16, id: u16) -> Self {
        let mut limits = EndpointConfig::default();
        limits.report_at_syn = true;
        let mut wire = Self::idle(limits, config, us, them, id);
        wire.recv(wire.syn(-2));
        wire.accept();
        wire
    }

    /// Sends a SYN, number -2, and the first data, number -1, and accepts what comes of it.
    pub fn open(&mut self, first: &[u8]) {
        self.recv(self.syn(-2));
        self.us = self.sent.last().expect("an answer").header.seq_nr.0;
        self.recv(self.data(-1, -1, first));
        self.accept();
    }

    /// Accepts who came last.
    pub fn accept(&mut self) {
        let incoming = self.incoming.take().expect("somebody wants to connect");
        let handle = self.endpoint.accept(self.now, incoming, self.config.clone()).unwrap();
        self.connection = Some(handle);
        self.drain();
    }

    /// A connection in either role; nothing is outstanding, and the peer has acked our packet -1. A
    /// round trip of 20 ms was measured, twice.
    pub fn established(role: Role, config: Config, us: u16, them: u16) -> Self {
        match role {
            Role::Initiator => {
                let mut wire = Self::connecting(config, us, them, 1_000);
                wire.advance(20 * MS);
                wire.recv(wire.state(0, -2));
                wire.write(1);
                wire.advance(20 * MS);
                wire.recv(wire.state(0, -1));
                wire.take();
                wire.events.clear();
                wire
            }
            Role::Acceptor => {
                let limits = EndpointConfig::default();
                let mut wire = Self::idle(limits, config, us.wrapping_sub(2), them, 1_000);
                wire.open(b"");
                wire.us = us;
                for ack in [-2, -1] {
                    wire.write(1);
                    wire.advance(20 * MS);
                    wire.recv(wire.state(0, ack));
                }
                wire.take();
                wire.events.clear();
                wire
            }
        }
    }

    /// An initiator far from any wrap.
    pub fn plain() -> Self {
        Self::established(Role::Initiator, plain(), 100, 200)
    }

    pub fn with(config: Config) -> Self {
        Self::established(Role::Initiator, config, 100, 200)
    }

    /// Both roles, with both sides starting at each place where a number could wrap badly.
    pub fn everywhere(config: impl Fn() -> Config, mut test: impl FnMut(Self)) {
        for role in [Role::Initiator, Role::Acceptor] {
            for us in [0, 1, 2, 100, 0x7ffe, 0x8000, 0xfff0, 0xfffe, 0xffff] {
                for them in [0, 1, 0x7fff, 0x8001, 0xfff8, 0xffff] {
                    test(Self::established(role, config(), us, them));
                }
            }
        }
    }
}
