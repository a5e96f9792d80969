//! What happens during a run, and what an engine cannot run.

use super::*;

#[test]
fn changes_come_in_order_of_time_and_then_of_the_file() {
    let rest = r#"
        [[at]]
        time = "20s"
        host = "left"
        event = "crash"
        [[at]]
        time = "10s"
        flow = "bulk"
        read_rate = "0bit"
        [[at]]
        time = "20s"
        host = "right"
        clock_step = "-2s"
        [[at]]
        time = "30s"
        host = "left"
        event = "restart"
        [[at]]
        time = "40s"
        flow = "bulk"
        nat_rebind = true
        [[at]]
        time = "41s"
        host = "right"
        clock_drift = "7ppm"
        [[at]]
        time = "42s"
        flow = "bulk"
        write_rate = "unlimited""#;
    let flow = |event| What::Flow { flow: 0, event };
    let host = |host, event| What::Host { host, event };
    let expected = [
        (10, flow(FlowEvent::ReadRate(Some(0)))),
        (20, host(HostId::Left, HostEvent::Crash)),
        (20, host(HostId::Right, HostEvent::ClockStep(-2_000_000))),
        (30, host(HostId::Left, HostEvent::Restart)),
        (40, flow(FlowEvent::NatRebind)),
        (41, host(HostId::Right, HostEvent::ClockDrift(7))),
        (42, flow(FlowEvent::WriteRate(None))),
    ];
    let expected = expected.map(|(s, what)| Change { at: Ns::from_secs(s), what });
    assert_eq!(changes(rest), expected);
}

/// Moments and configurations of the changes of the first link.
fn link_changes(link: &str, rest: &str) -> Vec<(Ns, LinkConfig)> {
    let scenario = base(&text(link, "", rest));
    let of_link = |change: &Change| match &change.what {
        What::Link { link: 0, config } => (change.at, (**config).clone()),
        other => panic!("{other:?}"),
    };
    scenario.changes.iter().map(of_link).collect()
}

#[test]
fn a_change_of_a_link_lies_over_the_link_as_it_is_at_that_time() {
    let changes = link_changes(
        "loss = \"1%\"",
        "[[at]]\ntime = \"30s\"\nlink = \"up\"\nstate = \"down\"\n\
         [[at]]\ntime = \"10s\"\nlink = \"up\"\nrate = \"2mbit\"\ndelay = \"50ms\"\n",
    );
    let first = LinkConfig {
        rate: Rate::Constant(2_000_000),
        delay: MS(50),
        loss: Loss::Bernoulli(10_000),
        ..LinkConfig::default()
    };
    let second = LinkConfig { state: LinkState::Down, ..first.clone() };
    assert_eq!(changes, [(Ns::from_secs(10), first), (Ns::from_secs(30), second)]);
}

#[test]
fn a_schedule_of_rates_becomes_changes_that_other_changes_leave_alone() {
    let link = |rest: &str| {
        let text = text("", "", rest).replace(
            "\"10mbit\"",
            "{ schedule = [[\"0s\", \"8mbit\"], [\"10s\", \"4mbit\"]], repeat = \"25s\" }",
        );
        let scenario = base(&text);
        assert_eq!(scenario.links[0].config.rate, Rate::Constant(8_000_000));
        let of_link = |change: &Change| match &change.what {
            What::Link { config, .. } => {
                let mbit = config.rate.bps().expect("it has a rate") / 1_000_000;
                (change.at.0 / 1_000_000_000, mbit, config.delay.0 / 1_000_000)
            }
            other => panic!("{other:?}"),
        };
        scenario.changes.iter().map(of_link).collect::<Vec<_>>()
    };
    assert_eq!(link(""), [(10, 4, 25), (25, 8, 25), (35, 4, 25), (50, 8, 25)]);
    // The delay changes, and the schedule goes on; it is at its step of the same moment by then.
    let delay = "[[at]]\ntime = \"25s\"\nlink = \"up\"\ndelay = \"9ms\"\n";
    assert_eq!(link(delay), [(10, 4, 25), (25, 8, 25), (25, 8, 9), (35, 4, 9), (50, 8, 9)]);
    // Another rate ends it.
    let rate = "[[at]]\ntime = \"30s\"\nlink = \"up\"\nrate = \"1mbit\"\n";
    assert_eq!(link(rate), [(10, 4, 25), (25, 8, 25), (30, 1, 25)]);
    // A schedule counts from when it is set.
    let rate = "[[at]]\ntime = \"5s\"\nlink = \"up\"\n\
                rate = { schedule = [[\"0s\", \"1mbit\"], [\"3s\", \"2mbit\"]] }\n";
    assert_eq!(link(rate), [(5, 1, 25), (8, 2, 25)]);
}

