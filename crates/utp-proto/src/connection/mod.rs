//! One connection: its parts, its public methods, and the order in which its parts act.
//!
//! What happens to a received packet is in `receive.rs`, what an ack means in `ack.rs`, how loss is
//! found in `loss.rs`, what is sent next in `transmit.rs`, how a connection ends in `close.rs`.

mod ack;
mod amplification;
pub(crate) mod bucket;
mod clock;
mod close;
mod close_reason;
mod conflict;
mod extension_bits;
mod flight;
mod flow;
mod gate;
mod liveness;
mod loss;
mod mtu;
mod pacing;
mod path_mtu;
mod receive;
mod receive_window;
mod recovery;
mod reorder;
mod reset;
mod rtt;
mod stall;
mod state;
mod stats;
mod tail_probe;
mod tally;
mod timers;
mod transmit;
mod trust;
mod withhold;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use utp_ledbat::{Controller, Metrics};
use utp_wire::{ConnectionId, HEADER_LEN, Instant, SeqNr, Timestamp, TimestampDiff};

use crate::budget::Account;
use crate::config::Config;
use crate::endpoint::Opening;
use crate::error::{ConnectionError, ReadError, WriteError};
use crate::event::{Event, EventBits};
use crate::lazy::Lazy;
use crate::recv_queue::RecvQueue;
use crate::send_queue::SendQueue;
use crate::sent_ring::SentRing;
use crate::trace::{TraceEvent, TraceLog};
use amplification::Unproven;
pub(crate) use clock::Clock;
use close_reason::CloseReasons;
use conflict::Doubts;
pub(crate) use extension_bits::{holds_more_bits, tells_of_holding_more};
use flight::Flight;
use gate::{Clocks, Passage};
use liveness::Liveness;
use pacing::Pacer;
use path_mtu::PathMtu;
use receive_window::{ReceiveWindow, Round};
use recovery::Recovery;
use reorder::ReorderWindow;
use rtt::Rtt;
pub use state::State;
use state::{LocalFin, RemoteFin, Transition};
pub use stats::{Counters, Limit, LimitedUs, Stats};
use tally::Tally;
use timers::{Timer, Timers};
use trust::RttFloor;

/// One uTP connection. Owned by its [`Endpoint`](crate::Endpoint); reached through
/// [`Endpoint::connection_mut`](crate::Endpoint::connection_mut).
#[derive(Debug)]
pub struct Connection {
    config: Arc<Config>,
    remote: SocketAddr,
    local_ip: Option<IpAddr>,
    id_recv: ConnectionId,
    id_send: ConnectionId,
    /// What our stamps show.
    clock: Clock,
    /// What the peer's show.
    clocks: Clocks,
    /// What was taken from somebody who may not be the peer.
    doubts: Doubts,
    rtt_floor: RttFloor,
    state: State,
    error: Option<ConnectionError>,
    events: EventBits,
    /// The owner wants no more of it.
    released: bool,
    timers: Timers,
    liveness: Liveness,
    rtt: Rtt,
    controller: Box<dyn Controller>,
    pacer: Pacer,
    /// Payload of a full packet: what `mtu` says without the header.
    payload_max: u16,
    mtu: PathMtu,

    // Sending.
    send_queue: Lazy<SendQueue>,
    sent: SentRing,
    next_tx_nr: u64,
    reorder: ReorderWindow,
    recovery: Lazy<Recovery>,
    /// First transmissions below this number were judged by the loss rule.
    loss_cursor: SeqNr,
    flight: Lazy<Flight>,
    /// The peer has dropped what it named, and its cumulative ack has not moved since.
    reneged: bool,
    /// The peer's acceptor cannot speak before it has seen DATA.
    unlock_pending: bool,
    peer_window: u32,
    /// Stamp of the packet that told the window, 0 for none.
    peer_window_stamp: Timestamp,
    probe_pending: bool,
    write_blocked: bool,
    /// The peer is known to hold more packets ahead of the stream than libutp does.
    peer_holds_more: bool,
    /// Set until the peer of an accepted connection has acked something of ours.
    unproven: Option<Unproven>,
    /// Until then no forged reset draws an answer.
    challenge_at: Instant,
    /// Whether our SYN, or our answer to one, tells that we do.
    announces_holding_more: bool,
    local_fin: LocalFin,

    // Receiving.
    /// Last number received in order.
    ack_nr: SeqNr,
    /// The number that the peer acknowledged last, whether that was news or not.
    heard_ack_nr: SeqNr,
    /// Number of the SYN that was accepted.
    syn_seq_nr: Option<SeqNr>,
    recv_queue: Lazy<RecvQueue>,
    remote_fin: RemoteFin,
    reply_micro: TimestampDiff,
    receive_window: ReceiveWindow,
    /// The last packet would have told a larger window with more memory.
    window_held: bool,

