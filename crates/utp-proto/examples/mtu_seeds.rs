//! Runs transfers that search the path MTU while three of ten acks are lost, seed by seed:
//! `cargo run --release -p utp-proto --example mtu_seeds -- [SEEDS] [FIRST]`.
//!
//! A stream that does not complete, or a wrong byte, names its seed and ends the run with status 1.

#[path = "../tests/mtu_seeds/mod.rs"]
mod mtu_seeds;
#[path = "../tests/pair/mod.rs"]
mod pair;

use std::panic::catch_unwind;
use std::process::ExitCode;

use mtu_seeds::Outcome;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let (Ok(seeds), Ok(first)) =
        (numbers.next().unwrap_or(Ok(10_000)), numbers.next().unwrap_or(Ok(0)))
    else {
        eprintln!("usage: mtu_seeds [SEEDS] [FIRST]: two numbers, 10000 and 0 by default");
        return ExitCode::from(2);
    };
    let mut total = Outcome::default();
    for seed in first..first.saturating_add(seeds) {
        match catch_unwind(|| mtu_seeds::run(seed)) {
            Ok(outcome) => total.add(&outcome),
            Err(_) => {
                eprintln!("seed {seed} fails: mtu_seeds 1 {seed}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{seeds} streams complete, no wrong byte: {total:?}");
    ExitCode::SUCCESS
}
