//! One transfer between two shims.

mod watch;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

use self::watch::Watch;
use super::namespaces::{Host, Namespaces};
use super::series::Collector;
use super::{Impairment, Observed, Pair, ShimProcess, Stack};
use crate::relay::{CaptureFile, Captures, Conditions, Observer, Relay};
use crate::shim::{Event, Role, Stats};
use utp_reference::SynSeq;

/// Which version of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// 127.0.0.1.
    V4,
    /// ::1.
    V6,
}

impl Family {
    /// The loopback address, port 0.
    pub fn loopback(self) -> SocketAddr {
        match self {
            Self::V4 => (Ipv4Addr::LOCALHOST, 0).into(),
            Self::V6 => (Ipv6Addr::LOCALHOST, 0).into(),
        }
    }

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        UdpSocket::bind(self.loopback()).is_ok()
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "v4",
            Self::V6 => "v6",
        })
    }
}

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The side that connects.
    ClientSends,
    /// The side that listens.
    ServerSends,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientSends => "client-sends",
            Self::ServerSends => "server-sends",
        })
    }
}

/// How datagrams get from one side to the other.
#[derive(Debug, Clone)]
pub enum Via {
    /// Over loopback.
    Loopback,
    /// Through a router between two hosts in namespaces.
    Namespaces(Arc<Namespaces>),
    /// Through a relay.
    Relay {
        /// What it does.
        conditions: Box<Conditions>,
        /// Decides what is lost.
        seed: u64,
    },
}

/// One transfer to run.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// Who connects to whom.
    pub pair: Pair,
    /// Over which version of IP.
    pub family: Family,
    /// Who sends.
    pub direction: Direction,
    /// How much.
    pub bytes: u64,
    /// Names the stream that is sent.
    pub seed: u64,
    /// What the digest of the stream is.
    pub sha256: String,
    /// What results call that which lies in between.
    pub impairment: Impairment,
    /// What lies in between.
    pub via: Via,
    /// Where the client's SYN number shall lie, for a client that takes it.
    pub syn_seq: SynSeq,
    /// Kernel buffers of both UDP sockets.
    pub udp_buffer: usize,
    /// How long it may take, from the connect to the end of the stream.
    pub limit: Duration,
    /// Which repetition this is, from 1; 0 if it is only looked at.
    pub round: u32,
    /// Where captures go, if a relay is to make them.
    pub pcap: Option<PathBuf>,
}

/// What came of a transfer.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What the receiving side got, or why the transfer failed.
    pub received: Result<Received, String>,
    /// Whether the client said that it is connected.
    pub connected: bool,
    /// Whether both sides closed without an error soon after the end of the stream.
    pub closed_cleanly: bool,
    /// What the client used.
    pub client: Option<Stats>,
    /// What the server used.
    pub server: Option<Stats>,
    /// What a relay saw of it, if there was one.
    pub observed: Option<Observed>,
    /// Captures that it made.
    pub captures: Vec<CaptureFile>,
}

/// What the receiving side reported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Received {
    /// From the first byte to the last.
    pub seconds: f64,
}

/// Where the shims are.
#[derive(Debug, Clone)]
pub struct Shims(PathBuf);

impl Shims {
    /// Shims in this folder.
    pub const fn in_folder(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Shims beside the running program.
    ///
    /// # Errors
    ///
    /// When the system does not say where that is.
    pub fn beside_this_program() -> io::Result<Self> {
        let mut folder = std::env::current_exe()?;
        folder.pop();
        // Tests run from a folder below the one that programs are built into.
        if folder.ends_with("deps") {
            folder.pop();
        }
        Ok(Self(folder))
    }

    /// The shim of a stack.
    pub fn path(&self, stack: &Stack) -> PathBuf {
        self.0.join(stack.shim).with_extension(std::env::consts::EXE_EXTENSION)
    }
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.pair, self.family, self.impairment, self.direction)
    }
}

