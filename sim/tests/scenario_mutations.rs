//! Whatever is done to a valid scenario file, it is read or refused, and never makes a panic.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use utp_sim::scenario::{Engine, parse};

/// Files that together have every key.
const FILES: [&str; 4] = [
    include_str!("../../scenarios/bufferbloat.toml"),
    include_str!("../../scenarios/jitter.toml"),
    include_str!("../../scenarios/loss.toml"),
    r#"summary = "Everything else."
seed = 7
duration = "60s"
engine = "event"
timers = "exact"
[host.left]
clock_offset = "4294s"
clock_drift = "-500ppm"
[link.up]
rate = { schedule = [["0s", "20mbit"], ["10s", "5mbit"]], repeat = "70s" }
delay = "25ms"
state = "up"
mtu = { bytes = 1280, icmp = true }
loss = { to_bad = "1%", to_good = "25%", loss_good = "0%", loss_bad = "50%" }
policer = { rate = "5mbit", burst_bytes = "15kB" }
queue = { kind = "codel", target = "5ms", interval = "100ms", bytes_max = 125_000 }
aggregation = { hold_min = "1ms", hold_max = "8ms", gap_min = "2ms", gap_max = "20ms" }
jitter = { max = "3ms", reorder = true }
reorder = { share = "2%", delay = "10ms" }
corrupt = { header = "0.1%", payload = "0.2%" }
duplicate = "1%"
[link.down]
delay = "5us"
rate = "1gbit"
loss = { list = [3, 17] }
queue = { kind = "fq-codel", quantum = 300, flows = 16, packets_max = 100 }
[[flow]]
name = "bulk"
kind = "utp"
controller = "rfc6817"
via = ["up", "down"]
back = "down"
start = "1s"
start_jitter = "500ms"
count = 3
stagger = "5s"
write_rate = "64kbit"
read_rate = "unlimited"
lie = { ratchet = "10ms" }
[[flow]]
name = "web"
kind = "request-response"
via = "up"
request_bytes = 300
response_bytes = "20kB"
think = "500ms"
[[flow]]
name = "talk"
kind = "on-off"
via = "up"
rate = "64kbit"
interval = "10ms"
on = "1s"
off = "2s"
random = true
[[at]]
time = "20s"
link = "up"
state = "down"
[[at]]
time = "10s"
link = "up"
queue = { kind = "pie", target = "15ms", update = "15ms", burst = "150ms" }
[[at]]
time = "30s"
host = "right"
event = "crash"
[[at]]
time = "31s"
host = "right"
event = "restart"
[[at]]
time = "32s"
host = "left"
clock_step = "-2s"
[[at]]
time = "33s"
flow = "bulk-2"
nat_rebind = true
[sweep]
"link.up.queue.bytes_max" = [60_000, "125kB"]
"flow.bulk.controller" = ["utp", "libutp"]
[[expect]]
metric = "flows.web.share"
window = "1s..20s"
min = 0.1
when = { "flow.bulk.controller" = "utp" }
[variant.calm]
without = ["talk"]
at = []
[variant.calm.flow.web]
kind = "reno"
"#,
];

/// What values are replaced by: some of every type, and what lies at its ends or beyond.
const VALUES: [&str; 34] = [
    "0",
    "-1",
    "1",
    "18446744073709551615",
    "99999999999999999999999",
    "0x7fff",
    "1.5",
    "nan",
    "inf",
    "true",
    "false",
    "\"\"",
    "\"0s\"",
    "\"1ns\"",
    "\"1us\"",
    "\"86400s\"",
    "\"60s\"",
    "\"18446744073s\"",
    "\"0bit\"",
    "\"1bit\"",
    "\"18446744073gbit\"",
    "\"0%\"",
    "\"100%\"",
    "\"-10000ppm\"",
    "\"up\"",
    "\"bulk\"",
    "\"utp\"",
    "\"fixed:1\"",
    "[]",
    "{}",
    "[[]]",
    "[[\"0s\"]]",
    "[\"up\"]",
    "1979-05-27",
];

