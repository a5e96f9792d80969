//! The streams of libutp's shim: joins each socket with the application on it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use utp_reference::{Context, Event as SocketEvent, Failure, SocketId};

use utp_shim::{App, Command, ConnId, ErrorKind, Event, Mode, Role};

/// Every connection that is not destroyed.
#[derive(Debug)]
pub(super) struct Connections {
    mode: Mode,
    by_socket: BTreeMap<SocketId, Connection>,
    /// The number that the last connection got.
    last: ConnId,
    /// A connection has come to its end.
    ended: bool,
    failed: bool,
    events: VecDeque<Event>,
}

#[derive(Debug)]
struct Connection {
    id: ConnId,
    app: App,
    /// The library takes writes: our SYN was answered, or the peer's data arrived.
    writable: bool,
    /// The last write was cut short, and the library will say when to go on.
    blocked: bool,
    eof: bool,
    /// The stream failed, and the application learns it when it has read what came before.
    failure: Option<Failure>,
    /// Nothing holds back the end of our stream, see [`Connections::settle`].
    settled: bool,
    shut_down: bool,
    closed: bool,
}

impl Connections {
    pub(super) const fn new(mode: Mode) -> Self {
        Self {
            mode,
            by_socket: BTreeMap::new(),
            last: 0,
            ended: false,
            failed: false,
            events: VecDeque::new(),
        }
    }

    /// Starts our connection to a peer.
    pub(super) fn connect(&mut self, context: &mut Context, remote: SocketAddr) {
        let socket = context.connect(remote);
        self.insert(socket);
    }

    /// How many connections there have been.
    pub(super) const fn started(&self) -> ConnId {
        self.last
    }

    /// How many connections are not over.
    pub(super) fn open(&self) -> u32 {
        u32::try_from(self.by_socket.len()).unwrap_or(u32::MAX)
    }

    /// Whether a connection came to its end and no other one runs. Half-open ones do not count:
    /// the library keeps those for ever, and an initiator that missed its answer has left one.
    pub(super) fn are_over(&self) -> bool {
        self.ended && !self.by_socket.values().any(|connection| connection.writable)
    }

    /// Whether a connection failed.
    pub(super) const fn has_failed(&self) -> bool {
        self.failed
    }

    /// The next event to report.
    pub(super) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Passes a command to the newest connection.
    pub(super) fn command(&mut self, context: &mut Context, command: Command) {
        let Some((&socket, connection)) = self.by_socket.last_key_value() else {
            let detail = format!("{command:?} without a connection");
            self.events.push_back(Event::Error { conn: 0, kind: ErrorKind::Other, detail });
            return;
        };
        debug_assert_eq!(connection.id, self.last);
        // An empty packet opens the direction of an acceptor, which may not speak before.
        if matches!(command, Command::Write { bytes: 0, .. }) {
            context.write(socket, &[]);
            return;
        }
        self.with(context, socket, |connection, _| connection.app.command(command));
    }

    /// Takes what the library told.
    pub(super) fn handle(&mut self, context: &mut Context, event: SocketEvent) {
        match event {
            SocketEvent::Accepted(socket) => {
                let conn = self.insert(socket);
                self.events.push_back(Event::Accepted { conn });
            }
            SocketEvent::Connected(socket) => {
                let Some(connection) = self.by_socket.get_mut(&socket) else { return };
                self.events.push_back(Event::Connected { conn: connection.id });
                connection.writable = true;
                // An acceptor cannot send before it has received data, and an empty packet is
                // data enough. A script sends what it is told to and nothing else.
                if connection.app.pending().is_empty() && self.mode.stream().role != Role::Script {
                    context.write(socket, &[]);
                }
                self.with(context, socket, |_, _| {});
            }
            SocketEvent::Destroyed(socket) => {
                if let Some(connection) = self.by_socket.remove(&socket) {
                    self.ended = true;
                    self.events.push_back(Event::Closed { conn: connection.id });
                }
            }
            SocketEvent::Eof(socket) => self.with(context, socket, |connection, _| {
                connection.writable = true;
                connection.eof = true;
            }),
            SocketEvent::Error(socket, failure) => {
                let Some(connection) = self.by_socket.get_mut(&socket) else { return };
                // A peer that closed first is gone when our FIN comes, and resets it.
                if !(connection.app.is_finished() && connection.closed) {
                    self.failed = true;
                    connection.failure = Some(failure);
                }
                self.with(context, socket, |_, _| {});
            }
            SocketEvent::Readable(socket) => self.with(context, socket, |connection, _| {
                connection.writable = true;
            }),
            SocketEvent::Writable(socket) => self.with(context, socket, |connection, _| {
                connection.blocked = false;
            }),
        }
    }