    memory: Account,

    // What waits to be sent beside data.
    ack_pending: bool,
    keepalive_pending: bool,
    reset_pending: bool,
    syn_pending: bool,
    /// SYNs sent with the present id.
    syn_sends: u8,
    new_id: NewId,
    reasons: CloseReasons,

    stats: Tally,
    limit: Limit,
    limited_since: Instant,
    trace: TraceLog,
}

/// Whether a connect goes on under another id (libutp never repeats a SYN-ACK that was lost, so
/// that the first id is spent).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NewId {
    Unused,
    Wanted,
    Used,
}

/// A transmission that has arrived.
#[derive(Clone, Copy, Debug)]
struct Delivered {
    tx_nr: u64,
    /// From its sending to its ack.
    rtt_us: u32,
}

/// What one call of `poll_transmit` appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Burst {
    pub(crate) size: usize,
    pub(crate) segment_size: Option<usize>,
    pub(crate) dont_fragment: bool,
}

impl Burst {
    /// One datagram, as small as any path takes.
    pub(crate) const fn single(size: usize) -> Self {
        Self { size, segment_size: None, dont_fragment: true }
    }
}

impl Connection {
    /// A connection about to send its SYN.
    pub(crate) fn connect(
        now: Instant,
        remote: SocketAddr,
        id: ConnectionId,
        syn_seq_nr: SeqNr,
        config: Arc<Config>,
    ) -> Self {
        let mut connection = Self::new(now, remote, None, config, State::SynSent);
        connection.set_initiator_ids(id, syn_seq_nr);
        connection.syn_pending = true;
        connection.unlock_pending = true;
        connection
            .timers
            .set(Timer::Connect, now.saturating_add(connection.config.connect_timeout_us));
        connection
    }

    /// A connection whose initiator has sent a SYN and got, or will get, a SYN-ACK.
    pub(crate) fn accept(
        now: Instant,
        remote: SocketAddr,
        local_ip: Option<IpAddr>,
        opening: &Opening,
        config: Arc<Config>,
    ) -> Self {
        let mut connection = Self::new(now, remote, local_ip, config, State::SynReceived);
        connection.id_send = opening.id_send;
        connection.id_recv = opening.id_send.next();
        connection.start_numbers(opening.first);
        connection.ack_nr = opening.syn_seq_nr;
        connection.syn_seq_nr = Some(opening.syn_seq_nr);
        connection.unproven = Some(Unproven::default());
        connection.peer_holds_more = opening.holds_more;
        connection.announces_holding_more = opening.holds_more;
        connection
    }

    /// Answers the SYN and waits for the initiator to prove itself.
    pub(crate) fn answer_syn(&mut self, now: Instant, half_open_life_us: u64) {
        self.ack_pending = true;
        self.timers.set(Timer::Unproven, now.saturating_add(half_open_life_us));
    }

    fn new(
        now: Instant,
        remote: SocketAddr,
        local_ip: Option<IpAddr>,
        config: Arc<Config>,
        state: State,
    ) -> Self {
        let mtu = PathMtu::new(&config, remote);
        let payload_max = mtu.payload_bytes();
        let first = SeqNr(0);
        let mut flight = Lazy::<Flight>::default();
        flight.round = Round::new(now);
        Self {
            remote,
            local_ip,
            id_recv: ConnectionId(0),
            id_send: ConnectionId(0),
            clock: Clock::default(),
            clocks: Clocks::default(),
            doubts: Doubts::default(),
            rtt_floor: RttFloor::default(),
            state,
            error: None,
            events: EventBits::default(),
            released: false,
            timers: Timers::default(),
            liveness: Liveness::default(),
            rtt: Rtt::new(config.rto_min_us),
            controller: config.controller.build(now, payload_max),
            pacer: Pacer::new(now, u64::from(payload_max) + HEADER_LEN as u64, &config),
            payload_max,
            mtu,
            send_queue: Lazy::default(),
            sent: SentRing::new(first),
            next_tx_nr: 1,
            reorder: ReorderWindow::new(),
            recovery: Lazy::default(),
            loss_cursor: first,
            flight,
            reneged: false,
            unlock_pending: false,
            // Until the peer says: libutp assumes 255 packets, we one buffer of its default size.
            peer_window: 1 << 18,
            peer_window_stamp: Timestamp(0),
            probe_pending: false,
            write_blocked: false,
            peer_holds_more: false,
            unproven: None,
            challenge_at: Instant::default(),
            announces_holding_more: false,
            local_fin: LocalFin::Open,
            ack_nr: SeqNr(0),
            heard_ack_nr: first.previous(),
            syn_seq_nr: None,
            recv_queue: Lazy::default(),
            remote_fin: RemoteFin::Open,
            reply_micro: TimestampDiff(0),
            receive_window: ReceiveWindow::new(config.receive_buffer()),
            window_held: false,
            memory: Account::default(),
            ack_pending: false,
            keepalive_pending: false,
            reset_pending: false,
            syn_pending: false,
            syn_sends: 0,
            new_id: NewId::Unused,
            reasons: CloseReasons::default(),
            stats: Tally::default(),
            limit: Limit::Application,
            limited_since: now,
            trace: TraceLog::default(),
            config,
        }
    }

