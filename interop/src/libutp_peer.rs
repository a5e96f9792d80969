//! The shim of libutp: its loop over a UDP socket.
//!
//! One thread does everything, as the library wants it: read the UDP socket until it would block,
//! issue the deferred acks, run the timers. A second thread only waits for standard input. The
//! library gets what makes it fast: large UDP buffers, writes of as much as it takes whenever it
//! can take more, and datagrams that leave the moment it makes them.

mod connections;
mod outside;
mod udp;

use std::io;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use mio::{Events, Interest, Poll, Token, Waker};
use utp_reference::{Context, Options, SynSeq};

use self::connections::Connections;
use self::outside::System;
use self::udp::{DATAGRAM_MAX, Udp};
use crate::shim::{
    Command, EXIT_FAILED, EXIT_UNIMPLEMENTED, Emitter, ErrorKind, Event, Input, Mode, ShimArgs,
    Stats, cpu_seconds, memory_kib, random_seed, read_input,
};

/// What libutp's shim takes beyond the protocol.
#[derive(Debug, Clone, clap::Args)]
pub struct LibutpArgs {
    /// Where the SYN number of a connect shall lie: libutp has no fast retransmit above 0x7fff.
    #[arg(long, value_parser = syn_seq(), default_value_t, global = true)]
    pub syn_seq: SynSeq,
    /// Seeds ids and sequence numbers; random when left out.
    #[arg(long, global = true)]
    pub seed: Option<u64>,
}

/// Parses the name of a range of SYN numbers.
fn syn_seq() -> impl TypedValueParser<Value = SynSeq> {
    PossibleValuesParser::new(SynSeq::NAMES).try_map(|name| name.parse::<SynSeq>())
}

/// Runs the shim until it is done, and returns its exit status.
///
/// # Errors
///
/// When the UDP socket, the poller or standard output fails.
pub fn run(args: &ShimArgs, libutp: &LibutpArgs) -> io::Result<u8> {
    Shim::new(args, libutp)?.run()
}

struct Shim {
    mode: Mode,
    poll: Poll,
    udp: Rc<Udp>,
    datagram: Box<[u8]>,
    context: Context,
    connections: Connections,
    input: Receiver<Input>,
    emitter: Emitter,
}

impl Shim {
    fn new(args: &ShimArgs, libutp: &LibutpArgs) -> io::Result<Self> {
        let mode = args.mode.clone();
        let buffers = mode.stream().buffers;
        let poll = Poll::new()?;
        let mut udp = Udp::bind(mode.local(), buffers.udp_buffer)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(udp.source(), UDP, interest)?;
        let udp = Rc::new(udp);
        let options = Options {
            syn_seq: libutp.syn_seq,
            rcvbuf_bytes: buffers.rcvbuf.and_then(|bytes| i32::try_from(bytes).ok()),
            sndbuf_bytes: buffers.sndbuf.and_then(|bytes| i32::try_from(bytes).ok()),
            accept: matches!(mode, Mode::Listen { .. }),
            gauges: false,
        };
        let seed = libutp.seed.unwrap_or_else(random_seed);
        let context = Context::new(options, Rc::new(System::new(seed, Rc::clone(&udp))));
        let waker = Waker::new(poll.registry(), INPUT)?;
        let (sender, input) = mpsc::channel();
        read_input(move |line| sender.send(line).is_ok() && waker.wake().is_ok());
        let connections = Connections::new(mode.clone());
        Ok(Self {
            mode,
            poll,
            udp,
            datagram: vec![0; DATAGRAM_MAX].into(),
            context,
            connections,
            input,
            emitter: Emitter::default(),
        })
    }

