//! A relay that impairs real UDP traffic: the simulator's network model between real sockets.
//!
//! Clients talk to the relay as if it were the server. Each gets a socket of its own towards the
//! server, so that several connections through one relay keep apart. Every datagram crosses one
//! link of [`utp_sim::network::Network`] each way, whose time is the real one and begins with the
//! first datagram: delay, loss, queues, rates and outages are those of scenario files.
//!
//! Threads and blocking sockets do the work: a thread that waits for a moment wakes within some ten
//! microseconds of it, while pollers and socket time-outs count whole milliseconds. The order in
//! which datagrams meet the random numbers is the order in which they arrive, so that a seed
//! repeats the same losses for the same traffic, and not for traffic that differs.

mod capture;
mod clockwork;
mod conditions;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use utp_sim::packet::{HostId, UDP_OVERHEAD_V4, UDP_OVERHEAD_V6};
use utp_sim::record::Record;

pub use self::capture::{CaptureFile, Captures};
use self::clockwork::{Clockwork, Ends, Input};
pub use self::conditions::Conditions;

/// A running relay; dropping it stops it.
///
/// ```
/// use std::net::UdpSocket;
/// use utp_interop::relay::{Conditions, Relay};
/// use utp_sim::scenario::LinkConfig;
/// use utp_sim::time::Ns;
///
/// let server = UdpSocket::bind("127.0.0.1:0")?;
/// let link = LinkConfig { delay: Ns::from_millis(5), ..LinkConfig::default() };
/// let relay = Relay::start(server.local_addr()?, &Conditions::symmetric(link), 1, None)?;
///
/// let client = UdpSocket::bind("127.0.0.1:0")?;
/// client.send_to(b"ping", relay.local_addr())?;
/// let mut datagram = [0; 16];
/// let (len, from) = server.recv_from(&mut datagram)?;
/// assert_eq!(&datagram[..len], b"ping");
/// server.send_to(b"pong", from)?;
/// let (_, from) = client.recv_from(&mut datagram)?;
/// assert_eq!(from, relay.local_addr());
///
/// let record = relay.finish();
/// assert_eq!(record.sent, 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Relay {
    local: SocketAddr,
    stop: Arc<AtomicBool>,
    front: Option<JoinHandle<()>>,
    clockwork: Option<JoinHandle<RelayRecord>>,
}

/// What a relay leaves behind.
#[derive(Clone, Debug, Default)]
pub struct RelayRecord {
    /// When the first datagram arrived.
    pub start: Option<Instant>,
    /// What the links did, the one to the server first; times count from the first datagram.
    pub network: Record,
    /// Datagrams sent on.
    pub sent: u64,
    /// Those of them that left more than a millisecond after their moment.
    pub late: u64,
    /// The most that one was late.
    pub late_max: Duration,
}

/// A datagram at the relay.
#[derive(Clone, Copy, Debug)]
pub struct Passed<'a> {
    /// When, since the first datagram.
    pub at: Duration,
    /// Whether it comes or goes.
    pub moment: Moment,
    /// Whether it is on its way to the server.
    pub to_server: bool,
    /// Where it comes from, as it is seen on this side of the relay.
    pub source: SocketAddr,
    /// Where it goes, likewise.
    pub destination: SocketAddr,
    /// Its payload.
    pub payload: &'a [u8],
}

impl Passed<'_> {
    /// Whether it is between the client and the relay, and not between the relay and the server.
    pub fn is_at_client(&self) -> bool {
        self.to_server == (self.moment == Moment::Entered)
    }
}

/// Where on its way a datagram is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It arrives, before anything is done to it.
    Entered,
    /// It is sent on.
    Left,
}

