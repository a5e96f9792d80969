//! Both engines do the same with a scenario: every step of every packet, every byte that a host
//! sends and receives, every event of a connection, and the record.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use utp_sim::packet::HostId;
use utp_sim::record::Record;
use utp_sim::run::run_tapped;
use utp_sim::scenario::{Engine, Scenario, parse};
use utp_sim::taps::{Direction, ProtocolEvent, Taps};
use utp_sim::time::Ns;
use utp_sim::trace;

/// All that can be seen of a run.
struct Seen {
    record: Record,
    packets: Vec<trace::Event>,
    /// What each host sent and received.
    datagrams: [Vec<(Ns, Direction, Vec<u8>)>; 2],
    protocol: [Vec<ProtocolEvent>; 2],
}

fn scenario(text: &str) -> Scenario {
    let text = format!("summary = \"A test.\"\n{text}");
    let mut file = parse("test.toml".as_ref(), &text).expect("the scenario is sound");
    file.variants.remove(0)
}

fn see(scenario: &Scenario, engine: Engine) -> Seen {
    let packets = Arc::new(Mutex::new(Vec::new()));
    let datagrams = Arc::new(Mutex::new([const { Vec::new() }; 2]));
    let protocol = Arc::new(Mutex::new([const { Vec::new() }; 2]));
    let (to_packets, to_datagrams) = (Arc::clone(&packets), Arc::clone(&datagrams));
    let to_protocol = Arc::clone(&protocol);
    let taps = Taps {
        packets: Some(Box::new(move |event| to_packets.lock().expect("one thread").push(*event))),
        datagrams: Some(Box::new(move |captured| {
            let payload = captured.datagram.payload.to_vec();
            to_datagrams.lock().expect("one thread")[captured.host.index()].push((
                captured.at,
                captured.direction,
                payload,
            ));
        })),
        protocol: Some(Box::new(move |event| {
            to_protocol.lock().expect("one thread")[event.host.index()].push(*event);
        })),
    };
    let scenario = Scenario { engine, ..scenario.clone() };
    let run = run_tapped(&scenario, &|_| {}, taps).expect("the run is sound");
    fn take<T: Debug>(shared: Arc<Mutex<T>>) -> T {
        Arc::into_inner(shared).expect("the run is over").into_inner().expect("one thread")
    }
    Seen {
        record: run.record,
        packets: take(packets),
        datagrams: take(datagrams),
        protocol: take(protocol),
    }
}

/// Fails with the first thing that differs.
fn assert_alike<T: PartialEq + Debug>(what: &str, turmoil: &[T], event: &[T]) {
    let first = turmoil.iter().zip(event).position(|(a, b)| a != b);
    if let Some(first) = first {
        let before = first.saturating_sub(3);
        panic!(
            "{what} {first} differs:\n turmoil {:#?}\n event   {:#?}\n after {:#?}",
            turmoil[first],
            event[first],
            &turmoil[before..first],
        );
    }
    assert_eq!(turmoil.len(), event.len(), "one engine has more of {what}");
}

/// Runs the scenario on both engines; what they agree on is returned.
fn assert_equal(text: &str) -> Record {
    let scenario = scenario(text);
    let turmoil = see(&scenario, Engine::Turmoil);
    let event = see(&scenario, Engine::Event);
    for host in HostId::ALL {
        let of = |seen: &Seen| seen.datagrams[host.index()].clone();
        assert_alike(&format!("datagram of {host:?}"), &of(&turmoil), &of(&event));
    }
    assert_alike("packet event", &turmoil.packets, &event.packets);
    for host in HostId::ALL {
        let of = |seen: &Seen| seen.protocol[host.index()].clone();
        let (turmoil, event) = (of(&turmoil), of(&event));
        assert!(turmoil.len() > 100);
        assert_alike(&format!("protocol event of {host:?}"), &turmoil, &event);
    }
    assert_eq!(turmoil.record, event.record);
    event.record
}

