//! A socket with libutp behind it: the loop that programs run around the library, in virtual time.
//!
//! As in those, datagrams are handed in as they come, what the application reads and writes in
//! answer goes to the library at once, and the acks that wait are issued when the socket has been
//! drained and the application has had its turn. The library's timers are looked at every 500 ms,
//! as its documentation says, from a moment on that is drawn. ICMP is not passed on: few programs
//! do, and the library ends the process when it hears of a path that takes less than it has seen.

mod outside;
mod stream;
mod user;
mod wire;

use super::cx::Cx;
use super::host::SharedEntropy;
use super::stream::{Failure, Fin, StreamId};
use crate::clock::set_stamp;
use crate::packet::Datagram;
use outside::Virtual;
use std::collections::VecDeque;
use std::mem;
use std::net::SocketAddr;
use std::rc::Rc;
use stream::Stream;
use utp_proto::Instant;
use utp_reference::{Context, Event, Options, SocketId};
use wire::Wire;

/// A socket and the task that drives it.
pub(super) struct Driver {
    context: Context,
    outside: Rc<Virtual>,
    /// Datagrams that have arrived and were not looked at.
    received: VecDeque<Datagram>,
    /// Every stream that its application or the library still knows.
    streams: Vec<Option<Stream>>,
    /// Streams from outside that wait for the application.
    accepted: VecDeque<StreamId>,
    accept_is_awaited: bool,
    /// What passes the socket.
    wire: Wire,
    /// Datagrams were handed in, and the library may have acks for them.
    acks_are_due: bool,
    /// When the library's timers are looked at next; none before the first turn.
    next_tick: Option<Instant>,
}

impl Driver {
    pub(super) fn new(entropy: SharedEntropy) -> Self {
        let outside = Rc::new(Virtual::new(entropy));
        let options = Options { accept: true, gauges: true, ..Options::default() };
        Self {
            context: Context::new(options, outside.clone()),
            outside,
            received: VecDeque::new(),
            streams: Vec::new(),
            accepted: VecDeque::new(),
            accept_is_awaited: false,
            wire: Wire::default(),
            acks_are_due: false,
            next_tick: None,
        }
    }

    fn turn(&mut self, cx: &mut Cx<'_>) {
        self.outside.set_now(cx.instant);
        if mem::take(&mut self.acks_are_due) {
            self.context.issue_deferred_acks();
        }
        while let Some(datagram) = self.received.pop_front() {
            let from = SocketAddr::new(cx.peer.ip(), datagram.source);
            if self.wire.receives(&datagram.payload) {
                self.fin_is_acked(cx);
            }
            self.context.process_udp(&datagram.payload, from);
            self.handle_events(cx);
            self.acks_are_due = true;
        }
        if self.is_tick(cx) {
            self.context.check_timeouts();
            self.handle_events(cx);
        }
        self.flush(cx);
        if self.acks_are_due {
            // The application was woken first, so that the acks know what it has read.
            cx.tasks.wake(cx.driver_task);
        }
    }

    /// Whether the library is to look at its timers now; sets the timer for the next time.
    fn is_tick(&mut self, cx: &mut Cx<'_>) -> bool {
        let due = self.next_tick.is_some_and(|tick| tick <= cx.instant);
        let next = match self.next_tick {
            // The library does not look again sooner than 500 ms after it has looked.
            Some(_) if due => cx.instant.saturating_add(TICK_US),
            Some(tick) => tick,
            None => cx.instant.saturating_add(self.outside.below(TICK_US)),
        };
        if self.next_tick.replace(next) != Some(next) || cx.timers.has_fired(cx.driver_timer) {
            cx.timers.set(cx.now, cx.driver_timer, cx.clock.when(next));
        }
        due
    }

    fn handle_events(&mut self, cx: &mut Cx<'_>) {
        while let Some(event) = self.context.poll_event() {
            self.handle_event(cx, event);
        }
    }

    fn handle_event(&mut self, cx: &mut Cx<'_>, event: Event) {
        let socket = match event {
            Event::Accepted(socket) => {
                let id = self.add_stream(Stream::new(socket));
                self.accepted.push_back(id);
                cx.wake_app_if(mem::take(&mut self.accept_is_awaited));
                return;
            }
            Event::Connected(socket)
            | Event::Destroyed(socket)
            | Event::Eof(socket)
            | Event::Error(socket, _)
            | Event::Readable(socket)
            | Event::Writable(socket) => socket,
        };
        let Some(id) = self.stream_of(socket) else { return };
        let stream = self.stream(id);
        match event {
            Event::Destroyed(_) => {
                self.streams[id.0] = None;
                return;
            }
            Event::Eof(_) => stream.eof = true,
            Event::Error(_, failure) => stream.fail(Failure::Reference(failure)),
            Event::Writable(_) => stream.is_full = false,
            // An acceptor may write since the first data came.
            Event::Accepted(_) | Event::Connected(_) | Event::Readable(_) => stream.open = true,
        }
        let wake = mem::take(&mut stream.is_awaited);
        cx.wake_app_if(wake);
        self.push(id);
    }

    /// The peer has everything of a stream that has ended.
    fn fin_is_acked(&mut self, cx: &mut Cx<'_>) {
        for stream in self.streams.iter_mut().flatten() {
            if stream.fin == Fin::Told {
                stream.fin = Fin::Acked;
                let wake = mem::take(&mut stream.is_awaited);
                cx.wake_app_if(wake);
            }
        }
    }

    /// Hands to the library what it takes of a stream, and the end behind it.
    fn push(&mut self, id: StreamId) {
        let Some(stream) = &mut self.streams[id.0] else { return };
        while stream.open
            && !stream.is_full
            && let Some(chunk) = stream.chunks.front_mut()
        {
            let offered = chunk.len();
            let written = self.context.write(stream.socket, chunk);
            drop(chunk.split_to(written));
            stream.bytes -= written;
            if written == offered {
                stream.chunks.pop_front();
            } else {
                stream.is_full = true;
            }
        }
        if !stream.chunks.is_empty() {
            return;
        }
        // The library loses the end of a stream that is not open yet.
        if stream.open && stream.fin == Fin::Wanted {
            stream.fin = Fin::Told;
            self.context.shutdown(stream.socket);
        }
        if stream.released {
            self.context.close(stream.socket);
        }
    }

    /// Puts on the wire what the library has sent since.
    fn flush(&mut self, cx: &mut Cx<'_>) {
        for mut sent in self.outside.take_sent() {
            self.wire.sends(&sent.payload);
            set_stamp(&mut sent.payload, cx.clock.stamp(cx.now));
            cx.send(sent.to.port(), sent.dont_fragment, sent.payload.into());
        }
    }

    fn stream_of(&self, socket: SocketId) -> Option<StreamId> {
        let is_it = |stream: &Option<Stream>| stream.as_ref().is_some_and(|s| s.socket == socket);
        self.streams.iter().position(is_it).map(StreamId)
    }

    fn stream(&mut self, id: StreamId) -> &mut Stream {
        self.streams[id.0].as_mut().expect("a stream lives until its application has dropped it")
    }

    fn add_stream(&mut self, stream: Stream) -> StreamId {
        match self.streams.iter().position(Option::is_none) {
            Some(free) => {
                self.streams[free] = Some(stream);
                StreamId(free)
            }
            None => {
                self.streams.push(Some(stream));
                StreamId(self.streams.len() - 1)
            }
        }
    }
}

/// How often the library's timers are looked at.
const TICK_US: u64 = 500_000;
