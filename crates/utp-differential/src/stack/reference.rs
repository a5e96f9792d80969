//! libutp behind [`Stack`]: the loop that programs run around the library, in virtual time.
//!
//! The library's timers are looked at every 500 ms, as its documentation says, from a moment on
//! that is drawn. The acks that wait are issued when the socket was drained and the application has
//! had its turn.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;

use utp_reference::{Context, Event, Options, Outside, SocketId};
use utp_wire::{Header, PacketType};

use super::{Failure, Got, Stack, StreamId, address, seed};
use crate::draws::Draws;
use crate::script::Script;

/// How often the library's timers are looked at.
const TICK_US: u64 = 500_000;

/// Packets ahead of the next that the library takes.
const AHEAD_MAX: u16 = 1_024;

/// How far behind an ack may be for it.
const BEHIND_MAX: u16 = 3;

pub(super) struct Reference {
    context: Context,
    outside: Rc<Virtual>,
    peer: SocketAddr,
    streams: Vec<Stream>,
    accepted: VecDeque<StreamId>,
    next_tick_us: u64,
}

struct Stream {
    socket: SocketId,
    /// What it came with; nothing of an initiator.
    syn: Option<Syn>,
    /// Connected, or of an acceptor: data came, without which it can neither write nor end.
    open: bool,
    /// A write was cut short, and the library will say when to go on.
    is_full: bool,
    eof: bool,
    failure: Option<Failure>,
    /// Its application has left it.
    left: bool,
}

/// A SYN that was answered.
#[derive(Clone, Copy)]
struct Syn {
    id: u16,
    seq_nr: u16,
    /// The number of the answer.
    first: u16,
}

/// What the library gets in place of a system.
struct Virtual {
    now_us: Cell<u64>,
    draws: RefCell<Draws>,
    sent: RefCell<Vec<Vec<u8>>>,
}

impl Outside for Virtual {
    fn now_us(&self) -> u64 {
        self.now_us.get()
    }

    fn random(&self) -> u16 {
        let [low, high, ..] = self.draws.borrow_mut().next().to_le_bytes();
        u16::from_le_bytes([low, high])
    }

    fn send(&self, datagram: &[u8], _: SocketAddr, _: bool) {
        self.sent.borrow_mut().push(datagram.to_vec());
    }
}

impl Reference {
    pub(super) fn new(script: &Script, side: usize) -> Self {
        let host = &script.sides[side];
        let mut draws = Draws(seed(script, side));
        let next_tick_us = host.clock_us + draws.next() % TICK_US;
        let outside = Rc::new(Virtual {
            now_us: Cell::new(host.clock_us),
            draws: RefCell::new(draws),
            sent: RefCell::default(),
        });
        let rcvbuf_bytes = host.receive_buffer_bytes.and_then(|bytes| i32::try_from(bytes).ok());
        let options = Options { accept: side == 1, rcvbuf_bytes, ..Options::default() };
        Self {
            context: Context::new(options, outside.clone()),
            outside,
            peer: address(1 - side),
            streams: Vec::new(),
            accepted: VecDeque::new(),
            next_tick_us,
        }
    }

    fn add(&mut self, socket: SocketId, syn: Option<Syn>) -> StreamId {
        let (open, is_full, eof, failure, left) = (false, false, false, None, false);
        self.streams.push(Stream { socket, syn, open, is_full, eof, failure, left });
        self.streams.len() - 1
    }

    fn take_events(&mut self, syn: Option<&Header>) {
        while let Some(event) = self.context.poll_event() {
            let socket = match event {
                Event::Accepted(socket) => {
                    let syn = syn.map(|syn| self.answered(syn));
                    let id = self.add(socket, syn);
                    self.accepted.push_back(id);
                    continue;
                }
                Event::Connected(socket)
                | Event::Destroyed(socket)
                | Event::Eof(socket)
                | Event::Error(socket, _)
                | Event::Readable(socket)
                | Event::Writable(socket) => socket,
            };
            let stream = self.streams.iter_mut().find(|stream| stream.socket == socket);
            let Some(stream) = stream else { continue };
            match event {
                Event::Connected(_) => stream.open = true,
                Event::Eof(_) => stream.eof = true,
                Event::Error(_, failure) => stream.failure = Some(self::failure(failure)),
                Event::Writable(_) => stream.is_full = false,
                Event::Accepted(_) | Event::Destroyed(_) | Event::Readable(_) => {}
            }
        }
    }