#[test]
fn a_transfer_over_a_clean_path_is_equal() {
    let record = assert_equal(
        r#"
        duration = "20s"
        stop_when_complete = true
        [link.uplink]
        rate = "10mbit"
        delay = "20ms"
        [[flow]]
        name = "file"
        kind = "utp"
        via = "uplink"
        bytes = 3_000_000
        "#,
    );
    assert_eq!(record.flows[0].sha256_ok, Some(true));
}

#[test]
fn loss_and_reordering_are_equal() {
    let record = assert_equal(
        r#"
        seed = 3
        duration = "60s"
        stop_when_complete = true
        [link.uplink]
        rate = "10mbit"
        delay = "20ms"
        queue = { kind = "droptail", bytes_max = 100_000 }
        loss = "1%"
        jitter = { max = "5ms", reorder = true }
        [link.downlink]
        rate = "10mbit"
        delay = "15ms"
        loss = "1%"
        [[flow]]
        name = "file"
        kind = "utp"
        via = "uplink"
        back = "downlink"
        bytes = 2_000_000
        "#,
    );
    assert!(record.flows[0].retransmissions > 10);
    assert_eq!(record.flows[0].sha256_ok, Some(true));
}

#[test]
fn flows_of_all_kinds_with_a_stop_in_mid_run_are_equal() {
    let record = assert_equal(
        r#"
        duration = "12s"
        [link.uplink]
        rate = "5mbit"
        delay = "10ms"
        queue = { kind = "droptail", bytes_max = 125_000 }
        [[flow]]
        name = "utp"
        kind = "utp"
        via = "uplink"
        start = "1s"
        stop = "8s"
        [[flow]]
        name = "strict"
        kind = "utp"
        controller = "rfc6817"
        via = "uplink"
        start = "500ms"
        [[flow]]
        name = "voice"
        kind = "cbr"
        rate = "64kbit"
        via = "uplink"
        [[flow]]
        name = "tcp"
        kind = "reno"
        via = "uplink"
        start = "4s"
        stop = "10s"
        [[flow]]
        name = "file"
        kind = "utp"
        via = "uplink"
        start = "2s"
        bytes = 100_000
        "#,
    );
    assert!(record.flows[4].completed_at.is_some());
    assert_eq!(record.flows[0].failures, 0);
}

#[test]
fn many_flows_that_start_together_are_equal() {
    let flows: String = (0..40)
        .map(|flow| {
            let (name, start) = (format!("f{flow}"), flow / 20);
            format!("[[flow]]\nname = \"{name}\"\nkind = \"utp\"\nvia = \"uplink\"\nstart = \"{start}s\"\n")
        })
        .collect();
    assert_equal(&format!(
        "seed = 5\nduration = \"4s\"\n[link.uplink]\nrate = \"20mbit\"\ndelay = \"10ms\"\n\
         queue = {{ kind = \"droptail\", bytes_max = 60_000 }}\n{flows}"
    ));
}

#[test]
fn a_fast_path_with_a_standing_queue_is_equal() {
    let record = assert_equal(
        r#"
        duration = "1500ms"
        [link.uplink]
        rate = "100mbit"
        delay = "5ms"
        queue = { kind = "droptail", bytes_max = 400_000 }
        [[flow]]
        name = "utp"
        kind = "utp"
        via = "uplink"
        "#,
    );
    assert!(record.flows[0].delivered_bytes.iter().sum::<u64>() > 10_000_000);
}

#[test]
fn packets_that_do_not_fit_a_link_are_equal() {
    let record = assert_equal(
        r#"
        duration = "15s"
        stop_when_complete = true
        [link.uplink]
        rate = "10mbit"
        delay = "20ms"
        mtu = { bytes = 1400, icmp = true }
        [link.tunnel]
        delay = "5ms"
        mtu = { bytes = 1300, icmp = false }
        [link.downlink]
        delay = "10ms"
        [[flow]]
        name = "file"
        kind = "utp"
        via = ["uplink", "tunnel"]
        back = "downlink"
        bytes = 2_000_000
        "#,
    );
    assert_eq!(record.flows[0].sha256_ok, Some(true));
}