/// Takes every datagram that comes or goes.
pub type Observer = Box<dyn FnMut(&Passed<'_>) + Send>;

impl Relay {
    /// Starts a relay to `server`, on a free port of the same loopback address family. The random
    /// draws of its links are those of `seed`, and `observer` sees what passes.
    ///
    /// # Errors
    ///
    /// When a socket or a thread cannot be had.
    pub fn start(
        server: SocketAddr,
        conditions: &Conditions,
        seed: u64,
        observer: Option<Observer>,
    ) -> io::Result<Self> {
        let front = Arc::new(bind_beside(server)?);
        let local = front.local_addr()?;
        let overhead = if server.is_ipv4() { UDP_OVERHEAD_V4 } else { UDP_OVERHEAD_V6 };
        let network = conditions.network(CLIENTS_MAX, seed);
        let stop = Arc::new(AtomicBool::new(false));
        let (inputs, taken) = channel();
        let clockwork =
            Clockwork::new(network, (Arc::clone(&front), local), server, overhead, observer);
        let clockwork = spawn("relay-clockwork", move || clockwork.run(&taken))?;
        let sockets = Sockets { server, front, stop: Arc::clone(&stop), inputs };
        let front = spawn("relay-front", move || sockets.run_front())?;
        Ok(Self { local, stop, front: Some(front), clockwork: Some(clockwork) })
    }

    /// Where clients connect to.
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Stops the relay. What is under way is lost.
    pub fn finish(mut self) -> RelayRecord {
        self.join().unwrap_or_default()
    }

    fn join(&mut self) -> Option<RelayRecord> {
        self.stop.store(true, Ordering::Relaxed);
        // A thread that panicked has said so on standard error.
        drop(self.front.take()?.join());
        self.clockwork.take()?.join().ok()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        drop(self.join());
    }
}

/// What the threads of the sockets share.
#[derive(Clone)]
struct Sockets {
    server: SocketAddr,
    front: Arc<UdpSocket>,
    stop: Arc<AtomicBool>,
    inputs: Sender<Input>,
}

impl Sockets {
    /// Takes what clients send, and owns the threads that take what the server answers.
    fn run_front(self) {
        let mut clients: HashMap<SocketAddr, u16> = HashMap::new();
        let mut threads = Vec::new();
        let mut buffer = vec![0; DATAGRAM_MAX];
        while !self.stop.load(Ordering::Relaxed) {
            let Ok((len, client)) = self.front.recv_from(&mut buffer) else { continue };
            let at = Instant::now();
            let next = u16::try_from(clients.len()).unwrap_or(CLIENTS_MAX);
            if !clients.contains_key(&client) && next < CLIENTS_MAX {
                let Ok(back) = bind_beside(self.server).map(Arc::new) else { continue };
                let Ok(back_address) = back.local_addr() else { continue };
                let (sockets, socket) = (self.clone(), Arc::clone(&back));
                let run = move || sockets.run_back(&socket, next);
                let Ok(thread) = spawn("relay-back", run) else { continue };
                threads.push(thread);
                clients.insert(client, next);
                self.tell(Input::Opened(Ends { client, back, back_address }));
            }
            // Beyond the clients that fit, one is not served.
            let Some(&client) = clients.get(&client) else { continue };
            let payload = Bytes::copy_from_slice(&buffer[..len]);
            self.tell(Input::Datagram { at, client, from: HostId::Left, payload });
        }
        for thread in threads {
            drop(thread.join());
        }
    }

    /// Takes what the server sends to one client.
    fn run_back(&self, socket: &UdpSocket, client: u16) {
        let mut buffer = vec![0; DATAGRAM_MAX];
        while !self.stop.load(Ordering::Relaxed) {
            let Ok((len, from)) = socket.recv_from(&mut buffer) else { continue };
            let at = Instant::now();
            if from == self.server {
                let payload = Bytes::copy_from_slice(&buffer[..len]);
                self.tell(Input::Datagram { at, client, from: HostId::Right, payload });
            }
        }
    }

    fn tell(&self, input: Input) {
        // It is gone only when the relay is.
        drop(self.inputs.send(input));
    }
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

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    thread::Builder::new().name(name.into()).spawn(body)
}

/// The largest UDP datagram.
const DATAGRAM_MAX: usize = 65_535;

/// Kernel buffers, so that the relay loses nothing on its own.
const UDP_BUFFER: usize = 4 << 20;

/// How long a thread may take to notice that the relay stops.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// Each client is a thread, a socket and a flow of the network.
const CLIENTS_MAX: u16 = 64;

#[cfg(test)]
mod tests;