    /// What is to be kept of a SYN, whose answer was sent last.
    fn answered(&self, syn: &Header) -> Syn {
        let sent = self.outside.sent.borrow();
        let answer = sent.last().and_then(|bytes| Header::decode(bytes.first_chunk()?).ok());
        let first = answer.map_or(0, |(answer, _)| answer.seq_nr.0);
        Syn { id: syn.connection_id.0, seq_nr: syn.seq_nr.0, first }
    }

    /// Data for an acceptor that was half-open: the library says nothing of it.
    fn note_data(&mut self, header: &Header) {
        // What was closed while it was half-open takes no data any more.
        for stream in self.streams.iter_mut().filter(|stream| !stream.left) {
            let Some(Syn { id, seq_nr, first }) = stream.syn else { continue };
            let ahead = header.seq_nr.0.wrapping_sub(seq_nr).wrapping_sub(1);
            let behind = first.wrapping_sub(1).wrapping_sub(header.ack_nr.0);
            let is_its = header.connection_id.0 == id.wrapping_add(1);
            stream.open |= is_its && ahead < AHEAD_MAX && behind <= BEHIND_MAX;
        }
    }
}

impl Stack for Reference {
    fn connect(&mut self, now_us: u64) -> StreamId {
        self.outside.now_us.set(now_us);
        let socket = self.context.connect(self.peer);
        self.add(socket, None)
    }

    fn accept(&mut self) -> Option<StreamId> {
        self.accepted.pop_front()
    }

    fn is_open(&self, id: StreamId) -> bool {
        self.streams[id].open || self.streams[id].syn.is_some()
    }

    fn failure(&self, id: StreamId) -> Option<Failure> {
        self.streams[id].failure
    }

    fn is_proven(&self, id: StreamId) -> bool {
        self.streams[id].open
    }

    fn write(&mut self, now_us: u64, id: StreamId, bytes: &[u8]) -> Result<usize, Failure> {
        let stream = &mut self.streams[id];
        if let Some(failure) = stream.failure {
            return Err(failure);
        }
        if !stream.open || stream.is_full {
            return Ok(0);
        }
        self.outside.now_us.set(now_us);
        let written = self.context.write(stream.socket, bytes);
        stream.is_full = written < bytes.len();
        Ok(written)
    }

    fn read(&mut self, now_us: u64, id: StreamId, max: usize, take: &mut dyn FnMut(&[u8])) -> Got {
        self.outside.now_us.set(now_us);
        let Stream { socket, eof, failure, .. } = self.streams[id];
        match self.context.read(socket, max, take) {
            0 if eof && self.context.unread(socket) == 0 => Got::End,
            0 => failure.map_or(Got::Nothing, Got::Failed),
            bytes => Got::Bytes(bytes),
        }
    }

    fn finish(&mut self, now_us: u64, id: StreamId) -> bool {
        let Stream { socket, open, .. } = self.streams[id];
        if open {
            self.outside.now_us.set(now_us);
            self.context.shutdown(socket);
        }
        open
    }

    fn leave(&mut self, now_us: u64, id: StreamId) {
        self.outside.now_us.set(now_us);
        self.streams[id].left = true;
        self.context.close(self.streams[id].socket);
    }

    fn handle_datagram(&mut self, now_us: u64, datagram: &[u8]) {
        self.outside.now_us.set(now_us);
        let header = datagram.first_chunk().and_then(|bytes| Header::decode(bytes).ok());
        let header = header.map(|(header, _)| header);
        let syn = header.filter(|header| header.packet_type == PacketType::Syn);
        self.context.process_udp(datagram, self.peer);
        self.take_events(syn.as_ref());
        if let Some(header) = header.filter(|header| header.packet_type == PacketType::Data) {
            self.note_data(&header);
        }
    }

    fn next_timeout_us(&mut self) -> Option<u64> {
        Some(self.next_tick_us)
    }

    fn handle_timeout(&mut self, now_us: u64) {
        if now_us >= self.next_tick_us {
            self.next_tick_us = now_us + TICK_US;
            self.outside.now_us.set(now_us);
            self.context.check_timeouts();
            self.take_events(None);
        }
    }

    fn flush(&mut self, now_us: u64, send: &mut dyn FnMut(Vec<u8>)) {
        self.outside.now_us.set(now_us);
        self.context.issue_deferred_acks();
        self.take_events(None);
        self.outside.sent.take().into_iter().for_each(send);
    }
}

fn failure(failure: utp_reference::Failure) -> Failure {
    match failure {
        utp_reference::Failure::Refused => Failure::Refused,
        utp_reference::Failure::Reset => Failure::Reset,
        utp_reference::Failure::TimedOut => Failure::TimedOut,
    }
}
