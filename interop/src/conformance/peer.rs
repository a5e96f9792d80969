//! The scripted peer: raw UDP sockets on one side, the shim of the implementation under test on the
//! other, and a trace of everything that passes.
//!
//! Calls block. What arrives meanwhile is kept in order until it is asked for, each packet with the
//! time of its arrival. A call that finds something else than it allows ends the case with a
//! failure that names the line of the case.

mod call;
mod event;
mod expect;
mod in_flight;
mod process;
mod shim;
mod socket;
mod transfer;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Deref;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use self::shim::Shim;
use self::socket::PeerSocket;
use super::packet::{HEADER_LEN, Packet, hex_start};
use super::stop::{CaseResult, Failure, Stop};
use super::trace::{COMMAND, EVENT, NOTE, RECEIVED, SENT, Trace};
use super::want::Want;
use crate::harness::{Ability, Family};
use crate::shim::{EXIT_UNIMPLEMENTED, Event};

pub(crate) use self::call::{Call, Mode};
pub(crate) use self::event::{WantEvent, error_kind};

/// What a case is run against.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// What results call the implementation.
    pub(crate) name: String,
    /// Its shim.
    pub(crate) program: PathBuf,
    /// What it cannot do.
    pub(crate) lacks: Vec<Ability>,
    /// Whether cases that are only fair to our own stack are run.
    pub(crate) is_ours: bool,
}

/// The scripted peer in one run of one case.
pub(crate) struct Peer {
    target: Target,
    family: Family,
    sender: Sender<Input>,
    inbox: Receiver<Input>,
    sockets: Vec<Option<PeerSocket>>,
    shims: Vec<Shim>,
    /// Where the implementation was heard last, or listens.
    remote: Option<SocketAddr>,
    packets: VecDeque<Seen>,
    events: VecDeque<(Instant, Event)>,
    /// All events so far, for counting.
    heard: Vec<Event>,
    /// Packets that may come at any time.
    ignored: Vec<Want>,
    clock: Clock,
    /// All stamps of the peer are 0.
    has_no_clock: bool,
    /// The delay that was measured on the last arrival, which the next packet tells.
    last_delay_us: u32,
    started: Instant,
    deadline: Instant,
    /// When the last thing of the case happened: a packet sent or awaited, an event, a command.
    mark: Instant,
    /// The line of the script that is being run, in place of that of the Rust code.
    place: Option<String>,
    trace: Trace,
}

/// The clock whose time the packets of the peer carry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
    offset_us: u32,
}

impl Clock {
    fn stamp_us(self, at: Instant) -> u32 {
        let elapsed = at.saturating_duration_since(self.origin).as_micros() & u128::from(u32::MAX);
        self.offset_us.wrapping_add(u32::try_from(elapsed).expect("masked"))
    }
}

/// A datagram that came from the implementation.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) socket: usize,
    pub(crate) from: SocketAddr,
    /// Bytes of the datagram.
    pub(crate) size: usize,
    packet: Packet,
    /// Where it stands in the trace.
    trace_number: usize,
}

impl Deref for Seen {
    type Target = Packet;

    fn deref(&self) -> &Packet {
        &self.packet
    }
}

/// What threads that wait for something hand over.
#[derive(Debug)]
enum Input {
    Datagram {
        socket: usize,
        at: Instant,
        from: SocketAddr,
        bytes: Vec<u8>,
    },
    Event {
        shim: usize,
        at: Instant,
        event: Event,
    },
    /// The shim will say nothing more.
    Gone {
        shim: usize,
        at: Instant,
    },
}

impl Peer {
    /// A peer with one socket, and no implementation yet.
    pub(crate) fn new(target: Target, family: Family, limit: Duration) -> CaseResult<Self> {
        let (sender, inbox) = mpsc::channel();
        let now = Instant::now();
        let mut peer = Self {
            target,
            family,
            sender,
            inbox,
            sockets: Vec::new(),
            shims: Vec::new(),
            remote: None,
            packets: VecDeque::new(),
            events: VecDeque::new(),
            heard: Vec::new(),
            ignored: Vec::new(),
            clock: Clock { origin: now, offset_us: CLOCK_START_US },
            has_no_clock: false,
            last_delay_us: 0,
            started: now,
            deadline: now + limit,
            mark: now,
            place: None,
            trace: Trace::default(),
        };
        peer.open_socket()?;
        Ok(peer)
    }

