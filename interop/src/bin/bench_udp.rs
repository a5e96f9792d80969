//! `bench-udp`: a side of a benchmark on UDP itself, as a limit to measure stacks by.
//!
//! The sender has a window and the receiver tells what it has; nothing is lost on loopback, and
//! nothing is repeated. One datagram goes per call, or with `gso` as many as the kernel takes.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::timeout;
use utp_bench_side::{
    Args, Clock, Line, Options, Outcome, Payload, Role, Workload, digest_of_all, digest_of_stream,
    room_for, say,
};
use utp_interop::shim::cpu_seconds;

fn main() {
    utp_bench_side::main_with(async |args: Args| {
        let gso = Options::among(&args.set, &["gso"])?.has("gso");
        match (args.role, args.workload) {
            (Role::Accept, Workload::Ping) => echo(&args).await,
            (Role::Connect, Workload::Ping) => ping(&args).await,
            (Role::Accept, Workload::Stream) => receive_all(&args, gso).await,
            (Role::Connect, Workload::Stream) => send_all(&args, gso).await,
            (_, Workload::Connects | Workload::Idle) => {
                Err(io::Error::new(io::ErrorKind::Unsupported, "UDP has no connections"))
            }
        }
    });
}

/// A socket, and how to use the offload of the kernel.
struct Udp {
    socket: UdpSocket,
    offload: Option<UdpSocketState>,
}

impl Udp {
    fn bind(args: &Args, gso: bool) -> io::Result<Self> {
        let socket = std::net::UdpSocket::bind(args.local())?;
        socket.set_nonblocking(true)?;
        let options = SockRef::from(&socket);
        options.set_recv_buffer_size(UDP_BUFFER)?;
        options.set_send_buffer_size(UDP_BUFFER)?;
        let offload = gso.then(|| UdpSocketState::new((&socket).into())).transpose()?;
        Ok(Self { socket: UdpSocket::from_std(socket)?, offload })
    }

    /// Datagrams that one call sends.
    fn segments(&self) -> usize {
        // The kernel's limit is also one of bytes.
        let of = |state: &UdpSocketState| state.max_gso_segments().min(65_000 / DATAGRAM);
        self.offload.as_ref().map_or(1, of)
    }

    /// Sends `bytes` as full datagrams and one that may be shorter.
    async fn send(&self, bytes: &[u8], destination: SocketAddr) -> io::Result<()> {
        let Some(state) = &self.offload else {
            return self.socket.send_to(bytes, destination).await.map(drop);
        };
        let segment_size = (bytes.len() > DATAGRAM).then_some(DATAGRAM);
        let transmit =
            Transmit { destination, ecn: None, contents: bytes, segment_size, src_ip: None };
        let send = || state.try_send((&self.socket).into(), &transmit);
        self.socket.async_io(Interest::WRITABLE, send).await
    }

    /// Receives datagrams that came one behind the other from one sender; how many bytes.
    async fn receive(&self, room: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let Some(state) = &self.offload else { return self.socket.recv_from(room).await };
        let mut meta = [RecvMeta::default()];
        let receive = || {
            let mut buffers = [IoSliceMut::new(room)];
            state.recv((&self.socket).into(), &mut buffers, &mut meta)
        };
        self.socket.async_io(Interest::READABLE, receive).await?;
        Ok((meta[0].len, meta[0].addr))
    }
}

/// A peer of the sender.
struct Peer {
    address: SocketAddr,
    sent: usize,
    /// What it has told to have.
    arrived: usize,
}

/// Sends every stream, each to an address of its own, from one socket.
async fn send_all(args: &Args, gso: bool) -> io::Result<Outcome> {
    one_stream_per_peer(args, args.to.len())?;
    let udp = Udp::bind(args, gso)?;
    let payload = Payload::new();
    let share = args.share();
    let of = |&address: &SocketAddr| Peer { address, sent: 0, arrived: 0 };
    let mut peers: Vec<Peer> = args.to.iter().map(of).collect();
    let window = window(peers.len());
    let (start, cpu_before) = (Instant::now(), cpu_seconds());
    let mut train = vec![0; udp.segments() * DATAGRAM];
    while peers.iter().any(|peer| peer.arrived < share) {
        let mut blocked = true;
        for (number, peer) in (0..).zip(&mut peers) {
            let len = train.len().min(share - peer.sent);
            if len == 0 || peer.sent - peer.arrived + len > window {
                continue;
            }
            blocked = false;
            let mut filled = 0;
            while filled < len {
                let piece = payload.at(number, peer.sent + filled, len - filled);
                train[filled..filled + piece.len()].copy_from_slice(piece);
                filled += piece.len();
            }
            udp.send(&train[..len], peer.address).await?;
            peer.sent += len;
        }
        take_progress(&udp, &mut peers, blocked).await?;
    }
    let digests = (0..).zip(&peers).map(|(number, peer)| payload.digest(number, peer.sent));
    Ok(Outcome {
        bytes: peers.iter().map(|peer| peer.sent as u64).sum(),
        seconds: start.elapsed().as_secs_f64(),
        cpu_s: cpu_before.and_then(|before| Some(cpu_seconds()? - before)),
        sha256: Some(digest_of_all(&digests.collect::<Vec<_>>())),
        ..Outcome::default()
    })
}

