//! The reviewed tables: how the window of each controller moves in typical situations.
//!
//! `window` is the congestion window in bytes, `queue` the time in microseconds that the packet
//! sent last waits at the bottleneck, `ss` marks slow start.

use std::fmt::Write as _;

use utp_ledbat::by_name;

use crate::golden::assert_golden;
use crate::model::{Model, Path, Source};

const SECOND_US: u64 = 1_000_000;

/// The controllers shown. Without guards the others move the same here.
const NAMES: [&str; 6] = ["utp", "libutp", "rfc6817", "ledbat++", "loss-only", "cubic"];

fn models(path: &Path, source: Source) -> [Model; 6] {
    NAMES.map(|name| Model::new(&*by_name(name).expect("known"), path.clone(), source))
}

/// All controllers side by side on `path`, one row per time.
fn table(title: &str, path: &Path, source: Source, rows_us: impl Iterator<Item = u64>) -> String {
    let mut models = models(path, source);
    let mut out = header(title, "time_ms");
    for row_us in rows_us {
        for model in &mut models {
            model.run_until(row_us, |_| ());
        }
        row(&mut out, row_us / 1_000, &models);
    }
    out
}

fn header(title: &str, first: &str) -> String {
    let mut out = format!("# {title}\n{:>8}", "");
    for name in NAMES {
        write!(out, "   {name:<20}").expect("strings take text");
    }
    out.truncate(out.trim_end().len());
    write!(out, "\n{first:>8}").expect("strings take text");
    for _ in NAMES {
        write!(out, "   {:>9} {:>7} {:>2}", "window", "queue", "ss").expect("strings take text");
    }
    out.push('\n');
    out
}

fn row(out: &mut String, first: u64, models: &[Model]) {
    write!(out, "{first:>8}").expect("strings take text");
    for model in models {
        let slow_start = if model.controller.metrics().slow_start { "ss" } else { "-" };
        write!(out, "   {:>9} {:>7} {slow_start:>2}", model.window(), model.queue_us)
            .expect("strings take text");
    }
    out.push('\n');
}

/// 10 Mbit/s, 50 ms, and 300 ms of buffer, which only those that look at losses fill.
fn path_with_buffer() -> Path {
    Path { buffer_packets: 262, ..Path::clean() }
}

#[test]
fn ramp_from_the_first_packet() {
    let mut models = models(&path_with_buffer(), Source::Bulk);
    let mut out = header("The first 40 round trips on 10 Mbit/s, 50 ms.", "round");
    for round in 1..=40 {
        row(&mut out, round, &models);
        for model in &mut models {
            model.run_round();
        }
    }
    assert_golden("ramp", &out);
}

#[test]
fn equilibrium_at_the_target() {
    let title = "Two minutes of bulk data on 10 Mbit/s, 50 ms, 300 ms of buffer.";
    let rows_us = (1..=24).map(|row| row * 5 * SECOND_US);
    assert_golden("equilibrium", &table(title, &path_with_buffer(), Source::Bulk, rows_us));
}

#[test]
fn decrease_above_the_target() {
    let title = "From 60 s on, 200 ms of foreign queue (not counted in queue): who yields?";
    let path = Path { foreign_queue_us: (60 * SECOND_US, 200_000), ..path_with_buffer() };
    let rows_us = (58..=100).step_by(2).map(|second| second * SECOND_US);
    assert_golden("decrease", &table(title, &path, Source::Bulk, rows_us));
}

#[test]
fn losses_cut_by_half_and_not_too_often() {
    let title = "Packets lost: one at 60 s; two at 100 s, 50 ms apart; two at 140 s, 120 ms apart.";
    let drops_us = [60_000, 100_000, 100_050, 140_000, 140_120].map(|ms| ms * 1_000);
    let path = Path { drops_us: drops_us.into(), ..path_with_buffer() };
    let rows_us = [60_000, 100_000, 140_000].into_iter().flat_map(|lost_ms| {
        [0, 140, 170, 220, 350, 1_000, 10_000, 30_000].map(|after_ms| (lost_ms + after_ms) * 1_000)
    });
    assert_golden("loss", &table(title, &path, Source::Bulk, rows_us));
}

#[test]
fn time_outs_during_a_blackout() {
    let title = "Nothing sent between 60 s and 70 s arrives: time-outs, then recovery.";
    let path = Path { blackout_us: (60 * SECOND_US, 70 * SECOND_US), ..path_with_buffer() };
    let rows_us = (59..=95).map(|second| second * SECOND_US);
    assert_golden("timeout", &table(title, &path, Source::Bulk, rows_us));
}

#[test]
fn application_limited_until_bulk() {
    let title = "The application sends 1 Mbit/s for 20 s, then more than fits.";
    let source = Source::PacketEvery { interval_us: 11_056, until_us: 20 * SECOND_US };
    let rows_us = (1..=40).map(|second| second * SECOND_US);
    assert_golden("application-limited", &table(title, &path_with_buffer(), source, rows_us));
}
