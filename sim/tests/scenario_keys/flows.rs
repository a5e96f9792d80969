//! The keys of flows and of hosts.

use super::*;

#[test]
fn every_kind_of_flow_has_its_keys() {
    let libutp = Controller::named("libutp").expect("it exists");
    let expected = UtpFlow {
        bytes: Some(5_000),
        write_rate_bps: Some(64_000),
        read_rate_bps: Some(0),
        lie: Some(Lie::Delay(50_000)),
        ..UtpFlow::new(libutp)
    };
    let given = "controller = \"libutp\"\nbytes = 5000\nwrite_rate = \"64kbit\"\n\
                 read_rate = \"0bit\"\nlie = { delay = \"50ms\" }";
    assert_eq!(utp(given), expected);
    assert_eq!(utp("lie = { ack = true }").lie, Some(Lie::Ack));
    assert_eq!(utp("lie = { slew = \"500ppm\" }").lie, Some(Lie::Slew(500)));
    assert_eq!(utp("lie = { ratchet = \"10ms\" }").lie, Some(Lie::Ratchet(10_000)));
    assert_eq!(utp("read_rate = \"unlimited\"").controller.name(), "utp");
    assert_eq!(utp("controller = \"fixed:9000\"").controller.name(), "fixed");
    assert_eq!(kind("kind = \"cubic\"\nbytes = 9"), FlowKind::Cubic { bytes: Some(9) });
    let on_off = FlowKind::OnOff {
        rate_bps: 64_000,
        interval: MS(20),
        on: Ns::from_secs(1),
        off: Ns::from_secs(2),
        random: true,
    };
    let given = "kind = \"on-off\"\nrate = \"64kbit\"\non = \"1s\"\noff = \"2s\"\nrandom = true";
    assert_eq!(kind(given), on_off);
    let request_response =
        FlowKind::RequestResponse { request_bytes: 300, response_bytes: 20_000, think: MS(500) };
    let given = "kind = \"request-response\"\nrequest_bytes = 300\nresponse_bytes = \"20kB\"\n\
                 think = \"500ms\"";
    assert_eq!(kind(given), request_response);
}

#[test]
fn a_path_has_links_in_order() {
    let flow = &base(&text("", "back = [\"down\", \"up\"]", "")).flows[0];
    assert_eq!((&flow.via, &flow.back), (&vec![0], &Some(vec![1, 0])));
    assert!(
        message(&text("", "back = [\"down\", \"down\"]", ""))
            .contains("key 'flow.bulk.back': a path that goes in a circle: got \"down\"")
    );
    assert!(message(&text("", "back = []", "")).contains("a path without a link"));
    assert!(message(&text("", "back = [\"don\"]", "")).contains("(did you mean 'down'?)"));
}

#[test]
fn a_count_makes_flows_that_start_one_after_the_other() {
    let keys = "count = 3\nstagger = \"5s\"\nstart = \"1s\"\nstart_jitter = \"2s\"\nstop = \"50s\"";
    let flows = base(&text("", keys, "")).flows;
    let seen: Vec<_> = flows.iter().map(|flow| (&*flow.name, flow.start)).collect();
    let secs = Ns::from_secs;
    assert_eq!(seen, [("bulk-1", secs(1)), ("bulk-2", secs(6)), ("bulk-3", secs(11))]);
    assert!(flows.iter().all(|flow| flow.start_jitter == secs(2) && flow.stop == Some(secs(50))));
    let late = keys.replace("50s", "13s");
    assert!(message(&text("", &late, "")).contains("it stops before it starts: got \"13s\""));
    let late = keys.replace("count = 3", "count = 30");
    assert!(
        message(&text("", &late, ""))
            .contains("key 'flow.bulk.stagger': it starts after the run: got \"5s\"")
    );
    assert!(message(&text("", "stagger = \"5s\"", "")).contains("a count as well"));
    let other = "[[flow]]\nname = \"bulk-2\"\nkind = \"reno\"\nvia = \"up\"\n";
    assert!(message(&text("", keys, other)).contains("two flows are called \"bulk-2\""));
    assert!(message(&text("", "count = 999", other)).contains("two flows are called \"bulk-2\""));
    let other = other.replace("bulk-2", "x").replace("\"up\"", "\"up\"\ncount = 2");
    let full = message(&text("", "count = 999", &other));
    assert!(full.contains("1001 flows, more than there are ports for"), "{full}");
}

