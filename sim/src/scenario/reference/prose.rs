//! What the reference says beside the tables of keys: examples, and what names stand for.

pub(super) const BEGINNING: &str = "\
# Scenario files

<!-- Made by `cargo run -p utp-sim -- keys > scenarios/README.md`; do not edit. -->

A scenario file says which links there are, which flows cross them, what happens to them, and what
must hold. `cargo xtask simulate FILE` runs it.

```toml
summary  = \"A uTP upload leaves a voice call alone.\"
duration = \"60s\"

[link.uplink]
rate  = \"10mbit\"
delay = \"25ms\"
queue = { kind = \"droptail\", bytes_max = 1_250_000 }

[[flow]]
name = \"upload\"
kind = \"utp\"
via  = \"uplink\"

[[flow]]
name = \"call\"
kind = \"cbr\"
rate = \"64kbit\"
via  = \"uplink\"

[[expect]]
metric = \"flows.call.one_way_delay_ms.p95\"
window = \"15s..60s\"
max    = 140
```

Whatever could not be meant is refused with its line, the value given and the values allowed:
unknown keys, values out of their range, and keys that contradict each other.
";

pub(super) const GENERAL: &str = "\
Names of links, flows and variants have 1 to 24 of the characters A-Z, a-z, 0-9, - and _.
";

pub(super) const HOST: &str = "\
There are two hosts, and every flow goes from the left one to the right one. Only uTP flows notice
the clocks, in the time stamps of their packets.
";

pub(super) const LINK: &str = "\
A packet meets the elements of a link in this order: `state`, `mtu`, `loss`, `policer`, `queue`,
`rate`, `aggregation`, `delay` and `jitter`, `reorder`, `corrupt`, `duplicate`. A link carries
packets in one direction; flows in both directions take two links.

```toml
[link.wifi]
rate        = { schedule = [[\"0s\", \"40mbit\"], [\"10s\", \"8mbit\"]], repeat = \"20s\" }
delay       = \"3ms\"
queue       = { kind = \"fq-codel\" }
loss        = { to_bad = \"0.1%\", to_good = \"20%\", loss_bad = \"50%\" }
aggregation = { hold_min = \"1ms\", hold_max = \"8ms\", gap_min = \"2ms\", gap_max = \"20ms\" }
```
";

pub(super) const FLOW: &str = "\
Each kind has keys of its own, in the tables below. Flows of the kind utp run the shipped stack on
the hosts; all others are models within the network.

```toml
[[flow]]
name       = \"seeds\"           # seeds-1 to seeds-5
kind       = \"utp\"
controller = \"rfc6817\"
via        = [\"lan\", \"uplink\"]
back       = \"downlink\"
count      = 5
stagger    = \"10s\"
```
";

pub(super) const CONTROLLER: &str = "\
The controllers of utp flows are those of the crate `utp-ledbat`, which explains them:
";

pub(super) const AT: &str = "\
Each table is one thing that happens, at a time and to one link, host or utp flow. A change of a
link gives any of the keys of a link anew and leaves all others as they are at that time; what
waits in its queue and what is on its way stays.

```toml
[[at]]
time  = \"30s\"
link  = \"uplink\"
delay = \"80ms\"                  # another route

[[at]]
time  = \"60s\"
host  = \"right\"
event = \"crash\"

[[at]]
time      = \"90s\"
flow      = \"upload\"
read_rate = \"0bit\"              # the receiver stops reading
```

Every table has a time:
";

pub(super) const PHASE: &str = "\
Spans to mark in the plots, beside those in which flows come or go.
";

pub(super) const EXPECT: &str = "\
Each table bounds one metric. Those at the top level are about the base scenario, and each variant
has its own. One that does not hold makes the exit status 1.
";

pub(super) const METRIC: &str = "\
STATISTIC is one of `mean`, `p50`, `p95`, `p99` and `max`. A metric that was not measured, such as
the completion of a transfer that did not complete, meets no bound.
";

pub(super) const VARIANT: &str = "\
A variant is the whole file again with its own keys laid over it; there can be up to nine. It can
change all general keys but `summary`, `sweep` and `variant`. `[variant.NAME.link.LINK]`,
`[variant.NAME.host.HOST]` and `[variant.NAME.flow.FLOW]` change single keys of a link, host or
flow. `[[variant.NAME.at]]` and `[[variant.NAME.phase]]` stand for all those of the base, and `at
= []` for none. Changes of flows that the variant leaves out are left out too.

```toml
[variant.codel.link.uplink]
queue = { kind = \"codel\" }

[variant.alone]
without = [\"call\"]

[[variant.alone.expect]]
metric = \"links.uplink.utilisation\"
min    = 0.95
```
";

