//! Streams that are used and dropped in any order over a bad network leave nothing behind.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::sleep;
use utp_tokio::{Config, UtpSocket, UtpStream};

use crate::memory::{Network, address};
use crate::support::{data, next_random};

/// Does a few things with a stream and ends it in one of several ways. Whatever fails may fail;
/// what is read must be what was written.
async fn use_up(stream: UtpStream, mut random: u64) {
    let mut draw = |below: u64| next_random(&mut random) % below;
    let (mut reader, mut writer) = (None, None);
    let end = draw(5);
    match end {
        0 => return,
        1 => {
            sleep(Duration::from_millis(draw(500))).await;
            return stream.abort();
        }
        _ => {
            let halves = stream.into_split();
            reader = (end != 2).then_some(halves.0).or(reader);
            writer = (end != 3).then_some(halves.1).or(writer);
        }
    }
    let (pause_us, len) = (draw(300_000), draw(60_000));
    let write = async {
        let Some(mut writer) = writer else { return };
        sleep(Duration::from_micros(pause_us)).await;
        let bytes = data(4711, usize::try_from(len).unwrap());
        if writer.write_all(&bytes).await.is_ok() {
            writer.shutdown().await.ok();
        }
    };
    let read = async {
        let Some(mut reader) = reader else { return };
        let mut received = Vec::new();
        let result = reader.read_to_end(&mut received).await;
        let expected = data(4711, received.len());
        assert!(received == expected, "bytes are those written, {result:?}");
    };
    tokio::join!(write, read);
}

async fn run(seed: u64) {
    let network = Network::new();
    let mut state = seed;
    network.deliver_if(move |_, _| !next_random(&mut state).is_multiple_of(20));
    let mut config = Config::default();
    config.linger_us = 1_000_000;
    let options = UtpSocket::builder().config(config);
    let sockets = [1, 2].map(|host| Arc::new(network.socket(host, options.clone())));

    let mut tasks = JoinSet::new();
    for (from, to) in [(0, 2), (1, 1)] {
        for nr in 0..60 {
            let socket = Arc::clone(&sockets[from]);
            let mut random = seed ^ nr ^ (u64::from(to) << 32);
            tasks.spawn(async move {
                sleep(Duration::from_millis(next_random(&mut random) % 2_000)).await;
                if let Ok(stream) = socket.connect(address(to)).await {
                    use_up(stream, random).await;
                }
            });
        }
    }
    let acceptors: Vec<_> = sockets
        .iter()
        .map(|socket| {
            let socket = Arc::clone(socket);
            let mut random = seed;
            tokio::spawn(async move {
                while let Ok(stream) = socket.accept().await {
                    tokio::spawn(use_up(stream, next_random(&mut random)));
                }
            })
        })
        .collect();
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    // Whatever is left runs into a time-out.
    sleep(Duration::from_secs(300)).await;
    for socket in &sockets {
        let stats = socket.stats();
        assert_eq!(stats.streams, 0, "seed {seed}: {stats:?}");
        assert_eq!(stats.endpoint.connections, 0, "seed {seed}: {stats:?}");
    }
    for acceptor in acceptors {
        acceptor.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_left_behind() {
    for seed in 1..=10 {
        run(seed).await;
    }
}
