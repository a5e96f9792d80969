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
    /// Where it comes from.
    pub origin: Origin,
    /// Whether it takes part when no stack is named.
    pub by_default: bool,
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

/// Where a stack comes from, and with it how its shim is built and what is expected of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From here: its transfers with libutp have to succeed, and cases that do harm run against it.
    Ours,
    /// libutp.
    Reference,
    /// From the registry, built on demand in the workspace `interop/peers`.
    Registry,
}

/// Ours first, then the reference, then all others.
pub const STACKS: &[Stack] = &[
    Stack {
        name: "utp-tokio",
        shim: "utp-peer",
        origin: Origin::Ours,
        by_default: true,
        version: env!("CARGO_PKG_VERSION"),
        lacks: &[],
        takes_syn_seq: false,
        loses_repeated_syn: false,
    },
    Stack {
        name: "libutp",
        shim: "libutp-peer",
        origin: Origin::Reference,
        by_default: true,
        version: "libutp-rs2-sys 0.1.3",
        lacks: &[Ability::Abort, Ability::Controller, Ability::Icmp],
        takes_syn_seq: true,
        loses_repeated_syn: true,
    },
    Stack {
        name: "utp-capi",
        shim: "capi-peer",
        origin: Origin::Ours,
        by_default: false,
        version: env!("CARGO_PKG_VERSION"),
        // As libutp, whose interface it has; but its shim hands ICMP on.
        lacks: &[Ability::Abort, Ability::Controller],
        takes_syn_seq: false,
        loses_repeated_syn: false,
    },
    Stack {
        name: "librqbit-utp",
        shim: "librqbit-utp-peer",
        origin: Origin::Registry,
        by_default: false,
        version: "librqbit-utp 0.7.0",
        lacks: &[
            Ability::Abort,
            Ability::Controller,
            Ability::Icmp,
            Ability::RandomByte,
            Ability::Shutdown,
        ],
        takes_syn_seq: false,
        loses_repeated_syn: false,
    },
    Stack {
        name: "utp-rs",
        shim: "utp-rs-peer",
        origin: Origin::Registry,
        by_default: false,
        version: "utp-rs 0.1.0-alpha.17",
        // It takes everything off the network at once, so that pausing shows nowhere.
        lacks: &[
            Ability::Abort,
            Ability::Controller,
            Ability::Icmp,
            Ability::Pause,
            Ability::RandomByte,
            Ability::ReceiveBuffer,
            Ability::SendBuffer,
            Ability::Shutdown,
        ],
        takes_syn_seq: false,
        loses_repeated_syn: false,
    },
    Stack {
        name: "utp",
        shim: "rust-utp-peer",
        origin: Origin::Registry,
        by_default: false,
        version: "utp 0.7.0",
        // It blocks while it reads, and its acceptor cannot speak first.
        lacks: &[
            Ability::Abort,
            Ability::Controller,
            Ability::Count,
            Ability::Icmp,
            Ability::Local,
            Ability::Pause,
            Ability::RandomByte,
            Ability::ReceiveBuffer,
            Ability::SendBuffer,
            Ability::Shutdown,
        ],
        takes_syn_seq: false,
        loses_repeated_syn: false,
    },
];

impl Stack {
    /// The stacks that are called by these names, `ours`, `capi` or `all`; without any, those that
    /// take part by default.
    ///
    /// # Errors
    ///
    /// With the names there are, when one is none of them.
    pub fn named(names: &[String]) -> Result<Vec<Self>, String> {
        if names.is_empty() {
            return Ok(STACKS.iter().copied().filter(|stack| stack.by_default).collect());
        }
        let mut stacks = Vec::new();
        for name in names {
            match name.as_str() {
                "all" => stacks.extend(STACKS),
                name => stacks.push(name.parse()?),
            }
        }
        let mut seen = Vec::new();
        stacks.retain(|stack: &Self| {
            let new = !seen.contains(&stack.name);
            seen.push(stack.name);
            new
        });
        Ok(stacks)
    }

    /// How its shim is built.
    pub const fn build_command(&self) -> &'static str {
        match self.origin {
            Origin::Registry => {
                "cargo build --release --manifest-path interop/peers/Cargo.toml --target-dir target"
            }
            Origin::Ours | Origin::Reference => {
                "cargo build --release -p utp-interop -p utp-capi-peer --bins"
            }
        }
    }

    /// Whether it is one of this workspace.
    pub const fn is_ours(&self) -> bool {
        matches!(self.origin, Origin::Ours)
    }
}

impl FromStr for Stack {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let name = match name {
            "capi" => "utp-capi",
            "ours" => STACKS[0].name,
            name => name,
        };
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
    /// Every client with every server of these.
    pub fn all_of(stacks: &[Stack]) -> Vec<Self> {
        let with = |&client| stacks.iter().map(move |&server| Self { client, server });
        stacks.iter().flat_map(with).collect()
    }

    /// Whether one of ours is on either side.
    pub const fn has_ours(&self) -> bool {
        self.client.is_ours() || self.server.is_ours()
    }

    /// Whether a stack of the registry is on either side.
    pub const fn has_foreign(&self) -> bool {
        matches!(self.client.origin, Origin::Registry)
            || matches!(self.server.origin, Origin::Registry)
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
        assert_eq!(Pair::all_of(STACKS).len(), STACKS.len() * STACKS.len());
        for pair in Pair::all_of(STACKS) {
            assert_eq!(pair.to_string().parse(), Ok(pair));
        }
        for text in ["libutp", "libutp:", "libutp:nobody", ":libutp", "libutp:libutp:libutp"] {
            assert!(text.parse::<Pair>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_stack_is_there_by_default_or_when_it_is_named() {
        let names = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            let stacks = Stack::named(&names)?;
            Ok::<_, String>(stacks.iter().map(|stack| stack.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]), Ok(vec!["utp-tokio", "libutp"]));
        assert_eq!(names(&["all", "utp"]).expect("known").len(), STACKS.len());
        assert_eq!(names(&["utp-rs", "ours"]), Ok(vec!["utp-rs", "utp-tokio"]));
        assert_eq!(names(&["capi", "utp-capi"]), Ok(vec!["utp-capi"]));
        assert!(names(&["nobody"]).is_err());
    }

    #[test]
    fn only_the_reference_with_itself_gets_a_second_connect() {
        let retried: Vec<String> = Pair::all_of(STACKS)
            .into_iter()
            .filter(|pair| pair.may_retry_connect())
            .map(|pair| pair.to_string())
            .collect();
        assert_eq!(retried, ["libutp:libutp"]);
    }
}