/// Takes what receivers tell; waits for it if nothing else can be done.
async fn take_progress(udp: &Udp, peers: &mut [Peer], wait: bool) -> io::Result<()> {
    let mut word = [0; 8];
    if wait {
        let readable = timeout(PATIENCE, udp.socket.readable()).await;
        readable.map_err(|_| io::Error::other("datagrams were lost"))??;
    }
    while let Ok((8, from)) = udp.socket.try_recv_from(&mut word) {
        let told = usize::try_from(u64::from_le_bytes(word)).unwrap_or(usize::MAX);
        if let Some(peer) = peers.iter_mut().find(|peer| peer.address == from) {
            peer.arrived = told.min(peer.sent).max(peer.arrived);
        }
    }
    Ok(())
}

/// Receives every stream, each on a socket of its own.
async fn receive_all(args: &Args, gso: bool) -> io::Result<Outcome> {
    one_stream_per_peer(args, args.sockets as usize)?;
    let share = args.share();
    let sockets = (0..args.sockets).map(|_| Udp::bind(args, gso));
    let sockets = sockets.collect::<io::Result<Vec<Udp>>>()?;
    let rooms: Vec<Vec<u8>> = sockets.iter().map(|_| room_for(share)).collect();
    let ports = sockets.iter().map(|udp| Ok(udp.socket.local_addr()?.port()));
    say(&Line::Listening(ports.collect::<io::Result<_>>()?))?;
    let clock = Rc::new(Clock::default());
    let step = window(sockets.len()) / 4;
    let mut streams = JoinSet::new();
    for ((number, udp), mut room) in (0_u32..).zip(sockets).zip(rooms) {
        let clock = Rc::clone(&clock);
        streams.spawn_local(async move {
            // A buffer of the size that the kernel may fill at once.
            room.resize(room.len() + TRAIN_MAX, 0);
            let (mut len, mut told) = (0, 0);
            while len < share {
                let (read, from) = udp.receive(&mut room[len..len + TRAIN_MAX]).await?;
                clock.tick();
                len += read;
                if len - told >= step || len >= share {
                    told = len;
                    udp.socket.send_to(&(len as u64).to_le_bytes(), from).await?;
                }
            }
            Ok::<_, io::Error>((number, room, len))
        });
    }
    let mut ended = Vec::new();
    while let Some(stream) = streams.join_next().await {
        ended.push(stream??);
    }
    let mut outcome = clock.stop(ended.iter().map(|(_, _, len)| *len as u64).sum());
    ended.sort_by_key(|(number, ..)| *number);
    let digests = ended.iter().map(|(_, room, len)| digest_of_stream(&room[..*len]));
    outcome.sha256 = Some(digest_of_all(&digests.collect::<Vec<_>>()));
    Ok(outcome)
}

fn one_stream_per_peer(args: &Args, peers: usize) -> io::Result<()> {
    match args.streams as usize == peers {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::Unsupported, "UDP has no streams")),
    }
}

/// Sends back what comes, until nothing does.
async fn echo(args: &Args) -> io::Result<Outcome> {
    let udp = Udp::bind(args, false)?;
    say(&Line::Listening(vec![udp.socket.local_addr()?.port()]))?;
    let mut byte = [0];
    let mut outcome = Outcome::default();
    let (mut start, mut cpu_before) = (Instant::now(), cpu_seconds());
    loop {
        let (len, from) = udp.receive(&mut byte).await?;
        if outcome.count == 0 {
            (start, cpu_before) = (Instant::now(), cpu_seconds());
        }
        if len == 0 {
            break;
        }
        udp.socket.send_to(&byte, from).await?;
        outcome.count += 1;
    }
    outcome.seconds = start.elapsed().as_secs_f64();
    outcome.cpu_s = cpu_before.and_then(|before| Some(cpu_seconds()? - before));
    Ok(outcome)
}

/// One byte there and back, over and over.
async fn ping(args: &Args) -> io::Result<Outcome> {
    let udp = Udp::bind(args, false)?;
    let peer = args.to[0];
    let mut byte = [0];
    let (start, cpu_before) = (Instant::now(), cpu_seconds());
    let mut times_us = Vec::new();
    while (times_us.len() as u64) < args.amount && start.elapsed() < args.seconds {
        let sent = Instant::now();
        udp.socket.send_to(&byte, peer).await?;
        udp.receive(&mut byte).await?;
        times_us.push(sent.elapsed().as_secs_f64() * 1e6);
    }
    udp.socket.send_to(&[], peer).await?;
    let outcome = Outcome {
        seconds: start.elapsed().as_secs_f64(),
        cpu_s: cpu_before.and_then(|before| Some(cpu_seconds()? - before)),
        ..Outcome::default()
    };
    Ok(outcome.with_times(times_us))
}

/// What may be under way to each receiver: what its socket's buffer holds, with the kernel's own
/// share of it.
const fn window(peers: usize) -> usize {
    if peers == 1 { 2 << 20 } else { 128 << 10 }
}

/// Payload of a datagram: what Ethernet carries.
const DATAGRAM: usize = 1_472;

/// The most that one call receives.
const TRAIN_MAX: usize = 65_535;

/// Buffers of the socket, as ours asks for them.
const UDP_BUFFER: usize = 4 << 20;

/// How long a receiver may say nothing.
const PATIENCE: Duration = Duration::from_secs(2);
