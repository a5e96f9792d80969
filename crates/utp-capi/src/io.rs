//! What comes in: datagrams, and the program's word that it is time.

use std::net::SocketAddr;

use utp_proto::{Disposition, Instant, RecvMeta};

use crate::context::{Context, Life, State};
use crate::dispatch::Wants;
use crate::handles::Id;
use crate::types::Name;

/// What a datagram leaves to be told at once.
struct Heard {
    id: Id,
    /// The program counts what is not payload.
    counts: bool,
    /// The queuing delay in milliseconds, if the window was updated and the program wants to know.
    sample_ms: Option<u32>,
    /// The program may have read of what it held.
    holds: bool,
}

impl Context {
    /// Takes a datagram. Says whether it was uTP.
    pub(crate) fn process_udp(&self, datagram: &[u8], from: Option<SocketAddr>) -> bool {
        let (Some(from), Some(now)) = (from, self.enter()) else { return false };
        let Some(mut state) = self.lock().filter(|state| state.life == Life::Open) else {
            return false;
        };
        let Some(heard) = state.handle_datagram(now, datagram, from) else { return false };
        drop(state);
        if let Some(heard) = heard {
            self.tell_heard(now, &heard, datagram, from);
        }
        self.drain(now, Wants::TELL);
        true
    }

    fn tell_heard(&self, now: Instant, heard: &Heard, datagram: &[u8], from: SocketAddr) {
        self.stats.on_received(datagram.len());
        if heard.counts {
            self.count_received(heard.id, from, datagram);
        }
        if let Some(sample_ms) = heard.sample_ms
            && let Some(call) = self.callback_of(Name::OnDelaySample, heard.id)
        {
            call.with_sample(sample_ms).run();
        }
        if heard.holds {
            self.ask_held(now, heard.id);
        }
    }

    /// A batch of datagrams is over.
    pub(crate) fn issue_deferred_acks(&self) {
        let Some(now) = self.enter() else { return };
        if let Some(endpoint) = self.lock().as_mut().and_then(|state| state.endpoint.as_mut()) {
            endpoint.issue_deferred_acks();
        }
        self.drain(now, Wants::SEND);
    }

    /// Acts on what is due. What is not costs nothing, however many sockets there are.
    pub(crate) fn check_timeouts(&self) {
        let Some(now) = self.enter() else { return };
        if let Some(endpoint) = self.lock().as_mut().and_then(|state| state.endpoint.as_mut()) {
            endpoint.handle_timeout(now);
        }
        self.drain(now, Wants::REAP);
    }
}

impl State {
    /// Hands a datagram to the core. `None` if it is not uTP, or there is no core.
    fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: &[u8],
        from: SocketAddr,
    ) -> Option<Option<Heard>> {
        let Self { callbacks, sockets, endpoint, work, .. } = self;
        let endpoint = endpoint.as_mut()?;
        let owner = endpoint.connection_of(from, datagram);
        let socket = owner.and_then(|owner| sockets.get(sockets.owner_of(owner)?));
        let gauge = socket.and_then(|socket| socket.gauge.as_ref());
        let updates = gauge.map(|gauge| gauge.updates());
        let meta = RecvMeta { remote: from, local_ip: None, received_at: None };
        match endpoint.handle_datagram(now, meta, datagram) {
            Disposition::NotUtp => return None,
            Disposition::Incoming(incoming) => {
                work.incoming.push_back((incoming, datagram.to_vec()));
            }
            _ => {}
        }
        let sampled = gauge.filter(|gauge| updates != Some(gauge.updates()));
        let sampled = sampled.filter(|_| callbacks.has(Name::OnDelaySample));
        Some(socket.map(|socket| Heard {
            id: socket.id(),
            counts: callbacks.has(Name::OnOverheadStatistics),
            sample_ms: sampled.map(|gauge| gauge.delays().0 / 1_000),
            holds: socket.flags.holds,
        }))
    }
}
