//! A relay that impairs real UDP traffic: delay, loss and a bottleneck, each way, by a seed.
//!
//! Clients talk to the relay as if it were the server. Each gets a socket of its own towards the
//! server, so that several connections through one relay keep apart. Threads and blocking sockets
//! do the work, because a condition variable wakes within some ten microseconds of its time while
//! pollers and socket time-outs count whole milliseconds.
//!
//! The order in which datagrams meet the random numbers is the order in which they arrive, so that
//! a seed repeats the same losses for the same traffic, and not for traffic that differs.

mod lane;
mod schedule;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

pub use self::lane::{Bottleneck, Lane, LaneStats, Path, Reordering, Verdict};
use self::schedule::{Delivery, Schedule};

/// How traffic is impaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Impairment {
    /// What happens on the way to the server.
    pub to_server: Path,
    /// What happens on the way back.
    pub to_client: Path,
    /// Decides which datagrams are lost.
    pub seed: u64,
}

impl Impairment {
    /// The same both ways.
    pub const fn symmetric(path: Path, seed: u64) -> Self {
        Self { to_server: path, to_client: path, seed }
    }
}

/// A running relay; dropping it stops it.
///
/// ```
/// use std::net::UdpSocket;
/// use std::time::Duration;
/// use utp_interop::relay::{Impairment, Path, Relay};
///
/// let server = UdpSocket::bind("127.0.0.1:0")?;
/// let path = Path { delay: Duration::from_millis(5), ..Path::default() };
/// let relay = Relay::start(server.local_addr()?, Impairment::symmetric(path, 1))?;
///
/// let client = UdpSocket::bind("127.0.0.1:0")?;
/// client.send_to(b"ping", relay.local_addr())?;
/// let mut datagram = [0; 16];
/// let (len, from) = server.recv_from(&mut datagram)?;
/// assert_eq!(&datagram[..len], b"ping");
/// server.send_to(b"pong", from)?;
/// let (_, from) = client.recv_from(&mut datagram)?;
/// assert_eq!(from, relay.local_addr());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Relay {
    local: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    front: Arc<UdpSocket>,
    to_server: Mutex<Lane>,
    to_client: Mutex<Lane>,
    schedule: Schedule,
    stop: AtomicBool,
}

impl Relay {
    /// Starts a relay to `server`, on a free port of the same loopback address family.
    ///
    /// # Errors
    ///
    /// When a socket or a thread cannot be had.
    pub fn start(server: SocketAddr, impairment: Impairment) -> io::Result<Self> {
        let front = Arc::new(bind_beside(server)?);
        let local = front.local_addr()?;
        let shared = Arc::new(Shared {
            server,
            front,
            to_server: Mutex::new(Lane::new(impairment.to_server, impairment.seed)),
            // Another stream of random numbers: the two ways lose independently.
            to_client: Mutex::new(Lane::new(impairment.to_client, !impairment.seed)),
            schedule: Schedule::default(),
            stop: AtomicBool::new(false),
        });
        let mut relay = Self { local, shared, threads: Vec::new() };
        let shared = Arc::clone(&relay.shared);
        relay.threads.push(spawn("relay-deliver", move || shared.schedule.run())?);
        let shared = Arc::clone(&relay.shared);
        relay.threads.push(spawn("relay-front", move || shared.run_front())?);
        Ok(relay)
    }

    /// Where clients connect to.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What happened so far, on the way to the server and on the way back.
    pub fn stats(&self) -> (LaneStats, LaneStats) {
        (lock(&self.shared.to_server).stats(), lock(&self.shared.to_client).stats())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.schedule.stop();
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so on standard error.
            drop(thread.join());
        }
    }
}

impl Shared {
    /// Takes what clients send, and owns the threads that take what the server answers.
    fn run_front(self: &Arc<Self>) {
        let mut flows: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
        let mut threads = Vec::new();
        let mut buffer = vec![0; DATAGRAM_MAX];
        while !self.stop.load(Ordering::Relaxed) {
            let Some((len, client)) = receive(&self.front, &mut buffer) else { continue };
            if !flows.contains_key(&client) && flows.len() < FLOWS_MAX {
                let Ok(socket) = bind_beside(self.server).map(Arc::new) else { continue };
                let (shared, back) = (Arc::clone(self), Arc::clone(&socket));
                let Ok(thread) = spawn("relay-back", move || shared.run_back(&back, client)) else {
                    continue;
                };
                threads.push(thread);
                flows.insert(client, socket);
            }
            // Beyond the flows that fit, a client is not served.
            let Some(socket) = flows.get(&client) else { continue };
            self.pass(&self.to_server, &buffer[..len], socket, self.server);
        }
        for thread in threads {
            drop(thread.join());
        }
    }

