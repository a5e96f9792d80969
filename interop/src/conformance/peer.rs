//! The scripted peer: raw UDP sockets on one side, the shim of the implementation under test on the
//! other, and a trace of everything that passes.
//!
//! Calls block. What arrives meanwhile is kept in order until it is asked for, each packet with the
//! time of its arrival. A call that finds something else than it allows ends the case with a
//! failure that names the line of the case.

mod call;
mod clock;
mod event;
mod expect;
mod headers;
mod icmp;
mod implementation;
mod in_flight;
mod intake;
mod path;
mod process;
mod send;
mod shim;
mod socket;
mod transfer;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Deref;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use self::clock::Clock;
use self::shim::Shim;
use self::socket::PeerSocket;
use super::packet::Packet;
use super::stop::{CaseResult, Failure, Stop};
use super::trace::{NOTE, Trace};
use super::want::Want;
use crate::harness::{Ability, Family};
use crate::shim::Event;

pub(crate) use self::call::{Call, Mode};
pub(crate) use self::event::{WantEvent, error_kind};
pub(crate) use self::headers::Headers;
pub(crate) use self::path::{Carried, Path};

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
    /// The most that it was late with what was due at a moment.
    late: Duration,
    trace: Trace,
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
            clock: Clock::starting_at(now),
            has_no_clock: false,
            last_delay_us: 0,
            started: now,
            deadline: now + limit,
            mark: now,
            place: None,
            late: Duration::ZERO,
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

    /// Whether the implementation can do something.
    pub(crate) fn can(&self, ability: Ability) -> bool {
        !self.target.lacks.contains(&ability)
    }

    /// Leaves the case out when the implementation cannot do something.
    pub(crate) fn need(&self, ability: Ability) -> CaseResult {
        match self.target.lacks.contains(&ability) {
            true => Err(Stop::Skip(format!("{} cannot do: {ability}", self.target.name))),
            false => Ok(()),
        }
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

    /// The most that it was late with what was due at a moment.
    pub(crate) const fn late(&self) -> Duration {
        self.late
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

/// How long a shim may take to do what `quit` asks.
const QUIT_PATIENCE: Duration = Duration::from_secs(5);
