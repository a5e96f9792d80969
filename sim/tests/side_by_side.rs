//! Our presets of libutp's law beside libutp itself: in its place on the same link, and on a link
//! with it.

use std::path::Path;
use utp_sim::expect::check;
use utp_sim::metrics::View;
use utp_sim::record::{BUCKET, Record};
use utp_sim::run::run_file;
use utp_sim::scenario::{Scenario, ScenarioFile, load};
use utp_sim::time::Ns;

/// A run that has ended.
struct Ran {
    scenario: Scenario,
    record: Record,
}

impl Ran {
    fn view(&self) -> View<'_> {
        View { scenario: &self.scenario, record: &self.record }
    }

    /// What is compared of a run, once it has settled: names, values, and how far off these may be.
    ///
    /// A flow that starves sends by timers alone, which are the stack's and not the law's: a
    /// hundredth of the link does not count.
    fn settled(&self, from_s: u64, to_s: u64) -> Vec<(String, f64, f64)> {
        let window = Some((Ns::from_secs(from_s), Ns::from_secs(to_s)));
        let queue = self.view().queue_delay_ms(0, window).expect("there are samples");
        let mut figures = vec![("queue p50 in ms".to_owned(), queue.p50, queue.p50 * 0.1)];
        let link_mbps =
            self.scenario.links[0].config.rate.bps().expect("it has a rate") as f64 / 1e6;
        for (index, flow) in self.record.flows.iter().enumerate() {
            let mbps = self.view().goodput_mbps(index, window).expect("the run is long enough");
            figures.push((
                format!("Mbit/s of {}", flow.name),
                mbps,
                (mbps * 0.05).max(link_mbps * 0.01),
            ));
        }
        figures
    }

    /// When the first flow begins to bring nine tenths of the rate of the link, in seconds.
    ///
    /// Flows come in bursts of a window each, so that only over many round trips there is a rate.
    fn ramp_s(&self) -> f64 {
        let link = &self.scenario.links[0].config;
        let round_trips_20 = 40 * link.delay.0;
        let span = round_trips_20 / BUCKET.0;
        let bits = link.rate.bps().expect("it has a rate") * span * BUCKET.0 / 1_000_000_000;
        let enough = |buckets: &[u64]| buckets.iter().sum::<u64>() * 8 * 10 >= bits * 9;
        let delivered = &self.record.flows[0].delivered_bytes;
        let span = usize::try_from(span).expect("it is small");
        let first = delivered.windows(span).position(enough).expect("it fills the link");
        (BUCKET.0 * first as u64) as f64 / 1e9
    }
}