#[test]
fn changes_that_could_not_be_meant_are_refused() {
    let wrong = |at: &str| message(&text("", "", &format!("[[at]]\n{at}\n")));
    let late = wrong("time = \"60s\"\nlink = \"up\"\nstate = \"down\"");
    assert!(
        late.contains("it happens after the run: got \"60s\", allowed: before \"60s\""),
        "{late}"
    );
    assert!(
        wrong("time = \"1s\"").contains("key 'at': nothing changes, allowed: a link, a host or")
    );
    assert!(
        wrong("time = \"1s\"\nlink = \"up\"").contains("nothing changes, allowed: at least one")
    );
    assert!(
        wrong("time = \"1s\"\nlink = \"up\"\nhost = \"left\"")
            .contains("a change of more than one")
    );
    assert!(wrong("time = \"1s\"\nlink = \"uo\"\nstate = \"up\"").contains("(did you mean 'up'?)"));
    assert!(
        wrong("time = \"1s\"\nflow = \"blk\"\nnat_rebind = true")
            .contains("(did you mean 'bulk'?)")
    );
    assert!(
        wrong("time = \"1s\"\nhost = \"left\"").contains("not one thing that happens to a host")
    );
    let two = wrong("time = \"1s\"\nflow = \"bulk\"\nnat_rebind = true\nread_rate = \"1mbit\"");
    assert!(two.contains("not one thing that happens to a flow"), "{two}");
    let key = wrong("time = \"1s\"\nflow = \"bulk\"\ndelay = \"9ms\"");
    assert!(key.contains("key 'at.delay': not a key of a flow's change"), "{key}");
    let queue = wrong("time = \"1s\"\nlink = \"down\"\nqueue = { kind = \"codel\" }");
    assert!(queue.contains("key 'at.queue': nothing waits on a link without a rate"), "{queue}");
    let event =
        |event: &str| wrong(&format!("time = \"1s\"\nhost = \"left\"\nevent = \"{event}\""));
    assert!(
        event("restart").contains("the host is up by then: got \"restart\", allowed: \"crash\"")
    );
    assert!(event("resume").contains("the host is up by then"));
    let twice = event("crash\"\n[[at]]\ntime = \"2s\"\nhost = \"left\"\nevent = \"pause");
    assert!(twice.contains("the host has crashed by then: got \"pause\", allowed: \"restart\""));
    let reno = "[[flow]]\nname = \"tcp\"\nkind = \"reno\"\nvia = \"up\"\n\
                [[at]]\ntime = \"1s\"\nflow = \"tcp\"\nread_rate = \"1mbit\"\n";
    let reno = message(&text("", "", reno));
    assert!(
        reno.contains("not a utp flow of this scenario: got \"tcp\", allowed: \"bulk\""),
        "{reno}"
    );
}

