//! A context: what is in it, behind one lock that is never held while a callback runs.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use utp_proto::{Config, Endpoint, EndpointConfig, Incoming, Instant, SynFilter, SynInfo, Verdict};

use crate::callbacks::{Call, Callbacks};
use crate::dispatch::Events;
use crate::entropy::{DrawnId, Seed, Source};
use crate::gauge::{Gauge, Gauged};
use crate::handles::Id;
use crate::log::{Lines, Log};
use crate::options::{Options, SocketOptions};
use crate::socket::Sockets;
use crate::stats::ContextStats;
use crate::types::Name;
use crate::{clock, handles};

/// One context. Every call of the program locks it for a moment, changes something, and lets it go
/// before callbacks are called, so that these may call anything, and so may other threads.
#[derive(Debug)]
pub(crate) struct Context {
    id: Id,
    pub(crate) userdata: AtomicPtr<c_void>,
    pub(crate) stats: ContextStats,
    state: Mutex<State>,
}

/// What the lock protects.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) callbacks: Callbacks,
    pub(crate) options: Options,
    pub(crate) sockets: Sockets,
    /// Made when it is first needed: by then the callback for its seed is set, if there is one.
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) work: Work,
    pub(crate) life: Life,
    pub(crate) drawn_id: DrawnId,
    pub(crate) lines: Lines,
    accepts: Accepts,
}

/// What whoever is at work on a context has to do.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Somebody is at work.
    pub(crate) taken: bool,
    /// Events are told.
    pub(crate) tells: bool,
    /// Sockets are destroyed.
    pub(crate) reaps: bool,
    /// Who wants to connect, and what came.
    pub(crate) incoming: VecDeque<(Incoming, Vec<u8>)>,
    pub(crate) events: VecDeque<(Id, Events)>,
    /// Sockets to destroy.
    pub(crate) doomed: VecDeque<Id>,
    /// Room for a datagram, or for what is read.
    pub(crate) buf: Vec<u8>,
}

/// How far a context is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Open,
    /// The program is being told that its sockets are destroyed.
    Ending,
    Over,
}

/// Whether SYNs are answered: not while nobody would be told of who comes.
#[derive(Clone, Debug, Default)]
struct Accepts(Arc<AtomicBool>);

impl SynFilter for Accepts {
    fn judge(&self, _syn: &SynInfo) -> Verdict {
        if self.0.load(Ordering::Relaxed) { Verdict::Answer } else { Verdict::Ignore }
    }
}

impl Context {
    pub(crate) fn new(id: Id) -> Self {
        let state = State {
            callbacks: Callbacks::default(),
            options: Options::default(),
            sockets: Sockets::default(),
            endpoint: None,
            work: Work::default(),
            life: Life::Open,
            drawn_id: DrawnId::default(),
            lines: Lines::default(),
            accepts: Accepts::default(),
        };
        Self {
            id,
            userdata: AtomicPtr::new(ptr::null_mut()),
            stats: ContextStats::default(),
            state: Mutex::new(state),
        }
    }

    pub(crate) const fn id(&self) -> Id {
        self.id
    }