/// One change of a text.
#[derive(Clone, Debug)]
enum Mutation {
    /// Characters are left out.
    Cut { at: usize, length: usize },
    /// A character is put in.
    Insert { at: usize, what: char },
    /// A line is left out.
    Drop { line: usize },
    /// A line is put elsewhere as well.
    Copy { line: usize, to: usize },
    /// The value of a line becomes another.
    Value { line: usize, value: usize },
    /// The value of a line becomes that of another line.
    Swap { line: usize, other: usize },
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let any = || 0..4_000_usize;
    let what = prop::sample::select("\"[]{}=,.#-0159smk%\n\u{e9}\u{0}".chars().collect::<Vec<_>>());
    prop_oneof![
        (any(), 1..20_usize).prop_map(|(at, length)| Mutation::Cut { at, length }),
        (any(), what).prop_map(|(at, what)| Mutation::Insert { at, what }),
        any().prop_map(|line| Mutation::Drop { line }),
        (any(), any()).prop_map(|(line, to)| Mutation::Copy { line, to }),
        (any(), any()).prop_map(|(line, value)| Mutation::Value { line, value }),
        (any(), any()).prop_map(|(line, other)| Mutation::Swap { line, other }),
    ]
}

impl Mutation {
    fn apply(&self, text: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if chars.is_empty() || lines.is_empty() {
            return text.to_owned();
        }
        let (of_chars, of_lines) = (chars.len(), lines.len());
        match *self {
            Self::Cut { at, length } => {
                let from = at % of_chars;
                chars.drain(from..of_chars.min(from + length));
                return chars.into_iter().collect();
            }
            Self::Insert { at, what } => {
                chars.insert(at % of_chars, what);
                return chars.into_iter().collect();
            }
            Self::Drop { line } => drop(lines.remove(line % of_lines)),
            Self::Copy { line, to } => {
                let copy = lines[line % of_lines].clone();
                lines.insert(to % of_lines, copy);
            }
            Self::Value { line, value } => {
                replace(&mut lines[line % of_lines], VALUES[value % VALUES.len()]);
            }
            Self::Swap { line, other } => {
                let other = lines[other % of_lines].clone();
                if let Some((_, value)) = other.split_once(" = ") {
                    replace(&mut lines[line % of_lines], value);
                }
            }
        }
        lines.join("\n") + "\n"
    }
}

/// Replaces what stands behind the `=` of a line.
fn replace(line: &mut String, value: &str) {
    if let Some((key, _)) = line.clone().split_once('=') {
        *line = format!("{key}= {value}");
    }
}

#[test]
fn the_files_are_valid() {
    for text in FILES {
        parse("m.toml".as_ref(), text).unwrap_or_else(|error| panic!("{error}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1_500,
        rng_seed: RngSeed::Fixed(29),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_mutated_file_is_read_or_refused_at_one_of_its_lines(
        file in 0..FILES.len(),
        mutations in prop::collection::vec(mutation(), 1..4),
    ) {
        let text = mutations.iter().fold(FILES[file].to_owned(), |text, m| m.apply(&text));
        match parse("m.toml".as_ref(), &text) {
            Ok(file) => for scenario in &file.variants {
                prop_assert!(scenario.check_engine(scenario.engine).is_ok());
                prop_assert!(scenario.check_engine(Engine::Event).is_ok());
                prop_assert!(scenario.changes.is_sorted_by_key(|change| change.at));
                prop_assert!(scenario.changes.iter().all(|change| change.at < scenario.duration));
                for flow in 0..scenario.flows.len() {
                    prop_assert!(scenario.start_of(flow) < scenario.duration);
                }
            },
            Err(error) => {
                prop_assert!((1..=text.lines().count().max(1) + 1).contains(&error.line), "{}", error);
                prop_assert!(!error.problem.is_empty());
            }
        }
    }
}
