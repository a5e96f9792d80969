//! The command line of a shim: `listen` or `connect`, an address, a role and buffer sizes.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;

use clap::{Args, Subcommand};

use super::{App, ConnId};

/// What every shim takes.
#[derive(Debug, Clone, Args)]
pub struct ShimArgs {
    /// Listen or connect.
    #[command(subcommand)]
    pub mode: Mode,
}

/// The two sides of a connection.
#[derive(Debug, Clone, Subcommand)]
pub enum Mode {
    /// Accept connections.
    Listen {
        /// Address to bind; port 0 lets the kernel choose, and the `listening` event tells it.
        #[arg(value_name = "HOST:PORT", value_parser = resolve)]
        address: SocketAddr,
        /// Leave once the first connection is closed.
        #[arg(long)]
        once: bool,
        /// What to do on each stream.
        #[command(flatten)]
        stream: StreamArgs,
    },
    /// Open a connection, or several, and leave once they are closed.
    Connect {
        /// The peer.
        #[arg(value_name = "HOST:PORT", value_parser = resolve)]
        address: SocketAddr,
        /// Local address to bind.
        #[arg(long, value_name = "HOST:PORT", value_parser = resolve)]
        local: Option<SocketAddr>,
        /// Connections to open in all.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        count: u32,
        /// Connections that are open at once.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        parallel: u32,
        /// What to do on the stream.
        #[command(flatten)]
        stream: StreamArgs,
    },
}

impl Mode {
    /// The address to bind the UDP socket to.
    pub fn local(&self) -> SocketAddr {
        match *self {
            Self::Listen { address, .. } | Self::Connect { local: Some(address), .. } => address,
            Self::Connect { address: SocketAddr::V4(_), .. } => (Ipv4Addr::UNSPECIFIED, 0).into(),
            Self::Connect { address: SocketAddr::V6(_), .. } => (Ipv6Addr::UNSPECIFIED, 0).into(),
        }
    }

    /// What both sides share.
    pub const fn stream(&self) -> &StreamArgs {
        match self {
            Self::Listen { stream, .. } | Self::Connect { stream, .. } => stream,
        }
    }

    /// The application on the next stream.
    pub fn app(&self, conn: ConnId) -> App {
        let StreamArgs { role, greet, .. } = *self.stream();
        let app = App::new(conn, role);
        if greet { app.greeting(matches!(self, Self::Connect { .. })) } else { app }
    }

    /// Whether the shim leaves after its first connection, or the last one that it opens.
    pub const fn once(&self) -> bool {
        match self {
            Self::Listen { once, .. } => *once,
            Self::Connect { .. } => true,
        }
    }
}

/// The role on a stream and its buffers.
#[derive(Debug, Clone, Args)]
pub struct StreamArgs {
    /// sink, source:N, source:N:SEED, echo or script (standard input decides).
    #[arg(long, default_value = "script", value_name = "ROLE")]
    pub role: Role,
    /// Buffer sizes.
    #[command(flatten)]
    pub buffers: Buffers,
    /// Leave when standard input ends, so that no shim outlives its harness.
    #[arg(long)]
    pub quit_on_eof: bool,
    /// The side that connects sends one byte before all else, and the other takes it off.
    #[arg(long)]
    pub greet: bool,
}

/// Buffer sizes, in bytes; each takes KiB, MiB and GiB. Absent means the implementation's default.
#[derive(Debug, Clone, Copy, Args)]
pub struct Buffers {
    /// Receive buffer of a stream, which bounds the window it advertises.
    #[arg(long, value_name = "BYTES", value_parser = parse_buffer)]
    pub rcvbuf: Option<usize>,
    /// Send buffer of a stream, which bounds what it has in flight.
    #[arg(long, value_name = "BYTES", value_parser = parse_buffer)]
    pub sndbuf: Option<usize>,
    /// Kernel buffers of the UDP socket, both directions.
    #[arg(long, value_name = "BYTES", default_value = "4MiB", value_parser = parse_buffer)]
    pub udp_buffer: usize,
}

