//! Payload on every stream: throughput, and what it costs.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use utp_shim::{cpu_seconds, memory_kib};

use crate::hello::{open, welcome};
use crate::run::listening;
use crate::{Args, Outcome, Payload, Stack, digest_of_all, digest_of_stream};

/// From the first byte of payload to the last, on any stream, and processor time until then.
#[derive(Debug, Default)]
pub struct Clock {
    first: Cell<Option<Instant>>,
    last: Cell<Option<Instant>>,
    cpu_before: Cell<Option<f64>>,
}

impl Clock {
    /// Payload has come.
    pub fn tick(&self) {
        let now = Instant::now();
        if self.first.get().is_none() {
            self.first.set(Some(now));
            self.cpu_before.set(cpu_seconds());
        }
        self.last.set(Some(now));
    }

    /// What it shows when `bytes` have come, all that will.
    pub fn stop(&self, bytes: u64) -> Outcome {
        let span = self.first.get().zip(self.last.get()).map(|(first, last)| last - first);
        Outcome {
            bytes,
            seconds: span.unwrap_or_default().as_secs_f64(),
            cpu_s: spent(self.cpu_before.get()),
            ..Outcome::default()
        }
    }
}

/// Processor time since a reading of it.
pub(crate) fn spent(before: Option<f64>) -> Option<f64> {
    Some(cpu_seconds()? - before?)
}

/// Memory for what a stream brings, and one byte that should not come, all of it resident.
pub fn room_for(share: usize) -> Vec<u8> {
    vec![1; share + 1]
}

/// Receives every stream to its end.
pub(crate) async fn accept<S: Stack>(sockets: &[Rc<S>], args: &Args) -> io::Result<Outcome> {
    let share = args.share();
    let mut rooms: Vec<_> = (0..args.streams).map(|_| room_for(share)).collect();
    listening(sockets)?;
    let clock = Rc::new(Clock::default());
    let mut streams = JoinSet::new();
    for index in 0..args.streams {
        let socket = &sockets[index as usize % sockets.len()];
        let mut stream = socket.accept().await?;
        let (clock, room) = (Rc::clone(&clock), rooms.pop().expect("one for each stream"));
        streams.spawn_local(async move {
            let number = welcome::<S>(&mut stream).await?;
            let (room, len) = receive(&mut stream, room, &clock).await?;
            // The peer waits for it, if the stack has half a close.
            drop(timeout(CLOSE_PATIENCE, stream.shutdown()).await);
            Ok::<_, io::Error>((number, room, len, stream))
        });
    }
    let mut ended = Vec::new();
    while let Some(stream) = streams.join_next().await {
        ended.push(stream??);
    }
    let bytes = ended.iter().map(|(_, _, len, _)| *len as u64).sum();
    let mut outcome = clock.stop(bytes);
    let kept_kib = (share as u64 + 1) * u64::from(args.streams) / 1024;
    outcome.peak_rss_kib = memory_kib().map(|(_, peak)| peak.saturating_sub(kept_kib));
    ended.sort_by_key(|(number, ..)| *number);
    let digests = ended.iter().map(|(_, room, len, _)| digest_of_stream(&room[..*len]));
    outcome.sha256 = Some(digest_of_all(&digests.collect::<Vec<_>>()));
    Ok(outcome)
}

/// Reads to the end of a stream.
async fn receive<T: tokio::io::AsyncRead + Unpin>(
    stream: &mut T,
    mut room: Vec<u8>,
    clock: &Clock,
) -> io::Result<(Vec<u8>, usize)> {
    let mut len = 0;
    loop {
        if len == room.len() {
            return Err(io::Error::other("more came than was sent"));
        }
        match stream.read(&mut room[len..]).await? {
            0 => return Ok((room, len)),
            read => len += read,
        }
        clock.tick();
    }
}

/// Opens every stream, then sends on all of them at once.
pub(crate) async fn connect<S: Stack>(sockets: &[Rc<S>], args: &Args) -> io::Result<Outcome> {
    let payload = Rc::new(Payload::new());
    let mut streams = opened(sockets, args).await?;
    let share = args.share();
    let start = Instant::now();
    let cpu_before = cpu_seconds();
    let mut senders = JoinSet::new();
    for (number, mut stream) in streams.drain(..) {
        let (payload, deadline) = (Rc::clone(&payload), start + args.seconds);
        senders.spawn_local(async move {
            let mut sent = 0;
            while sent < share && (sent == 0 || Instant::now() < deadline) {
                sent += stream.write(payload.at(number, sent, (share - sent).min(PIECE))).await?;
            }
            // A peer that has it all may be gone already; what is missing the digests tell.
            drop(stream.shutdown().await);
            // Until the peer has it all, if the stack says so.
            let end = async { while let Ok(1..) = stream.read(&mut [0]).await {} };
            drop(timeout(CLOSE_PATIENCE, end).await);
            Ok::<_, io::Error>((number, sent, stream))
        });
    }
    let mut ended = Vec::new();
    while let Some(stream) = senders.join_next().await {
        ended.push(stream??);
    }
    let mut outcome = Outcome {
        bytes: ended.iter().map(|(_, sent, _)| *sent as u64).sum(),
        seconds: start.elapsed().as_secs_f64(),
        cpu_s: spent(cpu_before),
        peak_rss_kib: memory_kib().map(|(_, peak)| peak),
        ..Outcome::default()
    };
    ended.sort_by_key(|(number, ..)| *number);
    let digests = ended.iter().map(|&(number, sent, _)| payload.digest(number, sent));
    outcome.sha256 = Some(digest_of_all(&digests.collect::<Vec<_>>()));
    Ok(outcome)
}

/// Opens the connections, some at a time, and returns them with their numbers.
pub(crate) async fn opened<S: Stack>(
    sockets: &[Rc<S>],
    args: &Args,
) -> io::Result<Vec<(u32, S::Stream)>> {
    let turns = Arc::new(Semaphore::new(OPENING_MAX));
    let mut opening = JoinSet::new();
    let mut streams = Vec::with_capacity(args.streams as usize);
    for number in 0..args.streams {
        let turn = Arc::clone(&turns).acquire_owned().await.map_err(io::Error::other)?;
        let socket = Rc::clone(&sockets[number as usize % sockets.len()]);
        let peer = args.to[number as usize % args.to.len()];
        opening.spawn_local(async move {
            let stream = open(&*socket, peer, number).await;
            drop(turn);
            Ok::<_, io::Error>((number, stream?))
        });
        while let Some(done) = opening.try_join_next() {
            streams.push(done??);
        }
    }
    while let Some(done) = opening.join_next().await {
        streams.push(done??);
    }
    Ok(streams)
}

/// What is handed to a stack at once.
const PIECE: usize = 256 * 1024;

/// Connections that are being opened at once: fewer than any backlog.
const OPENING_MAX: usize = 64;

/// How long a side waits for the other one's end, which counts for nothing.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);
