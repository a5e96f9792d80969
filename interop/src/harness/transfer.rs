//! One transfer between two shims.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Pair, ShimProcess, Stack};
use crate::relay::{Impairment, Relay};
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

/// An impairment and what results call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impaired {
    /// For example `20ms+1%`.
    pub name: String,
    /// What the relay does.
    pub impairment: Impairment,
}

/// One transfer to run.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// What a relay does in between, if there is one.
    pub impaired: Option<Impaired>,
    /// Where the client's SYN number shall lie, for a client that takes it.
    pub syn_seq: SynSeq,
    /// Kernel buffers of both UDP sockets.
    pub udp_buffer: usize,
    /// How long it may take, from the connect to the end of the stream.
    pub limit: Duration,
    /// Which repetition this is, from 1.
    pub round: u32,
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
        write!(f, "{} {} {}", self.pair, self.family, self.direction)
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
        let mut server = ShimProcess::start(
            &shims.path(&self.pair.server),
            self.arguments("listen", self.family.loopback(), self.server_role(), &["--once"]),
        )?;
        let Some(port) = listening_port(&mut server).await else {
            return Ok(Outcome {
                received: Err(with_stderr("the server does not listen", "server", &mut server)),
                connected: false,
                closed_cleanly: false,
                client: None,
                server: server.leave(Duration::ZERO).await,
            });
        };
        let mut address = self.family.loopback();
        address.set_port(port);
        // The relay lives until both shims are gone.
        let relay = match &self.impaired {
            Some(impaired) => Some(Relay::start(address, impaired.impairment)?),
            None => None,
        };
        let address = relay.as_ref().map_or(address, Relay::local_addr);
        let syn_seq = self.syn_seq_arguments();
        let mut client = ShimProcess::start(
            &shims.path(&self.pair.client),
            self.arguments("connect", address, self.client_role(), &syn_seq),
        )?;
        Ok(self.watch(&mut client, &mut server).await)
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

/// What is known of a transfer while it runs.
#[derive(Debug, Default)]
struct Watch {
    connected: bool,
    client_closed: bool,
    server_closed: bool,
    /// Length, digest and time that the sink reported.
    data: Option<(u64, String, Option<f64>)>,
    result: Option<Result<Received, String>>,
}

impl Watch {
    /// Takes the next event of a side, or its end.
    fn handle(&mut self, transfer: &Transfer, event: Option<Event>, from_client: bool) {
        let side = if from_client { "client" } else { "server" };
        let from_sink = transfer.is_sink(from_client);
        match event {
            Some(Event::Connected { .. }) => self.connected |= from_client,
            Some(Event::Closed { .. }) if from_client => self.client_closed = true,
            Some(Event::Closed { .. }) => self.server_closed = true,
            Some(Event::Data { n, sha256, seconds, .. }) if from_sink => {
                self.data = Some((n, sha256, seconds));
            }
            Some(Event::Eof { .. }) if from_sink => {
                self.result = Some(transfer.judge(self.data.take()));
            }
            Some(Event::Error { kind, detail, .. }) => {
                let got = self.data.as_ref().map_or(String::new(), |(n, ..)| {
                    format!(" after {n} of {} bytes", transfer.bytes)
                });
                self.result = Some(Err(format!("{side}: {kind:?}{got} ({detail})")));
            }
            None => self.result = Some(Err(format!("the {side} left before its time"))),
            Some(_) => {}
        }
    }
}

impl Transfer {
    fn judge(&self, data: Option<(u64, String, Option<f64>)>) -> Result<Received, String> {
        let (bytes, sha256, seconds) = data.ok_or("the receiving side reported no data")?;
        if bytes != self.bytes {
            return Err(format!("{bytes} bytes arrived instead of {}", self.bytes));
        }
        if sha256 != self.sha256 {
            return Err(format!("SHA-256 {sha256} arrived instead of {}", self.sha256));
        }
        let seconds = seconds.ok_or("the receiving side reported no time")?;
        Ok(Received { seconds })
    }
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
