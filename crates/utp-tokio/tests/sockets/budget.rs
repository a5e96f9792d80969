//! What the writers of many streams may have waiting in all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use utp_proto::EndpointConfig;
use utp_tokio::{Config, UtpSocket};

use crate::memory::{Network, address};
use crate::support::within;

/// What all may have waiting, and what one has whatever the others have.
const MEMORY: usize = 2 << 20;
const FLOORS: usize = 2 * 4_096;

const STREAMS: usize = 64;

/// More than a stream has waiting of its own.
const PART: usize = 500_000;

// req: HO-09
#[tokio::test(start_paused = true)]
async fn what_writers_have_waiting_is_within_the_memory_of_the_endpoint() {
    let network = Network::new();
    let mut memory = EndpointConfig::default();
    memory.memory_max_bytes = MEMORY;
    // Whoever takes nothing keeps what is written waiting here.
    let mut config = Config::default();
    config.receive_buffer_bytes = 4_096;
    config.receive_buffer_max_bytes = 4_096;
    let sender = network.socket(1, UtpSocket::builder().endpoint_config(memory));
    let receiver = network.socket(2, UtpSocket::builder().config(config));
    let taken = Arc::new(AtomicUsize::new(0));
    let (mut readers, mut writers) = (Vec::new(), JoinSet::new());
    for _ in 0..STREAMS {
        let (ours, theirs) =
            within(async { tokio::join!(sender.connect(address(2)), receiver.accept()) }).await;
        readers.push(theirs.unwrap());
        let (mut ours, taken) = (ours.unwrap(), Arc::clone(&taken));
        writers.spawn(async move {
            while let Ok(bytes) = ours.write(&[7; 10_000]).await {
                taken.fetch_add(bytes, Ordering::Relaxed);
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let waits = taken.load(Ordering::Relaxed) - STREAMS * 4_096;
    assert!(waits <= MEMORY + STREAMS * FLOORS, "{waits}");
    assert!(waits >= MEMORY / 2, "{waits}");
    let counted = sender.stats().endpoint.memory_bytes;
    assert!(counted.abs_diff(waits) <= STREAMS * 4_096, "{counted} of {waits}");

    // No writer is left waiting, all bytes arrive, and nothing stays charged.
    let mut reads = JoinSet::new();
    for mut reader in readers {
        reads.spawn(async move {
            reader.read_exact(&mut vec![0; PART]).await.unwrap();
            reader
        });
    }
    let readers = within(reads.join_all()).await;
    writers.abort_all();
    let mut reads = JoinSet::new();
    for mut reader in readers {
        reads.spawn(
            async move { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await.unwrap() },
        );
    }
    let rest: u64 = within(reads.join_all()).await.iter().sum();
    let read = (STREAMS * PART) as u64 + rest;
    assert_eq!(read, taken.load(Ordering::Relaxed) as u64);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(sender.stats().endpoint.memory_bytes, 0);
}

/// What one of a few streams has waiting: a queue, a send buffer and a chunk beyond it.
const ALONE: usize = (256 << 10) + (1 << 20) + (64 << 10);

/// What waits for its first packet in all streams, and one burst in each queue and each buffer.
const SHARED: usize = (16 << 20) + MANY * 3 * (16 << 10);

const MANY: usize = 100;

#[tokio::test(start_paused = true)]
async fn the_more_have_much_to_send_the_less_each_has_waiting() {
    let network = Network::new();
    let mut config = Config::default();
    config.receive_buffer_bytes = 4_096;
    config.receive_buffer_max_bytes = 4_096;
    let sender = network.socket(1, UtpSocket::builder());
    let receiver = network.socket(2, UtpSocket::builder().config(config));
    let taken = Arc::new(AtomicUsize::new(0));
    let (mut readers, mut writers) = (Vec::new(), JoinSet::new());
    for number in 0..MANY {
        let (ours, theirs) =
            within(async { tokio::join!(sender.connect(address(2)), receiver.accept()) }).await;
        readers.push(theirs.unwrap());
        let (mut ours, counter) = (ours.unwrap(), Arc::clone(&taken));
        writers.spawn(async move {
            while let Ok(bytes) = ours.write(&[7; 100_000]).await {
                counter.fetch_add(bytes, Ordering::Relaxed);
            }
        });
        if number == 0 {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let waits = taken.load(Ordering::Relaxed);
            assert!((1 << 20..=ALONE).contains(&waits), "{waits}");
        }
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let waits = taken.load(Ordering::Relaxed);
    assert!((SHARED / 2..=SHARED).contains(&waits), "{waits}");

    // Nothing is kept back: whoever was refused goes on, and what was written arrives.
    let mut reads = JoinSet::new();
    for mut reader in readers {
        reads.spawn(async move {
            reader.read_exact(&mut vec![0; 100_000]).await.unwrap();
            reader
        });
    }
    let readers = within(reads.join_all()).await;
    writers.abort_all();
    let mut reads = JoinSet::new();
    for mut reader in readers {
        reads.spawn(
            async move { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await.unwrap() },
        );
    }
    let rest: u64 = within(reads.join_all()).await.iter().sum();
    assert_eq!((MANY * 100_000) as u64 + rest, taken.load(Ordering::Relaxed) as u64);
}
