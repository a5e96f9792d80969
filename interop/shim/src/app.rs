//! What a stream reads and writes in each role: a state machine without I/O, shared by the shims.
//!
//! The shim asks how much it may read, hands over what it read, sends what is pending, and does
//! what [`App::intent`] wants. Events come out of [`App::poll_event`].

use std::collections::VecDeque;
use std::time::Instant;

use super::{Command, ConnId, Digest, ErrorKind, Event, Pattern, Role};

/// The application on one stream.
///
/// ```
/// use std::time::Instant;
/// use utp_shim::{App, Event, Role};
///
/// let mut sink = App::new(1, Role::Sink);
/// sink.receive(Instant::now(), b"hello");
/// sink.finish();
/// assert!(matches!(sink.poll_event(), Some(Event::Data { n: 5, .. })));
/// assert!(matches!(sink.poll_event(), Some(Event::Eof { .. })));
/// assert!(sink.intent().close);
/// ```
#[derive(Debug)]
pub struct App {
    conn: ConnId,
    role: Role,
    reading: Reading,
    taken: Taken,
    outbox: Outbox,
    /// The peer finished and everything was read.
    finished: bool,
    /// The first byte that comes is a greeting and no part of what was asked for.
    greeting_due: bool,
    intent: Intent,
    events: VecDeque<Event>,
}

/// What the application wants done to the stream. Each stays set once it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Intent {
    /// Finish the sending direction once nothing is pending.
    pub shutdown: bool,
    /// Close both directions once nothing is pending.
    pub close: bool,
    /// Drop the stream now.
    pub abort: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Everything,
    Exactly(u64),
    Paused,
}

impl App {
    /// An application at the start of a stream.
    pub fn new(conn: ConnId, role: Role) -> Self {
        let mut outbox = Outbox::default();
        let mut intent = Intent::default();
        if let Role::Source { bytes, seed } = role {
            outbox.push_pattern(bytes, seed);
            intent.shutdown = true;
        }
        let reading = if role == Role::Script { Reading::Paused } else { Reading::Everything };
        Self {
            conn,
            role,
            reading,
            taken: Taken::default(),
            outbox,
            finished: false,
            greeting_due: false,
            intent,
            events: VecDeque::new(),
        }
    }

    /// One byte before all else, from the side that connects: there are acceptors that may not
    /// speak before they have heard their peer, and initiators that say nothing by themselves.
    #[must_use]
    pub fn greeting(mut self, connects: bool) -> Self {
        match connects {
            true => self.outbox.patterns.push_front((Pattern::new(0), 1)),
            false => self.greeting_due = true,
        }
        self
    }

    /// How many bytes the application takes now.
    pub fn read_capacity(&self) -> usize {
        match (self.role, self.reading) {
            (_, Reading::Paused) => 0,
            (Role::Echo, _) => ECHO_BACKLOG_MAX.saturating_sub(self.outbox.echo.len()),
            (_, Reading::Exactly(left)) => usize::try_from(left).unwrap_or(usize::MAX),
            (_, Reading::Everything) => usize::MAX,
        }
    }

    /// Whether the application wants to learn about the end of the stream now. A real one does
    /// while it reads, also when it would take no byte more.
    pub const fn reads(&self) -> bool {
        !matches!(self.reading, Reading::Paused)
    }

    /// Takes bytes off the stream; not more than [`read_capacity`](Self::read_capacity) said.
    pub fn receive(&mut self, now: Instant, mut bytes: &[u8]) {
        debug_assert!(bytes.len() <= self.read_capacity());
        if self.greeting_due && !bytes.is_empty() {
            self.greeting_due = false;
            bytes = &bytes[1..];
            if bytes.is_empty() {
                return;
            }
        }
        self.taken.update(now, bytes);
        if self.role == Role::Echo {
            self.outbox.echo.extend(bytes);
        }
        if let Reading::Exactly(left) = &mut self.reading {
            *left = left.saturating_sub(bytes.len() as u64);
            if *left == 0 {
                self.reading = Reading::Paused;
                self.report_data();
            }
        }
    }

    /// The peer's stream ended, after the last byte handed over.
    pub fn finish(&mut self) {
        if self.finished {
            return;
        }
        self.finished = true;
        let sink = self.role == Role::Sink;
        if sink || self.taken.digest.bytes() > 0 {
            self.report_data();
        }
        self.reading = Reading::Paused;
        self.events.push_back(Event::Eof { conn: self.conn });
        // A script closes when told to.
        self.intent.close |= self.role != Role::Script;
    }

