//! What figures should be, as ratios within one run.

/// A figure, by bench, implementation and key.
type Figure = (&'static str, &'static str, &'static str);

/// What a figure, or its ratio to another, should be.
pub(super) struct Goal {
    pub(super) what: &'static str,
    pub(super) of: Figure,
    pub(super) over: Option<Figure>,
    pub(super) value: f64,
    /// Whether more is better.
    pub(super) at_least: bool,
}

const fn at_least(what: &'static str, of: Figure, over: Figure, value: f64) -> Goal {
    Goal { what, of, over: Some(over), value, at_least: true }
}

const fn at_most(what: &'static str, of: Figure, over: Figure, value: f64) -> Goal {
    Goal { what, of, over: Some(over), value, at_least: false }
}

const fn below(what: &'static str, of: Figure, value: f64) -> Goal {
    Goal { what, of, over: None, value, at_least: false }
}

const OURS: &str = "utp-tokio";
const LAW: &str = "utp-tokio, libutp's law";

const fn speed(implementation: &'static str) -> Figure {
    ("stream", implementation, "mb_per_s")
}

const fn goodput(bench: &'static str, implementation: &'static str) -> Figure {
    (bench, implementation, "mbit_per_s")
}

/// Everything that is asked for.
pub(super) const GOALS: &[Goal] = &[
    at_least("ours over libutp", speed(OURS), speed("libutp"), 6.0),
    at_least("ours over TCP", speed(OURS), speed("tcp"), 1.0),
    at_least("ours to libutp over libutp", speed("utp-tokio to libutp"), speed("libutp"), 1.0),
    at_least("libutp to ours over libutp", speed("libutp to utp-tokio"), speed("libutp"), 1.0),
    at_least(
        "ours without offload over libutp",
        speed("utp-tokio, no offload"),
        speed("libutp"),
        1.1,
    ),
    at_least(
        "ours over libutp, both with the system's buffers",
        speed("utp-tokio, system's buffers"),
        speed("libutp, system's buffers"),
        20.0,
    ),
    at_most(
        "sender's CPU over libutp's",
        ("stream", OURS, "sender_cpu_s_per_gib"),
        ("stream", "libutp", "sender_cpu_s_per_gib"),
        0.2,
    ),
    at_most(
        "receiver's CPU over libutp's",
        ("stream", OURS, "receiver_cpu_s_per_gib"),
        ("stream", "libutp", "receiver_cpu_s_per_gib"),
        0.2,
    ),
    at_least("1 000 streams over one", ("streams-1000", OURS, "mb_per_s"), speed(OURS), 0.7),
    at_least(
        "ours over UDP, one datagram a call",
        ("peers-500", OURS, "mb_per_s"),
        ("peers-500", "udp", "mb_per_s"),
        1.5,
    ),
    at_most("p50 over UDP's", ("ping", OURS, "p50_us"), ("ping", "udp", "p50_us"), 1.5),
    at_most(
        "p50 over librqbit-utp's",
        ("ping", OURS, "p50_us"),
        ("ping", "librqbit-utp", "p50_us"),
        0.7,
    ),
    at_least(
        "ours over libutp",
        ("connects-100", OURS, "connects_per_s"),
        ("connects-100", "libutp", "connects_per_s"),
        2.0,
    ),
    below("bytes of a connection, acceptor", ("idle-10k", OURS, "acceptor_bytes"), 2_048.0),
    below("bytes of a connection, initiator", ("idle-10k", OURS, "initiator_bytes"), 2_048.0),
    below("CPU %, acceptor", ("idle-100k", OURS, "acceptor_cpu_percent"), 1.0),
    below("CPU %, initiator", ("idle-100k", OURS, "initiator_cpu_percent"), 1.0),
    at_least("ours over libutp", goodput("relay-1", OURS), goodput("relay-1", "libutp"), 1.5),
    at_least(
        "libutp's law over libutp",
        goodput("relay-1", LAW),
        goodput("relay-1", "libutp"),
        1.0,
    ),
    at_least(
        "libutp's law over libutp, SYN above",
        goodput("relay-1", LAW),
        goodput("relay-1", "libutp, SYN above"),
        3.0,
    ),
    at_least("ours over libutp", goodput("relay-3", OURS), goodput("relay-3", "libutp"), 1.5),
    at_least(
        "libutp's law over libutp",
        goodput("relay-3", LAW),
        goodput("relay-3", "libutp"),
        1.0,
    ),
    at_least(
        "libutp's law over libutp, SYN above",
        goodput("relay-3", LAW),
        goodput("relay-3", "libutp, SYN above"),
        3.0,
    ),
    at_most(
        "queue over libutp's",
        ("relay-0", OURS, "queue_p95_ms"),
        ("relay-0", "libutp", "queue_p95_ms"),
        1.0,
    ),
];

#[cfg(test)]
mod tests {
    use super::super::plan::BENCHES;
    use super::*;

    #[test]
    fn goals_are_about_what_is_measured() {
        for goal in GOALS {
            for (bench, implementation, _) in [Some(goal.of), goal.over].into_iter().flatten() {
                let bench = BENCHES.iter().find(|of| of.name == bench).expect("a bench");
                assert!(bench.of.contains(&implementation), "{}: {implementation}", goal.what);
            }
        }
    }
}
