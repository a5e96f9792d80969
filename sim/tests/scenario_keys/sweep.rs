//! Sweeps over keys, and what is expected at some of their points.

use super::*;
use utp_sim::scenario::ScenarioFile;

fn swept(rest: &str) -> ScenarioFile {
    let link = "queue = { kind = \"droptail\", bytes_max = 20_000, packets_max = 90 }";
    let text = text(link, "", rest);
    parse("k.toml".as_ref(), &text).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(rest: &str) -> String {
    message(&text("", "", rest))
}

#[test]
fn every_variant_runs_at_every_point_and_the_last_key_changes_fastest() {
    let file = swept(
        "[variant.slow.link.up]\nrate = \"1mbit\"\ndelay = \"9ms\"\n\
         [sweep]\n\"link.up.delay\" = [\"5ms\", \"50ms\"]\n\
         \"flow.bulk.controller\" = [\"utp\", \"rfc6817\"]\n",
    );
    let seen: Vec<_> = file
        .variants
        .iter()
        .map(|scenario| {
            let point: Vec<_> = scenario.point.iter().map(|(_, value)| &**value).collect();
            let FlowKind::Utp(utp) = &scenario.flows[0].kind else { panic!("a utp flow") };
            let link = &scenario.links[0].config;
            (&*scenario.variant, point, link.delay, link.rate.bps(), utp.controller.name())
        })
        .collect();
    let (fast, slow) = (Some(10_000_000), Some(1_000_000));
    let expected = [
        ("default", vec!["5ms", "utp"], MS(5), fast, "utp"),
        ("slow", vec!["5ms", "utp"], MS(5), slow, "utp"),
        ("default", vec!["5ms", "rfc6817"], MS(5), fast, "rfc6817"),
        ("slow", vec!["5ms", "rfc6817"], MS(5), slow, "rfc6817"),
        ("default", vec!["50ms", "utp"], MS(50), fast, "utp"),
        ("slow", vec!["50ms", "utp"], MS(50), slow, "utp"),
        ("default", vec!["50ms", "rfc6817"], MS(50), fast, "rfc6817"),
        ("slow", vec!["50ms", "rfc6817"], MS(50), slow, "rfc6817"),
    ];
    assert_eq!(seen, expected);
    let keys: Vec<_> = file.variants[0].point.iter().map(|(key, _)| &**key).collect();
    assert_eq!(keys, ["link.up.delay", "flow.bulk.controller"]);
}

#[test]
fn a_swept_key_in_a_table_keeps_the_other_keys_of_the_table() {
    let file = swept(
        "[variant.many.link.up]\nqueue = { kind = \"droptail\", packets_max = 7 }\n\
         [sweep]\n\"link.up.queue.bytes_max\" = [5000, \"60kB\"]\n",
    );
    let queues: Vec<_> = file.variants.iter().map(|s| s.links[0].config.queue).collect();
    let queue =
        |bytes, packets| Queue::Droptail { bytes_max: Some(bytes), packets_max: Some(packets) };
    assert_eq!(queues, [queue(5_000, 90), queue(5_000, 7), queue(60_000, 90), queue(60_000, 7)]);
    assert_eq!(file.variants[0].point[0].1, "5000");
    let file = swept("[sweep]\n\"link.up.queue\" = [{ kind = \"codel\" }, { kind = \"pie\" }]\n");
    assert!(matches!(file.variants[1].links[0].config.queue, Queue::Pie { .. }));
    assert_eq!(file.variants[1].point[0].1, "{ kind = \"pie\" }");
}

#[test]
fn general_keys_and_hosts_are_swept_too() {
    let file =
        swept("[sweep]\nduration = [\"60s\", \"90s\"]\n\"host.left.clock_drift\" = [\"7ppm\"]\n");
    let seen: Vec<_> =
        file.variants.iter().map(|s| (s.duration.0 / 1_000_000_000, s.hosts[0])).collect();
    let host = HostConfig { clock_offset_us: None, clock_drift_ppm: 7 };
    assert_eq!(seen, [(60, host), (90, host)]);
}

#[test]
fn an_expectation_can_be_about_some_points() {
    let file = swept(
        "[[expect]]\nmetric = \"links.up.utilisation\"\nmin = 0.9\n\
         when = { \"link.up.delay\" = \"5ms\" }\n\
         [[expect]]\nmetric = \"flows.bulk.share\"\nmin = 1\n\
         [sweep]\n\"link.up.delay\" = [\"5ms\", \"50ms\"]\n",
    );
    let counts: Vec<_> = file.variants.iter().map(|s| s.expectations.len()).collect();
    assert_eq!(counts, [2, 1]);
    let wrong = |when: &str| {
        refused(&format!(
            "[[expect]]\nmetric = \"flows.bulk.share\"\nmin = 1\nwhen = {{ {when} }}\n\
             [sweep]\n\"link.up.delay\" = [\"5ms\", \"50ms\"]\n"
        ))
    };
    assert_eq!(
        wrong("\"link.up.dealy\" = \"5ms\""),
        "k.toml:18: key 'expect.when.link.up.dealy': not a key that is swept: got \"5ms\", \
         allowed: link.up.delay (did you mean 'link.up.delay'?)"
    );
    assert!(
        wrong("\"link.up.delay\" = \"6ms\"")
            .contains("not a value of the sweep: got \"6ms\", allowed: 5ms, 50ms")
    );
    let without = "[[expect]]\nmetric = \"flows.bulk.share\"\nmin = 1\nwhen = { seed = 1 }\n";
    assert!(
        refused(without).contains("not a key that is swept: got 1, allowed: nothing, there is")
    );
}

#[test]
fn values_are_checked_at_their_line_of_the_sweep() {
    let wrong = refused("[sweep]\n\"link.up.delay\" = [\n\"5ms\",\n\"5 ms\",\n]\n");
    assert_eq!(
        wrong,
        "k.toml:18: key 'sweep.link.up.delay': not a time: got \"5 ms\", allowed: a number with \
         ns, us, ms, s or min, such as \"25ms\""
    );
    let wrong = refused("[sweep]\n\"link.up.dealy\" = [\"5ms\"]\n");
    assert!(wrong.starts_with("k.toml:16: key 'sweep.link.up.dealy': unknown key"), "{wrong}");
    let wrong = refused("[sweep]\n\"link.uo.delay\" = [\"5ms\"]\n");
    assert!(wrong.contains("key 'sweep.link.uo': no such link, allowed: up, down"), "{wrong}");
    let wrong = refused("[sweep]\n\"flow.blk.start\" = [\"5ms\"]\n");
    assert!(wrong.contains("key 'sweep.flow.blk': no such flow"), "{wrong}");
    let wrong = refused("[sweep]\n\"flow.bulk.kind\" = [\"utp\", \"cbr\"]\n");
    assert!(wrong.starts_with("k.toml:16: key 'sweep.flow.bulk.rate': missing"), "{wrong}");
}

#[test]
fn sweeps_that_could_not_be_meant_are_refused() {
    let wrong = |line: &str| refused(&format!("[sweep]\n{line}\n"));
    assert!(wrong("\"link.up\" = [1]").contains("not a key that can be swept: got an array"));
    assert!(wrong("seed = [1]").contains("not a key that can be swept"));
    assert!(wrong("link.up.delay = [\"5ms\"]").contains("allowed: a dotted key in quotes"));
    assert!(wrong("\"link.up.delay\" = \"5ms\"").contains("not an array: got \"5ms\""));
    assert!(wrong("\"link.up.delay\" = []").contains("a sweep over no value"));
    assert!(
        wrong("\"link.up.delay\" = [\"5ms\", \"5ms\"]")
            .contains("the same value again: got \"5ms\"")
    );
    assert!(wrong("").contains("a sweep over no key"));
    assert!(
        wrong("\"link.up.queue.bytes_max\" = [5000]")
            .contains("the scenario has no table 'link.up.queue' to change: got 5000")
    );
    assert!(
        wrong("\"link.up.rate.x\" = [5000]").contains("the scenario has no table 'link.up.rate'")
    );
    let part = "\"link.up.jitter\" = [{ max = \"1ms\" }]\n\"link.up.jitter.max\" = [\"2ms\"]";
    assert!(wrong(part).contains("a part of the key 'link.up.jitter', which is swept too"));
    let values: Vec<_> = (1..=34).map(|ms| format!("\"{ms}ms\"")).collect();
    let values = values.join(", ");
    let many = format!("\"link.up.delay\" = [{values}]\n\"link.down.delay\" = [{values}]");
    assert_eq!(
        wrong(&many),
        "k.toml:15: key 'sweep': 34 x 34 combinations in 1 variants: got a table, allowed: at most \
         1000 runs"
    );
}

#[test]
fn eight_controllers_fit_beside_the_base_as_variants() {
    let variants = |count: u32| {
        let variant = |n| format!("[variant.v{n}.flow.bulk]\ncontroller = \"utp\"\n");
        (1..=count).map(variant).collect::<String>()
    };
    assert_eq!(swept(&variants(9)).variants.len(), 10);
    assert!(refused(&variants(10)).contains("too many variants for one plot, allowed: 9 beside"));
}
