//! The keys of links.

use super::*;

#[test]
fn every_key_of_a_link_reaches_the_model() {
    let config = link(
        r#"state = "stalled"
        mtu = { bytes = 1280, icmp = true }
        loss = { to_bad = "1%", to_good = "25%", loss_good = "0.1%", loss_bad = "50%" }
        policer = { rate = "5mbit", burst_bytes = "15kB" }
        queue = { kind = "droptail", packets_max = 50 }
        aggregation = { hold_min = "1ms", hold_max = "8ms", gap_min = "2ms", gap_max = "20ms" }
        jitter = { max = "3ms" }
        reorder = { share = "2%", delay = "10ms" }
        corrupt = { header = "0.1%", payload = "0.2%" }
        duplicate = "1%""#,
    );
    let expected = LinkConfig {
        state: LinkState::Stalled,
        mtu: Some(Mtu { bytes: 1_280, icmp: true }),
        loss: Loss::GilbertElliott {
            to_bad_ppm: 10_000,
            to_good_ppm: 250_000,
            loss_good_ppm: 1_000,
            loss_bad_ppm: 500_000,
        },
        policer: Some(Policer { rate_bps: 5_000_000, burst_bytes: 15_000 }),
        queue: Queue::Droptail { bytes_max: None, packets_max: Some(50) },
        rate: Rate::Constant(10_000_000),
        aggregation: Some(Aggregation {
            hold_min: MS(1),
            hold_max: MS(8),
            gap_min: MS(2),
            gap_max: MS(20),
        }),
        delay: MS(25),
        jitter: Jitter { max: MS(3), reorders: false },
        reorder: Some(Reorder { ppm: 20_000, delay: MS(10) }),
        corrupt_header_ppm: 1_000,
        corrupt_payload_ppm: 2_000,
        duplicate_ppm: 10_000,
    };
    assert_eq!(config, expected);
}

#[test]
fn listed_losses_are_packet_numbers_in_order() {
    assert_eq!(link("loss = { list = [0, 3, 17] }").loss, Loss::List([0, 3, 17].into()));
    assert!(
        message(&text("loss = { list = [3, 3] }", "", "")).contains(
            "key 'link.up.loss.list': not above the number before it: got 3, allowed: asc"
        )
    );
}

#[test]
fn an_element_ends_with_none() {
    let with = "mtu = { bytes = 1280 }\npolicer = { rate = \"5mbit\", burst_bytes = 15_000 }\n\
                aggregation = { hold_min = \"1ms\", hold_max = \"8ms\", gap_min = \"2ms\", \
                gap_max = \"20ms\" }\njitter = { max = \"3ms\" }\n\
                reorder = { share = \"2%\", delay = \"10ms\" }\ncorrupt = { header = \"1%\" }\nqueue = { kind = \"pie\" }";
    let without = "mtu = \"none\"\npolicer = \"none\"\naggregation = \"none\"\njitter = \"none\"\n\
                   reorder = \"none\"\ncorrupt = \"none\"\nrate = \"unlimited\"\nqueue = \"none\"\n";
    let variant = format!("[variant.plain.link.up]\n{without}");
    let file = parse("k.toml".as_ref(), &text(with, "", &variant)).expect("valid");
    let plain = LinkConfig { delay: MS(25), ..LinkConfig::default() };
    assert_ne!(file.variants[0].links[0].config, plain);
    assert_eq!(file.variants[1].links[0].config, plain);
}

#[test]
fn every_queue_has_the_defaults_of_its_rfc() {
    let queue = |kind: &str| link(&format!("queue = {{ kind = {kind} }}")).queue;
    let codel = Queue::Codel { target: MS(5), interval: MS(100), bytes_max: None };
    assert_eq!(queue("\"codel\""), codel);
    let fq_codel = Queue::FqCodel {
        target: MS(5),
        interval: MS(100),
        quantum: 1_514,
        flows: 1_024,
        packets_max: 10_240,
    };
    assert_eq!(queue("\"fq-codel\""), fq_codel);
    let pie = Queue::Pie { target: MS(15), update: MS(15), burst: MS(150), bytes_max: None };
    assert_eq!(queue("\"pie\""), pie);
    let given =
        "\"pie\", target = \"20ms\", update = \"30ms\", burst = \"0s\", bytes_max = \"1MB\"";
    let pie =
        Queue::Pie { target: MS(20), update: MS(30), burst: Ns::ZERO, bytes_max: Some(1_000_000) };
    assert_eq!(queue(given), pie);
}

#[test]
fn schedules_that_could_not_be_meant_are_refused() {
    let wrong = |rate: &str| message(&text("", "", "").replace("\"10mbit\"", rate));
    let late = wrong("{ schedule = [[\"1s\", \"8mbit\"]] }");
    assert!(late.contains("no rate until then: got \"1s\", allowed: \"0s\""), "{late}");
    let back = wrong("{ schedule = [[\"0s\", \"8mbit\"], [\"0s\", \"8mbit\"]] }");
    assert!(back.contains("not after the time before it"), "{back}");
    assert!(wrong("{ schedule = [] }").contains("an empty schedule"));
    assert!(wrong("{ schedule = [\"0s\"] }").contains("not an array: got \"0s\", allowed: pairs"));
    let soon = wrong("{ schedule = [[\"0s\", \"8mbit\"], [\"5s\", \"9mbit\"]], repeat = \"5s\" }");
    assert!(soon.contains("it begins again before its last step: got \"5s\""), "{soon}");
    let many =
        wrong("{ schedule = [[\"0s\", \"8mbit\"], [\"1us\", \"9mbit\"]], repeat = \"1ms\" }");
    assert!(many.contains("a schedule with too many steps: got a table"), "{many}");
    assert!(wrong("{ trace = \"x\", repeat = \"1s\" }").contains("not a key of a traced rate"));
    assert!(wrong("{ }").contains("key 'link.up.rate.schedule': missing"));
    assert!(wrong("8").contains("not a rate: got 8"));
}