impl Transfer {
    /// Runs the transfer to its end.
    ///
    /// # Errors
    ///
    /// When the harness itself fails: a shim or the relay cannot be started. A transfer that
    /// fails is an [`Outcome`].
    pub async fn run(&self, shims: &Shims) -> io::Result<Outcome> {
        let arguments = self.arguments("listen", self.address(0), self.server_role(), &["--once"]);
        let mut server = self.start(shims, Host::Server, arguments)?;
        let Some(port) = listening_port(&mut server).await else {
            return Ok(Outcome {
                received: Err(with_stderr("the server does not listen", "server", &mut server)),
                connected: false,
                closed_cleanly: false,
                client: None,
                server: server.leave(Duration::ZERO).await,
                observed: None,
                captures: Vec::new(),
            });
        };
        let address = self.address(port);
        let collector = Collector::default();
        let captures = self.captures()?;
        // The relay lives until both shims are gone.
        let relay = match &self.via {
            Via::Relay { conditions, seed } => {
                let observer = observer(&collector, captures.clone());
                Some(Relay::start(address, conditions, *seed, Some(observer))?)
            }
            Via::Loopback | Via::Namespaces(_) => None,
        };
        let address = relay.as_ref().map_or(address, Relay::local_addr);
        let syn_seq = self.syn_seq_arguments();
        let arguments = self.arguments("connect", address, self.client_role(), &syn_seq);
        let mut client = self.start(shims, Host::Client, arguments)?;
        let mut outcome = self.watch(&mut client, &mut server).await;
        if let Some(relay) = relay {
            let record = spawn_blocking(|| relay.finish()).await.map_err(io::Error::other)?;
            outcome.observed = Some(collector.finish(self.direction, &record));
        }
        // The relay is gone, and with it the other hand that holds them.
        if let Some(captures) = captures.and_then(Arc::into_inner) {
            let captures = captures.into_inner().unwrap_or_else(PoisonError::into_inner);
            outcome.captures = captures.finish()?.into();
        }
        Ok(outcome)
    }

    /// Captures of what passes the relay, if there is one and they are asked for.
    fn captures(&self) -> io::Result<Option<Arc<Mutex<Captures>>>> {
        let Some(folder) = self.pcap.as_ref().filter(|_| matches!(self.via, Via::Relay { .. }))
        else {
            return Ok(None);
        };
        let Self { pair, family, impairment, direction, round, .. } = self;
        let (client, server) = (pair.client.name, pair.server.name);
        let above = if self.syn_seq == SynSeq::Above { "-above" } else { "" };
        let name = format!("{impairment}-{client}{above}-{server}-{family}-{direction}-{round}");
        Ok(Some(Arc::new(Mutex::new(Captures::create(folder, &name)?))))
    }

    /// Where the server listens.
    fn address(&self, port: u16) -> SocketAddr {
        let ip = match &self.via {
            Via::Loopback | Via::Relay { .. } => self.family.loopback().ip(),
            Via::Namespaces(_) => Namespaces::address(Host::Server, self.family),
        };
        SocketAddr::new(ip, port)
    }

    fn start(&self, shims: &Shims, host: Host, arguments: Vec<String>) -> io::Result<ShimProcess> {
        let shim = shims.path(match host {
            Host::Client => &self.pair.client,
            Host::Server => &self.pair.server,
        });
        match &self.via {
            Via::Loopback | Via::Relay { .. } => ShimProcess::start(&shim, arguments),
            Via::Namespaces(namespaces) => {
                ShimProcess::spawn(namespaces.command(host, &shim), arguments)
            }
        }
    }

