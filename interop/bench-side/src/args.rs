//! The command line of a side.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::{Parser, ValueEnum};
use utp_shim::parse_size;

/// One side of a benchmark.
#[derive(Debug, Clone, Parser)]
#[command(version, after_help = HELP)]
pub struct Args {
    /// Which side this is.
    #[arg(value_enum)]
    pub role: Role,
    /// What to do.
    #[arg(value_enum)]
    pub workload: Workload,
    /// Where the other side is; connections go to these addresses in turn.
    #[arg(long = "to", value_name = "IP:PORT", required_if_eq("role", "connect"))]
    pub to: Vec<SocketAddr>,
    /// UDP sockets of this side, which its connections use in turn.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count())]
    pub sockets: u32,
    /// Connections that are open at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count())]
    pub streams: u32,
    /// Payload of all streams together, or round trips and connections at the most.
    #[arg(long, value_name = "N", default_value = "256MiB", value_parser = size)]
    pub amount: u64,
    /// When to stop before that; how long to idle.
    #[arg(long, value_name = "S", default_value = "20", value_parser = seconds)]
    pub seconds: Duration,
    /// What is to be other than by default; each stack has its own words.
    #[arg(long = "set", value_name = "WORD")]
    pub set: Vec<String>,
}

impl Args {
    /// The address that sockets of this side are bound to.
    pub fn local(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 0).into()
    }

    /// Payload of each stream.
    pub fn share(&self) -> usize {
        let share = self.amount / u64::from(self.streams);
        usize::try_from(share).expect("it was checked to fit into memory")
    }
}

/// The two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Waits for connections, and receives.
    Accept,
    /// Opens connections, and sends.
    Connect,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// Connections one after the other, or `--streams` at once: a word each way, then closed.
    Connects,
    /// Connections that are opened and then left alone.
    Idle,
    /// One byte there and back, over and over.
    Ping,
    /// Payload on every stream.
    Stream,
}

fn count() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=1_000_000)
}

fn size(text: &str) -> Result<u64, String> {
    let size = parse_size(text)?;
    if usize::try_from(size).is_ok() { Ok(size) } else { Err("it does not fit".to_owned()) }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(span) if (1e-3..=3_600.0).contains(&seconds) => Ok(span),
        _ => Err("between 0.001 and 3600".to_owned()),
    }
}

const HELP: &str = "\
Exit status: 0 done, 1 failed, 2 wrong usage, 89 the implementation cannot do this.";
