//! The driver of a socket: moves everything between the core, the network and the streams, in the
//! turns and in the order of the shipped adapter.

mod inbound;
mod streams;
mod user;

use super::cx::Cx;
use super::stream::{Failure, Stream, StreamId};
use crate::clock::set_stamp;
use crate::packet::{DATAGRAM_MAX, Datagram, TooBig};
use bytes::Bytes;
use std::collections::VecDeque;
use std::mem;
use std::num::NonZeroUsize;
use std::sync::Arc;
use utp_proto::{Config, ConnectionHandle, Endpoint, Event, Instant};

/// A socket and the task that drives it.
pub(super) struct Driver {
    endpoint: Endpoint,
    config: Arc<Config>,
    /// Datagrams that have arrived and were not looked at.
    received: VecDeque<Datagram>,
    /// ICMP messages that were not looked at.
    too_big: VecDeque<TooBig>,
    /// Every stream that its application or its connection still knows.
    streams: Vec<Option<Stream>>,
    /// Connections that have a stream.
    live: Vec<Live>,
    /// Streams from outside that wait for the application.
    accepted: VecDeque<StreamId>,
    accept_is_awaited: bool,
    changed: Vec<StreamId>,
    connects: Vec<StreamId>,
    /// What the timer is set to, until it has fired.
    armed: Option<Instant>,
    /// Streams have something for their application since the driver let others go first.
    woke: bool,
    /// The driver has just let others go first.
    yielded: bool,
}

/// What events there were.
#[derive(Clone, Copy, Debug, Default)]
struct News {
    any: bool,
    /// The core has taken more of what was written.
    wrote: bool,
}

/// A connection and its stream.
#[derive(Clone, Copy)]
struct Live {
    handle: ConnectionHandle,
    stream: StreamId,
    /// It came from outside and its application does not know yet.
    unannounced: bool,
}

impl Driver {
    pub(super) const fn new(endpoint: Endpoint, config: Arc<Config>) -> Self {
        Self {
            endpoint,
            config,
            received: VecDeque::new(),
            too_big: VecDeque::new(),
            streams: Vec::new(),
            live: Vec::new(),
            accepted: VecDeque::new(),
            accept_is_awaited: false,
            changed: Vec::new(),
            connects: Vec::new(),
            armed: None,
            woke: false,
            yielded: false,
        }
    }

    /// One turn: rounds until nothing is left to do.
    fn turn(&mut self, cx: &mut Cx<'_>) {
        for _ in 0..ROUNDS_MAX {
            let received = self.receive(cx);
            self.handle_icmp(cx);
            self.apply_inbox(cx);
            if self.endpoint.poll_timeout().is_some_and(|at| at <= cx.instant) {
                self.endpoint.handle_timeout(cx.instant);
            }
            self.handle_events(cx);
            if self.yields_to_users(cx) {
                return;
            }
            let more_to_send = self.send(cx);
            let news = self.handle_events(cx);
            self.woke = false;
            // The adapter makes another round whenever something was received. Most of these would
            // find nothing.
            let another = more_to_send
                || news.wrote
                || !self.changed.is_empty()
                || !self.connects.is_empty()
                || received && (news.any || !self.received.is_empty());
            if another {
                continue;
            }
            let Some(deadline) = self.endpoint.poll_timeout() else { return };
            if !(received && deadline <= cx.instant || self.poll_timer(cx, deadline)) {
                return;
            }
        }
        cx.tasks.wake(cx.driver_task);
    }

    /// Whether the application goes first, once, before anything is sent.
    fn yields_to_users(&mut self, cx: &mut Cx<'_>) -> bool {
        self.yielded = mem::take(&mut self.woke) && !self.yielded;
        if self.yielded {
            cx.tasks.yield_now(cx.driver_task);
        }
        self.yielded
    }

    fn wake_app_if(&mut self, cx: &mut Cx<'_>, wake: bool) {
        self.woke |= wake;
        cx.wake_app_if(wake);
    }

    /// Does what the application wants.
    fn apply_inbox(&mut self, cx: &mut Cx<'_>) {
        for id in mem::take(&mut self.connects) {
            self.begin_connect(cx, id);
        }
        let mut changed = mem::take(&mut self.changed);
        for id in changed.drain(..) {
            self.apply(cx, id);
        }
        self.changed = changed;
    }

    fn begin_connect(&mut self, cx: &mut Cx<'_>, id: StreamId) {
        match self.endpoint.connect(cx.instant, cx.peer, Arc::clone(&self.config)) {
            Ok(handle) => {
                self.live.push(Live { handle, stream: id, unannounced: false });
            }
            Err(error) => {
                let wake = self.stream(id).fail(Failure::Connect(error));
                self.wake_app_if(cx, wake);
            }
        }
    }

    fn apply(&mut self, cx: &mut Cx<'_>, id: StreamId) {
        let Some(stream) = &mut self.streams[id.0] else { return };
        stream.listed = false;
        let Some(live) = self.live.iter().find(|live| live.stream == id) else {
            self.forget_if_released(id);
            return;
        };
        let handle = live.handle;
        let wake = streams::apply(cx.instant, &mut self.endpoint, handle, stream);
        self.wake_app_if(cx, wake);
        self.release_if_done(cx, handle, id);
    }

