//! Connections that are opened and then left alone: memory, and processor time.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;
use utp_shim::{cpu_seconds, memory_kib};

use crate::hello::welcome;
use crate::run::listening;
use crate::stream::{opened, spent};
use crate::{Args, Outcome, Stack};

/// Takes the connections and holds them.
pub(crate) async fn accept<S: Stack>(sockets: &[Rc<S>], args: &Args) -> io::Result<Outcome> {
    let before = memory_kib();
    let mut streams = Vec::with_capacity(args.streams as usize);
    let mut welcoming = JoinSet::new();
    listening(sockets)?;
    for index in 0..args.streams {
        let mut stream = sockets[index as usize % sockets.len()].accept().await?;
        welcoming.spawn_local(async move {
            welcome::<S>(&mut stream).await?;
            Ok::<_, io::Error>(stream)
        });
        while let Some(done) = welcoming.try_join_next() {
            streams.push(done??);
        }
    }
    while let Some(done) = welcoming.join_next().await {
        streams.push(done??);
    }
    let outcome = rest(sockets, args, before).await;
    drop(streams);
    Ok(outcome)
}

/// Opens the connections and holds them.
pub(crate) async fn connect<S: Stack>(sockets: &[Rc<S>], args: &Args) -> io::Result<Outcome> {
    let before = memory_kib();
    let streams = opened(sockets, args).await?;
    let outcome = rest(sockets, args, before).await;
    drop(streams);
    Ok(outcome)
}

/// Waits until it is quiet, and then as long as the command line says.
async fn rest<S: Stack>(sockets: &[Rc<S>], args: &Args, before: Option<(u64, u64)>) -> Outcome {
    sleep(SETTLE).await;
    let sent = || sockets.iter().map(|socket| socket.datagrams_sent()).sum::<Option<u64>>();
    let (start, cpu_before, sent_before) = (Instant::now(), cpu_seconds(), sent());
    let grown = memory_kib().zip(before).map(|((now, _), (before, _))| now.saturating_sub(before));
    sleep(args.seconds).await;
    Outcome {
        count: u64::from(args.streams),
        seconds: start.elapsed().as_secs_f64(),
        cpu_s: spent(cpu_before),
        bytes_per_connection: grown.map(|kib| kib as f64 * 1024.0 / f64::from(args.streams)),
        datagrams: sent().zip(sent_before).map(|(after, before)| after - before),
        ..Outcome::default()
    }
}

/// How long the last acks and the timers of handshakes may take.
const SETTLE: Duration = Duration::from_secs(3);
