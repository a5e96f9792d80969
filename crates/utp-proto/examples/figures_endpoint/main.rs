//! What an endpoint withstands, in figures: floods of SYNs and strays, reflection, blind resets,
//! connections without end, and how well first numbers are drawn. All in virtual time, with fixed
//! seeds; only the nanoseconds depend on the machine.
//!
//! ```sh
//! cargo run --release -p utp-proto --example figures_endpoint
//! ```
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "an example")]
#![allow(clippy::cast_possible_truncation, reason = "numbers are cut from random ones")]
#![allow(clippy::disallowed_methods, reason = "it measures what calls cost")]
#![allow(unreachable_pub, reason = "modules of a program")]

mod flood;
mod heap;
mod lifetimes;
mod net;
mod numbers;
mod reflection;
mod report;
mod resets;

use std::process::ExitCode;

use report::Report;

fn main() -> ExitCode {
    let mut report = Report::default();
    flood::syns(&mut report);
    reflection::blind(&mut report);
    reflection::guessed(&mut report);
    resets::every_id(&mut report);
    resets::every_ack(&mut report);
    resets::right_id(&mut report);
    lifetimes::open_and_close(&mut report);
    flood::strays(&mut report);
    numbers::first_numbers(&mut report);
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