#[test]
fn a_change_of_a_flow_with_a_count_is_one_of_each_or_of_one() {
    let of = |name: &str| {
        let at = format!("[[at]]\ntime = \"9s\"\nflow = \"{name}\"\nnat_rebind = true\n");
        let scenario = base(&text("", "count = 3", &at));
        let flows = scenario.changes.iter().map(|change| match change.what {
            What::Flow { flow, .. } => flow,
            ref other => panic!("{other:?}"),
        });
        flows.collect::<Vec<_>>()
    };
    assert_eq!(of("bulk"), [0, 1, 2]);
    assert_eq!(of("bulk-2"), [1]);
}

#[test]
fn a_variant_has_the_changes_of_the_base_or_its_own() {
    let rest = "[[flow]]\nname = \"tcp\"\nkind = \"reno\"\nvia = \"up\"\n\
                [[at]]\ntime = \"9s\"\nflow = \"bulk\"\nnat_rebind = true\n\
                [[at]]\ntime = \"10s\"\nlink = \"up\"\nloss = \"2%\"\n\
                [variant.clean.link.up]\nloss = \"1%\"\n\
                [variant.alone]\nwithout = [\"bulk\"]\n\
                [variant.reno.flow.bulk]\nkind = \"reno\"\n\
                [variant.calm]\nat = []\n\
                [variant.late]\n[[variant.late.at]]\ntime = \"50s\"\nflow = \"bulk\"\n\
                read_rate = \"0bit\"\n";
    let file = parse("k.toml".as_ref(), &text("", "", rest)).expect("valid");
    let counts: Vec<_> = file.variants.iter().map(|variant| variant.changes.len()).collect();
    assert_eq!(counts, [2, 2, 1, 1, 0, 1]);
    let wrong = format!("{rest}[variant.late.flow.bulk]\nkind = \"reno\"\n");
    let wrong = message(&text("", "", &wrong));
    assert!(
        wrong.contains("key 'variant.late.at.flow': not a utp flow of this scenario"),
        "{wrong}"
    );
}

#[test]
fn what_an_engine_cannot_run_is_refused_with_the_engine_that_can() {
    let on_turmoil = |link: &str, flow: &str, rest: &str| {
        message(&text(link, flow, rest).replace("engine = \"event\"", "engine = \"turmoil\""))
    };
    let pause = "[[at]]\ntime = \"1s\"\nhost = \"left\"\nevent = \"pause\"\n";
    assert_eq!(
        on_turmoil("", "", pause),
        "k.toml:18: key 'at.event': the turmoil engine cannot let a host stand still: got \
         \"pause\", allowed: \"crash\", \"restart\", or engine = \"event\""
    );
    let short = "[[at]]\ntime = \"1s\"\nlink = \"up\"\ndelay = \"0.5ms\"\n";
    assert_eq!(
        on_turmoil("", "", short),
        "k.toml:18: key 'at.delay': too short for the last link of a path between hosts: got \
         \"0.5ms\", allowed: at least \"1ms\" on the turmoil engine, or engine = \"event\""
    );
    let exact = text("", "", "").replace("engine = \"event\"", "timers = \"exact\"");
    assert_eq!(
        message(&exact),
        "k.toml:3: key 'timers': the timers of the turmoil engine are tokio's: got \"exact\", \
         allowed: \"tokio\", or engine = \"event\""
    );
    let exact = base(&exact.replace("timers", "engine = \"event\"\ntimers"));
    assert_eq!((exact.engine, exact.timers), (Engine::Event, Timers::Exact));
    assert!(exact.check_engine(Engine::Event).is_ok());
    assert!(exact.check_engine(Engine::Turmoil).is_err());
    // A link that no uTP flow takes, or that is not the last of its path, may be as short as it is.
    let first = text("", "back = [\"down\", \"up\"]", "").replace("\"5ms\"", "\"10us\"");
    assert_eq!(base(&first).check_engine(Engine::Turmoil), Ok(()));
    let last = base(&text("", "back = \"down\"", "").replace("\"5ms\"", "\"10us\""));
    let error = last.check_engine(Engine::Turmoil).expect_err("too short").to_string();
    assert!(error.starts_with("key 'link.down.delay': too short"), "{error}");
}
