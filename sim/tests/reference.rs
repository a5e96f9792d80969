//! libutp inside the simulator: it transfers to itself and to ours, and does so the same way every
//! time.

use utp_sim::record::{FlowRecord, Record};
use utp_sim::run::run;
use utp_sim::scenario::{Scenario, Stack, parse};

/// The two ends of a flow, sender and receiver, in every combination that has libutp in it.
const PAIRS: [[&str; 2]; 3] = [["libutp", "libutp"], ["libutp", "ours"], ["ours", "libutp"]];

fn scenario([sender, receiver]: [&str; 2], link: &str, flow: &str, rest: &str) -> Scenario {
    let text = format!(
        "summary = \"A test.\"\nengine = \"event\"\nduration = \"120s\"\n\
         stop_when_complete = true\n\
         [link.uplink]\nrate = \"10mbit\"\ndelay = \"20ms\"\n\
         queue = {{ kind = \"droptail\", bytes_max = 200_000 }}\n{link}\n\
         [[flow]]\nname = \"file\"\nkind = \"utp\"\nvia = \"uplink\"\nbytes = 2_000_000\n\
         sender = \"{sender}\"\nreceiver = \"{receiver}\"\n{flow}\n{rest}"
    );
    let mut file = parse("test.toml".as_ref(), &text).unwrap_or_else(|error| panic!("{error}"));
    file.variants.remove(0)
}

fn run_silently(scenario: &Scenario) -> Record {
    run(scenario, &|_| {}).expect("the run is sound")
}

fn transfer(pair: [&str; 2], link: &str, flow: &str) -> FlowRecord {
    run_silently(&scenario(pair, link, flow, "")).flows.remove(0)
}

#[test]
fn files_arrive_whole_between_libutp_and_either_stack() {
    for pair in PAIRS {
        let file = transfer(pair, "", "");
        assert_eq!((file.sha256_ok, file.connections), (Some(true), 1), "{pair:?}: {file:?}");
        assert_eq!((file.failures, file.retransmissions, file.timeouts), (0, 0, 0), "{pair:?}");
        assert!(file.window_bytes.len() > 10 && file.rtt_us.len() > 10, "{pair:?}: {file:?}");
        let seconds = file.completed_at.expect("it completed").as_secs_f64();
        assert!((1.6..6.0).contains(&seconds), "{pair:?}: {seconds} s");
    }
}

#[test]
fn files_arrive_whole_through_loss_reordering_and_duplicates() {
    let link = "loss = \"1%\"\nduplicate = \"1%\"\nreorder = { share = \"1%\", delay = \"30ms\" }";
    for pair in PAIRS {
        let file = transfer(pair, link, "");
        assert_eq!(file.sha256_ok, Some(true), "{pair:?}: {:?}", file.errors);
        assert!(file.retransmissions > 5, "{pair:?}");
        assert!(file.spurious_retransmissions > 5, "{pair:?}: the doubled ones at least");
    }
}

#[test]
fn a_slow_reader_holds_libutp_back_by_the_window_at_either_end() {
    for pair in PAIRS {
        let file = transfer(pair, "", "read_rate = \"2mbit\"");
        assert_eq!(file.sha256_ok, Some(true), "{pair:?}: {:?}", file.errors);
        let seconds = file.completed_at.expect("it completed").as_secs_f64();
        assert!((7.9..8.6).contains(&seconds), "{pair:?}: {seconds} s");
    }
}

#[test]
fn the_same_seed_gives_the_same_packets_and_another_one_others() {
    for pair in PAIRS {
        let mut scenario = scenario(pair, "loss = \"1%\"", "", "");
        let first = run_silently(&scenario);
        assert!(run_silently(&scenario) == first, "{pair:?}");
        scenario.seed += 1;
        assert_ne!(run_silently(&scenario).trace_hash, first.trace_hash, "{pair:?}");
    }
}

#[test]
fn a_peer_that_vanishes_and_comes_back_is_met_again() {
    let crash = "[[at]]\ntime = \"1s\"\nhost = \"right\"\nevent = \"crash\"\n\
                 [[at]]\ntime = \"2s\"\nhost = \"right\"\nevent = \"restart\"\n";
    for pair in PAIRS {
        let record = run_silently(&scenario(pair, "", "", crash));
        let file = &record.flows[0];
        assert_eq!((file.failures, file.sha256_ok), (1, Some(true)), "{pair:?}: {:?}", file.errors);
    }
}

#[test]
fn several_flows_of_libutp_share_a_process() {
    let other = "[[flow]]\nname = \"other\"\nkind = \"utp\"\nvia = \"uplink\"\nbytes = 2_000_000\n\
                 sender = \"libutp\"\nreceiver = \"libutp\"\ncount = 3";
    let record = run_silently(&scenario(PAIRS[0], "", "", other));
    assert_eq!(record.flows.len(), 4);
    assert!(record.flows.iter().all(|flow| flow.sha256_ok == Some(true)));
}

#[test]
fn a_flow_that_stops_leaves_no_error_behind() {
    for pair in PAIRS {
        let mut scenario = scenario(pair, "", "stop = \"1s\"", "");
        scenario.duration = utp_sim::time::Ns::from_secs(5);
        let record = run_silently(&scenario);
        assert_eq!(record.flows[0].errors, [], "{pair:?}");
        assert_eq!(record.flows[0].delivered_bytes[20..].iter().sum::<u64>(), 0, "{pair:?}");
    }
}

#[test]
fn a_variant_may_put_the_reference_in_the_place_of_ours() {
    let text = "summary = \"A test.\"\nengine = \"event\"\nduration = \"10s\"\n\
                [link.uplink]\nrate = \"10mbit\"\ndelay = \"20ms\"\n\
                [[flow]]\nname = \"file\"\nkind = \"utp\"\nvia = \"uplink\"\n\
                controller = \"rfc6817\"\n[variant.reference.flow.file]\nsender = \"libutp\"\n";
    let file = parse("test.toml".as_ref(), text).expect("sound");
    let [ours, theirs] = [0, 1].map(|variant| match &file.variants[variant].flows[0].kind {
        utp_sim::scenario::FlowKind::Utp(utp) => utp.clone(),
        other => panic!("{other:?}"),
    });
    assert_eq!((ours.sender, ours.controller.name()), (Stack::Ours, "rfc6817"));
    assert_eq!((theirs.sender, theirs.controller.name()), (Stack::Libutp, "libutp"));
    let both = text.replace("[variant.reference.flow.file]\n", "");
    let error = parse("test.toml".as_ref(), &both).expect_err("refused").to_string();
    assert!(
        error.contains("key 'flow.file.controller': libutp has a congestion controller of its own"),
        "{error}"
    );
}
