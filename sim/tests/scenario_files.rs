//! What the loader makes of scenario files, and how it refuses those that could not be meant.

use utp_sim::scenario::{
    Controller, FlowKind, Jitter, LinkConfig, Loss, Queue, Rate, UtpFlow, parse,
};
use utp_sim::time::Ns;

/// A file with every key; each test below spoils one line of it.
const FILE: &str = r#"summary = "Everything."
seed = 7
duration = "60s"
engine = "turmoil"
[link.up]
rate = "10mbit"
delay = "25ms"
queue = { kind = "droptail", bytes_max = "125kB" }
loss = "0.5%"
jitter = { max = "20ms", reorder = true }
[link.down]
delay = "1ms"
[[flow]]
name = "bulk"
kind = "utp"
controller = "rfc6817"
via = "up"
back = "down"
bytes = 1_000_000
[[flow]]
name = "call"
kind = "cbr"
via = "up"
rate = "64kbit"
interval = "10ms"
[[flow]]
name = "tcp"
kind = "reno"
via = "up"
start = "20s"
stop = "40s"
[[phase]]
name = "with TCP"
from = "20s"
to = "40s"
[[expect]]
metric = "flows.bulk.goodput_mbps"
window = "1.5s..20s"
min = 1
max = 9.5
[variant.calm]
without = ["tcp"]
seed = 8
[variant.calm.link.up]
loss = "0%"
[variant.calm.flow.bulk]
kind = "reno"
[[variant.calm.expect]]
metric = "links.up.dropped_packets"
max = 0
"#;

fn message(text: &str) -> String {
    parse("s.toml".as_ref(), text).expect_err("refused").to_string()
}

/// The message about [`FILE`] with one piece of it replaced.
fn spoiled(from: &str, to: &str) -> String {
    assert!(FILE.contains(from), "{from}");
    message(&FILE.replacen(from, to, 1))
}

#[test]
fn every_key_reaches_the_model() {
    let file = parse("dir/s.toml".as_ref(), FILE).expect("valid");
    assert_eq!(
        (&*file.name, &*file.summary, file.engine().name()),
        ("s", "Everything.", "turmoil")
    );
    let base = &file.variants[0];
    assert_eq!((&*base.variant, base.seed, base.duration), ("default", 7, Ns::from_secs(60)));
    let config = LinkConfig {
        rate: Rate::Constant(10_000_000),
        delay: Ns::from_millis(25),
        queue: Queue::Droptail { bytes_max: Some(125_000), packets_max: None },
        loss: Loss::Bernoulli(5_000),
        jitter: Jitter { max: Ns::from_millis(20), reorders: true },
        ..LinkConfig::default()
    };
    assert_eq!((&*base.links[0].name, &base.links[0].config), ("up", &config));
}

#[test]
fn links_and_flows_keep_the_order_of_the_file() {
    let file = parse("s.toml".as_ref(), FILE).expect("valid");
    let base = &file.variants[0];
    let links: Vec<_> = base.links.iter().map(|link| &*link.name).collect();
    let flows: Vec<_> = base.flows.iter().map(|flow| &*flow.name).collect();
    assert_eq!(links, ["up", "down"]);
    assert_eq!(flows, ["bulk", "call", "tcp"]);
    assert_eq!((&base.flows[0].via, &base.flows[0].back), (&vec![0], &Some(vec![1])));
    let controller = Controller::named("rfc6817").expect("it exists");
    let utp = FlowKind::Utp(UtpFlow { bytes: Some(1_000_000), ..UtpFlow::new(controller) });
    assert_eq!(base.flows[0].kind, utp);
    let cbr = FlowKind::Cbr { rate_bps: 64_000, interval: Ns::from_millis(10) };
    assert_eq!(base.flows[1].kind, cbr);
    assert_eq!(
        (base.flows[2].start, base.flows[2].stop),
        (Ns::from_secs(20), Some(Ns::from_secs(40)))
    );
    let expectation = &base.expectations[0];
    assert_eq!(expectation.window, Some((Ns::from_millis(1_500), Ns::from_secs(20))));
    assert_eq!((expectation.min, expectation.max, expectation.line), (Some(1.0), Some(9.5), 37));
    assert_eq!(base.phases[0].name, "with TCP");
}

#[test]
fn a_variant_is_the_base_with_its_own_keys_on_top() {
    let file = parse("s.toml".as_ref(), FILE).expect("valid");
    let (base, calm) = (&file.variants[0], &file.variants[1]);
    assert_eq!((&*calm.variant, calm.seed, calm.duration), ("calm", 8, base.duration));
    let expected = LinkConfig { loss: Loss::None, ..base.links[0].config.clone() };
    assert_eq!(calm.links[0].config, expected);
    assert_eq!(calm.flows.len(), 2);
    assert_eq!(calm.flows[0].kind, FlowKind::Reno { bytes: Some(1_000_000) });
    assert_eq!(calm.expectations.len(), 1);
    assert_eq!(calm.expectations[0].metric, "links.up.dropped_packets");
}

