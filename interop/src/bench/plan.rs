//! What is measured, and of whom.

use utp_sim::scenario::{LinkConfig, Loss, Queue, Rate};
use utp_sim::time::Ns;

use crate::relay::Conditions;

/// A measurement.
#[derive(Debug, Clone)]
pub struct Bench {
    /// What it is called on the command line and in the results.
    pub name: &'static str,
    /// One line for a person.
    pub title: &'static str,
    pub(super) workload: Workload,
    /// Connections that are open at once.
    pub(super) streams: u32,
    /// UDP sockets of the side that accepts and of the one that connects.
    pub(super) sockets: [u32; 2],
    /// Payload of all streams, round trips or connections at the most.
    pub(super) amount: u64,
    /// When it is cut short, or how long it idles.
    pub(super) seconds: u32,
    /// Datagrams in a million that a relay loses each way, if there is one.
    pub(super) relay_loss_ppm: Option<u32>,
    /// The names of whom it is measured of.
    pub(super) of: &'static [&'static str],
}

/// What both sides do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Workload {
    Connects,
    Idle,
    Ping,
    Stream,
}

impl Workload {
    /// Its name on the command line of a side.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Connects => "connects",
            Self::Idle => "idle",
            Self::Ping => "ping",
            Self::Stream => "stream",
        }
    }
}

/// An implementation, or two that talk to each other.
#[derive(Debug)]
pub struct Implementation {
    /// What it is called on the command line and in the results.
    pub name: &'static str,
    /// The side that accepts and receives, and the one that connects and sends.
    pub(super) sides: [Side; 2],
}

/// A program, and what is other than by default.
#[derive(Debug, Clone, Copy)]
pub(super) struct Side {
    pub(super) program: &'static str,
    pub(super) set: &'static [&'static str],
}

impl Implementation {
    /// Whether its programs belong to this workspace.
    pub fn is_near(&self) -> bool {
        self.sides.iter().all(|side| NEAR.contains(&side.program))
    }
}

impl Bench {
    /// The same in seconds altogether: it shows that it runs, and nothing else.
    pub(super) fn quick(&self) -> Self {
        let few = |count: u32| count.min(20);
        Self {
            streams: few(self.streams),
            sockets: self.sockets.map(few),
            amount: match self.workload {
                Workload::Stream if self.relay_loss_ppm.is_some() => 256 << 10,
                Workload::Stream => 4 << 20,
                _ => 100,
            },
            seconds: 1,
            ..*self
        }
    }

    /// The path between the sides, if there is one.
    pub(super) fn conditions(&self) -> Option<Conditions> {
        Some(Conditions::symmetric(LinkConfig {
            rate: Rate::Constant(20_000_000),
            delay: Ns::from_millis(25),
            queue: Queue::Droptail { bytes_max: Some(256 << 10), packets_max: None },
            loss: Loss::Bernoulli(self.relay_loss_ppm?),
            ..LinkConfig::default()
        }))
    }
}

const fn side(program: &'static str, set: &'static [&'static str]) -> Side {
    Side { program, set }
}

/// An implementation with itself.
const fn alone(
    name: &'static str,
    program: &'static str,
    set: &'static [&'static str],
) -> Implementation {
    Implementation { name, sides: [side(program, set), side(program, set)] }
}

const fn pair(name: &'static str, from: &'static str, to: &'static str) -> Implementation {
    Implementation { name, sides: [side(to, &[]), side(from, &[])] }
}

const OURS: &str = "bench-utp-tokio";
const LIBUTP: &str = "bench-libutp";
const NEAR: [&str; 4] = [OURS, LIBUTP, "bench-tcp", "bench-udp"];

/// Everything that can be measured, ours first.
pub const IMPLEMENTATIONS: &[Implementation] = &[
    alone("utp-tokio", OURS, &[]),
    alone("utp-tokio, no offload", OURS, &["no-offload"]),
    alone("utp-tokio, system's buffers", OURS, &["os-buffers"]),
    alone("utp-tokio, libutp's law", OURS, &["libutp-law"]),
    pair("utp-tokio to libutp", OURS, LIBUTP),
    pair("libutp to utp-tokio", LIBUTP, OURS),
    alone("libutp", LIBUTP, &[]),
    alone("libutp, system's buffers", LIBUTP, &["os-buffers"]),
    alone("libutp, SYN above", LIBUTP, &["syn-above"]),
    alone("librqbit-utp", "bench-librqbit-utp", &[]),
    alone("utp-rs", "bench-utp-rs", &[]),
    alone("quinn", "bench-quinn", &[]),
    alone("tcp", "bench-tcp", &[]),
    alone("udp", "bench-udp", &[]),
    alone("udp, gso", "bench-udp", &["gso"]),
];