    pub(crate) const fn family(&self) -> Family {
        self.family
    }

    pub(crate) const fn target(&self) -> &Target {
        &self.target
    }

    /// Leaves the case out when the implementation cannot do something.
    pub(crate) fn need(&self, ability: Ability) -> CaseResult {
        match self.target.lacks.contains(&ability) {
            true => Err(Stop::Skip(format!("{} cannot do: {ability}", self.target.name))),
            false => Ok(()),
        }
    }

    /// Opens another socket on the loopback address and returns its number. The first one is 0.
    pub(crate) fn open_socket(&mut self) -> CaseResult<usize> {
        self.open_socket_at(self.family.loopback())
    }

    /// Opens another socket on an address of this machine.
    pub(crate) fn open_socket_at(&mut self, address: SocketAddr) -> CaseResult<usize> {
        let number = self.sockets.len();
        let socket = PeerSocket::bind(address, number, self.sender.clone())
            .map_err(|error| Stop::internal(format!("a socket on {address}"), error))?;
        self.sockets.push(Some(socket));
        Ok(number)
    }

    /// Closes a socket: its port then answers with ICMP.
    pub(crate) fn close_socket(&mut self, number: usize) {
        self.sockets[number] = None;
    }

    /// The address of an open socket.
    pub(crate) fn socket_address(&self, number: usize) -> SocketAddr {
        self.sockets[number].as_ref().expect("the case has not closed it").address()
    }

    /// Starts the implementation. One that listens is ready when this returns; one that connects
    /// has been started, and connects to the first socket.
    #[track_caller]
    pub(crate) fn start(&mut self, call: &Call) -> CaseResult {
        let remote = self.sockets[0].as_ref().map(PeerSocket::address);
        self.start_towards(call, remote.unwrap_or_else(|| self.family.loopback()))
    }

    /// Starts the implementation; one that connects connects to `to`.
    #[track_caller]
    pub(crate) fn start_towards(&mut self, call: &Call, to: SocketAddr) -> CaseResult {
        for ability in call.needs() {
            self.need(ability)?;
        }
        let mut words = match call.mode {
            Mode::Connect => vec!["connect".to_owned(), to.to_string()],
            Mode::Listen => {
                let mut address = self.family.loopback();
                if call.everywhere {
                    address = match self.family {
                        Family::V4 => (std::net::Ipv4Addr::UNSPECIFIED, 0).into(),
                        Family::V6 => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
                    };
                }
                vec!["listen".to_owned(), address.to_string()]
            }
        };
        words.extend(["--role".to_owned(), call.role.clone(), "--quit-on-eof".to_owned()]);
        words.extend(call.options.iter().cloned());
        self.note(COMMAND, format_args!("shim {}", words.join(" ")));
        let number = self.shims.len();
        let program = &self.target.program;
        let shim = Shim::start(program, &words, number, self.sender.clone())
            .map_err(|error| Stop::internal(program.display(), error))?;
        self.shims.push(shim);
        self.mark = Instant::now();
        if call.mode == Mode::Listen {
            let port = self.await_listening()?;
            let mut address = self.family.loopback();
            address.set_port(port);
            self.remote = Some(address);
        }
        Ok(())
    }

    #[track_caller]
    fn await_listening(&mut self) -> CaseResult<u16> {
        let until = Instant::now() + START_PATIENCE;
        loop {
            while let Some((_, event)) = self.events.pop_front() {
                if let Event::Listening { port } = event {
                    return Ok(port);
                }
            }
            if !self.pump(until)? {
                return Err(self.fail("the shim does not listen after 10 s"));
            }
            if self.shim_has_left() {
                return Err(self.fail("the shim left before it listened"));
            }
        }
    }

    /// Sends a command to the shim that was started last.
    pub(crate) fn command(&mut self, command: &str) -> CaseResult {
        if let Some(ability) = command.split_whitespace().next().and_then(Ability::of_command) {
            self.need(ability)?;
        }
        self.note(COMMAND, command);
        let shim = self.shims.last_mut();
        let shim = shim.ok_or_else(|| Stop::Internal("a command without a shim".into()))?;
        shim.command(command);
        self.mark = Instant::now();
        Ok(())
    }