#[test]
fn the_digest_is_of_the_text_and_not_of_its_line_endings() {
    let digest = |text: &str| parse("s.toml".as_ref(), text).expect("valid").digest;
    assert_eq!(digest(FILE), digest(&FILE.replace('\n', "\r\n")));
    assert_ne!(digest(FILE), digest(&FILE.replace("seed = 7", "seed = 9")));
}

#[test]
fn unknown_keys_are_refused_with_the_known_ones() {
    assert_eq!(
        spoiled("delay = \"25ms\"", "dealy = \"25ms\""),
        "s.toml:7: key 'link.up.dealy': unknown key, allowed: rate, delay, state, mtu, loss, \
         policer, queue, aggregation, jitter, reorder, corrupt, duplicate (did you mean 'delay'?)"
    );
    assert_eq!(
        spoiled("rate = \"64kbit\"", "bytes = 5"),
        "s.toml:24: key 'flow.call.bytes': not a key of a cbr flow, allowed: name, kind, via, back, \
         start, start_jitter, stop, count, stagger, rate, interval"
    );
    assert_eq!(
        spoiled("reorder = true", "shuffle = true"),
        "s.toml:10: key 'link.up.jitter.shuffle': unknown key, allowed: max, reorder"
    );
    assert_eq!(
        spoiled("seed = 8", "sede = 8"),
        "s.toml:43: key 'variant.calm.sede': unknown key, allowed: seed, duration, \
         stop_when_complete, engine, timers, without, host, link, flow, at, phase, expect (did you mean 'seed'?)"
    );
    assert!(spoiled("seed = 7", "sead = 7").contains("'sead': unknown key"));
}

#[test]
fn wrong_units_are_refused_with_the_right_ones() {
    assert_eq!(
        spoiled("10mbit", "10mb"),
        "s.toml:6: key 'link.up.rate': not a rate: got \"10mb\", allowed: a number above 0 with \
         bit, kbit, mbit or gbit, such as \"10mbit\""
    );
    assert_eq!(
        spoiled("\"25ms\"", "25"),
        "s.toml:7: key 'link.up.delay': not a time: got 25, allowed: a number with ns, us, ms, s or \
         min, such as \"25ms\""
    );
    assert_eq!(
        spoiled("\"0.5%\"", "0.005"),
        "s.toml:9: key 'link.up.loss': not a share: got 0.005, allowed: 0% to 100% in steps of \
         0.0001%, such as \"0.5%\""
    );
    assert_eq!(
        spoiled("\"125kB\"", "-1"),
        "s.toml:8: key 'link.up.queue.bytes_max': not a size: got -1, allowed: an integer of bytes \
         or a number with B, kB, MB, GB, KiB, MiB or GiB, such as \"20MB\""
    );
    assert_eq!(
        spoiled("1.5s..20s", "1.5s-20s"),
        "s.toml:38: key 'expect.window': not a window: got \"1.5s-20s\", allowed: two times with .. \
         between, such as \"15s..40s\""
    );
}

#[test]
fn values_outside_their_range_are_refused() {
    assert_eq!(
        spoiled("\"25ms\"", "\"500us\""),
        "s.toml:7: key 'link.up.delay': too short for the last link of a path between hosts: got \
         \"500us\", allowed: at least \"1ms\" on the turmoil engine, or engine = \"event\""
    );
    assert_eq!(
        spoiled("\"125kB\"", "100"),
        "s.toml:8: key 'link.up.queue.bytes_max': too small: got 100, allowed: 1500 to \
         \"1000GB\""
    );
    assert_eq!(
        spoiled("duration = \"60s\"", "duration = \"60050ms\""),
        "s.toml:3: key 'duration': not made of whole steps: got \"60050ms\", allowed: multiples of \
         100 ms"
    );
    assert_eq!(
        spoiled("64kbit", "63kbit"),
        "s.toml:25: key 'flow.call.interval': not the payload of a packet: got \"10ms\", allowed: \
         rate x interval of 1 to 1400 whole bytes a packet"
    );
    assert_eq!(
        spoiled("\"turmoil\"", "\"evnet\""),
        "s.toml:4: key 'engine': unknown value: got \"evnet\", allowed: \"turmoil\", \"event\" (did \
         you mean 'event'?)"
    );
    assert_eq!(
        spoiled("\"cbr\"", "\"cbrr\""),
        "s.toml:22: key 'flow.call.kind': unknown value: got \"cbrr\", allowed: \"utp\", \"reno\", \
         \"cubic\", \"cbr\", \"on-off\", \"request-response\", \"quic\" (did you mean 'cbr'?)"
    );
    assert!(spoiled("seed = 7", "seed = -7").contains("got -7, allowed: an integer: 0 to 1844"));
}