/// What a shim does on a stream.
///
/// ```
/// use utp_shim::Role;
///
/// let role: Role = "source:64MiB".parse().expect("a role");
/// assert_eq!(role, Role::Source { bytes: 64 << 20, seed: 1 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sends back what it reads, and finishes when the peer does.
    Echo,
    /// Does what standard input says, and nothing else.
    Script,
    /// Reads to the end of the stream, reports length and digest, closes.
    Sink,
    /// Sends a pseudo-random stream, finishes, waits for the peer to finish, closes.
    Source {
        /// How many bytes to send.
        bytes: u64,
        /// Names the stream, see [`Pattern`](super::Pattern); 1 when left out.
        seed: u64,
    },
}

impl FromStr for Role {
    type Err = String;

    fn from_str(role: &str) -> Result<Self, String> {
        let parts: Vec<&str> = role.split(':').collect();
        match parts.as_slice() {
            ["echo"] => Ok(Self::Echo),
            ["script"] => Ok(Self::Script),
            ["sink"] => Ok(Self::Sink),
            ["source", bytes] => Ok(Self::Source { bytes: parse_size(bytes)?, seed: 1 }),
            ["source", bytes, seed] => {
                let seed = seed.parse().map_err(|_| format!("`{seed}` is not a seed"))?;
                Ok(Self::Source { bytes: parse_size(bytes)?, seed })
            }
            _ => Err("expected sink, source:N, source:N:SEED, echo or script".into()),
        }
    }
}

/// Reads a size such as `1000`, `64KiB`, `1MiB` or `2GiB`.
///
/// # Errors
///
/// With a sentence that names the text, when it is no size or does not fit.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let (digits, shift) = units
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)))
        .unwrap_or((text, 0));
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or_else(|| format!("`{text}` is not a size such as 1000, 64KiB, 1MiB or 2GiB"))
}

/// Reads a size that a socket option can hold, 1 to 2147483647 bytes.
///
/// # Errors
///
/// With a sentence that names the text, when it is no size or out of range.
pub fn parse_buffer(text: &str) -> Result<usize, String> {
    let bytes = parse_size(text)?;
    match i32::try_from(bytes) {
        Ok(1..) => usize::try_from(bytes).map_err(|error| error.to_string()),
        _ => Err(format!("`{text}` is not between 1 and 2147483647 bytes")),
    }
}

/// The first address that a host name and a port stand for.
fn resolve(text: &str) -> Result<SocketAddr, String> {
    let mut addresses = text.to_socket_addrs().map_err(|error| error.to_string())?;
    addresses.next().ok_or_else(|| "the name stands for no address".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_of_the_protocol_is_understood() {
        for (text, role) in [
            ("sink", Role::Sink),
            ("echo", Role::Echo),
            ("script", Role::Script),
            ("source:0", Role::Source { bytes: 0, seed: 1 }),
            ("source:1KiB:9", Role::Source { bytes: 1024, seed: 9 }),
        ] {
            assert_eq!(text.parse(), Ok(role), "{text}");
        }
        for text in ["", "source", "source:", "source:1:x", "source:1:2:3", "sinks"] {
            assert!(text.parse::<Role>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_take_binary_units_and_refuse_what_does_not_fit() {
        assert_eq!(parse_size("0"), Ok(0));
        assert_eq!(parse_size("3GiB"), Ok(3 << 30));
        for text in ["", "MiB", "1MB", "-1", "1.5MiB", "18446744073709551615KiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        assert_eq!(parse_buffer("4MiB"), Ok(4 << 20));
        assert!(parse_buffer("0").is_err());
        assert!(parse_buffer("2GiB").is_err());
    }

    #[test]
    fn a_connector_binds_the_family_of_its_peer() {
        let address = resolve("[::1]:9").expect("an address");
        let stream = StreamArgs {
            role: Role::Sink,
            buffers: Buffers { rcvbuf: None, sndbuf: None, udp_buffer: 1 },
            quit_on_eof: false,
            greet: false,
        };
        let mode = Mode::Connect { address, local: None, count: 1, parallel: 1, stream };
        assert_eq!(mode.local(), "[::]:0".parse().expect("an address"));
        assert!(mode.once());
    }
}
