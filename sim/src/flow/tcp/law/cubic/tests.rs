//! CUBIC against the closed forms of RFC 9438.

use super::*;

const RTT: Ns = Ns::from_millis(100);

/// Acknowledges `segments` one by one, a window of them each round trip, and returns the windows.
fn acknowledge(cubic: &mut Cubic, now: &mut Ns, window: &mut u32, segments: u64) -> u64 {
    let mut area = 0;
    for _ in 0..segments {
        let spacing = RTT.0 / u64::from(*window);
        *now += Ns(spacing);
        area += spacing * u64::from(*window);
        let progress = Progress { now: *now, segments: 1, window: *window, rtt: RTT };
        *window = cubic.window_after(&progress);
    }
    area
}

/// The mean window over time when one of `period` segments is lost, starting with a loss at
/// `window`, and the window at the last loss.
fn mean_window(period: u64, mut window: u32) -> (u64, u32) {
    let (mut cubic, mut now, mut area, mut peak) = (Cubic::default(), Ns::ZERO, 0, window);
    for _ in 0..20 {
        // The closed form knows no fast convergence: a window is never below the one before.
        cubic.origin = 0;
        window = cubic.on_loss(window, window);
        area += acknowledge(&mut cubic, &mut now, &mut window, period);
        peak = window;
    }
    (area / now.0, peak)
}

#[test]
fn the_cube_root_is_exact_at_and_below_cubes() {
    for root in [0_u64, 1, 2, 3, 10, 4_217_163, 1_800_000_000, (1 << 42) - 1] {
        let cube = u128::from(root) * u128::from(root) * u128::from(root);
        assert_eq!(cube_root(cube), root);
        if root > 0 {
            assert_eq!(cube_root(cube - 1), root - 1);
        }
    }
}

#[test]
fn k_is_the_cube_root_of_the_lost_height_over_c() {
    // A loss at 100 segments leaves 70: K is the cube root of 30 / 0.4 = 75, 4.217163 s.
    assert_eq!(flat_after_us(30 * UNIT), 4_217_163);
    assert_eq!(flat_after_us(0), 0);
}

#[test]
fn the_curve_starts_at_the_reduced_window_is_flat_at_k_and_convex_after_it() {
    let (origin, k_us) = (100 * UNIT, 4_217_163);
    let at = |us: u64| curve(origin, k_us, us);
    assert!(at(0).abs_diff(70 * UNIT) < UNIT / 1_000, "{}", at(0));
    assert_eq!(at(k_us), origin);
    // One second before and after the flat part it is C = 0.4 segments away.
    assert_eq!(at(k_us + 1_000_000) - origin, UNIT * 2 / 5);
    assert_eq!(origin - at(k_us - 1_000_000), UNIT * 2 / 5);
    // A hundred seconds after it, 0.4 x 100^3.
    assert_eq!(at(k_us + 100_000_000), origin + 400_000 * UNIT);
}

#[test]
fn the_window_follows_the_curve_a_round_trip_ahead() {
    let (mut cubic, mut now) = (Cubic::default(), Ns::ZERO);
    let mut window = cubic.on_loss(1_000, 1_000);
    assert_eq!(window, 700);
    // K is the cube root of 300 / 0.4, 9.086 s; the window is back after it and no sooner.
    let mut windows = Vec::new();
    while now < Ns::from_secs(12) {
        let segments = u64::from(window);
        acknowledge(&mut cubic, &mut now, &mut window, segments);
        windows.push((now.as_micros(), u64::from(window)));
    }
    for (us, window) in windows {
        // One round trip more, since the window follows what the curve will be after it.
        let expected = curve(1_000 * UNIT, 9_085_602, us) / UNIT;
        assert!(window.abs_diff(expected) <= 12, "{us} us: {window}, expected {expected}");
    }
}

#[test]
fn a_loss_leaves_seven_tenths_and_at_least_two_segments() {
    let mut cubic = Cubic::default();
    assert_eq!([1_000, 10, 2, 1].map(|flight| cubic.on_loss(flight, flight)), [700, 7, 2, 2]);
}

#[test]
fn a_flow_that_did_not_recover_gives_up_more_of_its_window() {
    let mut cubic = Cubic::default();
    cubic.on_loss(100, 100);
    assert_eq!(cubic.origin, 100 * UNIT);
    cubic.on_loss(80, 80);
    // Fast convergence: (1 + 0.7) / 2 of 80.
    assert!(cubic.origin.abs_diff(68 * UNIT) < 20, "{}", cubic.origin);
    cubic.on_loss(90, 90);
    assert_eq!(cubic.origin, 90 * UNIT);
}

#[test]
fn mean_window_under_periodic_loss_is_that_of_the_standard() {
    // RFC 9438 section 5.1, table 1: at 100 ms one loss in 10^4 gives 187, one in 10^5 gives 1054.
    // The mean is (3 + 0.7) / 4 of the window at the losses, which comes back to where it was.
    for (period, expected) in [(10_000, 187), (100_000, 1_054)] {
        let at_loss = expected * 40 / 37;
        let (mean, peak) = mean_window(period, u32::try_from(at_loss).expect("it is small"));
        assert!((expected * 98 / 100..=expected * 102 / 100).contains(&mean), "{period}: {mean}");
        assert!(u64::from(peak).abs_diff(at_loss) <= at_loss / 50, "{period}: {peak}");
    }
}

#[test]
fn under_frequent_loss_the_mean_window_is_that_of_reno() {
    // One loss in 10^3 at 100 ms gives 38 by the same table, with Reno as with CUBIC.
    let (mean, peak) = mean_window(1_000, 44);
    assert!((36..=41).contains(&mean), "{mean}");
    assert!(peak.abs_diff(44) <= 2, "{peak}");
}

#[test]
fn the_first_stage_after_a_timeout_starts_flat() {
    let mut cubic = Cubic::default();
    cubic.on_loss(100, 100);
    cubic.restart();
    let (mut now, mut window) = (Ns::from_secs(1), 70);
    acknowledge(&mut cubic, &mut now, &mut window, 1);
    assert_eq!((cubic.origin, cubic.stage.map(|stage| stage.k_us)), (70 * UNIT, Some(0)));
}

#[test]
fn growth_of_a_round_trip_is_at_most_half_of_the_window() {
    let mut cubic = Cubic::default();
    let mut window = cubic.on_loss(100, 100);
    let mut now = Ns::ZERO;
    acknowledge(&mut cubic, &mut now, &mut window, 1);
    // Long after the flat part, where the curve is far above.
    now = Ns::from_secs(1_000);
    let before = window;
    acknowledge(&mut cubic, &mut now, &mut window, u64::from(before));
    assert!((before * 14 / 10..=before * 17 / 10).contains(&window), "{before} to {window}");
}