    /// Follows both sides until the stream has ended, then lets them leave.
    async fn watch(&self, client: &mut ShimProcess, server: &mut ShimProcess) -> Outcome {
        let mut watch = Watch::default();
        let deadline = Instant::now() + self.limit;
        let ended = timeout_at(deadline, async {
            let (mut client_left, mut server_left) = (false, false);
            while watch.result.is_none() {
                let (event, from_client) = tokio::select! {
                    event = client.next_event(), if !client_left => (event, true),
                    event = server.next_event(), if !server_left => (event, false),
                    else => (None, true),
                };
                let (shim, left) = match from_client {
                    true => (&mut *client, &mut client_left),
                    false => (&mut *server, &mut server_left),
                };
                // A sender may be done before we read what the other side reported.
                let done = event.is_none() && !*left && shim.ended_well().await;
                *left |= event.is_none();
                if !done || self.is_sink(from_client) {
                    watch.handle(self, event, from_client);
                }
            }
        });
        let received = match (ended.await, watch.result.take()) {
            (Ok(()), Some(result)) => result,
            _ => Err(format!("not done within {} s", self.limit.as_secs())),
        };
        // A failed side is not waited for.
        let patience = if received.is_ok() { CLOSE_PATIENCE } else { Duration::ZERO };
        let closed = async |shim: &mut ShimProcess, mut closed: bool| {
            let mut clean = true;
            while let Some(event) = shim.next_event().await {
                clean &= !matches!(event, Event::Error { .. });
                closed |= matches!(event, Event::Closed { .. });
            }
            clean && closed
        };
        let (client_closed, server_closed) = tokio::join!(
            timeout(patience, closed(client, watch.client_closed)),
            timeout(patience, closed(server, watch.server_closed)),
        );
        let received = received.map_err(|reason| {
            with_stderr(&with_stderr(&reason, "client", client), "server", server)
        });
        let (client, server) =
            tokio::join!(client.leave(Duration::ZERO), server.leave(Duration::ZERO));
        Outcome {
            received,
            connected: watch.connected,
            closed_cleanly: matches!((client_closed, server_closed), (Ok(true), Ok(true))),
            client,
            server,
            observed: None,
            captures: Vec::new(),
        }
    }

    fn arguments(
        &self,
        mode: &str,
        address: SocketAddr,
        role: Role,
        extra: &[&str],
    ) -> Vec<String> {
        let role = match role {
            Role::Source { bytes, seed } => format!("source:{bytes}:{seed}"),
            _ => "sink".into(),
        };
        let buffer = self.udp_buffer.to_string();
        let address = address.to_string();
        let common = [mode, &address, "--role", &role, "--udp-buffer", &buffer, "--quit-on-eof"];
        let greet: &[&str] = if self.pair.has_foreign() { &["--greet"] } else { &[] };
        common.iter().chain(greet).chain(extra).map(ToString::to_string).collect()
    }

    /// Whether a side receives.
    const fn is_sink(&self, client: bool) -> bool {
        client == matches!(self.direction, Direction::ServerSends)
    }

    const fn client_role(&self) -> Role {
        self.role(matches!(self.direction, Direction::ClientSends))
    }

    const fn server_role(&self) -> Role {
        self.role(matches!(self.direction, Direction::ServerSends))
    }

    const fn role(&self, sends: bool) -> Role {
        if sends { Role::Source { bytes: self.bytes, seed: self.seed } } else { Role::Sink }
    }

    fn syn_seq_arguments(&self) -> Vec<&'static str> {
        match self.syn_seq {
            _ if !self.pair.client.takes_syn_seq => vec![],
            SynSeq::Any => vec![],
            SynSeq::Above => vec!["--syn-seq", "above"],
            SynSeq::Below => vec!["--syn-seq", "below"],
        }
    }
}

/// Shows what passes to a collector and to captures.
fn observer(collector: &Collector, captures: Option<Arc<Mutex<Captures>>>) -> Observer {
    let collector = collector.clone();
    Box::new(move |passed| {
        collector.take(passed);
        if let Some(captures) = &captures {
            captures.lock().unwrap_or_else(PoisonError::into_inner).take(passed);
        }
    })
}

/// Waits for a listening shim to say on which port.
pub(super) async fn listening_port(shim: &mut ShimProcess) -> Option<u16> {
    let listening = async {
        loop {
            match shim.next_event().await? {
                Event::Listening { port } => return Some(port),
                Event::Error { .. } => return None,
                _ => {}
            }
        }
    };
    timeout(START_PATIENCE, listening).await.ok().flatten()
}

/// Adds what a shim wrote for a person to the reason of a failure.
pub(super) fn with_stderr(reason: &str, side: &str, shim: &mut ShimProcess) -> String {
    let status = shim.exit_status().filter(|status| !status.success());
    let status = status.map_or(String::new(), |status| format!("\n{side} ended with {status}"));
    let said = shim.stderr();
    let said = said.trim_end();
    if said.is_empty() {
        format!("{reason}{status}")
    } else {
        format!("{reason}{status}\n{side} said: {said}")
    }
}

/// How long a shim may take to bind its socket; a loaded machine starts processes slowly.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// How long both sides may take to close after the end of the stream.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);
