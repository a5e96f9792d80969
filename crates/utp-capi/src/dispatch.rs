//! What follows from a change: callbacks and datagrams, one after the other, with nothing locked
//! while the program is called.
//!
//! One call of the program is at work at a time. A call from within a callback, or of another
//! thread, changes what it has to and leaves the rest to the one that is at work already, which
//! looks for more to do until there is nothing left.

use std::ffi::CString;
use std::num::NonZeroUsize;

use utp_proto::{ConnectionError, Event, Incoming, Instant, ReadError, Transmit};

use crate::address::RawAddress;
use crate::callbacks::Call;
use crate::context::{Context, Life, State};
use crate::handles::Id;
use crate::types::{ErrorCode, Name, StateChange, UDP_DONTFRAG};

/// What a call wants to have done beside sending.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wants {
    tells: bool,
    reaps: bool,
}

impl Wants {
    /// Nothing else: for calls in which the program expects to hear of no event.
    pub(crate) const SEND: Self = Self { tells: false, reaps: false };
    /// Events.
    pub(crate) const TELL: Self = Self { tells: true, reaps: false };
    /// Events, and the end of sockets.
    pub(crate) const REAP: Self = Self { tells: true, reaps: true };
}

/// What has happened to a socket, to be told in the order of libutp.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Events {
    connected: bool,
    writable: bool,
    readable: bool,
    finished: bool,
    closed: Option<ConnectionError>,
}

impl Events {
    fn add(&mut self, event: Event) {
        match event {
            Event::Connected => self.connected = true,
            Event::Writable => self.writable = true,
            Event::Readable => self.readable = true,
            Event::Finished => self.finished = true,
            Event::Closed(error) => self.closed = Some(error),
            // The core knows no others.
            _ => {}
        }
    }
}

/// The next thing to do.
enum Task {
    Admit(Incoming, Vec<u8>),
    Destroy(Id),
    Log(Option<Id>, String),
    Send(Outgoing),
    Tell(Id, Events),
}

/// A datagram in the buffer of whoever is at work.
struct Outgoing {
    transmit: Transmit,
    id: Option<Id>,
    call: Option<Call>,
    /// The program counts what is not payload.
    counts: bool,
}

/// Whoever is at work.
pub(crate) struct Worker<'a> {
    pub(crate) context: &'a Context,
    pub(crate) now: Instant,
    /// A datagram, or what was read.
    buf: Vec<u8>,
}

impl Context {
    /// Does what there is to do, or leaves it to whoever is at it.
    pub(crate) fn drain(&self, now: Instant, wants: Wants) {
        let Some(mut worker) = self.begin(now, wants) else { return };
        while let Some(task) = worker.next_task() {
            worker.run(task);
        }
    }

    fn begin(&self, now: Instant, wants: Wants) -> Option<Worker<'_>> {
        let mut state = self.lock()?;
        state.work.tells |= wants.tells;
        state.work.reaps |= wants.reaps;
        if std::mem::replace(&mut state.work.taken, true) {
            return None;
        }
        Some(Worker { context: self, now, buf: std::mem::take(&mut state.work.buf) })
    }

    /// The last that a program hears of a socket, and its end.
    pub(crate) fn destroy_socket(&self, id: Id) {
        if let Some(call) = self.last_callback_of(id) {
            call.with_state(StateChange::Destroying).run();
        }
        if let Some(mut state) = self.lock() {
            state.sockets.remove(id);
        }
    }

    /// The callback that a program is told with, once.
    fn last_callback_of(&self, id: Id) -> Option<Call> {
        let mut state = self.lock()?;
        let flags = &mut state.sockets.get_mut(id)?.flags;
        if std::mem::replace(&mut flags.told_last, true) {
            return None;
        }
        let callback = state.callbacks.get(Name::OnStateChange)?;
        Some(Call::new(self, Name::OnStateChange, callback).of(id))
    }
}

