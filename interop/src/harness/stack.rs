//! The implementations, and the shims that stand in front of them.

use std::fmt;
use std::str::FromStr;

use super::Ability;

/// An implementation of uTP behind a shim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stack {
    /// What results call it.
    pub name: &'static str,
    /// Its shim: an executable beside the harness.
    pub shim: &'static str,
    /// Its version, as results name it.
    pub version: &'static str,
    /// What its shim answers with exit status 89, so that conformance does not ask for it.
    pub lacks: &'static [Ability],
    /// Whether the shim takes `--syn-seq`.
    pub takes_syn_seq: bool,
    /// Whether a connection may be lost with its first answer, so that a failed connect to this
    /// stack is tried again. Documented of libutp: it never answers a repeated SYN.
    pub loses_repeated_syn: bool,
}

/// Ours first, then its peers.
pub const STACKS: &[Stack] = &[
    Stack {
        name: "utp-tokio",
        shim: "utp-peer",
        version: env!("CARGO_PKG_VERSION"),
        lacks: &[],
        takes_syn_seq: false,
        loses_repeated_syn: false,
    },
    Stack {
        name: "libutp",
        shim: "libutp-peer",
        version: "libutp-rs2-sys 0.1.3",
        lacks: &[Ability::Abort, Ability::Icmp],
        takes_syn_seq: true,
        loses_repeated_syn: true,
    },
];

impl FromStr for Stack {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let name = if name == "ours" { STACKS[0].name } else { name };
        STACKS.iter().find(|stack| stack.name == name).copied().ok_or_else(|| {
            let names: Vec<&str> = STACKS.iter().map(|stack| stack.name).collect();
            format!("`{name}` is not one of {}", names.join(", "))
        })
    }
}

/// Who connects to whom.
///
/// ```
/// use utp_interop::harness::Pair;
///
/// let pair: Pair = "ours:libutp".parse().expect("two stacks");
/// assert_eq!(pair.to_string(), "utp-tokio:libutp");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Connects.
    pub client: Stack,
    /// Listens.
    pub server: Stack,
}

impl Pair {
    /// Every client with every server.
    pub fn all() -> Vec<Self> {
        let with = |&client| STACKS.iter().map(move |&server| Self { client, server });
        STACKS.iter().flat_map(with).collect()
    }

    /// Whether ours is on either side.
    pub fn has_ours(&self) -> bool {
        [self.client, self.server].contains(&STACKS[0])
    }

    /// Whether a connect that failed may be tried again: both ends are stacks that are known to
    /// lose connections. With ours on either side it has to work at once.
    pub const fn may_retry_connect(&self) -> bool {
        self.client.loses_repeated_syn && self.server.loses_repeated_syn
    }
}

impl FromStr for Pair {
    type Err = String;

    fn from_str(pair: &str) -> Result<Self, String> {
        let (client, server) =
            pair.split_once(':').ok_or_else(|| format!("`{pair}` is not CLIENT:SERVER"))?;
        Ok(Self { client: client.parse()?, server: server.parse()? })
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.client.name, self.server.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_names_two_known_stacks() {
        assert_eq!(Pair::all().len(), STACKS.len() * STACKS.len());
        for pair in Pair::all() {
            assert_eq!(pair.to_string().parse(), Ok(pair));
        }
        for text in ["libutp", "libutp:", "libutp:nobody", ":libutp", "libutp:libutp:libutp"] {
            assert!(text.parse::<Pair>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_reference_with_itself_gets_a_second_connect() {
        let retried: Vec<String> = Pair::all()
            .into_iter()
            .filter(|pair| pair.may_retry_connect())
            .map(|pair| pair.to_string())
            .collect();
        assert_eq!(retried, ["libutp:libutp"]);
    }
}