    /// Takes the identity of an initiator: it receives on `id`, sends on the next.
    pub(crate) fn set_initiator_ids(&mut self, id: ConnectionId, syn_seq_nr: SeqNr) {
        self.id_recv = id;
        self.id_send = id.next();
        self.start_numbers(syn_seq_nr.next());
        if self.new_id == NewId::Wanted {
            self.new_id = NewId::Used;
            self.syn_sends = 0;
            self.syn_pending = true;
        }
    }

    /// Shows the peer another clock; before the first packet.
    pub(crate) const fn show_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    fn start_numbers(&mut self, first: SeqNr) {
        self.sent.rebase(first);
        self.loss_cursor = first;
        self.heard_ack_nr = first.previous();
    }

    /// Appends a copy of as much of `data` as the send buffer has room for.
    ///
    /// # Errors
    /// [`WriteError::Blocked`] when there is no room (an [`Event::Writable`] follows),
    /// [`WriteError::Finished`] after [`Self::finish`], [`WriteError::Closed`] when it is over.
    pub fn write(&mut self, now: Instant, data: &[u8]) -> Result<usize, WriteError> {
        self.check_writable()?;
        let len = data.len().min(self.send_room());
        self.send_queue.write(&data[..len]);
        self.on_written(now, len);
        Ok(len)
    }

