//! What LEDBAT++ must achieve on the link, in numbers.

use utp_ledbat::LedbatPlusPlusFactory;

use crate::claims::{SECOND_US, mean, queues_us, slow_path, utilisation_permille};
use crate::model::{Model, PAYLOAD, Path, Source};

fn bulk(path: Path) -> Model {
    Model::new(&LedbatPlusPlusFactory, path, Source::Bulk)
}

#[test]
fn alone_it_pays_for_its_slowdowns() {
    // Published as "cannot seize all capacity alone" (Bagnulo and Garcia-Martinez). The figures, in
    // per mille for each round trip in ms, are those of an independent model of the draft.
    for (rtt_ms, expected) in [(5, 991), (20, 962), (50, 942), (100, 931), (200, 914), (300, 693)] {
        let (bits_per_us, one_way_us) = (Some(20), rtt_ms * 500);
        let path = Path { bits_per_us, one_way_us, buffer_packets: 1_000, ..Path::clean() };
        let permille = utilisation_permille(&mut bulk(path), 60, 180);
        assert!(permille.abs_diff(expected) <= 5, "{rtt_ms} ms: {permille}");
    }
}

// req: CC-15
#[test]
fn the_queue_stays_at_60_ms_for_an_hour() {
    let mut model = bulk(slow_path());
    for from_s in [240, 3_540] {
        let queues_us = queues_us(&mut model, from_s, from_s + 60);
        let mean_us = mean(&queues_us);
        assert!((50_000..=60_000).contains(&mean_us), "{mean_us}");
        // A packet takes 5720 us.
        let p95_us = queues_us[queues_us.len() * 95 / 100];
        assert!(p95_us <= 65_720, "{p95_us}");
    }
}

#[test]
fn it_gives_way_to_a_foreign_queue_within_six_round_trips() {
    let path = Path { foreign_queue_us: (60 * SECOND_US, 150_000), ..Path::clean() };
    let mut model = bulk(path);
    model.run_until(60 * SECOND_US, |_| ());
    assert!(model.window() > 60_000);
    // Of 50 ms, 150 ms of foreign queue and up to 60 ms of its own.
    model.run_until(61_500_000, |_| ());
    assert!(model.window() <= 4 * PAYLOAD, "{}", model.window());
}

#[test]
fn no_clock_of_the_receiver_matters() {
    for receiver_clock_ppm in [-500, 500] {
        let mut model = bulk(Path { receiver_clock_ppm, ..slow_path() });
        let permille = utilisation_permille(&mut model, 60, 1_200);
        assert!(permille >= 930, "{permille}");
        let mean_us = mean(&queues_us(&mut model, 1_200, 1_260));
        assert!((50_000..=60_000).contains(&mean_us), "{mean_us}");
    }
}
