//! The shim of libutp, and of our library with the same interface, which the package in
//! `interop/capi/peer` builds from this source: a loop over a UDP socket.
//!
//! One thread does everything, as the library wants it: read the UDP socket until it would block,
//! issue the deferred acks, run the timers. A second thread only waits for standard input. The
//! library gets what makes it fast: large UDP buffers, writes of as much as it takes whenever it
//! can take more, and datagrams that leave the moment it makes them.

mod connections;
mod icmp;
mod outside;
mod udp;

use std::io;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use mio::{Events, Interest, Poll, Token, Waker};
use utp_reference::{Context, Options, SynSeq};

use self::connections::Connections;
use self::outside::System;
use self::udp::{DATAGRAM_MAX, Udp};
use utp_shim::{
    Command, EXIT_FAILED, EXIT_UNIMPLEMENTED, Emitter, ErrorKind, Event, Input, Mode, ShimArgs,
    Stats, cpu_seconds, memory_kib, random_seed, read_input,
};

/// libutp, or a library with its interface, behind the shim protocol: commands on standard input,
/// JSON lines on standard output.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Args {
    #[command(flatten)]
    shim: ShimArgs,
    #[command(flatten)]
    library: LibraryArgs,
}

const EXAMPLES: &str = "\
Examples:
  libutp-peer listen 127.0.0.1:4000 --role sink --once
  libutp-peer connect 127.0.0.1:4000 --role source:64MiB
  libutp-peer connect '[::1]:4000' --role source:8MiB --syn-seq above
  echo 'write 1000 7' | libutp-peer connect 127.0.0.1:4000 --role script

Commands on standard input (role script takes all of them):
  write N SEED | read N | pause | resume | shutdown | close | abort | stats | quit

Exit status: 0 done, 1 the connection failed, 2 wrong usage, 3 internal error,
89 the library cannot do what was asked.";

/// What the library's shim takes beyond the protocol.
#[derive(Debug, Clone, clap::Args)]
struct LibraryArgs {
    /// Where the SYN number of a connect shall lie: libutp has no fast retransmit above 0x7fff.
    #[arg(long, value_parser = syn_seq(), default_value_t, global = true)]
    syn_seq: SynSeq,
    /// Seeds ids and sequence numbers; random when left out.
    #[arg(long, global = true)]
    seed: Option<u64>,
    /// Each byte of the first random number, in place of what is drawn.
    #[arg(long, value_name = "BYTE", global = true)]
    random_byte: Option<u8>,
}

/// Whether the library hears of ICMP messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Icmp {
    /// They are handed on, as far as the system tells of them.
    Heard,
    /// They are not: libutp takes each for the end of a connection.
    Ignored,
}

/// The shim, a program that is called `name`.
pub fn main(name: &str, icmp: Icmp) -> ExitCode {
    let args = Args::parse();
    match Shim::new(&args.shim, &args.library, icmp).and_then(Shim::run) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::from(3)
        }
    }
}

/// Parses the name of a range of SYN numbers.
fn syn_seq() -> impl TypedValueParser<Value = SynSeq> {
    PossibleValuesParser::new(SynSeq::NAMES).try_map(|name| name.parse::<SynSeq>())
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
    fn new(args: &ShimArgs, library: &LibraryArgs, icmp: Icmp) -> io::Result<Self> {
        let mode = args.mode.clone();
        let buffers = mode.stream().buffers;
        let poll = Poll::new()?;
        let mut udp = Udp::bind(mode.local(), buffers.udp_buffer, icmp)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(udp.source(), UDP, interest)?;
        let udp = Rc::new(udp);
        let options = Options {
            syn_seq: library.syn_seq,
            rcvbuf_bytes: buffers.rcvbuf.and_then(|bytes| i32::try_from(bytes).ok()),
            sndbuf_bytes: buffers.sndbuf.and_then(|bytes| i32::try_from(bytes).ok()),
            accept: matches!(mode, Mode::Listen { .. }),
            gauges: false,
        };
        let seed = library.seed.unwrap_or_else(random_seed);
        let context =
            Context::new(options, Rc::new(System::new(seed, library.random_byte, Rc::clone(&udp))));
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
        while let Some(message) = self.udp.next_icmp() {
            self.context.process_icmp(&message.quoted, message.to, message.error);
            self.handle_events()?;
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
                    self.complain("the library cannot abort a connection".into())?;
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