#[test]
fn links_that_contradict_themselves_are_refused() {
    let wrong = |keys: &str| message(&text(keys, "", ""));
    let down =
        |keys: &str| message(&text("", "", "").replace("\"5ms\"\n", &format!("\"5ms\"\n{keys}\n")));
    let rate = "nothing waits on a link without a rate";
    assert!(down("queue = { kind = \"codel\" }").contains(rate));
    assert!(
        down("state = \"stalled\"").contains("so it cannot stall: got \"stalled\", allowed: \"d")
    );
    assert!(wrong("queue = { kind = \"droptail\" }").contains("a queue without a limit"));
    assert!(wrong("queue = { kind = \"codel\", packets_max = 3 }").contains(
        "key 'link.up.queue.packets_max': not a key of a codel queue, allowed: kind, target, \
             interval, bytes_max"
    ));
    assert!(
        wrong("queue = { kind = \"codel\", target = \"100ms\" }")
            .contains("key 'link.up.queue.target': the delay has to come below the target within")
    );
    assert!(
        wrong("policer = { burst_bytes = 15_000 }").contains("'link.up.policer.rate': missing")
    );
    assert!(
        wrong("jitter = { max = \"0s\", reorder = true }")
            .contains("without jitter no packet overtakes another: got true")
    );
    let aggregation = |hold: &str, gap: &str| {
        wrong(&format!(
            "aggregation = {{ hold_min = \"{hold}\", hold_max = \"8ms\", gap_min = \"{gap}\", \
             gap_max = \"20ms\" }}"
        ))
    };
    assert!(aggregation("9ms", "2ms").contains("hold_min': above the longest: got \"9ms\""));
    assert!(aggregation("1ms", "21ms").contains("gap_min': above the longest: got \"21ms\""));
    assert!(wrong("loss = { list = [1], to_bad = \"1%\" }").contains("not a key of listed losses"));
    let word = wrong("jitter = \"non\"");
    assert!(
        word.contains("not a table: got \"non\", allowed: { max = \"20ms\", reorder"),
        "{word}"
    );
    assert!(wrong("loss = { to_bad = \"1%\" }").contains("'link.up.loss.to_good': missing"));
}

/// What becomes of a link with this trace, in a folder of its own.
fn traced(name: &str, trace: &[u8]) -> Result<Rate, String> {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("traces").join(name);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    std::fs::write(folder.join("lte.up"), trace).expect("a file for the test");
    let text = text("", "", "").replace("\"10mbit\"", "{ trace = \"lte.up\" }");
    let file = parse(&folder.join("k.toml"), &text).map_err(|error| {
        let shown = error.to_string();
        shown.replace(&*folder.to_string_lossy(), "DIR").replace('\\', "/")
    })?;
    Ok(file.variants[0].links[0].config.rate.clone())
}

#[test]
fn a_trace_of_deliveries_is_read_from_beside_the_scenario() {
    let Ok(Rate::Trace(trace)) = traced("good", b"0\n3\n3\r\n10\n") else { panic!("no trace") };
    assert_eq!((&*trace.name, trace.period), ("lte.up", MS(10)));
    assert_eq!(trace.opportunities, [0, 3, 3, 10].map(MS));
}

#[test]
fn the_digest_covers_the_traces() {
    let digest = |name: &str, trace: &[u8]| {
        traced(name, trace).expect("valid");
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("traces").join(name);
        let text = text("", "", "").replace("\"10mbit\"", "{ trace = \"lte.up\" }");
        parse(&folder.join("k.toml"), &text).expect("valid").digest
    };
    assert_eq!(digest("one", b"1\n"), digest("same", b"1\n"));
    assert_ne!(digest("one", b"1\n"), digest("two", b"2\n"));
}

#[test]
fn traces_that_are_none_are_refused_at_their_line() {
    let wrong = |name: &str, trace: &[u8]| traced(name, trace).expect_err("refused");
    let form = "allowed: whole milliseconds, one a line, in ascending order";
    assert_eq!(
        wrong("empty", b""),
        format!("DIR/lte.up:1: key 'link.up.rate.trace': an empty trace, {form}")
    );
    assert_eq!(
        wrong("unsorted", b"1\n5\n4\n"),
        format!(
            "DIR/lte.up:3: key 'link.up.rate.trace': before the line before it: got \"4\", {form}"
        )
    );
    assert_eq!(
        wrong("text", b"1\n2.5\n"),
        format!(
            "DIR/lte.up:2: key 'link.up.rate.trace': not a number of milliseconds: got \"2.5\", \
             {form}"
        )
    );
    for (name, trace) in [("blank", "1\n\n2\n"), ("sign", "-1\n"), ("huge", "86400001\n")] {
        assert!(wrong(name, trace.as_bytes()).contains("not a number of milliseconds"), "{name}");
    }
    assert!(wrong("zero", b"0\n0\n").contains("lte.up:2: "));
    assert!(wrong("zero", b"0\n0\n").contains("a trace that takes no time"));
    assert!(wrong("binary", b"\xff\xfe\n").contains("a trace that is no text"));
    let missing = text("", "", "").replace("\"10mbit\"", "{ trace = \"no/such\" }");
    let missing = message(&missing);
    assert!(
        missing.starts_with("k.toml:5: key 'link.up.rate.trace': cannot read no/such: "),
        "{missing}"
    );
}