pub(super) const SWEEP: &str = "
## `[sweep]`

Lists of values for single keys: every variant runs at every combination, up to 1000 runs. A key
is one of `duration`, `stop_when_complete`, `engine` and `timers`, or a key of a link, host or
flow, or a key of a table in one of these. The file has to make sense without its sweep. With
`when` an expectation is about some points only.

```toml
[sweep]
\"link.uplink.delay\"           = [\"5ms\", \"20ms\", \"80ms\"]
\"link.uplink.queue.bytes_max\" = [\"125kB\", \"1250kB\"]

[[expect]]
metric = \"links.uplink.queue_delay_ms.p95\"
max    = 110
when   = { \"link.uplink.queue.bytes_max\" = \"1250kB\" }
```
";

/// What the name of a metric, without its subject and statistic, stands for.
pub(super) const METRICS: [(&str, &str); 22] = [
    (
        "base_error_ms",
        "Distance between the base delay that the controller assumes and the propagation delay of \
         the path; the time to transmit a packet is a part of it.",
    ),
    ("bytes_delivered", "Payload bytes that reached the receiving application."),
    ("completed_s", "Seconds from the start of the run to the last byte of the transfer."),
    ("dropped_packets", "Packets that the queue or the policer dropped."),
    (
        "drops",
        "Packets dropped or lost for one REASON: `aqm`, `corrupt`, `down`, `loss`, `mtu`, `nat`, \
         `policer` or `queue_full`.",
    ),
    ("failures", "Connections that ended with an error before they were through."),
    (
        "goodput_mbps",
        "Payload megabits per second that reached the receiving application; without a window over \
         the time in which the flow was active.",
    ),
    (
        "jain",
        "Jain's index of fairness of what the bulk flows delivered: 1 when all had the same. For two \
         or more of them.",
    ),
    (
        "longest_stall_s",
        "The longest time without a byte for the receiving application while the flow was active, in \
         steps of 0.1 s.",
    ),
    ("lost_packets", "Packets lost on the link before its queue."),
    ("one_way_delay_ms", "Delay of delivered packets from sender to receiver."),
    ("queue_delay_ms", "Time that a packet arriving at the link would wait."),
    ("queuing_delay_ms", "Queueing delay of the path as the sender's controller sees it."),
    ("response_ms", "Time from a request to the last byte of its response."),
    ("retransmissions", "Packets sent again."),
    ("rtt_ms", "Smoothed round-trip time as the sender sees it."),
    ("sha256_ok", "1 when what arrived is what was sent, 0 when not."),
    ("share", "Part of the bytes that all flows together delivered, 0 to 1."),
    ("spurious_retransmissions", "Packets sent again although the first had arrived."),
    ("timeouts", "Retransmission timeouts."),
    ("utilisation", "Part of the time in which the transmitter of a link with a rate was busy."),
    ("window_bytes", "Congestion window of the sender, sampled every 100 ms."),
];

/// What the name of a controller stands for.
pub(super) const CONTROLLERS: [(&str, &str); 9] = [
    ("utp", "The default: the law of libutp with all guards on."),
    ("libutp", "The law that nearly all peers run, with guards."),
    ("libutp-strict", "libutp as it is, without guards."),
    ("rfc6817", "The law of RFC 6817, with guards."),
    ("rfc6817-strict", "RFC 6817 to the letter, without guards."),
    ("ledbat++", "LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus)."),
    ("loss-only", "Reno's law: it looks at losses only."),
    ("cubic", "CUBIC (RFC 9438)."),
    ("fixed:N", "A constant window of N bytes."),
];

/// A scenario that has every metric.
pub(super) const EVERY_METRIC: &str = r#"
summary  = "Every kind of flow."
duration = "1s"
[link.any]
rate  = "10mbit"
delay = "10ms"
[[flow]]
name  = "utp"
kind  = "utp"
via   = "any"
bytes = 1
[[flow]]
name  = "reno"
kind  = "reno"
via   = "any"
bytes = 1
[[flow]]
name  = "cubic"
kind  = "cubic"
via   = "any"
bytes = 1
[[flow]]
name  = "cbr"
kind  = "cbr"
via   = "any"
rate  = "64kbit"
[[flow]]
name  = "on-off"
kind  = "on-off"
via   = "any"
rate  = "64kbit"
on    = "1s"
off   = "1s"
[[flow]]
name  = "request-response"
kind  = "request-response"
via   = "any"
request_bytes  = 1
response_bytes = 1
"#;
