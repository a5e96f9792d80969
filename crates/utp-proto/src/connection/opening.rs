//! How a connection begins, on either side: its first state, its ids and its numbers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use utp_wire::{ConnectionId, HEADER_LEN, Instant, SeqNr, Timestamp, TimestampDiff};

use super::amplification::Unproven;
use super::close_reason::CloseReasons;
use super::conflict::Doubts;
use super::flight::Flight;
use super::gate::Clocks;
use super::liveness::Liveness;
use super::opener::Opener;
use super::pacing::Pacer;
use super::path_mtu::PathMtu;
use super::receive_window::{ReceiveWindow, Round};
use super::reorder::ReorderWindow;
use super::rtt::Rtt;
use super::state::{LocalFin, RemoteFin, State};
use super::tally::Tally;
use super::timers::{Timer, Timers};
use super::trust::RttFloor;
use super::{Clock, Connection, Limit};
use crate::budget::Account;
use crate::config::{Config, SYN_UNANSWERED_US};
use crate::endpoint::Opening;
use crate::event::EventBits;
use crate::lazy::Lazy;
use crate::sent_ring::SentRing;
use crate::trace::TraceLog;

/// Whether a connect goes on under another id (libutp never repeats a SYN-ACK that was lost, so
/// that the first id is spent).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewId {
    Unused,
    Wanted,
    Used,
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
        connection.opener = Opener::Waiting;
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
        self.timers.set(Timer::Opener, now.saturating_add(SYN_UNANSWERED_US));
    }

    pub(super) fn new(
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
            opener: Opener::Unneeded,
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
            ack_due: false,
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

    pub(crate) fn wants_new_id(&self) -> bool {
        self.new_id == NewId::Wanted
    }

    /// Shows the peer another clock; before the first packet.
    pub(crate) const fn show_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    pub(super) fn start_numbers(&mut self, first: SeqNr) {
        self.sent.rebase(first);
        self.loss_cursor = first;
        self.heard_ack_nr = first.previous();
    }
}
