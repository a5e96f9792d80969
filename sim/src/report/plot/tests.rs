//! Plots of made-up runs.

use super::*;
use crate::report::tests::{crowd, lines_of, with_report};
use std::collections::BTreeSet;

#[test]
fn the_delay_plot_draws_every_variant_over_the_same_axes() {
    with_report(|report| {
        let svg = delay(report).expect("drawn");
        for label in [
            "bufferbloat: delay",
            "uplink queue, default",
            "uplink queue, reno-alone",
            "voice packets, default",
            "voice packets, reno-alone",
            "Queueing delay, ms",
            "One-way delay, ms",
            "Time, s",
            "uTP target",
            "100 ms",
            "tcp sends (default)",
        ] {
            assert!(svg.contains(&format!(">{label}<")), "{label}");
        }
        // Two panels of two variants, over the whole width.
        let long = lines_of(&svg).into_iter().filter(|line| line.len() > 150);
        let ends = long.map(|line| (line[0].0, line[line.len() - 1].0));
        assert_eq!(ends.collect::<Vec<_>>(), [(130, 1438); 4]);
    });
}

#[test]
fn the_throughput_plot_overlays_the_bulk_flows_of_every_variant() {
    with_report(|report| {
        let svg = throughput(report).expect("drawn");
        for (label, times) in
            [("utp, default", 1), ("tcp, default", 1), ("tcp, reno-alone", 1), ("uplink rate", 1)]
        {
            assert_eq!(svg.matches(&format!(">{label}<")).count(), times, "{label}");
        }
        assert!(!svg.contains(">voice"));
    });
}

#[test]
fn lines_differ_in_dashes_and_not_in_colour_alone() {
    with_report(|report| {
        let svg = throughput(report).expect("drawn");
        let lines = svg.lines().filter(|line| line.starts_with("<path fill=\"none\""));
        let long = lines.filter(|line| line.len() > 300);
        let looks = long.map(|line| {
            let attribute = |name: &str| {
                line.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next())
            };
            (attribute("stroke"), attribute("stroke-dasharray"))
        });
        let looks: BTreeSet<_> = looks.collect();
        let dashes: BTreeSet<_> = looks.iter().map(|(_, dashes)| dashes).collect();
        assert_eq!((looks.len(), dashes.len()), (3, 3), "{looks:?}");
    });
}

#[test]
fn the_window_plot_shows_what_the_controllers_see() {
    with_report(|report| {
        let svg = window(report).expect("drawn").expect("there are windows");
        for label in [
            "Congestion window, kB",
            "Queueing delay it sees, ms",
            "Base delay it sees, ms",
            "utp, default",
            "tcp, reno-alone",
        ] {
            assert!(svg.contains(&format!(">{label}<")), "{label}");
        }
    });
}

#[test]
fn ten_variants_of_twelve_flows_are_told_apart() {
    let (file, records) = crowd(10, 11);
    let report = Report::new(&file, &records);
    let svg = throughput(report).expect("drawn");
    for label in ["variant-7", "bulk-11", "uplink rate"] {
        assert!(svg.contains(&format!(">{label}<")), "{label}");
    }
    // A panel for each variant, and in each an area for every flow.
    assert_eq!(svg.matches("z\"/>").count(), 10 * 12);
    // What all panels tell alike is told once.
    for label in ["uplink down", "uplink 5 Mbit/s"] {
        assert_eq!(svg.matches(&format!(">{label}<")).count(), 1, "{label}");
    }
}

#[test]
fn a_hundred_flows_are_drawn_together() {
    let (file, records) = crowd(1, 100);
    let report = Report::new(&file, &records);
    let svg = throughput(report).expect("drawn");
    assert!(svg.contains(">bulk (100 flows)<"));
    let windows = window(report).expect("drawn").expect("there are windows");
    assert!(windows.contains(">bulk-1 (of 100)<"));
}

#[test]
fn a_few_outliers_do_not_press_the_other_values_flat() {
    let group = |highest: f64| {
        let mut values = vec![Some(10.0); 99];
        values.push(Some(highest));
        let line = figure::Line::new("answers".to_owned(), figure::Look::line(0), &values, BUCKET);
        let panels = vec![figure::Panel { lines: vec![line], ..figure::Panel::default() }];
        Group { y_label: String::new(), panels, explained: true, cap: None }
    };
    let mut pressed = group(500.0);
    assert_eq!(pressed.cap_outliers(), Some(500.0));
    assert_eq!(pressed.vertical(), (0.0, 20.0));
    let mut close = group(25.0);
    assert_eq!(close.cap_outliers(), None);
    assert_eq!(close.vertical(), (0.0, 25.0 * 1.06));
}