#[test]
fn times_out_of_order_are_refused() {
    assert_eq!(
        spoiled("stop = \"40s\"", "stop = \"10s\""),
        "s.toml:31: key 'flow.tcp.stop': it stops before it starts: got \"10s\", allowed: after \
         \"20s\""
    );
    assert_eq!(
        spoiled("stop = \"40s\"", "stop = \"90s\""),
        "s.toml:31: key 'flow.tcp.stop': it stops after the run: got \"90s\", allowed: at most \
         \"60s\""
    );
    assert_eq!(
        spoiled("start = \"20s\"", "start = \"60s\""),
        "s.toml:30: key 'flow.tcp.start': it starts after the run: got \"60s\", allowed: before \
         \"60s\""
    );
    assert_eq!(
        spoiled("1.5s..20s", "20s..20s"),
        "s.toml:38: key 'expect.window': it ends before it starts: got \"20s..20s\", allowed: an \
         end after the start"
    );
    assert_eq!(
        spoiled("1.5s..20s", "1.55s..20s"),
        "s.toml:38: key 'expect.window': not made of whole steps: got \"1.55s..20s\", allowed: \
         multiples of 100 ms"
    );
    assert_eq!(
        spoiled("to = \"40s\"", "to = \"60.1s\""),
        "s.toml:35: key 'phase.to': it ends after the run: got \"60.1s\", allowed: at most \"60s\""
    );
}

#[test]
fn names_that_refer_to_nothing_are_refused_with_those_that_exist() {
    assert_eq!(
        spoiled("back = \"down\"", "back = \"dwon\""),
        "s.toml:18: key 'flow.bulk.back': no such link: got \"dwon\", allowed: \"up\", \"down\" (did \
         you mean 'down'?)"
    );
    let metric = spoiled("flows.bulk.goodput_mbps", "flows.bulk.goodput_mps");
    let begin = "s.toml:37: key 'expect.metric': no such metric: got \"flows.bulk.goodput_mps\", \
                 allowed: flows.bulk. with bytes_delivered, goodput_mbps, ";
    assert!(metric.starts_with(begin), "{metric}");
    let end = "completed_s, sha256_ok (did you mean 'flows.bulk.goodput_mbps'?)";
    assert!(metric.ends_with(end), "{metric}");
    assert_eq!(
        spoiled("flows.bulk.goodput_mbps", "flow.bulk.goodput_mbps"),
        "s.toml:37: key 'expect.metric': no such link or flow: got \"flow.bulk.goodput_mbps\", \
         allowed: flows.bulk.*, flows.call.*, flows.tcp.*, links.down.*, links.up.* (did you mean \
         'flows.bulk.goodput_mbps'?)"
    );
    assert_eq!(
        spoiled("[\"tcp\"]", "[\"tpc\"]"),
        "s.toml:42: key 'variant.calm.without': no such flow: got \"tpc\", allowed: \"bulk\", \
         \"call\", \"tcp\" (did you mean 'tcp'?)"
    );
    assert_eq!(
        spoiled("variant.calm.link.up", "variant.calm.link.uo"),
        "s.toml:44: key 'variant.calm.link.uo': no such link, allowed: up, down (did you mean 'up'?)"
    );
    assert_eq!(
        spoiled("variant.calm.flow.bulk", "variant.calm.flow.bluk"),
        "s.toml:46: key 'variant.calm.flow.bluk': no such flow, allowed: bulk, call, tcp (did you \
         mean 'bulk'?)"
    );
    // The call is no transfer of a size, and what a variant leaves out has no metrics in it.
    assert!(
        spoiled("flows.bulk.goodput_mbps", "flows.call.completed_s").contains("no such metric")
    );
    let left_out = spoiled("\"links.up.dropped_packets\"", "\"flows.tcp.share\"");
    assert!(left_out.contains("no such link or flow"), "{left_out}");
}

#[test]
fn names_given_twice_are_refused() {
    assert_eq!(
        spoiled("name = \"tcp\"", "name = \"call\""),
        "s.toml:27: key 'flow.name': a second flow of this name: got \"call\", allowed: a name of \
         its own"
    );
    assert_eq!(spoiled("[link.down]", "[link.up]"), "s.toml:11: not TOML: duplicate key");
    let phase = "[[phase]]\nname = \"with TCP\"\nfrom = \"20s\"\nto = \"40s\"\n[[phase]]";
    assert_eq!(
        spoiled("[[phase]]", phase),
        "s.toml:37: key 'phase.name': a second phase of this name: got \"with TCP\", allowed: a \
         name of its own"
    );
    assert_eq!(
        spoiled("name = \"tcp\"", "name = \"t.cp\""),
        "s.toml:27: key 'flow.name': not a name: got \"t.cp\", allowed: 1 to 24 of the characters \
         A-Z, a-z, 0-9, - and _"
    );
    assert!(spoiled("[link.down]", "[link.\"a.b\"]").contains("key 'link.a.b': not a name"));
    assert!(
        spoiled("[variant.calm]", "[variant.default]\n[variant.calm]")
            .contains("key 'variant.default': the name of the base scenario")
    );
}

