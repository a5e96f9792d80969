//! What the library costs beside libutp: instructions of `utp_check_timeouts` with idle sockets,
//! and the time that ucat takes over loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{compiler, folder, install, libraries, reference, scratch, unwritable};
use crate::command::{self, Failure};

/// Idle sockets, and calls of `utp_check_timeouts` that are counted: less than a keepalive's time.
const SOCKETS: &str = "10000";
const TICKS: &str = "20";

/// What these may cost of libutp's, in per cent.
const PERCENT_MAX: f64 = 5.0;

/// What each ucat sends, and how often: the best time of each counts.
const BYTES: usize = 256 << 20;
const ROUNDS: u16 = 5;

/// The port of the first transfer.
const PORT: u16 = 47_100;

/// A program, linked once with each library.
struct Pair {
    ours: PathBuf,
    libutp: PathBuf,
}

pub(super) fn run() -> Result<(), Failure> {
    let libraries = libraries()?;
    let scratch = scratch(&libraries, "figures")?;
    let prefix = scratch.join("prefix");
    install::install(&libraries, &prefix)?;
    let reference = reference::build(&scratch)?;
    let build = |source: &str| {
        let source = folder().join(source);
        let name = source.file_stem().expect("it has an extension").to_owned();
        let object = scratch.join(&name).with_extension("c.o");
        let mut compile = Command::new(compiler("CC", "cc"));
        compile.args(["-std=gnu89", "-O2", "-g", "-I"]).arg(prefix.join("include"));
        command::run(compile.arg("-c").arg(&source).arg("-o").arg(&object))?;
        let link = |kind: &str, libraries: &[PathBuf]| {
            let program = scratch.join(&name).with_extension(kind);
            let mut link = Command::new(compiler("CXX", "c++"));
            link.arg(&object).args(libraries).args(["-lpthread", "-lm", "-ldl", "-o"]);
            command::run(link.arg(&program))?;
            Ok::<_, Failure>(program)
        };
        let ours = link("ours", &[prefix.join("lib/libutp.a")])?;
        Ok::<_, Failure>(Pair { ours, libutp: link("libutp", &reference)? })
    };
    let percent = idle_sockets(&build("tests/figures/idle.c")?, &scratch)?;
    transfers(&build("examples/ucat.c")?, &scratch)?;
    if percent > PERCENT_MAX {
        let words = format!("utp_check_timeouts costs {percent:.2} % of libutp's");
        return Err(Failure::Check(words));
    }
    Ok(())
}

/// Instructions of ours in per cent of libutp's.
fn idle_sockets(programs: &Pair, scratch: &Path) -> Result<f64, Failure> {
    let count = |program: &Path| {
        let out = scratch.join("callgrind.out");
        let mut valgrind = command::program("valgrind");
        valgrind.args(["--quiet", "--tool=callgrind", "--toggle-collect=measured_ticks"]);
        valgrind.arg(format!("--callgrind-out-file={}", out.display()));
        command::output(valgrind.arg(program).args([SOCKETS, TICKS]))?;
        let words = fs::read_to_string(&out).map_err(|error| unwritable(&out, &error))?;
        crate::instructions::total(&words)
            .ok_or_else(|| Failure::Internal("callgrind counts nothing".to_owned()))
    };
    let (ours, libutp) = (count(&programs.ours)?, count(&programs.libutp)?);
    #[expect(clippy::cast_precision_loss, reason = "it is printed with two digits")]
    let percent = 100.0 * ours as f64 / libutp.max(1) as f64;
    println!("utp_check_timeouts, {SOCKETS} idle sockets, {TICKS} calls half a second apart:");
    println!("{ours} instructions, libutp {libutp}: {percent:.2} %");
    Ok(percent)
}

/// Prints how long ucat takes to send to another of its kind.
fn transfers(programs: &Pair, scratch: &Path) -> Result<(), Failure> {
    let input = scratch.join("input");
    fs::write(&input, vec![0x5a; BYTES]).map_err(|error| unwritable(&input, &error))?;
    let mut best = [Duration::MAX; 2];
    for round in 0..ROUNDS {
        for (kind, program) in [(0_u16, &programs.ours), (1, &programs.libutp)] {
            let took = transfer(program, &input, PORT + 2 * round + kind)?;
            best[usize::from(kind)] = best[usize::from(kind)].min(took);
        }
    }
    let [ours, libutp] = best.map(|time| time.as_secs_f64());
    println!("ucat to ucat, {} MiB over loopback, best of {ROUNDS} rounds:", BYTES >> 20);
    println!("{ours:.2} s, libutp {libutp:.2} s: {:.2} times its throughput", libutp / ours);
    Ok(())
}

fn transfer(program: &Path, input: &Path, port: u16) -> Result<Duration, Failure> {
    let port = port.to_string();
    let file = fs::File::open(input).map_err(|error| unwritable(input, &error))?;
    let mut listener = Command::new(program);
    listener.args(["-l", &port]).stdin(Stdio::null()).stdout(Stdio::null());
    let listener = spawn(&mut listener)?;
    // Who is not heard at once is heard a second later, and that round is not the best.
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    let mut connector = Command::new(program);
    connector.args(["127.0.0.1", &port]).stdin(file).stdout(Stdio::null());
    let sent = spawn(&mut connector).and_then(finished);
    let took = start.elapsed();
    let received = finished(listener);
    sent.and(received).map(|()| took)
}

fn spawn(command: &mut Command) -> Result<Child, Failure> {
    command.spawn().map_err(|error| Failure::Internal(format!("ucat does not start: {error}")))
}

fn finished(mut child: Child) -> Result<(), Failure> {
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Failure::Check("ucat did not deliver".to_owned())),
    }
}
