//! The figures of one run side by side: packets per second of the network alone, how much faster
//! than real time flows of the protocol core are, and what more flows cost.

use super::{parsed, run, scenario};
use std::fmt::Write;
use std::time::{Duration, Instant};
use utp_sim::run::Run;
use utp_sim::scenario::Scenario;

/// A scenario and the fastest of its runs.
struct Row {
    name: &'static str,
    scenario: Scenario,
    /// What it is compared with, if it is the same work done by more.
    base: Option<usize>,
    run: Option<Run>,
    cpu: Duration,
    wall: Duration,
}

/// Runs everything `rounds` times, one after the other so that what disturbs one row disturbs all.
pub(super) fn table(rounds: usize) -> String {
    let mut rows = rows();
    for _ in 0..rounds {
        for row in &mut rows {
            let (cpu, wall) = (cpu_time(), Instant::now());
            row.run = Some(run(&row.scenario));
            row.wall = row.wall.min(wall.elapsed());
            row.cpu = row.cpu.min(cpu_time().saturating_sub(cpu));
        }
    }
    print(&rows)
}

fn rows() -> Vec<Row> {
    let fifo = "kind = \"droptail\", bytes_max = 1_000_000";
    let row = |name, scenario, base| Row {
        name,
        scenario,
        base,
        run: None,
        cpu: Duration::MAX,
        wall: Duration::MAX,
    };
    vec![
        row("network alone: droptail", network(1, fifo), None),
        row("network alone: codel", network(1, "kind = \"codel\""), None),
        row("network alone: fq-codel", network(1, "kind = \"fq-codel\""), None),
        row("network alone: pie", network(1, "kind = \"pie\""), None),
        row("network alone: three links", network(3, fifo), None),
        row("1 uTP flow at 100 Mbit/s", scenario("100mbit", 1, ""), None),
        row("10 uTP flows at 100 Mbit/s", scenario("100mbit", 10, ""), Some(5)),
        row("100 uTP flows at 100 Mbit/s", scenario("100mbit", 100, ""), Some(5)),
    ]
}

/// Twenty flows that send in step, so that bursts of twenty packets queue.
fn network(links: usize, queue: &str) -> Scenario {
    let names: Vec<String> = (0..links).map(|link| format!("link-{link}")).collect();
    let mut text = String::new();
    for name in &names {
        let keys = "rate = \"1gbit\"\ndelay = \"25ms\"";
        let written = writeln!(text, "[link.{name}]\n{keys}\nqueue = {{ {queue} }}");
        written.expect("a string takes all");
    }
    let keys = "kind = \"cbr\"\nrate = \"44800kbit\"\ninterval = \"250us\"\ncount = 20";
    parsed(&format!("{text}[[flow]]\nname = \"flow\"\nvia = {names:?}\n{keys}"))
}

fn print(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<30}{:>9}{:>9}{:>9}{:>11}{:>11}{:>10}{:>11}{:>10}\n",
        "",
        "CPU ms",
        "wall ms",
        "x real",
        "packets/s",
        "events/s",
        "ns/event",
        "ns/packet",
        "to 1 flow"
    );
    for row in rows {
        let Some(run) = &row.run else { continue };
        let cpu_s = row.cpu.as_secs_f64().max(1e-9);
        let per_packet = |row: &Row| {
            let packets = row.run.as_ref().map_or(0, |run| run.packets);
            row.cpu.as_secs_f64() * 1e9 / packets.max(1) as f64
        };
        let ratio = row.base.map(|base| per_packet(row) / per_packet(&rows[base]));
        let written = writeln!(
            text,
            "{:<30}{:>9.1}{:>9.1}{:>9.0}{:>9.2} M{:>9.2} M{:>10.0}{:>11.0}{:>10}",
            row.name,
            cpu_s * 1e3,
            row.wall.as_secs_f64() * 1e3,
            run.record.duration.as_secs_f64() / cpu_s,
            run.packets as f64 / cpu_s / 1e6,
            run.events as f64 / cpu_s / 1e6,
            cpu_s * 1e9 / run.events as f64,
            per_packet(row),
            ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        );
        written.expect("a string takes all");
    }
    text
}

/// Time that this thread has had a processor.
#[cfg(unix)]
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Wall-clock time, where that is all there is.
#[cfg(not(unix))]
fn cpu_time() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