const THROUGHPUT: &[&str] = &[
    "utp-tokio",
    "utp-tokio, no offload",
    "utp-tokio, system's buffers",
    "utp-tokio to libutp",
    "libutp to utp-tokio",
    "libutp",
    "libutp, system's buffers",
    "librqbit-utp",
    "utp-rs",
    "quinn",
    "tcp",
    "udp",
    "udp, gso",
];
const STREAMS: &[&str] = &["utp-tokio", "libutp", "librqbit-utp", "utp-rs", "quinn", "tcp"];
const PING: &[&str] = &["utp-tokio", "libutp", "librqbit-utp", "utp-rs", "quinn", "tcp", "udp"];
const IDLE: &[&str] = &["utp-tokio", "libutp", "librqbit-utp", "utp-rs", "quinn"];
const RELAY: &[&str] = &[
    "utp-tokio",
    "utp-tokio, libutp's law",
    "libutp",
    "libutp, SYN above",
    "librqbit-utp",
    "utp-rs",
    "quinn",
];
const PEERS: &[&str] = &[
    "utp-tokio",
    "utp-tokio, no offload",
    "libutp",
    "librqbit-utp",
    "utp-rs",
    "quinn",
    "udp",
    "udp, gso",
];

const STREAM: Bench = Bench {
    name: "stream",
    title: "One stream, 256 MiB over loopback",
    workload: Workload::Stream,
    streams: 1,
    sockets: [1, 1],
    amount: 256 << 20,
    seconds: 20,
    relay_loss_ppm: None,
    of: THROUGHPUT,
};

const RELAYED: Bench = Bench { amount: 64 << 20, of: RELAY, ..STREAM };

/// Everything that is measured.
pub const BENCHES: &[Bench] = &[
    STREAM,
    Bench {
        name: "stream-4g",
        title: "One stream over loopback, up to 4 GiB or 15 s",
        amount: 4 << 30,
        seconds: 15,
        ..STREAM
    },
    Bench {
        name: "streams-16",
        title: "16 streams at once, 256 MiB over loopback",
        streams: 16,
        of: STREAMS,
        ..STREAM
    },
    Bench {
        name: "streams-1000",
        title: "1 000 streams at once, 256 MiB over loopback",
        streams: 1_000,
        of: STREAMS,
        ..STREAM
    },
    Bench {
        name: "peers-500",
        title: "One socket to 500 addresses, 256 MiB over loopback",
        streams: 500,
        sockets: [500, 1],
        of: PEERS,
        ..STREAM
    },
    Bench {
        name: "ping",
        title: "One byte there and back",
        workload: Workload::Ping,
        amount: 100_000,
        seconds: 3,
        of: PING,
        ..STREAM
    },
    Bench {
        name: "connects",
        title: "Connections with four bytes each way, one after the other",
        workload: Workload::Connects,
        amount: 20_000,
        seconds: 5,
        of: STREAMS,
        ..STREAM
    },
    Bench {
        name: "connects-100",
        title: "Connections with four bytes each way, 100 at once",
        workload: Workload::Connects,
        streams: 100,
        amount: 20_000,
        seconds: 5,
        of: STREAMS,
        ..STREAM
    },
    Bench {
        name: "idle-10k",
        title: "10 000 connections that idle",
        workload: Workload::Idle,
        streams: 10_000,
        sockets: [1, 8],
        seconds: 10,
        of: IDLE,
        ..STREAM
    },
    Bench {
        name: "idle-100k",
        title: "100 000 connections that idle",
        workload: Workload::Idle,
        streams: 100_000,
        sockets: [2, 16],
        seconds: 30,
        of: IDLE,
        ..STREAM
    },
    Bench {
        name: "relay-0",
        title: "20 Mbit/s, 50 ms, a buffer of 256 KiB",
        relay_loss_ppm: Some(0),
        ..RELAYED
    },
    Bench {
        name: "relay-1",
        title: "20 Mbit/s, 50 ms, a buffer of 256 KiB, 1 % lost each way",
        relay_loss_ppm: Some(10_000),
        ..RELAYED
    },
    Bench {
        name: "relay-3",
        title: "20 Mbit/s, 50 ms, a buffer of 256 KiB, 3 % lost each way",
        relay_loss_ppm: Some(30_000),
        ..RELAYED
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bench_names_implementations_that_there_are() {
        for bench in BENCHES {
            assert!(bench.of.contains(&"utp-tokio"), "{}", bench.name);
            for name in bench.of {
                let found = IMPLEMENTATIONS.iter().filter(|of| of.name == *name).count();
                assert_eq!(found, 1, "{name} of {}", bench.name);
            }
            let same = BENCHES.iter().filter(|other| other.name == bench.name).count();
            assert_eq!(same, 1, "{}", bench.name);
        }
    }
}