#[test]
fn hosts_have_clocks_of_their_own() {
    let hosts = "[host.right]\nclock_offset = \"4294s\"\nclock_drift = \"-500ppm\"\n\
                 [variant.fast.host.right]\nclock_drift = \"100ppm\"\n";
    let file = parse("k.toml".as_ref(), &text("", "", hosts)).expect("valid");
    let right = HostConfig { clock_offset_us: Some(4_294_000_000), clock_drift_ppm: -500 };
    assert_eq!(file.variants[0].hosts, [HostConfig::default(), right]);
    assert_eq!(file.variants[1].hosts[1], HostConfig { clock_drift_ppm: 100, ..right });
    assert!(message(&text("", "", "[host.rigt]\n")).contains("allowed: left, right (did you mean"));
    let drift = "[host.left]\nclock_drift = \"2%\"\n";
    assert!(
        message(&text("", "", drift)).contains("not a drift: got \"2%\", allowed: whole parts per")
    );
    let drift = "[host.left]\nclock_drift = \"20000ppm\"\n";
    assert!(
        message(&text("", "", drift)).contains("too fast: got \"20000ppm\", allowed: \"-10000")
    );
}

#[test]
fn flows_that_contradict_themselves_are_refused() {
    let wrong = |keys: &str| message(&text("", keys, ""));
    let lie = wrong("lie = { ack = true, delay = \"1ms\" }");
    assert!(lie.contains("not one lie: got a table, allowed: exactly one of ack, delay"), "{lie}");
    assert!(wrong("lie = {}").contains("not one lie"));
    assert!(wrong("lie = { ack = false }").contains("got false, allowed: true, or not the key"));
    assert!(wrong("controller = \"lbutp\"").contains(
        "no such controller: got \"lbutp\", allowed: \"utp\", \"libutp\", \"libutp-strict\""
    ));
    assert!(wrong("controller = \"lbutp\"").ends_with("(did you mean 'libutp'?)"));
    assert!(wrong("read_rate = \"none\"").contains("not a rate: got \"none\", allowed: \"unlim"));
    let other = "[[flow]]\nname = \"other\"\nvia = \"up\"\nkind = \"on-off\"\nrate = \"64kbit\"\n\
                 on = \"5ms\"\noff = \"1s\"\n";
    assert!(message(&text("", "", other)).contains("a burst without a packet: got \"5ms\""));
    let other = "[[flow]]\nname = \"other\"\nvia = \"up\"\nkind = \"quic\"\n";
    if cfg!(feature = "quic") {
        let cubic = FlowKind::Quic { controller: QuicController::Cubic, bytes: None };
        assert_eq!(kind("kind = \"quic\""), cubic);
        let bbr = FlowKind::Quic { controller: QuicController::Bbr, bytes: Some(9) };
        assert_eq!(kind("kind = \"quic\"\nbytes = 9\ncontroller = \"bbr\""), bbr);
    } else {
        assert!(
            message(&text("", "", other)).contains("this build has no QUIC stack: got \"quic\"")
        );
    }
}

#[test]
fn libutp_is_an_end_where_the_build_has_it_and_never_on_turmoil() {
    for (key, stacks) in
        [("sender", [Stack::Libutp, Stack::Ours]), ("receiver", [Stack::Ours, Stack::Libutp])]
    {
        let keys = format!("{key} = \"libutp\"");
        if cfg!(feature = "reference") {
            assert_eq!(utp(&keys).stacks(), stacks);
            let turmoil = text("", &keys, "").replace("engine = \"event\"\n", "");
            assert!(message(&turmoil).contains(&format!(
                "key 'flow.bulk.{key}': the turmoil engine runs the shipped adapter, which is ours: \
                 got \"libutp\", allowed: \"ours\", or engine = \"event\""
            )));
        } else {
            assert!(message(&text("", &keys, "")).contains(&format!(
                "key 'flow.bulk.{key}': this build has no libutp: got \"libutp\", allowed: a build \
                 with the feature 'reference', or \"ours\""
            )));
        }
        assert_eq!(utp(&keys.replace("libutp", "ours")).stacks(), [Stack::Ours; 2]);
    }
}