    /// Takes what the server sends to one client.
    fn run_back(&self, socket: &UdpSocket, client: SocketAddr) {
        let mut buffer = vec![0; DATAGRAM_MAX];
        while !self.stop.load(Ordering::Relaxed) {
            let Some((len, from)) = receive(socket, &mut buffer) else { continue };
            if from == self.server {
                self.pass(&self.to_client, &buffer[..len], &self.front, client);
            }
        }
    }

    /// Has a datagram sent when the lane says so, if it does.
    fn pass(&self, lane: &Mutex<Lane>, datagram: &[u8], socket: &Arc<UdpSocket>, to: SocketAddr) {
        let verdict = lock(lane).admit(Instant::now(), datagram.len());
        if let Verdict::Deliver(at) = verdict {
            let bytes = datagram.into();
            self.schedule.push(Delivery { at, socket: Arc::clone(socket), to, bytes });
        }
    }
}

/// The next datagram; `None` when there was none for a while, or an error that passes.
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    socket.recv_from(buffer).ok()
}

/// A socket on a free port of loopback, in the family of `address`.
fn bind_beside(address: SocketAddr) -> io::Result<UdpSocket> {
    let local: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::LOCALHOST, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::LOCALHOST, 0).into(),
    };
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_recv_buffer_size(UDP_BUFFER)?;
    socket.set_send_buffer_size(UDP_BUFFER)?;
    socket.bind(&local.into())?;
    socket.set_read_timeout(Some(STOP_CHECK))?;
    Ok(socket.into())
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.into()).spawn(body)
}

/// Locks; a panic elsewhere is no reason to stop relaying.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The largest UDP datagram.
const DATAGRAM_MAX: usize = 65_535;

/// Kernel buffers, so that the relay loses nothing on its own.
const UDP_BUFFER: usize = 4 << 20;

/// How long a thread may take to notice that the relay stops.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// Each flow is a thread and a socket.
const FLOWS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// Few enough for the default buffer of the receiving socket.
    const COUNT: u32 = 200;

    fn path() -> Path {
        Path { delay: Duration::from_millis(20), loss_ppm: 100_000, ..Path::default() }
    }

    /// Sends numbered datagrams and returns which came out, and the shortest and longest way.
    fn send_numbered(
        from: &UdpSocket,
        to: SocketAddr,
        at: &UdpSocket,
    ) -> (Vec<u32>, [Duration; 2]) {
        at.set_read_timeout(Some(Duration::from_millis(500))).expect("a time-out can be set");
        let mut sent = Vec::new();
        for number in 0..COUNT {
            sent.push(Instant::now());
            from.send_to(&number.to_be_bytes(), to).expect("loopback takes it");
        }
        let mut buffer = [0; 4];
        let mut numbers = Vec::new();
        let mut delays = [Duration::MAX, Duration::ZERO];
        while let Ok((4, _)) = at.recv_from(&mut buffer) {
            let number = u32::from_be_bytes(buffer);
            let delay = sent[number as usize].elapsed();
            delays = [delays[0].min(delay), delays[1].max(delay)];
            numbers.push(number);
        }
        (numbers, delays)
    }

    /// What a lane lets through, which does not depend on time.
    fn expected(seed: u64) -> Vec<u32> {
        let mut lane = Lane::new(path(), seed);
        let now = Instant::now();
        (0..COUNT).filter(|_| matches!(lane.admit(now, 4), Verdict::Deliver(_))).collect()
    }

    #[test]
    fn both_ways_are_delayed_and_lose_what_the_seed_says() {
        for local in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(server) = UdpSocket::bind(local) else {
                println!("{local} is missing on this machine");
                continue;
            };
            let address = server.local_addr().expect("bound");
            let relay = Relay::start(address, Impairment::symmetric(path(), 7)).expect("starts");
            let client = UdpSocket::bind(local).expect("binds");

            let (there, delays) = send_numbered(&client, relay.local_addr(), &server);
            assert_eq!(there, expected(7));
            assert!(delays[0] >= path().delay, "{delays:?}");
            assert!(delays[0] < path().delay + Duration::from_millis(100), "{delays:?}");

            // What a second client sends tells the server where to answer it.
            let other = UdpSocket::bind(local).expect("binds");
            let mut buffer = [0; 4];
            server.set_read_timeout(Some(Duration::from_secs(5))).expect("a time-out can be set");
            let back = loop {
                other.send_to(b"open", relay.local_addr()).expect("loopback takes it");
                if let Ok((_, back)) = server.recv_from(&mut buffer) {
                    break back;
                }
            };
            let (here, delays) = send_numbered(&server, back, &other);
            assert_eq!(here, expected(!7));
            assert!(delays[0] >= path().delay, "{delays:?}");
            let (_, to_client) = relay.stats();
            assert_eq!(to_client.delivered + to_client.lost, u64::from(COUNT));
        }
    }
}