    fn run(mut self) -> io::Result<u8> {
        match self.mode {
            Mode::Listen { .. } => {
                self.emitter.emit(&Event::Listening { port: self.udp.local_addr()?.port() })?;
            }
            Mode::Connect { .. } => self.connect_more(),
        }
        let mut events = Events::with_capacity(8);
        let mut next_tick = Instant::now() + TICK;
        let mut received_before = 0;
        let status = loop {
            let wait = next_tick.saturating_duration_since(Instant::now());
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            if let Some(status) = self.handle_input()? {
                break status;
            }
            // Both are tried without asking what woke us: it costs one call each, and a datagram
            // never waits for the next round.
            self.udp.flush();
            self.drain_udp()?;
            if Instant::now() >= next_tick {
                self.context.check_timeouts();
                let received = self.udp.received();
                if std::mem::replace(&mut received_before, received) == received {
                    self.connections.settle(&mut self.context);
                }
                next_tick = Instant::now() + TICK;
                self.handle_events()?;
            }
            self.connections.drive(&mut self.context);
            self.connect_more();
            self.report()?;
            if self.mode.once() && self.are_over() {
                break if self.connections.has_failed() { EXIT_FAILED } else { 0 };
            }
        };
        self.emitter.emit(&self.stats())?;
        Ok(status)
    }

    /// Whether every connection that is wanted came to its end.
    fn are_over(&self) -> bool {
        match self.mode {
            Mode::Listen { .. } => self.connections.are_over(),
            Mode::Connect { count, .. } => {
                self.connections.started() == count && self.connections.open() == 0
            }
        }
    }

    /// Opens as many connections as are still wanted and may be open at once.
    fn connect_more(&mut self) {
        let Mode::Connect { address, count, parallel, .. } = self.mode else { return };
        while self.connections.started() < count && self.connections.open() < parallel {
            self.connections.connect(&mut self.context, address);
        }
    }

    /// Takes every datagram that has arrived, then lets the library ack them.
    fn drain_udp(&mut self) -> io::Result<()> {
        let mut received = false;
        while let Some((len, from)) = self.udp.receive(&mut self.datagram)? {
            received = true;
            self.context.process_udp(&self.datagram[..len], from);
            self.handle_events()?;
        }
        if received {
            self.context.issue_deferred_acks();
        }
        Ok(())
    }

    fn handle_events(&mut self) -> io::Result<()> {
        while let Some(event) = self.context.poll_event() {
            self.connections.handle(&mut self.context, event);
        }
        self.report()
    }

    fn report(&mut self) -> io::Result<()> {
        while let Some(event) = self.connections.poll_event() {
            self.emitter.emit(&event)?;
        }
        Ok(())
    }

    /// Does what standard input said; returns an exit status when that is to leave.
    fn handle_input(&mut self) -> io::Result<Option<u8>> {
        while let Ok(input) = self.input.try_recv() {
            match input {
                Input::Command(Command::Quit) => return Ok(Some(0)),
                Input::Command(Command::Stats) => self.emitter.emit(&self.stats())?,
                // The library has no way to drop a connection at once.
                Input::Command(Command::Abort) => {
                    self.complain("libutp cannot abort a connection".into())?;
                    return Ok(Some(EXIT_UNIMPLEMENTED));
                }
                Input::Command(command) => self.connections.command(&mut self.context, command),
                Input::End if self.mode.stream().quit_on_eof => return Ok(Some(0)),
                Input::End => {}
                Input::Mistake(mistake) => self.complain(mistake)?,
            }
        }
        Ok(None)
    }

    fn complain(&self, detail: String) -> io::Result<()> {
        self.emitter.emit(&Event::Error { conn: 0, kind: ErrorKind::Other, detail })
    }

    fn stats(&self) -> Event {
        let memory = memory_kib();
        Event::Stats(Stats {
            rss_kib: memory.map_or(0, |(now, _)| now),
            conns: self.connections.open(),
            peak_rss_kib: memory.map(|(_, peak)| peak),
            cpu_s: cpu_seconds(),
            udp_recv_buffer: self.udp.granted().map(|(recv, _)| recv),
            udp_send_buffer: self.udp.granted().map(|(_, send)| send),
            datagrams_received: Some(self.udp.received()),
            datagrams_sent: Some(self.udp.sent()),
            send_blocked: Some(self.udp.blocked()),
        })
    }
}

const UDP: Token = Token(0);
const INPUT: Token = Token(1);

/// How often the library's timers run. It looks every 500 ms at the most, so that a shorter step
/// only brings that nearer to its due time; applications use 20 to 50 ms.
const TICK: Duration = Duration::from_millis(20);