impl Worker<'_> {
    fn next_task(&mut self) -> Option<Task> {
        let mut state = self.context.lock().filter(|state| state.life == Life::Open)?;
        state.collect_events();
        if let Some(task) = self.find_task(&mut state) {
            return Some(task);
        }
        state.work.buf = std::mem::take(&mut self.buf);
        (state.work.taken, state.work.tells, state.work.reaps) = (false, false, false);
        None
    }

    fn find_task(&mut self, state: &mut State) -> Option<Task> {
        if let Some((connection, line)) = state.lines.pop() {
            return Some(Task::Log(state.sockets.owner_of(connection), line));
        }
        if let Some((incoming, datagram)) = state.work.incoming.pop_front() {
            return Some(Task::Admit(incoming, datagram));
        }
        if let Some((id, events)) = state.work.events.pop_front() {
            return Some(Task::Tell(id, events));
        }
        if let Some(outgoing) = self.poll(state) {
            return Some(Task::Send(outgoing));
        }
        let doomed = if state.work.reaps { state.work.doomed.pop_front() } else { None };
        doomed.map(Task::Destroy)
    }

    /// The next datagram.
    fn poll(&mut self, state: &mut State) -> Option<Outgoing> {
        self.buf.clear();
        let endpoint = state.endpoint.as_mut()?;
        let transmit = endpoint.poll_transmit(self.now, NonZeroUsize::MIN, &mut self.buf)?;
        let id = transmit.connection.and_then(|connection| state.sockets.owner_of(connection));
        let callback = state.callbacks.get(Name::SendTo);
        let call = callback.map(|callback| Call::new(self.context, Name::SendTo, callback));
        let counts = state.callbacks.has(Name::OnOverheadStatistics);
        Some(Outgoing { transmit, id, call, counts })
    }

    fn run(&mut self, task: Task) {
        match task {
            Task::Admit(incoming, datagram) => self.admit(incoming, &datagram),
            Task::Destroy(id) => self.context.destroy_socket(id),
            Task::Log(id, line) => self.log(id, &line),
            Task::Send(outgoing) => self.send(outgoing),
            Task::Tell(id, events) => self.tell(id, events),
        }
    }

    /// Sends what waits, before anything else.
    pub(crate) fn flush(&mut self) {
        loop {
            let context = self.context;
            let Some(mut state) = context.lock().filter(|state| state.life == Life::Open) else {
                return;
            };
            let Some(outgoing) = self.poll(&mut state) else { return };
            drop(state);
            self.send(outgoing);
        }
    }

    fn send(&mut self, outgoing: Outgoing) {
        let Outgoing { transmit, id, call, counts } = outgoing;
        let remote = transmit.destination;
        self.context.stats.on_sent(transmit.size);
        if let Some(id) = id.filter(|_| counts) {
            self.context.count_sent(id, remote, &self.buf);
        }
        if let Some(call) = call {
            let whole = transmit.dont_fragment && transmit.size > FRAGMENTS_NEVER;
            let flags = if whole { UDP_DONTFRAG } else { 0 };
            call.run_with_datagram(&self.buf, &RawAddress::new(remote), flags);
        }
        // That may have taken long, and the next datagram is stamped when it is made.
        self.now = self.context.now().unwrap_or(self.now);
    }

    fn log(&self, id: Option<Id>, line: &str) {
        let about = id.and_then(|id| self.context.callback_of(Name::Log, id));
        if let Some(call) = about.or_else(|| self.context.callback(Name::Log))
            && let Ok(line) = CString::new(line)
        {
            call.run_with_text(&line);
        }
    }

    fn tell(&mut self, id: Id, events: Events) {
        if events.connected {
            self.tell_connected(id);
        }
        if events.writable {
            self.tell_state(id, StateChange::Writable);
        }
        if events.readable {
            self.read(id);
        }
        if events.finished {
            self.on_finished(id);
        }
        if let Some(error) = events.closed {
            self.on_closed(id, error);
        }
    }

    fn tell_connected(&self, id: Id) {
        let accepted = self.context.flags(id).is_none_or(|flags| flags.accepted);
        if accepted {
            return; // The program has known it since its SYN.
        }
        match self.context.callback_of(Name::OnConnect, id) {
            Some(call) => {
                call.run();
            }
            None => self.tell_state(id, StateChange::Connect),
        }
    }

    fn tell_state(&self, id: Id, change: StateChange) {
        if let Some(call) = self.context.callback_of(Name::OnStateChange, id) {
            call.with_state(change).run();
        }
    }

    /// Hands out what has arrived.
    fn read(&mut self, id: Id) {
        let mut told = false;
        let end = loop {
            self.buf.clear();
            let taken = match self.context.take_chunk(self.now, id, &mut self.buf) {
                Some(Ok(taken)) => taken,
                Some(Err(end)) => break Some(end),
                None => break None,
            };
            if let Some(call) = taken.call {
                told = true;
                call.run_with_bytes(&self.buf);
            }
            if taken.end.is_some() {
                break taken.end;
            }
        };
        if told {
            self.context.ask_held(self.now, id);
        }
        if end == Some(ReadError::Finished) && self.context.note_end(id) {
            self.tell_state(id, StateChange::Eof);
        }
    }

    fn on_finished(&self, id: Id) {
        let Some(mut state) = self.context.lock() else { return };
        let Some(socket) = state.sockets.get_mut(id) else { return };
        socket.flags.fin_acked = true;
        if socket.flags.closed {
            state.let_go(self.now, id);
        }
    }

    fn on_closed(&self, id: Id, error: ConnectionError) {
        if let Some(code) = code_of(error)
            && let Some(call) = self.context.callback_of(Name::OnError, id)
        {
            call.with_error(code).run();
        }
        if let Some(mut state) = self.context.lock()
            && state.sockets.get(id).is_some_and(|socket| socket.flags.closed)
        {
            state.let_go(self.now, id);
        }
    }
}