    /// Ends the shim that was started last, as a crash of its machine would.
    pub(crate) fn kill_shim(&mut self) {
        self.note(COMMAND, "(the process is killed)");
        if let Some(shim) = self.shims.last_mut() {
            shim.kill();
        }
        self.mark = Instant::now();
    }

    /// Sends a packet from the first socket.
    #[track_caller]
    pub(crate) fn send(&mut self, packet: &Packet) -> CaseResult {
        self.send_on(0, packet)
    }

    /// Sends a packet from a socket; stamps that it leaves open are those of now.
    #[track_caller]
    pub(crate) fn send_on(&mut self, socket: usize, packet: &Packet) -> CaseResult {
        let packet = self.stamped(packet);
        self.mark = Instant::now();
        self.note(SENT, SocketText(socket, &packet));
        self.send_unseen(socket, &packet.encode())
    }

    /// Sends bytes that need not be a packet.
    #[track_caller]
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> CaseResult {
        self.mark = Instant::now();
        self.note(SENT, format_args!("raw {} ({} bytes)", hex_start(bytes), bytes.len()));
        self.send_unseen(0, bytes)
    }

    /// Sends a datagram that the trace does not show, for the thousands of a flood.
    pub(crate) fn send_unseen(&mut self, socket: usize, bytes: &[u8]) -> CaseResult {
        let to = self.remote.ok_or_else(|| Stop::Internal("nobody to send to yet".into()))?;
        let Some(Some(from)) = self.sockets.get(socket) else {
            return Err(Stop::Internal(format!("socket {socket} is not open")));
        };
        from.send(bytes, to).map_err(|error| Stop::internal(format!("sending to {to}"), error))
    }

    /// The packet with the stamps that it would get if it were sent now.
    pub(crate) fn stamped(&self, packet: &Packet) -> Packet {
        let mut packet = packet.clone();
        if self.has_no_clock {
            return packet.stamp_us(0).diff_us(0);
        }
        packet.stamp_us.get_or_insert_with(|| self.clock.stamp_us(Instant::now()));
        packet.diff_us.get_or_insert(self.last_delay_us);
        packet
    }

    /// What the clock of the peer shows at a moment.
    pub(crate) fn clock_us(&self, at: Instant) -> u32 {
        self.clock.stamp_us(at)
    }

    /// Puts the clock of the peer forward, or back modulo 2^32.
    pub(crate) const fn shift_clock_us(&mut self, by_us: u32) {
        self.clock.offset_us = self.clock.offset_us.wrapping_add(by_us);
    }

    /// Has all stamps be 0 from now on, as of a peer that has no clock.
    pub(crate) const fn lose_clock(&mut self) {
        self.has_no_clock = true;
    }

    /// Lets packets that look like this come at any time, wherever they are not asked for.
    pub(crate) fn ignore(&mut self, want: Want) {
        self.ignored.push(want);
    }

    /// Asks again for everything that was ignored.
    pub(crate) fn ignore_nothing(&mut self) {
        self.ignored.clear();
    }

    /// Where the implementation is.
    pub(crate) const fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Sends to another address from now on.
    pub(crate) const fn set_remote(&mut self, remote: SocketAddr) {
        self.remote = Some(remote);
    }

    /// When the last thing of the case happened.
    pub(crate) const fn mark(&self) -> Instant {
        self.mark
    }

    /// When the run of the case began.
    pub(crate) const fn started(&self) -> Instant {
        self.started
    }

    /// Runs a line of a script: failures name it.
    pub(crate) fn set_place(&mut self, place: Option<String>) {
        self.place = place;
    }

    /// Writes a remark into the trace.
    pub(crate) fn remark(&mut self, text: impl std::fmt::Display) {
        self.note(NOTE, text);
    }

    /// A failure at the line of the case that calls this.
    #[track_caller]
    pub(crate) fn fail(&self, what: impl Into<String>) -> Stop {
        let caller = Location::caller();
        let place = self.place.clone();
        let place = place.unwrap_or_else(|| format!("{}:{}", caller.file(), caller.line()));
        Stop::Fail(Failure { place, what: what.into() })
    }

    /// Fails the case unless something holds.
    #[track_caller]
    pub(crate) fn check(&self, holds: bool, what: impl FnOnce() -> String) -> CaseResult {
        match holds {
            true => Ok(()),
            false => Err(self.fail(what())),
        }
    }