    /// What is in it, unless it is over. It is, too, once something went wrong in the midst of a
    /// change: nobody knows what is there then.
    pub(crate) fn lock(&self) -> Option<MutexGuard<'_, State>> {
        self.state.lock().ok().filter(|state| state.life != Life::Over)
    }

    /// Begins a call that needs the time, and the endpoint.
    pub(crate) fn enter(&self) -> Option<Instant> {
        let state = self.lock()?;
        if state.endpoint.is_none() {
            drop(state);
            self.make_endpoint()?;
            return self.now();
        }
        Some(self.read_clock(state))
    }

    /// The time by the clock of the program.
    pub(crate) fn now(&self) -> Option<Instant> {
        Some(self.read_clock(self.lock()?))
    }

    fn read_clock(&self, state: MutexGuard<'_, State>) -> Instant {
        let clock = state.callbacks.get(Name::GetMicroseconds);
        drop(state);
        let now_us = match clock {
            Some(callback) => Call::new(self, Name::GetMicroseconds, callback).run(),
            None => clock::microseconds(),
        };
        Instant::from_micros(now_us)
    }

    fn make_endpoint(&self) -> Option<()> {
        let draw = self.lock()?.callbacks.get(Name::GetRandom);
        let seed = match draw {
            Some(draw) => Seed::of_program(|| Call::new(self, Name::GetRandom, draw).run()),
            None => Seed::of_system()?,
        };
        let mut state = self.lock()?;
        if state.endpoint.is_none() {
            let source = Source::new(&seed, state.drawn_id.clone());
            let mut config = EndpointConfig::default();
            config.report_at_syn = true;
            config.syn_filter = Some(Arc::new(state.accepts.clone()));
            state.endpoint = Some(Endpoint::new(Arc::new(config), Box::new(source)));
            state.set_log();
        }
        Some(())
    }

    /// Ends it: no datagram leaves any more, whoever was at work stops, and the program is told of
    /// each socket that had a peer.
    pub(crate) fn destroy(&self) {
        let ids = {
            let Some(mut state) = self.lock().filter(|state| state.life == Life::Open) else {
                return;
            };
            state.life = Life::Ending;
            state.sockets.ids()
        };
        for id in ids {
            if self.lock().is_some_and(|state| state.is_told_of(id)) {
                self.destroy_socket(id);
            }
        }
        if let Some(mut state) = self.lock() {
            state.life = Life::Over;
            state.endpoint = None;
            state.work = Work::default();
        }
        handles::unregister(self.id);
    }
}

impl State {
    /// Whether the program hears that a socket is destroyed: of all but those it never used.
    fn is_told_of(&self, id: Id) -> bool {
        self.sockets.get(id).is_some_and(|socket| !socket.is_fresh())
    }

    /// Sets or clears a callback.
    pub(crate) fn on_callbacks_changed(&mut self) {
        self.accepts.0.store(self.callbacks.has(Name::OnAccept), Ordering::Relaxed);
        self.set_log();
    }

    /// Lets the core tell what the program wants to have logged.
    pub(crate) fn set_log(&mut self) {
        let wanted = self.options.log;
        let any = wanted.normal || wanted.mtu || wanted.debug;
        let log = (any && self.callbacks.has(Name::Log))
            .then(|| Box::new(Log { wanted, lines: self.lines.clone() }) as Box<_>);
        if let Some(endpoint) = &mut self.endpoint {
            endpoint.set_trace(log);
        }
    }

    /// Passes the options of a socket on to its connection.
    pub(crate) fn apply_options(&mut self, id: Id) {
        let (Some(socket), Some(endpoint)) = (self.sockets.get(id), &mut self.endpoint) else {
            return;
        };
        let options = socket.options;
        if let Some(gauge) = &socket.gauge {
            gauge.set_window_max(options.send_buffer());
            gauge.set_target(options.target_us());
        }
        let connection = socket.connection().and_then(|handle| endpoint.connection_mut(handle));
        if let Some(mut connection) = connection {
            connection.set_send_buffer(options.send_buffer());
            connection.set_receive_buffer(options.receive_buffer(), options.receive_buffer());
        }
    }
}

/// The settings of a connection. `mtu` is the largest datagram that is tried.
pub(crate) fn config_of(options: &SocketOptions, mtu: u16, gauge: Arc<Gauge>) -> Arc<Config> {
    let mut config = Config::default();
    config.controller = Arc::new(Gauged::new(gauge));
    config.receive_buffer_bytes = options.receive_buffer();
    // Programs have room for what they set, and no more.
    config.receive_buffer_max_bytes = options.receive_buffer();
    config.send_buffer_bytes = options.send_buffer();
    config.write_ahead_packets = Some(WRITE_AHEAD_PACKETS);
    config.defer_acks = true;
    (config.datagram_bytes_max_v4, config.datagram_bytes_max_v6) = (mtu, mtu);
    Arc::new(config)
}

/// Full packets that are taken from the program beyond what may be sent at once: one to notice that
/// the window is the limit, and four that the core wants to see behind a probe of the path MTU.
const WRITE_AHEAD_PACKETS: std::num::NonZeroU8 =
    std::num::NonZeroU8::new(5).expect("it is not zero");