impl Drop for Worker<'_> {
    /// What a panic leaves behind is not to be touched any more.
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(mut state) = self.context.lock()
        {
            state.life = Life::Over;
        }
    }
}

impl State {
    /// Takes over what the core has to tell, if somebody is to hear it.
    fn collect_events(&mut self) {
        let Some(endpoint) = self.endpoint.as_mut().filter(|_| self.work.tells) else { return };
        while let Some((connection, event)) = endpoint.poll_event() {
            let Some(id) = self.sockets.owner_of(connection) else { continue };
            match self.work.events.back_mut() {
                Some((last, events)) if *last == id => events.add(event),
                _ => {
                    let mut events = Events::default();
                    events.add(event);
                    self.work.events.push_back((id, events));
                }
            }
        }
    }

    /// Nothing more is wanted of a socket: its connection ends without it, and the program is told
    /// at the next look at time-outs.
    pub(crate) fn let_go(&mut self, now: Instant, id: Id) {
        if let Some(connection) = self.sockets.unbind(id)
            && let Some(endpoint) = &mut self.endpoint
        {
            endpoint.release(now, connection);
        }
        if let Some(socket) = self.sockets.get_mut(id)
            && !socket.flags.doomed
        {
            socket.flags.doomed = true;
            self.work.doomed.push_back(id);
        }
    }
}

/// What a program is told of an error; nothing of one that it has made itself.
const fn code_of(error: ConnectionError) -> Option<ErrorCode> {
    match error {
        ConnectionError::LocallyClosed => None,
        ConnectionError::Refused => Some(ErrorCode::ConnRefused),
        ConnectionError::Idle | ConnectionError::StalledByPeer | ConnectionError::TimedOut => {
            Some(ErrorCode::TimedOut)
        }
        _ => Some(ErrorCode::ConnReset),
    }
}

/// Datagrams up to this size cross every path whole, and need no flag that says so: the floor of
/// libutp's search.
const FRAGMENTS_NEVER: usize = 576;