    fn handle_events(&mut self, cx: &mut Cx<'_>) -> News {
        let mut news = News::default();
        while let Some((handle, event)) = self.endpoint.poll_event() {
            self.handle_event(cx, handle, event);
            news.any = true;
            news.wrote |= event == Event::Writable;
        }
        news
    }

    fn handle_event(&mut self, cx: &mut Cx<'_>, handle: ConnectionHandle, event: Event) {
        let Some(live) = self.live.iter_mut().find(|live| live.handle == handle) else { return };
        let id = live.stream;
        if event == Event::Connected && mem::take(&mut live.unannounced) {
            self.accepted.push_back(id);
            cx.wake_app_if(mem::take(&mut self.accept_is_awaited));
            return;
        }
        let Some(stream) = &mut self.streams[id.0] else { return };
        let Some(mut connection) = self.endpoint.connection_mut(handle) else { return };
        let mut wake = false;
        match event {
            Event::Closed(error) => {
                wake |= streams::on_readable(cx.instant, &mut connection, stream);
                wake |= streams::on_closed(&connection, stream, error);
            }
            Event::Connected => wake |= stream.open(),
            Event::Finished => wake |= stream.finish(),
            Event::Readable => {
                wake |= streams::on_readable(cx.instant, &mut connection, stream);
            }
            Event::Writable => {
                wake |= streams::push_writes(cx.instant, &mut connection, stream);
            }
            _ => {}
        }
        streams::keep_stats(&connection, stream);
        drop(connection);
        self.wake_app_if(cx, wake);
        match event {
            Event::Closed(_) => self.release(cx, handle, id),
            Event::Writable => self.release_if_done(cx, handle, id),
            _ => {}
        }
    }

    /// Sends what the core has, one batch after the other; says whether there may be more.
    fn send(&mut self, cx: &mut Cx<'_>) -> bool {
        for _ in 0..BATCHES_MAX {
            let buf = &mut cx.world.buf;
            buf.clear();
            let Some(batch) = self.endpoint.poll_transmit(cx.instant, SEGMENTS_MAX, buf) else {
                return false;
            };
            let datagrams = &mut buf[batch.start..batch.start + batch.size];
            let size = batch.segment_size.unwrap_or(batch.size).max(1);
            let stamp = cx.clock.stamp(cx.now);
            for datagram in datagrams.chunks_mut(size) {
                set_stamp(datagram, stamp);
            }
            let mut datagrams = Bytes::copy_from_slice(datagrams);
            while !datagrams.is_empty() {
                let payload = datagrams.split_to(datagrams.len().min(size));
                if payload.len() <= DATAGRAM_MAX {
                    cx.send(batch.destination.port(), batch.dont_fragment, payload);
                }
            }
        }
        true
    }

    /// Whether the next deadline has come. Sets the timer only if it would ring too late.
    fn poll_timer(&mut self, cx: &mut Cx<'_>, deadline: Instant) -> bool {
        if self.armed.is_none_or(|armed| deadline < armed) {
            self.arm(cx, deadline);
        }
        while cx.timers.has_fired(cx.driver_timer) {
            self.armed = None;
            if deadline <= cx.instant {
                return true;
            }
            self.arm(cx, deadline);
        }
        false
    }

    fn arm(&mut self, cx: &mut Cx<'_>, deadline: Instant) {
        self.armed = Some(deadline);
        cx.timers.set(cx.now, cx.driver_timer, cx.clock.when(deadline));
    }

    /// Parts stream and connection if the application has dropped the stream and the core knows
    /// everything of it.
    fn release_if_done(&mut self, cx: &Cx<'_>, handle: ConnectionHandle, id: StreamId) {
        let stream = self.stream(id);
        if !stream.released || !stream.is_told() {
            return;
        }
        if stream.aborted
            && let Some(mut connection) = self.endpoint.connection_mut(handle)
        {
            connection.abort(cx.instant);
        }
        self.release(cx, handle, id);
    }

    /// Parts stream and connection: the connection delivers what was written and ends.
    fn release(&mut self, cx: &Cx<'_>, handle: ConnectionHandle, id: StreamId) {
        self.live.retain(|live| live.handle != handle);
        self.endpoint.release(cx.instant, handle);
        self.forget_if_released(id);
    }

    /// Forgets a stream that neither its application nor a connection knows any more.
    fn forget_if_released(&mut self, id: StreamId) {
        let stream = self.stream(id);
        if stream.released && !stream.listed {
            self.streams[id.0] = None;
        }
    }

    fn stream(&mut self, id: StreamId) -> &mut Stream {
        self.streams[id.0].as_mut().expect("a stream lives while somebody knows it")
    }

    fn add_stream(&mut self) -> StreamId {
        let stream = Some(Stream::new(&self.config, self.endpoint.queue_account()));
        match self.streams.iter().position(Option::is_none) {
            Some(free) => {
                self.streams[free] = stream;
                StreamId(free)
            }
            None => {
                self.streams.push(stream);
                StreamId(self.streams.len() - 1)
            }
        }
    }
}

/// Rounds of a turn; each receives up to a full batch.
const ROUNDS_MAX: u32 = 64;

/// Batches in a row before the driver looks at what has come in.
const BATCHES_MAX: usize = 16;

/// Datagrams of a batch.
const SEGMENTS_MAX: NonZeroUsize = NonZeroUsize::new(64).expect("it is not 0");
