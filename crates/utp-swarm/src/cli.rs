//! The command line of the swarm.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{panic, thread};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use utp_swarm::{Plan, Report, check, run_traced, shrink};

/// Random operations on two endpoints, judged by what no stream may do.
///
/// The exit status is 0 when no seed fails, 1 when one does, 130 after Ctrl-C, which tells what was
/// found until then and how to go on.
#[derive(Parser)]
#[command(name = "cargo xtask swarm", bin_name = "cargo xtask swarm")]
#[command(after_help = "\
Examples:
  cargo xtask swarm --seeds 2000
  cargo xtask swarm --seeds 200000 --time-limit 60m
  cargo xtask swarm --replay 4711 --trace")]
struct Cli {
    /// How many seeds to run
    #[arg(long, default_value_t = 2_000, value_name = "N")]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    start: u64,
    /// Threads; one for each processor without this
    #[arg(long, value_name = "J")]
    jobs: Option<usize>,
    /// Stop after this time, such as 90s, 60m or 2h
    #[arg(long, value_name = "TIME", value_parser = time)]
    time_limit: Option<Duration>,
    /// Stop after as many failing seeds
    #[arg(long, default_value_t = 10, value_name = "N")]
    failures_max: usize,
    /// Run this seed alone and say what happened
    #[arg(long, value_name = "SEED")]
    replay: Option<u64>,
    /// With --replay: print every operation and every packet
    #[arg(long, requires = "replay")]
    trace: bool,
}

/// Set by Ctrl-C.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// What all threads have found.
#[derive(Default)]
struct Found {
    runs: u64,
    total: Report,
    slowest: (Duration, u64),
    failures: Vec<(u64, String)>,
}

pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.replay {
        Some(seed) => replay(seed, cli.trace),
        None => swarm(&cli),
    }
}

fn replay(seed: u64, trace: bool) -> ExitCode {
    let plan = Plan::draw(seed);
    if trace {
        let result = run_traced(&plan, &mut |line| println!("{line}"));
        println!("{result:?}");
        return if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    println!("{plan:#?}");
    match check(&plan) {
        Ok(report) => {
            println!("{report:?}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            panic::set_hook(Box::new(|_| {}));
            println!("seed {seed} fails: {error}");
            let shorter = shrink(&plan, 2_000);
            println!("{} operations are enough: {:#?}", shorter.ops.len(), shorter.ops);
            println!("{:?}", check(&shorter));
            ExitCode::FAILURE
        }
    }
}

fn swarm(cli: &Cli) -> ExitCode {
    let began = Instant::now();
    let jobs = cli.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, Into::into));
    let next = AtomicU64::new(cli.start);
    let end = cli.start.saturating_add(cli.seeds);
    let found = Mutex::new(Found::default());
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {msg}")
        .expect("the template is valid");
    let bar = ProgressBar::new(cli.seeds).with_style(style);
    // A panic is a finding and is told as one, not as it happens.
    panic::set_hook(Box::new(|_| {}));
    let watched = ctrlc::set_handler(|| STOPPED.store(true, Ordering::Relaxed));
    if let Err(error) = watched {
        eprintln!("warning: Ctrl-C will lose what was found: {error}");
    }
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| work(cli, began, &next, end, &found, &bar));
        }
    });
    bar.finish_and_clear();
    let status = summary(&found.into_inner().unwrap_or_default(), began.elapsed(), jobs);
    // Every seed that was begun is done.
    let rest = end.saturating_sub(next.into_inner());
    if rest > 0 && STOPPED.load(Ordering::Relaxed) {
        println!("stopped: cargo xtask swarm --seeds {rest} --start {} goes on", end - rest);
        return ExitCode::from(130);
    }
    status
}

fn work(
    cli: &Cli,
    began: Instant,
    next: &AtomicU64,
    end: u64,
    found: &Mutex<Found>,
    bar: &ProgressBar,
) {
    loop {
        let over = cli.time_limit.is_some_and(|limit| began.elapsed() >= limit);
        if over || STOPPED.load(Ordering::Relaxed) {
            return;
        }
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return;
        }
        let start = Instant::now();
        let result = check(&Plan::draw(seed));
        let took = start.elapsed();
        let mut found = found.lock().expect("no thread panics with the lock");
        found.runs += 1;
        found.slowest = found.slowest.max((took, seed));
        bar.inc(1);
        match result {
            Ok(report) => found.total = sum(found.total, report),
            Err(error) => {
                bar.println(format!("seed {seed} fails: {error}"));
                bar.set_message(format!("{} failed", found.failures.len() + 1));
                found.failures.push((seed, error));
            }
        }
        if found.failures.len() >= cli.failures_max {
            return;
        }
    }
}

fn sum(total: Report, one: Report) -> Report {
    Report {
        packets: total.packets + one.packets,
        // The order of the threads must not matter.
        hash: total.hash ^ one.hash,
        completed: total.completed + one.completed,
        failed: total.failed + one.failed,
        bytes: total.bytes + one.bytes,
        flipped: total.flipped + one.flipped,
        took_us: total.took_us + one.took_us,
    }
}

fn summary(found: &Found, took: Duration, jobs: usize) -> ExitCode {
    let Report { packets, hash, completed, failed, bytes, flipped, took_us } = found.total;
    for (seed, error) in &found.failures {
        println!("seed {seed} fails: {error}");
        println!("  cargo xtask swarm --replay {seed}");
    }
    println!(
        "{} seeds in {:.1} s with {jobs} threads, {} failed",
        found.runs,
        took.as_secs_f64(),
        found.failures.len()
    );
    println!(
        "{packets} packets, {flipped} with a flipped bit, {bytes} bytes read, {} h of virtual time",
        took_us / 3_600_000_000
    );
    println!("ends of streams: {completed} completed, {failed} failed or left open by a flip");
    println!("hash of all packets {hash:016x}");
    println!("slowest seed {} with {:.0} ms", found.slowest.1, found.slowest.0.as_secs_f64() * 1e3);
    if found.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A number and its unit.
fn time(text: &str) -> Result<Duration, String> {
    let unit = text.chars().last().unwrap_or('s');
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return Err("the unit is s, m or h".to_owned()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| "such as 90s".to_owned())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}