    /// The stream failed.
    pub fn fail(&mut self, kind: ErrorKind, detail: String) {
        // What was read until now helps to tell a stall from a stream that never started.
        if !self.finished && self.taken.digest.bytes() > 0 {
            self.report_data();
        }
        self.events.push_back(Event::Error { conn: self.conn, kind, detail });
        self.outbox = Outbox::default();
        self.intent.close = true;
    }

    /// Does what standard input asks of the stream. `quit` and `stats` are the shim's to answer.
    pub fn command(&mut self, command: Command) {
        match command {
            Command::Abort => self.intent.abort = true,
            Command::Close => self.intent.close = true,
            Command::Pause => {
                if self.reading == Reading::Everything {
                    self.report_data();
                }
                self.reading = Reading::Paused;
            }
            Command::Read { bytes: 0 } => self.report_data(),
            Command::Read { bytes } => self.reading = Reading::Exactly(bytes),
            Command::Resume => self.reading = Reading::Everything,
            Command::Shutdown => self.intent.shutdown = true,
            Command::Write { bytes, seed } => self.outbox.push_pattern(bytes, seed),
            Command::Quit | Command::Stats => {}
        }
    }

    /// The next bytes to send; empty when there is nothing to send now.
    pub fn pending(&mut self) -> &[u8] {
        self.outbox.pending()
    }

    /// The stream took this many of the pending bytes.
    pub fn sent(&mut self, bytes: usize) {
        self.outbox.sent(bytes);
    }

    /// What is to be done to the stream, now that nothing is pending if so stated.
    pub fn intent(&self) -> Intent {
        let drained = self.outbox.is_empty();
        Intent {
            shutdown: self.intent.shutdown && drained,
            close: self.intent.close && drained,
            abort: self.intent.abort,
        }
    }

    /// Whether the peer's stream was read to its end.
    pub const fn is_finished(&self) -> bool {
        self.finished
    }

    /// The next event to report.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn report_data(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        self.events.push_back(Event::Data {
            conn: self.conn,
            n: taken.digest.bytes(),
            sha256: taken.digest.hex(),
            seconds: taken.span.map(|(first, last)| (last - first).as_secs_f64()),
        });
    }
}

/// What was read since the last report.
#[derive(Debug, Default)]
struct Taken {
    digest: Digest,
    span: Option<(Instant, Instant)>,
}

impl Taken {
    fn update(&mut self, now: Instant, bytes: &[u8]) {
        self.digest.update(bytes);
        let (_, last) = self.span.get_or_insert((now, now));
        *last = now;
    }
}

/// What is to be sent: patterns in the order in which they were asked for, and echoed bytes.
#[derive(Debug, Default)]
struct Outbox {
    patterns: VecDeque<(Pattern, u64)>,
    echo: VecDeque<u8>,
    /// The bytes being sent, generated a block at a time.
    block: Vec<u8>,
    sent: usize,
}

impl Outbox {
    fn push_pattern(&mut self, bytes: u64, seed: u64) {
        if bytes > 0 {
            self.patterns.push_back((Pattern::new(seed), bytes));
        }
    }

    fn is_empty(&self) -> bool {
        self.sent == self.block.len() && self.echo.is_empty() && self.patterns.is_empty()
    }

    fn pending(&mut self) -> &[u8] {
        if self.sent == self.block.len() {
            self.sent = 0;
            if self.echo.is_empty() {
                self.next_block_of_pattern();
            } else {
                self.block.clear();
                self.block.extend(self.echo.drain(..));
            }
        }
        &self.block[self.sent..]
    }

    fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        assert!(self.sent <= self.block.len(), "only what is pending can be sent");
    }

    fn next_block_of_pattern(&mut self) {
        let Some((pattern, left)) = self.patterns.front_mut() else {
            self.block.clear();
            return;
        };
        let len = usize::try_from(*left).map_or(BLOCK_LEN, |left| left.min(BLOCK_LEN));
        self.block.resize(len, 0);
        pattern.fill(&mut self.block);
        *left -= len as u64;
        if *left == 0 {
            self.patterns.pop_front();
        }
    }
}

/// How much is generated and offered to the stream at once: far more than a window grows by, and
/// small enough to stay in the processor's cache.
const BLOCK_LEN: usize = 256 * 1024;

