//! How fast the event engine runs whole scenarios: the network model, two hosts, the protocol core
//! and the applications at its ends.
//!
//! Two things are printed. A table has every figure of one run of this program next to the others,
//! in processor time, which other work on the machine disturbs little. What criterion says after it
//! is wall-clock time; it counts simulated nanoseconds as elements, so that 40 times real time is
//! 40 G elements per second. A hundred flows over one bottleneck have as many packets as one. Idle
//! connections cost ten looks a second at each.
//!
//! ```sh
//! cargo bench -p utp-sim --bench event
//! ```

mod table;

use criterion::{Criterion, Throughput, criterion_group};
use std::hint::black_box;
use std::ops::ControlFlow;
use utp_sim::event::Engine;
use utp_sim::run::Run;
use utp_sim::scenario::{Scenario, parse};
use utp_sim::taps::Taps;
use utp_sim::time::Ns;

fn scenario(rate: &str, flows: u32, keys: &str) -> Scenario {
    parsed(&format!(
        r#"
        [link.uplink]
        rate = "{rate}"
        delay = "10ms"
        queue = {{ kind = "droptail", bytes_max = 250_000 }}
        [[flow]]
        name = "flow"
        kind = "utp"
        via = "uplink"
        count = {flows}
        {keys}
        "#
    ))
}

fn parsed(text: &str) -> Scenario {
    let head = format!("summary = \"A benchmark.\"\nduration = \"{SECONDS}s\"\nengine = \"event\"");
    let text = format!("{head}\n{text}");
    let mut file = parse("bench.toml".as_ref(), &text).expect("the scenario is sound");
    file.variants.remove(0)
}

fn run(scenario: &Scenario) -> Run {
    let mut engine = Engine::new(scenario, Taps::default());
    let end = scenario.duration;
    engine.run_until(end, end, &mut |_, _| ControlFlow::Continue(())).expect("time goes on");
    engine.finish().expect("every port is known")
}

fn engine(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("event");
    group.sample_size(10).throughput(Throughput::Elements(Ns::from_secs(SECONDS).0));
    let cases = [
        ("one flow at 100 Mbit/s", scenario("100mbit", 1, "")),
        ("a hundred flows at 100 Mbit/s", scenario("100mbit", 100, "")),
        ("one flow at 10 Mbit/s", scenario("10mbit", 1, "")),
        ("a hundred idle flows", scenario("100mbit", 100, "write_rate = \"0bit\"")),
    ];
    for (name, scenario) in &cases {
        group.bench_function(*name, |bencher| bencher.iter(|| black_box(run(scenario).events)));
    }
    group.finish();
}

/// Simulated time of a run.
const SECONDS: u64 = 4;

criterion_group!(benches, engine);

fn main() {
    // Tests of the benchmarks only look whether they run.
    let measures = std::env::args().any(|arg| arg == "--bench");
    print!("{}", table::table(if measures { ROUNDS } else { 1 }));
    benches();
    Criterion::default().configure_from_args().final_summary();
}

/// Runs of every scenario; the fastest of them counts.
const ROUNDS: usize = 9;