    /// Whether the shim that was started last will say nothing more.
    pub(crate) fn shim_has_left(&mut self) -> bool {
        self.shims.last_mut().is_some_and(|shim| shim.wait(Duration::ZERO).is_some())
    }

    /// Ends the run. Returns how the implementation crashed, if it did, whether the shims left when
    /// they were told to, and the trace.
    pub(crate) fn finish(mut self) -> (Option<String>, bool, Trace) {
        let left = self.shims.iter_mut().all(|shim| shim.leave(QUIT_PATIENCE));
        let crash = self.shims.iter().find_map(Shim::crash);
        (crash, left, self.trace)
    }

    fn note(&mut self, direction: &'static str, text: impl std::fmt::Display) -> usize {
        self.note_at(Instant::now(), direction, text)
    }

    fn note_at(
        &mut self,
        at: Instant,
        direction: &'static str,
        text: impl std::fmt::Display,
    ) -> usize {
        self.trace.push(at.saturating_duration_since(self.started), direction, text)
    }

    /// Waits for the next thing to come; false when nothing came until then.
    #[track_caller]
    fn pump(&mut self, until: Instant) -> CaseResult<bool> {
        let wait = until.min(self.deadline).saturating_duration_since(Instant::now());
        let input = match self.inbox.recv_timeout(wait) {
            Ok(input) => input,
            Err(RecvTimeoutError::Disconnected) => unreachable!("the peer holds a sender"),
            Err(RecvTimeoutError::Timeout) if Instant::now() < self.deadline => return Ok(false),
            Err(RecvTimeoutError::Timeout) => {
                return Err(self.fail("the case has reached its time limit"));
            }
        };
        match input {
            Input::Datagram { socket, at, from, bytes } => {
                self.take_datagram(socket, at, from, &bytes)
            }
            Input::Event { shim, at, event } => {
                let text = serde_json::to_string(&event).unwrap_or_default();
                self.note_at(at, EVENT, text);
                // What one that was replaced still says is only for the trace.
                if shim + 1 == self.shims.len() {
                    self.heard.push(event.clone());
                    self.events.push_back((at, event));
                }
                Ok(true)
            }
            Input::Gone { shim, at } => self.take_end(shim, at),
        }
    }

    #[track_caller]
    fn take_datagram(
        &mut self,
        socket: usize,
        at: Instant,
        from: SocketAddr,
        bytes: &[u8],
    ) -> CaseResult<bool> {
        let Some(packet) = Packet::decode(bytes) else {
            let text = format!("{} ({} bytes)", hex_start(bytes), bytes.len());
            let number = self.note_at(at, RECEIVED, text);
            self.trace.mark(number);
            let why = if bytes.len() < HEADER_LEN { "it is too short" } else { "its extensions" };
            return Err(self.fail(format!("what came is no packet of uTP: {why}")));
        };
        let trace_number = self.note_at(at, RECEIVED, SocketText(socket, &packet));
        self.last_delay_us = self.clock.stamp_us(at).wrapping_sub(packet.stamp_us.unwrap_or(0));
        if self.remote.is_none() {
            self.remote = Some(from);
        }
        self.packets.push_back(Seen { at, socket, from, size: bytes.len(), packet, trace_number });
        Ok(true)
    }

    fn take_end(&mut self, number: usize, at: Instant) -> CaseResult<bool> {
        let shim = &mut self.shims[number];
        let status = shim.wait(QUIT_PATIENCE);
        let text = status.map_or_else(|| "closed its output".into(), |status| status.to_string());
        self.note_at(at, EVENT, format_args!("(the shim left: {text})"));
        match status.and_then(|status| status.code()) {
            Some(code) if code == i32::from(EXIT_UNIMPLEMENTED) => {
                Err(Stop::Skip(format!("{} says it cannot do this", self.target.name)))
            }
            _ => Ok(true),
        }
    }
}

/// A packet, and the socket if it is not the first.
struct SocketText<'a>(usize, &'a Packet);

impl std::fmt::Display for SocketText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => write!(f, "{}", self.1),
            socket => write!(f, "[{socket}] {}", self.1),
        }
    }
}

/// What the clock shows at the start of each case: neither 0 nor about to wrap.
const CLOCK_START_US: u32 = 0x1234_5678;

/// How long a shim may take to start on a busy machine.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// How long a shim may take to do what `quit` asks.
const QUIT_PATIENCE: Duration = Duration::from_secs(5);
