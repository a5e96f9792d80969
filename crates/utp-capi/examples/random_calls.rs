//! Makes random calls of the interface, by default a million: `random_calls [CALLS [SEED]]`.

#[path = "../tests/random/mod.rs"]
mod random;

use std::process::ExitCode;

/// Calls out of one seed: contexts start afresh with the next.
const CALLS_PER_SEED: u64 = 20_000;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let (calls, first) = match (numbers.next(), numbers.next()) {
        (None, _) => (1_000_000, 0),
        (Some(Ok(calls)), None) => (calls, 0),
        (Some(Ok(calls)), Some(Ok(seed))) => (calls, seed),
        _ => {
            eprintln!("usage: random_calls [CALLS [SEED]]");
            return ExitCode::from(2);
        }
    };
    for seed in (first..).take(usize::try_from(calls.div_ceil(CALLS_PER_SEED)).unwrap_or(1)) {
        match random::run(seed, CALLS_PER_SEED) {
            Ok(told) => println!("seed {seed}: {told:?}"),
            Err(wrong) => {
                println!("{wrong}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
