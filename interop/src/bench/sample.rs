//! One run of one bench: two processes, perhaps a relay between them, and what they report.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use utp_bench_side::{Line, Outcome};

use super::plan::{Bench, Implementation, Side, Workload};
use crate::harness::Percentiles;
use crate::relay::{Relay, RelayRecord};

/// What was measured, by the keys of the results.
pub(super) type Values = BTreeMap<Cow<'static, str>, f64>;

/// Why there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Shortfall {
    /// It went wrong.
    Failed(String),
    /// The implementation cannot do it, or is not there.
    Unable(String),
}

/// Runs a bench once. The relay, if there is one, draws its losses from `seed`.
pub(super) async fn sample(
    bench: &Bench,
    implementation: &Implementation,
    programs: &Path,
    seed: u64,
) -> Result<Values, Shortfall> {
    let patience = Duration::from_secs(u64::from(bench.seconds)) + PATIENCE;
    let run = run(bench, implementation, programs, seed);
    match timeout(patience, run).await {
        Ok(result) => result,
        Err(_) => Err(Shortfall::Failed(format!("not done in {} s", patience.as_secs()))),
    }
}

async fn run(
    bench: &Bench,
    implementation: &Implementation,
    programs: &Path,
    seed: u64,
) -> Result<Values, Shortfall> {
    let [accept, connect] = implementation.sides;
    let mut accept = Process::start(bench, accept, programs, Role::Accept)?;
    let ports = match accept.line().await? {
        Line::Listening(ports) => ports,
        other => return Err(Shortfall::Failed(format!("{other:?} in place of ports"))),
    };
    let local = |&port: &u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut to: Vec<SocketAddr> = ports.iter().map(local).collect();
    let relay = match bench.conditions() {
        None => None,
        Some(conditions) => {
            let relay = Relay::start(to[0], &conditions, seed, None).map_err(failed)?;
            to = vec![relay.local_addr()];
            Some(relay)
        }
    };
    let mut connect = Process::start(bench, connect, programs, Role::Connect(&to))?;
    // The first that fails is the reason.
    let (received, sent) = tokio::try_join!(accept.outcome(), connect.outcome())?;
    accept.leave().await;
    connect.leave().await;
    if received.sha256 != sent.sha256 || received.bytes != sent.bytes {
        return Err(Shortfall::Failed("the payload is not what was sent".to_owned()));
    }
    let record = relay.map(Relay::finish);
    Ok(values(bench, &received, &sent, record.as_ref()))
}

/// The figures of a run.
fn values(
    bench: &Bench,
    accepted: &Outcome,
    connected: &Outcome,
    relay: Option<&RelayRecord>,
) -> Values {
    let mut values = Values::new();
    let mut set = |key: &'static str, value: Option<f64>| {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            values.insert(key.into(), value);
        }
    };
    let count = (connected.count.max(1)) as f64;
    let both_cpu = accepted.cpu_s.zip(connected.cpu_s).map(|(a, b)| a + b);
    match bench.workload {
        Workload::Stream => {
            let bytes = accepted.bytes as f64;
            let rate = bytes / accepted.seconds;
            let per_gib = |cpu: Option<f64>| cpu.map(|cpu| cpu / bytes * f64::from(1 << 30));
            if let Some(relay) = relay {
                set("mbit_per_s", Some(rate * 8.0 / 1e6));
                let queue = relay.network.links.first().map(|link| &link.queue_delay_us);
                let waits = queue.map(|us| us.iter().map(|us| f64::from(*us) / 1e3).collect());
                set("queue_p95_ms", waits.and_then(Percentiles::of).map(|of| of.p95));
            } else {
                set("mb_per_s", Some(rate / 1e6));
                let peak = accepted.peak_rss_kib.max(connected.peak_rss_kib);
                set("peak_rss_mib", peak.map(|kib| kib as f64 / 1024.0));
            }
            set("sender_cpu_s_per_gib", per_gib(connected.cpu_s));
            set("receiver_cpu_s_per_gib", per_gib(accepted.cpu_s));
        }
        Workload::Ping => {
            set("p50_us", connected.p50_us);
            set("p99_us", connected.p99_us);
            set("cpu_us", both_cpu.map(|cpu| cpu * 1e6 / count));
        }
        Workload::Connects => {
            set("connects_per_s", Some(connected.count as f64 / connected.seconds));
            set("p50_us", connected.p50_us);
            set("p99_us", connected.p99_us);
            set("cpu_us", both_cpu.map(|cpu| cpu * 1e6 / count));
        }
        Workload::Idle => {
            let percent = |of: &Outcome| of.cpu_s.map(|cpu| cpu * 100.0 / of.seconds);
            set("acceptor_bytes", accepted.bytes_per_connection);
            set("initiator_bytes", connected.bytes_per_connection);
            set("acceptor_cpu_percent", percent(accepted));
            set("initiator_cpu_percent", percent(connected));
            let sent = accepted.datagrams.zip(connected.datagrams).map(|(a, b)| a + b);
            set("datagrams_per_s", sent.map(|sent| sent as f64 / connected.seconds));
        }
    }
    values
}

