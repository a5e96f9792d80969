//! One connection: its parts, its public methods, and the order in which its parts act.
//!
//! What happens to a received packet is in `receive.rs`, what an ack means in `ack.rs`, how loss is
//! found in `loss.rs`, what is sent next in `transmit.rs`, how a connection begins and ends in
//! `opening.rs` and `close.rs`.

mod ack;
mod amplification;
pub(crate) mod bucket;
mod clock;
mod close;
mod close_reason;
mod conflict;
mod deferred_acks;
mod extension_bits;
mod flight;
mod flow;
mod gate;
mod liveness;
mod loss;
mod mtu;
mod next_packet;
mod opener;
mod opening;
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
mod stream;
mod tail_probe;
mod tally;
mod timers;
mod transmit;
mod trust;
mod withhold;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use utp_ledbat::{Controller, Metrics};
use utp_wire::{ConnectionId, Instant, SeqNr, Timestamp, TimestampDiff};

use crate::budget::Account;
use crate::config::Config;
use crate::error::ConnectionError;
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
use opener::Opener;
use opening::NewId;
use pacing::Pacer;
use path_mtu::PathMtu;
pub(crate) use receive::is_keepalive_of;
use receive_window::ReceiveWindow;
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
    /// The peer's acceptor may not speak before it has seen DATA.
    opener: Opener,
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
    /// It need not wait for the driver to ask for it, where acks are deferred.
    ack_due: bool,
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
        let event = if self.has_events() { self.events.pop(self.error) } else { None };
        if event == Some(Event::Writable) {
            self.forget_unsent_blocked();
        }
        event
    }

    /// Whether a packet that is not full waits until its writer has heard that there is room.
    pub(crate) fn waits_for_writer(&self) -> bool {
        self.flight.unsent_blocked
    }

    /// Whether there is something to tell; nobody listens after a release.
    pub(crate) const fn has_events(&self) -> bool {
        !self.released && !self.events.is_empty()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timers.next()
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