fn scenario_file(name: &str) -> ScenarioFile {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/reference");
    load(&folder.join(name)).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs a file, a group of all its variants for each point of its sweep. The first of a group is
/// libutp alone.
fn ran(name: &str) -> Vec<Vec<Ran>> {
    let file = scenario_file(name);
    let records = run_file(&file).expect("the runs are sound");
    let mut groups: Vec<Vec<Ran>> = Vec::new();
    for (scenario, record) in file.variants.into_iter().zip(records) {
        let ran = Ran { scenario, record };
        match groups.last_mut() {
            Some(group) if group[0].scenario.point == ran.scenario.point => group.push(ran),
            _ => groups.push(vec![ran]),
        }
    }
    groups
}

/// What of two runs is further apart than it may be.
fn differences(reference: &Ran, ours: &Ran, settled_s: (u64, u64)) -> Vec<String> {
    let figures = |ran: &Ran| ran.settled(settled_s.0, settled_s.1);
    let pairs = figures(reference).into_iter().zip(figures(ours));
    pairs
        .filter(|((_, expected, off), (_, found, _))| (found - expected).abs() > *off)
        .map(|((name, expected, _), (_, found, _))| {
            let (variant, point) = (&ours.scenario.variant, &ours.scenario.point);
            format!("{variant} {point:?}: {name} {found}, libutp {expected}")
        })
        .collect()
}

#[test]
fn our_presets_alone_on_a_link_do_what_libutp_does() {
    let mut wrong = Vec::new();
    for group in ran("alone.toml") {
        let (reference, ours) = group.split_first().expect("no group is empty");
        for ours in ours {
            wrong.extend(differences(reference, ours, (20, 60)));
            let (expected_s, found_s) = (reference.ramp_s(), ours.ramp_s());
            // What is delivered is counted in tenths of a second.
            if (found_s - expected_s).abs() > (expected_s * 0.1).max(0.1) {
                let (variant, point) = (&ours.scenario.variant, &ours.scenario.point);
                wrong.push(format!("{variant} {point:?}: ramp {found_s} s, libutp {expected_s} s"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_strict_form_does_what_libutp_does_where_losses_rule() {
    let window = Some((Ns::from_secs(40), Ns::from_secs(120)));
    for group in ran("small-buffers.toml") {
        let figures = |ran: &Ran| {
            let goodput = ran.view().goodput_mbps(0, window).expect("the run is long enough");
            (goodput, ran.view().queue_delay_ms(0, window).expect("there are samples").mean)
        };
        let [reference, strict] = &group[..] else { panic!("two variants") };
        let ((expected, expected_ms), (found, found_ms)) = (figures(reference), figures(strict));
        let point = &strict.scenario.point;
        assert!((found / expected - 1.0).abs() <= 0.05, "{point:?}: {found}, libutp {expected}");
        // Less than 1 ms of queue is a few packets.
        let off_ms = (expected_ms * 0.1).max(0.1);
        let queues = format!("{point:?}: {found_ms} ms, libutp {expected_ms} ms");
        assert!((found_ms - expected_ms).abs() <= off_ms, "{queues}");
    }
}

#[test]
fn under_random_loss_the_preset_gets_what_libutp_does_and_the_default_half_as_much_again() {
    let window = Some((Ns::from_secs(20), Ns::from_secs(120)));
    for group in ran("random-loss.toml") {
        let mbps = |ran: &Ran| ran.view().goodput_mbps(0, window).expect("it is long enough");
        let [libutp, preset, default] = &group[..] else { panic!("three variants") };
        let (point, libutp) = (&libutp.scenario.point, mbps(libutp));
        for (ours, times) in [(preset, 1.0), (default, 1.5)] {
            let found = mbps(ours);
            assert!(found >= libutp * times, "{point:?}: {found}, libutp {libutp}");
        }
    }
}

#[test]
fn flows_of_the_strict_form_share_as_flows_of_libutp_do() {
    let window = Some((Ns::from_secs(240), Ns::from_secs(300)));
    let group = ran("together.toml").remove(0);
    let jain = |ran: &Ran| ran.view().jain(window).expect("five flows");
    let (expected, found) = (jain(&group[0]), jain(&group[1]));
    assert!((found / expected - 1.0).abs() <= 0.1, "{found}, libutp {expected}");
}

#[test]
fn libutp_and_our_preset_share_a_link_as_two_of_libutp_do() {
    let group = ran("shared.toml").remove(0);
    let (reference, ours) = group.split_first().expect("no group is empty");
    assert_eq!(ours.len(), 3, "ours alone, first and late");
    let spans_s = [(20, 30), (40, 70), (80, 180)];
    let wrong = |ours| spans_s.map(|span_s| differences(reference, ours, span_s)).concat();
    let wrong: Vec<_> = ours.iter().flat_map(wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_default_gives_way_to_a_libutp_that_comes_later() {
    let file = scenario_file("standing-queue.toml");
    let records = run_file(&file).expect("the runs are sound");
    let verdicts = check(View { scenario: &file.variants[0], record: &records[0] });
    assert_eq!(verdicts.len(), 2);
    assert!(verdicts.iter().all(|verdict| verdict.pass), "{verdicts:?}");
}
