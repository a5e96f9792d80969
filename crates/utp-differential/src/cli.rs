//! The command line.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{panic, thread};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use utp_differential::{Class, Pair, Script, Verdict, check, judge, run, shrink};

/// Random scripts of two applications, over this stack and over libutp in virtual time.
///
/// Every seed runs four times: in both orders, and each stack with itself. The exit status is 0
/// when every difference from what the script asks for is explained, 1 when one is not, 130 after
/// Ctrl-C, which tells what was found until then and how to go on.
#[derive(Parser)]
#[command(name = "cargo xtask differential", bin_name = "cargo xtask differential")]
#[command(after_help = "\
Examples:
  cargo xtask differential --seeds 500
  cargo xtask differential --seeds 10000 --start 1000000
  cargo xtask differential --replay 4711 --trace")]
struct Cli {
    /// How many seeds to run
    #[arg(long, default_value_t = 500, value_name = "N")]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    start: u64,
    /// Threads; one for each processor without this
    #[arg(long, value_name = "J")]
    jobs: Option<usize>,
    /// Stop after as many failing seeds
    #[arg(long, default_value_t = 10, value_name = "N")]
    failures_max: usize,
    /// Run this seed alone and say what happened
    #[arg(long, value_name = "SEED")]
    replay: Option<u64>,
    /// With --replay: print every packet
    #[arg(long, requires = "replay")]
    trace: bool,
}

/// Set by Ctrl-C.
static STOPPED: AtomicBool = AtomicBool::new(false);

/// What all threads have found.
#[derive(Default)]
struct Found {
    seeds: u64,
    /// Seeds whose four runs all gave what the script asks for.
    agreed: u64,
    /// Runs of each pair in which everything was as the script asks for.
    well: BTreeMap<Pair, u64>,
    /// Seeds of each class, by pair, and the first of them.
    classes: BTreeMap<(Class, Pair), (u64, u64)>,
    packets: usize,
    bytes: u64,
    took_us: u64,
    hash: u64,
    failures: Vec<(u64, Pair, String)>,
}

pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.replay {
        Some(seed) => replay(seed, cli.trace),
        None => differential(&cli),
    }
}

fn replay(seed: u64, trace: bool) -> ExitCode {
    let script = Script::draw(seed);
    println!("{script:#?}");
    let mut status = ExitCode::SUCCESS;
    for pair in Pair::ALL {
        let outcome = run(&script, pair);
        println!("== {pair}");
        if trace {
            outcome.log.iter().for_each(|packet| println!("{packet}"));
        }
        let (packets, took_us) = (outcome.log.len(), outcome.took_us);
        println!("{packets} packets in {}.{:06} s", took_us / 1_000_000, took_us % 1_000_000);
        for (side, seen) in ["initiator", "acceptor"].iter().zip(&outcome.seen) {
            println!("{side}: {seen:?}");
        }
        match judge(&script, &outcome) {
            Ok(findings) if findings.is_empty() => println!("as the script asks for"),
            Ok(findings) => findings.iter().for_each(|finding| {
                println!("{}: {}", ["initiator", "acceptor"][finding.side], finding.class);
            }),
            Err(error) => {
                println!("unexplained: {error}");
                status = ExitCode::FAILURE;
            }
        }
    }
    if status != ExitCode::SUCCESS {
        println!("this much is enough: {:#?}", shrink(&script));
    }
    status
}

fn differential(cli: &Cli) -> ExitCode {
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
            scope.spawn(|| work(cli, &next, end, &found, &bar));
        }
    });
    bar.finish_and_clear();
    let status = summary(&found.into_inner().unwrap_or_default(), began.elapsed(), jobs);
    // Every seed that was begun is done.
    let rest = end.saturating_sub(next.into_inner());
    if rest > 0 && STOPPED.load(Ordering::Relaxed) {
        println!("stopped: cargo xtask differential --seeds {rest} --start {} goes on", end - rest);
        return ExitCode::from(130);
    }
    status
}

fn work(cli: &Cli, next: &AtomicU64, end: u64, found: &Mutex<Found>, bar: &ProgressBar) {
    loop {
        if STOPPED.load(Ordering::Relaxed) {
            return;
        }
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return;
        }
        let verdicts = check(&Script::draw(seed));
        let mut found = found.lock().expect("no thread panics with the lock");
        bar.inc(1);
        for verdict in &verdicts {
            if let Err(error) = &verdict.findings {
                bar.println(format!("seed {seed}, {}: {error}", verdict.pair));
                bar.set_message(format!("{} failed", found.failures.len() + 1));
            }
        }
        found.add(seed, verdicts);
        if found.failures.len() >= cli.failures_max {
            return;
        }
    }
}

impl Found {
    fn add(&mut self, seed: u64, verdicts: Vec<Verdict>) {
        self.seeds += 1;
        let well = |verdict: &Verdict| verdict.findings.as_ref().is_ok_and(Vec::is_empty);
        self.agreed += u64::from(verdicts.iter().all(well));
        for verdict in verdicts {
            *self.well.entry(verdict.pair).or_default() += u64::from(well(&verdict));
            self.packets += verdict.packets;
            self.bytes += verdict.bytes;
            self.took_us += verdict.took_us;
            // The order of the threads must not matter.
            self.hash ^= verdict.hash;
            match verdict.findings {
                Ok(findings) => {
                    let mut classes: Vec<_> = findings.iter().map(|found| found.class).collect();
                    classes.sort_unstable();
                    classes.dedup();
                    for class in classes {
                        let (count, first) =
                            self.classes.entry((class, verdict.pair)).or_insert((0, seed));
                        *count += 1;
                        *first = seed.min(*first);
                    }
                }
                Err(error) => self.failures.push((seed, verdict.pair, error)),
            }
        }
    }
}

fn summary(found: &Found, took: Duration, jobs: usize) -> ExitCode {
    for (seed, pair, error) in &found.failures {
        println!("seed {seed}, {pair}: {error}");
        println!("  cargo xtask differential --replay {seed}");
    }
    let cells = |cell: &dyn Fn(Pair) -> String| {
        Pair::ALL.iter().map(|pair| format!("{:>22}", cell(*pair))).collect::<String>()
    };
    println!("{:<18}{}", "runs", cells(&|pair| pair.to_string()));
    let well = |pair: Pair| found.well.get(&pair).map_or_else(String::new, u64::to_string);
    println!("{:<18}{}", "as asked for", cells(&well));
    for class in Class::ALL {
        let count = |pair: Pair| match found.classes.get(&(class, pair)) {
            Some((count, first)) => format!("{count} (seed {first})"),
            None => "-".to_owned(),
        };
        println!("{:<18}{}", class.to_string(), cells(&count));
    }
    let unexplained = |pair: Pair| {
        found.failures.iter().filter(|(_, failed, _)| *failed == pair).count().to_string()
    };
    println!("{:<18}{}", "unexplained", cells(&unexplained));
    println!(
        "{} seeds in {:.1} s with {jobs} threads; in {} all four runs gave what was asked for",
        found.seeds,
        took.as_secs_f64(),
        found.agreed,
    );
    println!(
        "{} packets, {} bytes read, {} h of virtual time, hash of all packets {:016x}",
        found.packets,
        found.bytes,
        found.took_us / 3_600_000_000,
        found.hash,
    );
    if found.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
