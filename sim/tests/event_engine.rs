//! What only the event engine can do: exact timers, short paths, hosts that stand still, long runs.

use utp_sim::record::Record;
use utp_sim::run::run;
use utp_sim::scenario::{Engine, Scenario, Timers, parse};
use utp_sim::time::Ns;

fn scenario(text: &str) -> Scenario {
    let text = format!("summary = \"A test.\"\nengine = \"event\"\n{text}");
    let mut file = parse("test.toml".as_ref(), &text).expect("the scenario is sound");
    let scenario = file.variants.remove(0);
    assert_eq!(scenario.engine, Engine::Event);
    scenario
}

fn run_silently(scenario: &Scenario) -> Record {
    run(scenario, &|_| {}).expect("the run is sound")
}

#[test]
fn a_local_network_is_filled_over_a_path_of_tenths_of_a_millisecond() {
    let record = run_silently(&scenario(
        r#"
        duration = "10s"
        stop_when_complete = true
        timers = "exact"
        [link.lan]
        rate = "1gbit"
        delay = "100us"
        queue = { kind = "droptail", bytes_max = 1_000_000 }
        [[flow]]
        name = "copy"
        kind = "utp"
        via = "lan"
        bytes = 10_000_000
        "#,
    ));
    let copy = &record.flows[0];
    assert_eq!(copy.sha256_ok, Some(true));
    // 10 MB take 0.08 s at 1 Gbit/s; the first round trips cost a little.
    let completed_at = copy.completed_at.expect("it completed");
    assert!(completed_at < Ns::from_millis(500), "{completed_at}");
    assert!(copy.rtt_us.iter().all(|&(_, us)| us >= 200));
}

#[test]
fn exact_timers_are_not_those_of_tokio() {
    let mut scenario = scenario(
        r#"
        duration = "5s"
        [link.uplink]
        rate = "3mbit"
        delay = "7ms"
        loss = "1%"
        [[flow]]
        name = "utp"
        kind = "utp"
        via = "uplink"
        "#,
    );
    let rounded = run_silently(&scenario);
    assert_eq!(run_silently(&scenario), rounded);
    scenario.timers = Timers::Exact;
    let exact = run_silently(&scenario);
    assert_eq!(run_silently(&scenario), exact);
    assert_ne!(exact.trace_hash, rounded.trace_hash);
}

#[test]
fn a_transfer_that_takes_no_time_is_refused() {
    let mut scenario = scenario(
        r#"
        duration = "10s"
        [link.nothing]
        delay = "1us"
        [[flow]]
        name = "utp"
        kind = "utp"
        via = "nothing"
        "#,
    );
    scenario.links[0].config.delay = Ns::ZERO;
    let error = run(&scenario, &|_| {}).expect_err("it would never end");
    assert!(error.to_string().contains("without end"), "{error}");
}

#[test]
fn a_host_that_stands_still_goes_on_with_its_connections() {
    let record = run_silently(&scenario(
        r#"
        duration = "30s"
        [link.uplink]
        rate = "5mbit"
        delay = "20ms"
        queue = { kind = "droptail", bytes_max = 60_000 }
        [[flow]]
        name = "utp"
        kind = "utp"
        via = "uplink"
        [[at]]
        time = "5s"
        host = "right"
        event = "pause"
        [[at]]
        time = "8s"
        host = "right"
        event = "resume"
        [[at]]
        time = "15s"
        host = "left"
        event = "pause"
        [[at]]
        time = "16500ms"
        host = "left"
        event = "resume"
        "#,
    ));
    let flow = &record.flows[0];
    assert_eq!((flow.connections, flow.failures), (1, 0), "{:?}", flow.errors);
    let delivered = |from: usize, to: usize| flow.delivered_bytes[from..to].iter().sum::<u64>();
    assert_eq!((delivered(50, 80), delivered(153, 165)), (0, 0));
    assert!(delivered(110, 150) > 1_200_000, "{}", delivered(110, 150));
    assert!(delivered(200, 300) > 3_000_000, "{}", delivered(200, 300));
}

#[test]
fn nothing_happens_when_stamps_wrap() {
    let mut scenario = scenario(
        r#"
        duration = "20s"
        [link.uplink]
        rate = "5mbit"
        delay = "20ms"
        [[flow]]
        name = "utp"
        kind = "utp"
        via = "uplink"
        "#,
    );
    let offsets_us = |scenario: &mut Scenario, left, right| {
        scenario.hosts[0].clock_offset_us = Some(left);
        scenario.hosts[1].clock_offset_us = Some(right);
    };
    offsets_us(&mut scenario, 1_000_000_000, 1_000_000_000);
    let even = run_silently(&scenario);
    // The left clock wraps after 5 s, the right one after 12 s.
    offsets_us(&mut scenario, (1 << 32) - 5_000_000, (1 << 32) - 12_000_000);
    assert_eq!(run_silently(&scenario), even);
    let base_delays = &even.flows[0].base_delay_us;
    assert!(base_delays.len() > 150);
    for &(at, us) in base_delays {
        assert!((20_000..25_000).contains(&us), "{us} at {at}");
    }
}

#[test]
fn a_day_on_a_slow_line_is_kept_whole() {
    let record = run_silently(&scenario(
        r#"
        duration = "1440min"
        [link.modem]
        rate = "28kbit"
        delay = "80ms"
        queue = { kind = "droptail", bytes_max = 16_000 }
        [[flow]]
        name = "seed"
        kind = "utp"
        via = "modem"
        "#,
    ));
    let flow = &record.flows[0];
    let bytes = flow.delivered_bytes.iter().sum::<u64>();
    // 28 kbit/s are 302 MB a day. A full packet alone takes longer than the target of the law, so
    // that the line is not always busy.
    assert!((150_000_000..302_000_000).contains(&bytes), "{bytes} bytes in a day");
    assert_eq!((flow.connections, flow.failures), (1, 0));
    assert_eq!(record.links[0].queue_delay_us.len(), 8_640_000);
}
