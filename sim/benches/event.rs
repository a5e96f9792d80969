//! How fast the event engine runs whole scenarios: the network model, two hosts, the protocol core
//! and the applications at its ends.
//!
//! What is printed counts simulated nanoseconds as elements: a flow of 100 Mbit/s is meant to run
//! at 40 times real time, which is 40 G elements per second. A hundred flows over one bottleneck
//! have as many packets as one. Idle connections cost ten looks a second at each.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::ops::ControlFlow;
use utp_sim::event::Engine;
use utp_sim::scenario::{Scenario, parse};
use utp_sim::taps::Taps;
use utp_sim::time::Ns;

fn scenario(rate: &str, flows: u32, keys: &str) -> Scenario {
    let text = format!(
        r#"
        summary = "A benchmark."
        duration = "{SECONDS}s"
        engine = "event"
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
    );
    let mut file = parse("bench.toml".as_ref(), &text).expect("the scenario is sound");
    file.variants.remove(0)
}

fn run(scenario: &Scenario) -> u64 {
    let mut engine = Engine::new(scenario, Taps::default());
    let end = scenario.duration;
    engine.run_until(end, end, &mut |_, _| ControlFlow::Continue(())).expect("time goes on");
    engine.finish().expect("every port is known").events
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
        group.bench_function(*name, |bencher| bencher.iter(|| black_box(run(scenario))));
    }
    group.finish();
}

/// Simulated time of a run.
const SECONDS: u64 = 4;

criterion_group!(benches, engine);
criterion_main!(benches);
