//! Transfers from ucat to ucat, over loopback.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::linked::{Linker, Pair};
use super::unwritable;
use crate::command::Failure;

/// The sample program.
pub(super) const SOURCE: &str = "examples/ucat.c";

/// What each side sends where both send.
const BYTES: usize = 64 << 20;

/// The port of the first transfer.
const PORT: u16 = 47_200;

/// What a ucat reads and writes.
#[derive(Clone, Copy)]
pub(super) struct Streams<'a> {
    pub(super) input: Option<&'a Path>,
    pub(super) output: Option<&'a Path>,
}

/// Every pair of ours and libutp exchanges 64 MiB in both directions.
pub(super) fn run() -> Result<(), Failure> {
    let linker = Linker::new("ucat")?;
    let Pair { ours, libutp } = linker.pair(SOURCE)?;
    let path = |name: &str| linker.scratch.join(name);
    let inputs = [path("input.a"), path("input.b")];
    for (input, seed) in inputs.iter().zip([1, 2]) {
        fs::write(input, pattern(seed)).map_err(|error| unwritable(input, &error))?;
    }
    let outputs = [path("output.a"), path("output.b")];
    let mut port = PORT;
    for (listens, listener) in [("ours", &ours), ("libutp", &libutp)] {
        for (connects, connector) in [("ours", &ours), ("libutp", &libutp)] {
            let [connecting, listening] = [(0, 1), (1, 0)].map(|(own, peers): (usize, usize)| {
                Streams { input: Some(&inputs[own]), output: Some(&outputs[peers]) }
            });
            let took = transfer(port, (listener, listening), (connector, connecting))?;
            for (input, output) in inputs.iter().zip(&outputs) {
                if !same(input, output)? {
                    let words = format!("{connects} to {listens}: a stream has changed");
                    return Err(Failure::Check(words));
                }
            }
            let seconds = took.as_secs_f64();
            println!("ucat of {connects} to ucat of {listens}: 64 MiB each way, {seconds:.2} s");
            port += 1;
        }
    }
    Ok(())
}

/// One listens on a port, the other connects. Returns how long the latter took.
pub(super) fn transfer(
    port: u16,
    (listener, listening): (&Path, Streams<'_>),
    (connector, connecting): (&Path, Streams<'_>),
) -> Result<Duration, Failure> {
    let port = port.to_string();
    let listener = spawn(Command::new(listener).args(["-l", &port]), listening)?;
    // Who is not heard at once is heard a second later.
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    let sent = spawn(Command::new(connector).args(["127.0.0.1", &port]), connecting)
        .and_then(|child| finished(child, start));
    let took = start.elapsed();
    let received = finished(listener, start);
    sent.and(received).map(|()| took)
}

fn spawn(command: &mut Command, streams: Streams<'_>) -> Result<Child, Failure> {
    let input = match streams.input {
        Some(path) => File::open(path).map_err(|error| unwritable(path, &error))?.into(),
        None => Stdio::null(),
    };
    let output = match streams.output {
        Some(path) => File::create(path).map_err(|error| unwritable(path, &error))?.into(),
        None => Stdio::null(),
    };
    command
        .stdin(input)
        .stdout(output)
        .spawn()
        .map_err(|error| Failure::Internal(format!("ucat does not start: {error}")))
}

/// Waits for a ucat, but not for ever.
fn finished(mut child: Child, start: Instant) -> Result<(), Failure> {
    while start.elapsed() < TIME_MAX {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
            Ok(Some(_)) | Err(_) => return Err(Failure::Check("ucat did not deliver".to_owned())),
        }
    }
    // Whoever is gone already cannot be ended.
    let _ended = child.kill().and_then(|()| child.wait());
    Err(Failure::Check("ucat does not come to an end".to_owned()))
}

fn same(a: &PathBuf, b: &PathBuf) -> Result<bool, Failure> {
    let read = |path: &PathBuf| fs::read(path).map_err(|error| unwritable(path, &error));
    Ok(read(a)? == read(b)?)
}

/// Bytes in which no part is like another.
fn pattern(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(BYTES);
    while bytes.len() < BYTES {
        // The steps of a linear congruential generator (Knuth's MMIX).
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_be_bytes()[..4]);
    }
    bytes
}

/// No transfer takes as long, on any machine.
const TIME_MAX: Duration = Duration::from_secs(300);