#[test]
fn slow_applications_are_equal() {
    let record = assert_equal(
        r#"
        duration = "12s"
        [link.uplink]
        rate = "10mbit"
        delay = "20ms"
        [[flow]]
        name = "reader"
        kind = "utp"
        via = "uplink"
        read_rate = "2mbit"
        [[flow]]
        name = "writer"
        kind = "utp"
        via = "uplink"
        write_rate = "300kbit"
        [[at]]
        time = "4s"
        flow = "reader"
        read_rate = "0bit"
        [[at]]
        time = "7s"
        flow = "reader"
        read_rate = "unlimited"
        [[at]]
        time = "5s"
        flow = "writer"
        write_rate = "1mbit"
        "#,
    );
    let delivered = |flow: usize, from: usize, to: usize| {
        record.flows[flow].delivered_bytes[from..to].iter().sum::<u64>()
    };
    assert_eq!(delivered(0, 20, 40), 500_000, "2 Mbit/s");
    assert_eq!(delivered(0, 41, 70), 0);
    assert!(delivered(0, 80, 120) > 3_000_000);
    let slow = delivered(1, 10, 50);
    assert!((145_000..155_000).contains(&slow), "300 kbit/s, not {slow} bytes in 4 s");
    let fast = delivered(1, 60, 100);
    assert!((490_000..510_000).contains(&fast), "1 Mbit/s, not {fast} bytes in 4 s");
}

#[test]
fn clocks_that_drift_step_and_wrap_are_equal() {
    let record = assert_equal(
        r#"
        duration = "20s"
        [host.left]
        clock_offset = "4290s"
        clock_drift = "500ppm"
        [host.right]
        clock_drift = "-300ppm"
        [link.uplink]
        rate = "5mbit"
        delay = "20ms"
        queue = { kind = "droptail", bytes_max = 125_000 }
        [[flow]]
        name = "utp"
        kind = "utp"
        via = "uplink"
        [[at]]
        time = "10s"
        host = "right"
        clock_step = "3s"
        [[at]]
        time = "15s"
        host = "left"
        clock_drift = "0ppm"
        "#,
    );
    let delivered = record.flows[0].delivered_bytes[50..].iter().sum::<u64>();
    assert!(delivered > 7_000_000, "{delivered} bytes in 15 s");
    assert_eq!(record.flows[0].failures, 0);
}

#[test]
fn hosts_that_crash_and_come_back_are_equal() {
    let record = assert_equal(
        r#"
        duration = "18s"
        [link.uplink]
        rate = "2mbit"
        delay = "20ms"
        queue = { kind = "droptail", bytes_max = 60_000 }
        [[flow]]
        name = "endless"
        kind = "utp"
        via = "uplink"
        [[flow]]
        name = "file"
        kind = "utp"
        via = "uplink"
        bytes = 500_000
        start = "1s"
        [[at]]
        time = "3s"
        host = "right"
        event = "crash"
        [[at]]
        time = "4.0004s"
        host = "right"
        event = "restart"
        [[at]]
        time = "7s"
        host = "left"
        event = "crash"
        [[at]]
        time = "8s"
        host = "left"
        event = "restart"
        "#,
    );
    let [endless, file] = record.flows.as_slice() else { panic!("there are two") };
    assert_eq!((endless.connections, file.connections), (3, 3));
    assert_eq!((endless.failures, file.failures), (1, 1), "a crash of its own tells no sender");
    assert_eq!(file.sha256_ok, Some(true));
    assert!(file.completed_at.is_some_and(|at| at > Ns::from_secs(8)));
    let down = &endless.delivered_bytes[31..40];
    assert!(down.iter().all(|&bytes| bytes == 0));
}
