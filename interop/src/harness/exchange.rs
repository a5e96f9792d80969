//! Short conversations between two shims: who closes first, half a close, who speaks first, and
//! many connections side by side. None may end in an error on either side.

mod script;

use std::fmt;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use super::transfer::{listening_port, with_stderr};
use super::{Family, Pair, Progress, ShimProcess, Shims};
use script::Sides;

/// What happens in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// Both sides close in the same moment.
    BothCloseAtOnce,
    /// The initiator closes, the acceptor when it sees the end of the stream.
    ClientClosesFirst,
    /// The initiator ends its direction, and reads what the acceptor sends afterwards.
    ClientHalfCloses,
    /// A thousand short connections, fifty at a time.
    ManyShort,
    /// The acceptor closes, the initiator when it sees the end of the stream.
    ServerClosesFirst,
    /// The acceptor ends its direction, and reads what the initiator sends afterwards.
    ServerHalfCloses,
    /// The acceptor sends to an initiator that has nothing to say.
    ServerSpeaksFirst,
}

impl Case {
    /// Every case.
    pub const ALL: [Self; 7] = [
        Self::BothCloseAtOnce,
        Self::ClientClosesFirst,
        Self::ClientHalfCloses,
        Self::ManyShort,
        Self::ServerClosesFirst,
        Self::ServerHalfCloses,
        Self::ServerSpeaksFirst,
    ];
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = clap::ValueEnum::to_possible_value(self).expect("no case is hidden");
        f.write_str(value.get_name())
    }
}

/// One conversation to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// Who connects to whom.
    pub pair: Pair,
    /// Over which version of IP.
    pub family: Family,
    /// What happens.
    pub case: Case,
}

/// What came of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExchangeRun {
    /// The stack that connected.
    pub client: String,
    /// The stack that listened.
    pub server: String,
    /// Over which version of IP.
    pub family: Family,
    /// What happened.
    pub case: Case,
    /// Whether everything arrived and both sides closed without an error.
    pub pass: bool,
    /// How long it took, from the start of the client.
    pub seconds: f64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The conversations of every pair that ours is part of. libutp with itself is left out: it is
/// known to end some of them in an error.
pub fn exchanges(pairs: &[Pair], families: &[Family], cases: &[Case]) -> Vec<Exchange> {
    let mut exchanges = Vec::new();
    for &family in families {
        for &pair in pairs.iter().filter(|pair| pair.has_ours()) {
            exchanges.extend(cases.iter().map(|&case| Exchange { pair, family, case }));
        }
    }
    exchanges
}

/// Holds conversations, one after the other.
///
/// # Errors
///
/// When the harness itself fails.
pub async fn run_exchanges(
    exchanges: &[Exchange],
    shims: &Shims,
    progress: &Progress,
) -> io::Result<Vec<ExchangeRun>> {
    let mut runs = Vec::new();
    for exchange in exchanges {
        progress.start(exchange);
        let run = exchange.run(shims).await?;
        progress.finish(&run, !run.pass);
        runs.push(run);
    }
    Ok(runs)
}

impl Exchange {
    /// Holds the conversation.
    ///
    /// # Errors
    ///
    /// When the harness itself fails: a shim cannot be started.
    pub async fn run(&self, shims: &Shims) -> io::Result<ExchangeRun> {
        let mut server =
            ShimProcess::start(&shims.path(&self.pair.server), self.server_arguments())?;
        let port = listening_port(&mut server).await;
        let started = Instant::now();
        let result = match port {
            None => Err(with_stderr("the server does not listen", "server", &mut server)),
            Some(port) => {
                let arguments = self.client_arguments(port);
                let client = ShimProcess::start(&shims.path(&self.pair.client), arguments)?;
                let mut sides = Sides::new(client, server, self.pair);
                let held = timeout(LIMIT, sides.hold(self.case)).await;
                let result = held.unwrap_or_else(|_| {
                    Err(format!("not done within {} s: {}", LIMIT.as_secs(), sides.waiting_for()))
                });
                sides.leave(self.case, result).await
            }
        };
        Ok(ExchangeRun {
            client: self.pair.client.name.into(),
            server: self.pair.server.name.into(),
            family: self.family,
            case: self.case,
            pass: result.is_ok(),
            seconds: started.elapsed().as_secs_f64(),
            error: result.err(),
        })
    }

    fn server_arguments(&self) -> Vec<String> {
        let address = self.family.loopback().to_string();
        let mut arguments = vec!["listen".into(), address, "--quit-on-eof".into()];
        match self.case {
            Case::ManyShort => arguments.extend(["--role".into(), "sink".into()]),
            _ => arguments.push("--once".into()),
        }
        arguments
    }

    fn client_arguments(&self, port: u16) -> Vec<String> {
        let mut address = self.family.loopback();
        address.set_port(port);
        let mut arguments = vec!["connect".into(), address.to_string(), "--quit-on-eof".into()];
        if self.case == Case::ManyShort {
            let role = format!("source:{SHORT_BYTES}:{SHORT_SEED}");
            let (count, parallel) = (SHORT_COUNT.to_string(), SHORT_PARALLEL.to_string());
            let options = ["--role", &role, "--count", &count, "--parallel", &parallel];
            arguments.extend(options.map(String::from));
        }
        arguments
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.pair, self.family, self.case)
    }
}

impl fmt::Display for ExchangeRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, server, family, case, seconds, .. } = self;
        write!(f, "{client}:{server} {family} {case}: ")?;
        match &self.error {
            Some(error) => write!(f, "FAILED: {error}"),
            None => write!(f, "ok, {seconds:.3} s"),
        }
    }
}

/// How long a conversation may take. The longest are a thousand connections of libutp, which
/// frees each half a second after its end.
const LIMIT: Duration = Duration::from_secs(120);

/// Many short connections: how many in all, how many at once, and what each sends.
const SHORT_COUNT: u32 = 1_000;
const SHORT_PARALLEL: u32 = 50;
const SHORT_BYTES: u64 = 2_000;
const SHORT_SEED: u64 = 9;
