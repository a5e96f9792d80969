//! Runs the workload that the command line asks for, and says what came of it.

use std::future::Future;
use std::io::{self, Write as _};
use std::rc::Rc;

use clap::Parser as _;
use tokio::io::AsyncReadExt as _;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::stack::Options;
use crate::{Args, EXIT_UNABLE, Line, Outcome, Role, Stack, Workload};
use crate::{connects, idle, ping, stream};

/// The program of a stack, whose options are among `known`.
pub fn main<S: Stack>(known: &[&str]) -> ! {
    main_with(async |args: Args| run::<S>(&args, known).await)
}

/// A program that does the workloads in its own way.
pub fn main_with<F: Future<Output = io::Result<Outcome>>>(workload: impl FnOnce(Args) -> F) -> ! {
    let args = Args::parse();
    let done = Builder::new_current_thread().enable_all().build().and_then(|runtime| {
        LocalSet::new().block_on(&runtime, async {
            let (status, line) = match workload(args).await {
                Ok(outcome) => (0, Line::Outcome(outcome)),
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    (EXIT_UNABLE, Line::Unable(error.to_string()))
                }
                Err(error) => (1, Line::Error(error.to_string())),
            };
            say(&line)?;
            // The other side may still need what this one has not acknowledged.
            let mut rest = Vec::new();
            tokio::io::stdin().read_to_end(&mut rest).await?;
            Ok(status)
        })
    });
    // Without the destructors of a stack, which are nobody's concern here and may take long.
    std::process::exit(match done {
        Ok(status) => i32::from(status),
        Err(error) => {
            eprintln!("{error}");
            1
        }
    })
}

async fn run<S: Stack>(args: &Args, known: &[&str]) -> io::Result<Outcome> {
    let options = Options::among(&args.set, known)?;
    let mut sockets = Vec::new();
    for _ in 0..args.sockets {
        sockets.push(Rc::new(S::bind(args.local(), &options).await?));
    }
    match (args.role, args.workload) {
        (Role::Accept, Workload::Connects) => connects::accept(&sockets).await,
        (Role::Connect, Workload::Connects) => connects::connect(&sockets, args).await,
        (Role::Accept, Workload::Idle) => idle::accept(&sockets, args).await,
        (Role::Connect, Workload::Idle) => idle::connect(&sockets, args).await,
        (Role::Accept, Workload::Ping) => ping::accept(&sockets).await,
        (Role::Connect, Workload::Ping) => ping::connect(&sockets, args).await,
        (Role::Accept, Workload::Stream) => stream::accept(&sockets, args).await,
        (Role::Connect, Workload::Stream) => stream::connect(&sockets, args).await,
    }
}

/// Says where connections are accepted.
pub(crate) fn listening<S: Stack>(sockets: &[Rc<S>]) -> io::Result<()> {
    say(&Line::Listening(sockets.iter().map(|socket| socket.port()).collect()))
}

/// Writes a line to standard output.
pub fn say(line: &Line) -> io::Result<()> {
    let text = serde_json::to_string(line)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