/// An echo stops reading at this much unsent, so that a peer that never reads cannot fill memory.
const ECHO_BACKLOG_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern_sha256;

    fn events(app: &mut App) -> Vec<Event> {
        std::iter::from_fn(|| app.poll_event()).collect()
    }

    fn drain(app: &mut App) -> Vec<u8> {
        let mut all = Vec::new();
        while !app.pending().is_empty() {
            let len = app.pending().len().min(1000);
            all.extend_from_slice(&app.pending()[..len]);
            app.sent(len);
        }
        all
    }

    #[test]
    fn a_source_sends_its_pattern_then_shuts_down_and_closes_at_the_peers_end() {
        let mut source = App::new(1, Role::Source { bytes: 600_000, seed: 5 });
        assert_eq!(source.intent(), Intent::default());
        let sent = drain(&mut source);
        let mut digest = Digest::default();
        digest.update(&sent);
        assert_eq!(digest.hex(), pattern_sha256(5, 600_000));
        assert_eq!(source.intent(), Intent { shutdown: true, ..Intent::default() });
        source.finish();
        assert!(source.intent().close);
        assert_eq!(events(&mut source), [Event::Eof { conn: 1 }]);
    }

    #[test]
    fn an_echo_returns_what_it_read_before_it_closes() {
        let mut echo = App::new(1, Role::Echo);
        echo.receive(Instant::now(), b"abc");
        echo.finish();
        assert!(!echo.intent().close);
        assert_eq!(drain(&mut echo), b"abc");
        assert!(echo.intent().close);
    }

    #[test]
    fn a_greeting_is_sent_before_all_else_and_is_no_part_of_what_is_reported() {
        let mut source = App::new(1, Role::Source { bytes: 1000, seed: 5 }).greeting(true);
        let sent = drain(&mut source);
        assert_eq!(sent.len(), 1001);
        let mut sink = App::new(1, Role::Sink).greeting(false);
        sink.receive(Instant::now(), &sent[..1]);
        sink.receive(Instant::now(), &sent[1..]);
        sink.finish();
        let events = events(&mut sink);
        let sha256 = pattern_sha256(5, 1000);
        assert!(matches!(&events[0], Event::Data { n: 1000, sha256: got, .. } if *got == sha256));
    }

    #[test]
    fn an_echo_stops_reading_while_its_backlog_is_full() {
        let mut echo = App::new(1, Role::Echo);
        echo.receive(Instant::now(), &vec![7; ECHO_BACKLOG_MAX]);
        assert_eq!(echo.read_capacity(), 0);
        let block = echo.pending().len();
        echo.sent(block);
        assert!(echo.read_capacity() > 0);
    }

    #[test]
    fn a_script_reads_only_what_it_is_told_to() {
        let mut script = App::new(3, Role::Script);
        assert_eq!(script.read_capacity(), 0);
        script.command(Command::Read { bytes: 4 });
        assert_eq!(script.read_capacity(), 4);
        script.receive(Instant::now(), b"ab");
        script.receive(Instant::now(), b"cd");
        assert_eq!(script.read_capacity(), 0);
        assert!(matches!(events(&mut script)[..], [Event::Data { conn: 3, n: 4, .. }]));
        script.command(Command::Resume);
        script.receive(Instant::now(), b"efg");
        script.finish();
        assert!(matches!(events(&mut script)[..], [Event::Data { n: 3, .. }, Event::Eof { .. }]));
        assert!(!script.intent().close, "a script closes when told to");
        script.command(Command::Close);
        assert!(script.intent().close);
    }

    #[test]
    fn close_waits_for_what_was_written_before_it() {
        let mut script = App::new(1, Role::Script);
        script.command(Command::Write { bytes: 10, seed: 1 });
        script.command(Command::Write { bytes: 10, seed: 2 });
        script.command(Command::Close);
        assert!(!script.intent().close);
        assert_eq!(drain(&mut script).len(), 20);
        assert!(script.intent().close);
    }

    #[test]
    fn a_failure_reports_what_was_read_and_gives_up_the_rest() {
        let mut sink = App::new(1, Role::Sink);
        sink.receive(Instant::now(), b"abc");
        sink.fail(ErrorKind::Reset, "gone".into());
        let events = events(&mut sink);
        assert!(matches!(
            events[..],
            [Event::Data { n: 3, .. }, Event::Error { kind: ErrorKind::Reset, .. }]
        ));
        assert!(sink.intent().close);
    }
}
