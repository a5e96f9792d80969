//! What a shim may be unable to do.

use std::fmt;

/// Something that a conformance case may ask of a shim. What a shim lacks makes it skip the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// The command `abort`.
    Abort,
    /// The command `close`.
    Close,
    /// The mode `connect`.
    Connect,
    /// The option `--controller`.
    Controller,
    /// The options `--count` and `--parallel`.
    Count,
    /// The role `echo`.
    Echo,
    /// Errors that the UDP socket reports, such as a port that is unreachable, reach the stack.
    Icmp,
    /// The mode `listen`.
    Listen,
    /// The option `--local`.
    Local,
    /// The commands `pause` and `resume`.
    Pause,
    /// The option `--random-byte`.
    RandomByte,
    /// The command `read`.
    Read,
    /// The option `--rcvbuf`.
    ReceiveBuffer,
    /// The role `script`.
    Script,
    /// The option `--sndbuf`.
    SendBuffer,
    /// The command `shutdown`.
    Shutdown,
    /// The role `sink`.
    Sink,
    /// The role `source`.
    Source,
    /// The command `stats`.
    Stats,
    /// The command `write`.
    Write,
}

impl Ability {
    const NAMED: [(Self, &'static str); 20] = [
        (Self::Abort, "abort"),
        (Self::Close, "close"),
        (Self::Connect, "connect"),
        (Self::Controller, "controller"),
        (Self::Count, "count"),
        (Self::Echo, "echo"),
        (Self::Icmp, "icmp"),
        (Self::Listen, "listen"),
        (Self::Local, "local"),
        (Self::Pause, "pause"),
        (Self::RandomByte, "random-byte"),
        (Self::Read, "read"),
        (Self::ReceiveBuffer, "rcvbuf"),
        (Self::Script, "script"),
        (Self::SendBuffer, "sndbuf"),
        (Self::Shutdown, "shutdown"),
        (Self::Sink, "sink"),
        (Self::Source, "source"),
        (Self::Stats, "stats"),
        (Self::Write, "write"),
    ];

    /// The ability that is called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMED.iter().find(|(_, known)| *known == name).map(|(ability, _)| *ability)
    }

    /// The names of all abilities.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMED.iter().map(|(_, name)| *name)
    }

    /// What a role takes, by the word it begins with.
    pub fn of_role(role: &str) -> Option<Self> {
        ["echo", "script", "sink", "source"].contains(&role).then(|| Self::named(role)).flatten()
    }

    /// What an option takes, such as `--rcvbuf`. Options of all shims, and values, take nothing.
    pub fn of_option(option: &str) -> Option<Self> {
        match option {
            "--count" | "--parallel" => Some(Self::Count),
            "--controller" | "--local" | "--random-byte" | "--rcvbuf" | "--sndbuf" => {
                Self::named(&option[2..])
            }
            _ => None,
        }
    }

    /// What a command takes, by its first word. Every shim can `quit`.
    pub fn of_command(word: &str) -> Option<Self> {
        match word {
            "resume" => Some(Self::Pause),
            "abort" | "close" | "pause" | "read" | "shutdown" | "stats" | "write" => {
                Self::named(word)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMED.iter().find(|(ability, _)| ability == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ability_has_a_name_of_its_own() {
        for name in Ability::names() {
            assert_eq!(Ability::named(name).expect("named").to_string(), name);
        }
        assert_eq!(Ability::of_option("--rcvbuf"), Some(Ability::ReceiveBuffer));
        assert_eq!(Ability::of_option("65536"), None);
        assert_eq!(Ability::of_command("resume"), Some(Ability::Pause));
        assert_eq!(Ability::of_role("sink"), Some(Ability::Sink));
    }
}