    /// Appends `chunk` without a copy, whole, as long as there is any room.
    ///
    /// The send buffer may so be overshot by one chunk; 64 KiB is a good size.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_chunk(&mut self, now: Instant, chunk: Bytes) -> Result<(), WriteError> {
        self.check_writable()?;
        let len = chunk.len();
        self.send_queue.write_chunk(chunk);
        self.on_written(now, len);
        Ok(())
    }

    fn check_writable(&mut self) -> Result<(), WriteError> {
        if let Some(error) = self.error {
            return Err(WriteError::Closed(error));
        }
        if self.local_fin != LocalFin::Open || self.state == State::Closed {
            return Err(WriteError::Finished);
        }
        if self.send_room() == 0 {
            self.write_blocked = true;
            return Err(WriteError::Blocked);
        }
        Ok(())
    }

    /// Bytes the send buffer has room for. When it is 0, an [`Event::Writable`] follows a write
    /// that was refused, once there is room again.
    pub fn send_room(&self) -> usize {
        self.own_send_room().min(self.memory.room(self.send_queue.buffered_bytes()))
    }

    fn own_send_room(&self) -> usize {
        let buffer = (self.config.send_buffer_bytes as usize).max(usize::from(self.payload_max));
        buffer.saturating_sub(self.send_queue.buffered_bytes())
    }

    /// Moves at most `len_max` bytes of the stream out. They stay charged against the receive
    /// window until [`Self::consume`] says that the application has them.
    ///
    /// # Errors
    /// [`ReadError::Blocked`] when nothing is there, [`ReadError::Finished`] at the end of the
    /// stream, [`ReadError::Closed`] when the connection ended with an error and all was read.
    pub fn take_chunk(&mut self, len_max: usize) -> Result<Bytes, ReadError> {
        if self.recv_queue.unread_bytes() > 0
            && let Some(bytes) = self.recv_queue.take(len_max)
        {
            return Ok(bytes);
        }
        if self.error == Some(ConnectionError::Conflict) {
            return Err(ReadError::Closed(ConnectionError::Conflict));
        }
        if matches!(self.remote_fin, RemoteFin::Reached(_)) {
            return Err(ReadError::Finished);
        }
        if self.state == State::Closed {
            let error = self.error.unwrap_or(ConnectionError::LocallyClosed);
            return Err(ReadError::Closed(error));
        }
        Err(ReadError::Blocked)
    }

    /// The application has read `bytes` of what was taken: the window opens by as much, or by more
    /// if it limits the sender, and the peer is told when it matters.
    pub fn consume(&mut self, now: Instant, bytes: usize) {
        self.recv_queue.consume(bytes);
        self.tune_receive_buffer(now, bytes);
        self.announce_window_if_it_matters();
    }

    /// [`Self::take_chunk`] and [`Self::consume`] in one.
    ///
    /// # Errors
    /// As [`Self::take_chunk`].
    pub fn read_chunk(&mut self, now: Instant, len_max: usize) -> Result<Bytes, ReadError> {
        let bytes = self.take_chunk(len_max)?;
        self.consume(now, bytes.len());
        Ok(bytes)
    }

    /// Where the connection is in its life.
    pub const fn state(&self) -> State {
        self.state
    }

    /// The peer.
    pub const fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// The address of this host that the peer uses, if the driver could tell.
    pub const fn local_ip(&self) -> Option<IpAddr> {
        self.local_ip
    }

    /// What the congestion controller thinks.
    pub fn metrics(&self) -> Metrics {
        self.controller.metrics()
    }

    /// Counters and measurements, as of now.
    pub fn stats(&self) -> Stats {
        let metrics = self.controller.metrics();
        Stats {
            counters: self.stats.snapshot(),
            limit: self.limit,
            rtt_us: self.rtt.srtt_us().unwrap_or(0),
            rtt_min_us: self.rtt.min_us().unwrap_or(0),
            rto_us: self.rtt.rto_us(),
            window_bytes: metrics.window_bytes,
            in_flight_bytes: self.flight.in_flight_bytes,
            peer_window_bytes: self.peer_window,
            base_delay_us: metrics.base_delay_us.unwrap_or(0),
            queuing_delay_us: metrics.queuing_delay_us.unwrap_or(0),
            send_buffered_bytes: self.send_queue.buffered_bytes() as u64,
            datagram_bytes: self.mtu.size(),
            receive_charged_bytes: self.recv_queue.charged_bytes() as u64,
            receive_buffer_bytes: self.receive_window.buffer_bytes,
            close_reason: self.close_reason(),
        }
    }

    /// What it has counted.
    pub(crate) fn counters(&self) -> Counters {
        self.stats.snapshot()
    }

    /// Where it notes what happens.
    pub(crate) const fn trace_mut(&mut self) -> &mut TraceLog {
        &mut self.trace
    }

    /// The first event of a trace.
    pub(crate) fn trace_opened(&mut self) {
        self.trace.record(|| TraceEvent::Opened {
            remote: self.remote,
            id_recv: self.id_recv,
            id_send: self.id_send,
            state: self.state,
        });
    }

    pub(crate) const fn id_recv(&self) -> ConnectionId {
        self.id_recv
    }

    pub(crate) const fn id_send(&self) -> ConnectionId {
        self.id_send
    }

    pub(crate) fn answers_to(&self, id: ConnectionId) -> bool {
        self.id_recv == id || self.id_send == id
    }

    pub(crate) fn pop_event(&mut self) -> Option<Event> {
        if self.has_events() { self.events.pop(self.error) } else { None }
    }

    /// Whether there is something to tell; nobody listens after a release.
    pub(crate) const fn has_events(&self) -> bool {
        !self.released && !self.events.is_empty()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    pub(crate) fn wants_new_id(&self) -> bool {
        self.new_id == NewId::Wanted
    }

    pub(crate) fn set_local_ip(&mut self, local_ip: Option<IpAddr>) {
        if local_ip.is_some() {
            self.local_ip = local_ip;
        }
    }

    /// Nothing was sent for a while: gives back what is only needed while data flows.
    fn release_idle_memory(&mut self) {
        self.doubts.release(self.ack_nr);
        self.timers.release();
        if self.recv_queue.charged_bytes() == 0 && !self.recv_queue.has_holes() {
            self.recv_queue.rest();
        } else {
            self.recv_queue.release_idle_memory();
        }
        if self.sent.is_empty() && self.send_queue.buffered_bytes() == 0 {
            self.sent.release();
            self.send_queue.rest();
            self.recovery.rest();
            self.flight.rest();
            self.pacer.rest();
            self.reorder.on_idle();
            self.controller.on_idle();
        }
    }

    /// Moves to another state.
    fn transition(&mut self, transition: Transition) {
        let legal = transition.sources().contains(&self.state);
        debug_assert!(legal, "{transition:?} out of {:?}", self.state);
        let next = transition.target();
        let from = std::mem::replace(&mut self.state, next);
        self.trace.record(|| TraceEvent::StateChanged { from, to: next });
    }
}

#[cfg(test)]
mod tests;
