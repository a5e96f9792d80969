//! Who looks on while a scenario runs: sinks for packet events, datagrams and protocol events.
//!
//! Nothing that a sink does changes the run, and a run without sinks does not pay for them.

use crate::packet::{Datagram, HostId};
use crate::time::Ns;
use crate::trace;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};
use utp_proto::{ConnectionHandle, TraceEvent};

/// The sinks of one run; those that are absent cost nothing.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use utp_sim::taps::{Direction, Taps};
///
/// let text = r#"
///     summary  = "A tapped transfer."
///     duration = "20s"
///     stop_when_complete = true
///     [link.uplink]
///     delay = "10ms"
///     rate  = "10mbit"
///     [[flow]]
///     name  = "file"
///     kind  = "utp"
///     via   = "uplink"
///     bytes = 100_000
/// "#;
/// let file = utp_sim::scenario::parse("tapped.toml".as_ref(), text)?;
/// let sent = Arc::new(Mutex::new(0));
/// let count = Arc::clone(&sent);
/// let taps = Taps {
///     datagrams: Some(Box::new(move |captured| {
///         let is_sent = captured.direction == Direction::Sent;
///         *count.lock().expect("one thread") += u32::from(is_sent);
///     })),
///     ..Taps::default()
/// };
/// utp_sim::run::run_tapped(&file.variants[0], &|_| {}, taps)?;
/// assert!(*sent.lock().expect("one thread") > 70, "1 400 bytes a packet, and acks");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Taps {
    /// Sees every step of every packet in the network, in order of time.
    pub packets: Option<trace::Sink>,
    /// Sees every datagram that a host sends or receives, each host's in order of time.
    pub datagrams: Option<DatagramSink>,
    /// Sees every event of the uTP connections, each host's in order of time.
    pub protocol: Option<ProtocolSink>,
}

impl fmt::Debug for Taps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taps")
            .field("packets", &self.packets.is_some())
            .field("datagrams", &self.datagrams.is_some())
            .field("protocol", &self.protocol.is_some())
            .finish()
    }
}

/// Takes datagrams as a host's network card sees them.
pub type DatagramSink = Box<dyn FnMut(&Captured<'_>) + Send>;

/// Takes what uTP connections tell of themselves.
pub type ProtocolSink = Box<dyn FnMut(&ProtocolEvent) + Send>;

/// A datagram at a host.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    /// When it passed.
    pub at: Ns,
    /// Where.
    pub host: HostId,
    /// Which way.
    pub direction: Direction,
    /// The datagram.
    pub datagram: &'a Datagram,
}

impl Captured<'_> {
    /// The host that sent it, whichever end this is.
    pub const fn sender(&self) -> HostId {
        match self.direction {
            Direction::Received => self.host.peer(),
            Direction::Sent => self.host,
        }
    }
}

/// Which way a datagram passes a host's network card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It comes in.
    Received,
    /// It goes out.
    Sent,
}

/// An event of a uTP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolEvent {
    /// When.
    pub at: Ns,
    /// At which end.
    pub host: HostId,
    /// Index of the flow.
    pub flow: u16,
    /// The connection, which is unique for a host and a flow.
    pub connection: ConnectionHandle,
    /// What happened.
    pub event: TraceEvent,
}

/// The address of a host, the same on every engine.
pub const fn address(host: HostId) -> IpAddr {
    IpAddr::V4(match host {
        HostId::Left => Ipv4Addr::new(192, 168, 0, 1),
        HostId::Right => Ipv4Addr::new(192, 168, 0, 2),
    })
}

/// Shows datagrams to a sink, if there is one.
#[derive(Default)]
pub(crate) struct DatagramTap(Option<DatagramSink>);

impl DatagramTap {
    pub(crate) const fn new(sink: Option<DatagramSink>) -> Self {
        Self(sink)
    }

    #[inline]
    pub(crate) fn show(&mut self, at: Ns, host: HostId, direction: Direction, datagram: &Datagram) {
        if let Some(sink) = &mut self.0 {
            sink(&Captured { at, host, direction, datagram });
        }
    }
}

impl fmt::Debug for DatagramTap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DatagramTap").field(&self.0.is_some()).finish()
    }
}

/// A protocol sink that all sockets of a run share.
#[derive(Clone)]
pub(crate) struct SharedProtocolSink(Arc<Mutex<ProtocolSink>>);

impl SharedProtocolSink {
    pub(crate) fn new(sink: ProtocolSink) -> Self {
        Self(Arc::new(Mutex::new(sink)))
    }

    pub(crate) fn record(&self, event: &ProtocolEvent) {
        (self.0.lock().unwrap_or_else(PoisonError::into_inner))(event);
    }
}

impl fmt::Debug for SharedProtocolSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedProtocolSink")
    }
}
