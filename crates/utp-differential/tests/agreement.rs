//! Both stacks do what scripts ask for, and the rules that excuse them do not excuse anything.

use utp_differential::{
    Class, Ending, Failure, Kind, Outcome, Pair, Read, Script, Side, Write, check, judge, run,
};

/// Classes that ours may be in with itself: what the network does, or the peer's application.
const OUR_CLASSES: [Class; 6] = [
    Class::CutOff,
    Class::NoAnswer,
    Class::PeerLeft,
    Class::PeerFailed,
    Class::SilentInitiator,
    Class::LeftBeforeData,
];

#[test]
fn the_streams_of_both_stacks_agree_or_differ_for_a_reason_that_is_known() {
    for seed in 0..120 {
        for verdict in check(&Script::draw(seed)) {
            let findings = verdict.findings.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            for finding in findings {
                let ours_alone = verdict.pair == Pair([Kind::Ours; 2]);
                let may = !ours_alone || OUR_CLASSES.contains(&finding.class);
                assert!(may, "seed {seed}: {finding:?}");
            }
        }
    }
}

fn side(bytes: u32, ending: Ending) -> Side {
    Side {
        writes: vec![Write::Bytes(bytes)],
        ending,
        reads: Vec::new(),
        receive_buffer_bytes: None,
        reports_at_syn: false,
        clock_us: 1_000_000,
    }
}

/// Both write and read to the end, and nothing goes wrong.
fn quiet() -> Script {
    let sides = [side(30_000, Ending::Finish), side(20_000, Ending::Finish)];
    Script { seed: 1, sides, latency_us: 20_000, faults: Vec::new(), healed_at_us: 0 }
}

#[test]
fn nothing_is_excused_on_a_network_without_faults() {
    for pair in Pair::ALL {
        let outcome = run(&quiet(), pair);
        assert_eq!(judge(&quiet(), &outcome), Ok(Vec::new()), "{pair}");
        let tampered = |tamper: &dyn Fn(&mut Outcome)| {
            let mut outcome = outcome.clone();
            tamper(&mut outcome);
            judge(&quiet(), &outcome).err()
        };
        for side in [0, 1] {
            for failure in [Failure::TimedOut, Failure::Reset, Failure::Refused] {
                let error = tampered(&|outcome| {
                    let seen = outcome.seen[side].as_mut().expect("it was there");
                    (seen.end, seen.failure) = (false, Some(failure));
                    seen.broke_at_us = Some(outcome.took_us);
                });
                assert!(error.is_some(), "{pair} {side} {failure:?}");
            }
            let waits = tampered(&|outcome| {
                let seen = outcome.seen[side].as_mut().expect("it was there");
                (seen.end, seen.left_at_us) = (false, None);
            });
            assert!(waits.is_some(), "{pair} {side}");
            let short = tampered(&|outcome| {
                outcome.seen[side].as_mut().expect("it was there").read -= 1;
            });
            assert!(short.expect("fails").contains("early end"), "{pair} {side}");
            let wrong = tampered(&|outcome| {
                outcome.seen[side].as_mut().expect("it was there").wrong_at = Some(7);
            });
            assert!(wrong.expect("fails").contains("wrong byte"), "{pair} {side}");
        }
        let unheard = tampered(&|outcome| {
            outcome.seen[1] = None;
            outcome.seen[0].as_mut().expect("it was there").end = false;
        });
        assert!(unheard.is_some(), "{pair}");
    }
}

#[test]
fn a_reader_that_pauses_for_minutes_loses_no_peer() {
    let mut script = quiet();
    script.sides[0] = side(2_000_000, Ending::Finish);
    script.sides[1].reads = vec![Read::Bytes(1_000), Read::Pause(150_000_000)];
    for pair in Pair::ALL {
        assert_eq!(judge(&script, &run(&script, pair)), Ok(Vec::new()), "{pair}");
    }
}

#[test]
fn a_class_needs_what_was_on_the_wire() {
    // Neither has data: libutp's acceptor never hears of the end.
    let mut script = quiet();
    script.sides = [side(0, Ending::Finish), side(0, Ending::Finish)];
    script.sides.iter_mut().for_each(|side| side.writes.clear());
    let classes = |outcome: &Outcome| {
        let findings = judge(&script, outcome).ok()?;
        Some(findings.into_iter().map(|finding| finding.class).collect::<Vec<_>>())
    };
    let libutp = run(&script, Pair([Kind::Libutp; 2]));
    let found = classes(&libutp).expect("explained");
    assert!(found.contains(&Class::FinIgnored), "{found:?}");
    for pair in Pair::ALL.into_iter().filter(|pair| pair.0.contains(&Kind::Ours)) {
        assert_eq!(classes(&run(&script, pair)), Some(Vec::new()), "{pair}");
    }
    // The same from an initiator of ours, which did not ask, is none of libutp's ways.
    let mut ours = libutp;
    ours.pair = Pair([Kind::Ours, Kind::Libutp]);
    assert_eq!(classes(&ours), None);
}