#[test]
fn bounds_that_cannot_be_met_are_refused() {
    assert_eq!(
        spoiled("min = 1\n", "min = 10\n"),
        "s.toml:39: key 'expect.min': min is above max: got 10, allowed: at most 9.5"
    );
    assert_eq!(
        spoiled("min = 1\nmax = 9.5\n", ""),
        "s.toml:36: key 'expect': an expectation without a bound, allowed: min, max or both"
    );
    assert_eq!(
        spoiled("max = 9.5", "max = nan"),
        "s.toml:40: key 'expect.max': not a number: got nan, allowed: a finite decimal number"
    );
    assert_eq!(
        spoiled("max = 0\n", "max = 0\nwindow = \"0s..1s\"\n"),
        "s.toml:51: key 'variant.calm.expect.window': this metric covers the whole run: got \
         \"0s..1s\", allowed: no window"
    );
}

#[test]
fn missing_keys_are_named() {
    assert_eq!(
        spoiled("delay = \"25ms\"\n", ""),
        "s.toml:5: key 'link.up.delay': missing, allowed: a number with ns, us, ms, s or min, such \
         as \"25ms\""
    );
    assert_eq!(
        spoiled("rate = \"64kbit\"\n", ""),
        "s.toml:20: key 'flow.call.rate': missing, allowed: a number above 0 with bit, kbit, mbit \
         or gbit, such as \"10mbit\""
    );
    assert_eq!(
        message("summary = \"x\"\n"),
        "s.toml:1: key 'duration': missing, allowed: a number with ns, us, ms, s or min, such as \"25ms\""
    );
    assert!(message("").starts_with("s.toml:1: key 'summary': missing, allowed: one line of"));
    assert!(message("duration = \"1s\"\nsummary = \"x\"\n").contains("no link"));
}

#[test]
fn a_run_that_would_never_complete_is_refused() {
    let never = FILE.replace("bytes = 1_000_000\n", "");
    let never = never.replacen("seed = 7\n", "seed = 7\nstop_when_complete = true\n", 1);
    assert_eq!(
        message(&never),
        "s.toml:3: key 'stop_when_complete': nothing ever completes: got true, allowed: false, or a \
         flow with the key 'bytes'"
    );
}

#[test]
fn what_is_not_toml_is_refused_at_its_line() {
    assert_eq!(
        spoiled("seed = 7", "seed = "),
        "s.toml:2: not TOML: string values must be quoted, expected literal string"
    );
    let missing = utp_sim::scenario::load("no/such.toml".as_ref()).expect_err("refused");
    assert!(missing.to_string().starts_with("no/such.toml: cannot read: "), "{missing}");
}

#[test]
fn an_expectation_of_the_base_can_be_about_any_variants() {
    let both = FILE.replacen("min = 1\n", "min = 1\nvariants = [\"default\", \"calm\"]\n", 1);
    let file = parse("s.toml".as_ref(), &both).expect("valid");
    let lines = |variant: usize| {
        let expectations = &file.variants[variant].expectations;
        expectations.iter().map(|expectation| &*expectation.metric).collect::<Vec<_>>()
    };
    assert_eq!(lines(0), ["flows.bulk.goodput_mbps"]);
    assert_eq!(lines(1), ["flows.bulk.goodput_mbps", "links.up.dropped_packets"]);
    let wrong = message(&both.replace("\"calm\"]", "\"clam\"]"));
    assert!(wrong.contains("no such variant") && wrong.contains("calm"), "{wrong}");
    let own = FILE.replacen("max = 0\n", "max = 0\nvariants = [\"calm\"]\n", 1);
    assert!(message(&own).contains("it is in one variant already"));
}

#[test]
fn the_target_of_a_law_can_be_chosen_where_it_has_one() {
    let controller = "controller = \"rfc6817\"";
    assert!(FILE.contains(controller), "the file names its controller");
    let lower = FILE.replacen(controller, &format!("{controller}\ntarget = \"25ms\""), 1);
    let file = parse("s.toml".as_ref(), &lower).expect("valid");
    let FlowKind::Utp(utp) = &file.variants[0].flows[0].kind else { panic!("it is uTP") };
    assert_eq!(utp.controller.factory().target_us(), Some(25_000));
    let none = lower.replacen(controller, "controller = \"cubic\"", 1);
    assert!(message(&none).contains("the target of this controller cannot be chosen"));
}
