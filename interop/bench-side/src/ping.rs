//! One byte there and back, over and over: latency.

use std::io;
use std::rc::Rc;
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use utp_shim::cpu_seconds;

use crate::hello::{open, welcome};
use crate::run::listening;
use crate::stream::spent;
use crate::{Args, Outcome, Stack};

/// Sends back what comes.
pub(crate) async fn accept<S: Stack>(sockets: &[Rc<S>]) -> io::Result<Outcome> {
    listening(sockets)?;
    let mut stream = sockets[0].accept().await?;
    welcome::<S>(&mut stream).await?;
    let (start, cpu_before) = (Instant::now(), cpu_seconds());
    let mut byte = [0];
    let mut count = 0;
    // The peer leaves as it likes.
    while let Ok(1) = stream.read(&mut byte).await {
        stream.write_all(&byte).await?;
        stream.flush().await?;
        count += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(Outcome { count, seconds, cpu_s: spent(cpu_before), ..Outcome::default() })
}

/// Takes the time of each round trip.
pub(crate) async fn connect<S: Stack>(sockets: &[Rc<S>], args: &Args) -> io::Result<Outcome> {
    let mut stream = open(&*sockets[0], args.to[0], 0).await?;
    let mut times_us = Vec::new();
    let mut byte = [0];
    for _ in 0..WARM_UP {
        stream.write_all(&byte).await?;
        stream.flush().await?;
        stream.read_exact(&mut byte).await?;
    }
    let (start, cpu_before) = (Instant::now(), cpu_seconds());
    while (times_us.len() as u64) < args.amount && start.elapsed() < args.seconds {
        let sent = Instant::now();
        stream.write_all(&byte).await?;
        stream.flush().await?;
        stream.read_exact(&mut byte).await?;
        times_us.push(sent.elapsed().as_secs_f64() * 1e6);
    }
    let seconds = start.elapsed().as_secs_f64();
    let outcome = Outcome { seconds, cpu_s: spent(cpu_before), ..Outcome::default() };
    stream.shutdown().await?;
    Ok(outcome.with_times(times_us))
}

/// Round trips before the clock starts.
const WARM_UP: usize = 100;