    /// Tries again what no event announces: an acceptor becomes writable with the first data,
    /// also when it is empty, and the library does not tell.
    pub(super) fn drive(&mut self, context: &mut Context) {
        let silent: Vec<SocketId> = self
            .by_socket
            .iter()
            .filter_map(|(&socket, connection)| (!connection.writable).then_some(socket))
            .collect();
        for socket in silent {
            self.with(context, socket, |_, _| {});
        }
    }

    /// Lets sources end their streams, now that no datagram has come for a while.
    ///
    /// A FIN that is queued while the window is full holds back a last packet that is not full:
    /// neither is sent before the next of the library's ticks, up to 500 ms later, long after the
    /// window has room. A source that waits until its data is acked is not measured by that.
    pub(super) fn settle(&mut self, context: &mut Context) {
        let waits =
            |connection: &Connection| !connection.settled && connection.app.intent().shutdown;
        let waiting = self.by_socket.iter().filter(|(_, connection)| waits(connection));
        for socket in waiting.map(|(&socket, _)| socket).collect::<Vec<SocketId>>() {
            self.with(context, socket, |connection, _| connection.settled = true);
        }
    }

    fn insert(&mut self, socket: SocketId) -> ConnId {
        self.last += 1;
        let connection = Connection {
            id: self.last,
            app: self.mode.app(self.last),
            writable: false,
            blocked: false,
            eof: false,
            failure: None,
            settled: !matches!(self.mode.stream().role, Role::Source { .. }),
            shut_down: false,
            closed: false,
        };
        self.by_socket.insert(socket, connection);
        self.last
    }

    /// Changes a connection, then lets its application act on the change.
    fn with(
        &mut self,
        context: &mut Context,
        socket: SocketId,
        change: impl FnOnce(&mut Connection, &mut Context),
    ) {
        let Some(connection) = self.by_socket.get_mut(&socket) else { return };
        change(connection, context);
        connection.drive(context, socket);
        while let Some(event) = connection.app.poll_event() {
            self.events.push_back(event);
        }
    }
}

impl Connection {
    /// Reads, writes and closes as the application wants.
    fn drive(&mut self, context: &mut Context, socket: SocketId) {
        self.read(context, socket);
        self.write(context, socket);
        let intent = self.app.intent();
        if intent.close && !self.closed {
            self.closed = true;
            context.close(socket);
        } else if intent.shutdown && self.may_shut_down() {
            // A shutdown before the connection is up would be lost, so that it waits.
            self.shut_down = true;
            context.shutdown(socket);
        }
    }

    const fn may_shut_down(&self) -> bool {
        self.writable && self.settled && !self.shut_down && !self.closed
    }

    fn read(&mut self, context: &mut Context, socket: SocketId) {
        let unread = context.unread(socket);
        let capacity = self.app.read_capacity();
        if unread > 0 && capacity > 0 {
            let now = Instant::now();
            context.read(socket, capacity, |bytes| self.app.receive(now, bytes));
        }
        if self.eof && self.app.reads() && context.unread(socket) == 0 {
            self.eof = false;
            self.app.finish();
        }
        if let Some(failure) = self.failure.take_if(|_| context.unread(socket) == 0) {
            self.app.fail(kind_of(failure), failure.to_string());
        }
    }

    fn write(&mut self, context: &mut Context, socket: SocketId) {
        if self.blocked || self.shut_down || self.closed {
            return;
        }
        loop {
            let pending = self.app.pending();
            if pending.is_empty() {
                return;
            }
            let offered = pending.len();
            let written = context.write(socket, pending);
            self.app.sent(written);
            self.writable |= written > 0;
            if written < offered {
                // The library announces room only to a socket that was connected when it ran out.
                self.blocked = self.writable;
                return;
            }
        }
    }
}

const fn kind_of(failure: Failure) -> ErrorKind {
    match failure {
        Failure::Refused => ErrorKind::Refused,
        Failure::Reset => ErrorKind::Reset,
        Failure::TimedOut => ErrorKind::Timeout,
    }
}
