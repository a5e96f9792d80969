//! What the library costs beside libutp: instructions of `utp_check_timeouts` with idle sockets,
//! and the time that ucat takes over loopback.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::linked::{Linker, Pair};
use super::ucat::{self, Streams};
use super::unwritable;
use crate::command::{self, Failure};

/// Idle sockets, and calls of `utp_check_timeouts` that are counted: less than a keepalive's time,
/// and so many that each socket sends two keepalives.
const SOCKETS: &str = "10000";
const TICKS: &str = "20";
const TICKS_WITH_KEEPALIVES: &str = "120";

/// What these may cost of libutp's, in per cent.
const PERCENT_MAX: f64 = 5.0;

/// What each ucat sends, and how often: the best time of each counts.
const BYTES: usize = 256 << 20;
const ROUNDS: u16 = 5;

/// The port of the first transfer.
const PORT: u16 = 47_100;

pub(super) fn run() -> Result<(), Failure> {
    let linker = Linker::new("figures")?;
    let programs = linker.pair("tests/figures/idle.c")?;
    let percent = idle_sockets(&programs, &linker.scratch, TICKS)?;
    // What is sent has to be made and handed out by either, so that this one fails nothing.
    idle_sockets(&programs, &linker.scratch, TICKS_WITH_KEEPALIVES)?;
    transfers(&linker.pair(ucat::SOURCE)?, &linker.scratch)?;
    if percent > PERCENT_MAX {
        let words = format!("utp_check_timeouts costs {percent:.2} % of libutp's");
        return Err(Failure::Check(words));
    }
    Ok(())
}

/// Instructions of ours in per cent of libutp's.
fn idle_sockets(programs: &Pair, scratch: &Path, ticks: &str) -> Result<f64, Failure> {
    let count = |program: &Path| {
        let out = scratch.join("callgrind.out");
        let mut valgrind = command::program("valgrind");
        valgrind.args(["--quiet", "--tool=callgrind", "--toggle-collect=measured_ticks"]);
        valgrind.arg(format!("--callgrind-out-file={}", out.display()));
        command::output(valgrind.arg(program).args([SOCKETS, ticks]))?;
        let words = fs::read_to_string(&out).map_err(|error| unwritable(&out, &error))?;
        crate::instructions::total(&words)
            .ok_or_else(|| Failure::Internal("callgrind counts nothing".to_owned()))
    };
    let (ours, libutp) = (count(&programs.ours)?, count(&programs.libutp)?);
    #[expect(clippy::cast_precision_loss, reason = "it is printed with two digits")]
    let percent = 100.0 * ours as f64 / libutp.max(1) as f64;
    println!("utp_check_timeouts, {SOCKETS} idle sockets, {ticks} calls half a second apart:");
    println!("{ours} instructions, libutp {libutp}: {percent:.2} %");
    Ok(percent)
}

/// Prints how long ucat takes to send to another of its kind.
fn transfers(programs: &Pair, scratch: &Path) -> Result<(), Failure> {
    let input = scratch.join("input");
    fs::write(&input, vec![0x5a; BYTES]).map_err(|error| unwritable(&input, &error))?;
    let sends = Streams { input: Some(&input), output: None };
    let takes = Streams { input: None, output: None };
    let mut best = [Duration::MAX; 2];
    for round in 0..ROUNDS {
        for (kind, program) in [(0_u16, &programs.ours), (1, &programs.libutp)] {
            let port = PORT + 2 * round + kind;
            let took = ucat::transfer(port, (program, takes), (program, sends))?;
            best[usize::from(kind)] = best[usize::from(kind)].min(took);
        }
    }
    let [ours, libutp] = best.map(|time| time.as_secs_f64());
    println!("ucat to ucat, {} MiB over loopback, best of {ROUNDS} rounds:", BYTES >> 20);
    println!("{ours:.2} s, libutp {libutp:.2} s: {:.2} times its throughput", libutp / ours);
    Ok(())
}