enum Role<'a> {
    Accept,
    Connect(&'a [SocketAddr]),
}

/// A side that runs.
struct Process {
    child: Child,
    /// It leaves when this is closed.
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(
        bench: &Bench,
        side: Side,
        programs: &Path,
        role: Role<'_>,
    ) -> Result<Self, Shortfall> {
        let mut command = Command::new(programs.join(side.program));
        let name = match role {
            Role::Accept => "accept",
            Role::Connect(_) => "connect",
        };
        let sockets = bench.sockets[usize::from(name == "connect")];
        command.args([name, bench.workload.name()]);
        command.args(["--streams", &bench.streams.to_string()]);
        command.args(["--sockets", &sockets.to_string()]);
        command.args(["--amount", &bench.amount.to_string()]);
        command.args(["--seconds", &bench.seconds.to_string()]);
        command.args(side.set.iter().flat_map(|word| ["--set", word]));
        if let Role::Connect(to) = role {
            command.args(to.iter().flat_map(|to| ["--to".to_owned(), to.to_string()]));
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Shortfall::Unable(format!("no {}", side.program)),
            _ => failed(error),
        })?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("piped above");
        Ok(Self { child, stdin, lines: BufReader::new(stdout).lines() })
    }

    async fn line(&mut self) -> Result<Line, Shortfall> {
        let line = self.lines.next_line().await.map_err(failed)?;
        let Some(line) = line else { return Err(self.last_words().await) };
        match serde_json::from_str(&line).map_err(failed)? {
            Line::Error(words) => Err(Shortfall::Failed(words)),
            Line::Unable(words) => Err(Shortfall::Unable(words)),
            line => Ok(line),
        }
    }

    async fn outcome(&mut self) -> Result<Outcome, Shortfall> {
        match self.line().await? {
            Line::Outcome(outcome) => Ok(outcome),
            other => Err(Shortfall::Failed(format!("{other:?} in place of an outcome"))),
        }
    }

    /// What a process left behind that ended without a word.
    async fn last_words(&mut self) -> Shortfall {
        let mut words = Vec::new();
        if let Some(stderr) = &mut self.child.stderr {
            drop(timeout(LEAVE_PATIENCE, stderr.read_to_end(&mut words)).await);
        }
        let words = String::from_utf8_lossy(&words);
        // What makes a program panic is told in the first lines.
        let words: Vec<&str> = words.lines().take(2).collect();
        Shortfall::Failed(format!("it crashed: {}", words.join(" ")))
    }

    async fn leave(&mut self) {
        drop(self.stdin.take());
        if timeout(LEAVE_PATIENCE, self.child.wait()).await.is_err() {
            drop(self.child.kill().await);
        }
    }
}

fn failed(error: impl ToString) -> Shortfall {
    Shortfall::Failed(error.to_string())
}

/// What a run may take for processes, memory, handshakes and digests.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a side may take to leave.
const LEAVE_PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::super::plan::BENCHES;
    use super::*;

    fn bench(name: &str) -> &'static Bench {
        BENCHES.iter().find(|bench| bench.name == name).expect("there is one")
    }

    #[test]
    fn throughput_is_that_of_the_receiver_and_work_is_for_a_gib() {
        let bytes = 1 << 29;
        let accepted = Outcome { bytes, seconds: 2.0, cpu_s: Some(1.5), ..Outcome::default() };
        let connected = Outcome { bytes, seconds: 9.0, cpu_s: Some(0.5), ..Outcome::default() };
        let values = values(bench("stream"), &accepted, &connected, None);
        assert_eq!(values["mb_per_s"], 268.435456);
        assert_eq!(values["sender_cpu_s_per_gib"], 1.0);
        assert_eq!(values["receiver_cpu_s_per_gib"], 3.0);
        assert!(!values.contains_key("peak_rss_mib"));
    }

    #[test]
    fn nothing_is_made_of_a_transfer_that_took_no_time() {
        let values = values(bench("stream"), &Outcome::default(), &Outcome::default(), None);
        assert!(values.is_empty(), "{values:?}");
    }
}
