//! A stream between two sockets of one process, over the loopback interface: bytes in one
//! direction, and single bytes there and back.
//!
//! It is for comparing a change with what was before. What is measured against other stacks, with
//! a process for each side, is `cargo xtask bench`.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Runtime;
use utp_tokio::{UtpSocket, UtpStream};

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = stream, ping_pong
}
criterion_main!(benches);

fn stream(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stream");
    group.throughput(Throughput::Bytes(CHUNK_BYTES as u64));
    group.bench_function("64_KiB", |bencher| {
        bencher.iter_custom(|count| with_pair(|pair| transfer(pair, count)));
    });
    group.finish();
}

fn ping_pong(criterion: &mut Criterion) {
    criterion.bench_function("ping_pong/1_byte", |bencher| {
        bencher.iter_custom(|count| with_pair(|pair| ping(pair, count)));
    });
}

/// Writes `count` chunks and waits until the last byte was read.
async fn transfer((mut writer, mut reader): (UtpStream, UtpStream), count: u64) -> Duration {
    let start = Instant::now();
    let reads = tokio::spawn(async move {
        let mut buf = vec![0; CHUNK_BYTES];
        while reader.read(&mut buf).await.expect("the stream is whole") > 0 {}
    });
    let chunk = vec![7; CHUNK_BYTES];
    for _ in 0..count {
        writer.write_all(&chunk).await.expect("the peer reads");
    }
    writer.shutdown().await.expect("the peer reads");
    reads.await.expect("it does not panic");
    start.elapsed()
}

async fn ping((mut ours, mut theirs): (UtpStream, UtpStream), count: u64) -> Duration {
    let echo = tokio::spawn(async move {
        let mut byte = [0];
        while theirs.read(&mut byte).await.expect("the stream is whole") > 0 {
            theirs.write_all(&byte).await.expect("the peer reads");
        }
    });
    let start = Instant::now();
    for _ in 0..count {
        ours.write_all(&[7]).await.expect("the peer reads");
        ours.read_exact(&mut [0]).await.expect("the byte comes back");
    }
    let took = start.elapsed();
    ours.shutdown().await.expect("the peer reads");
    echo.await.expect("it does not panic");
    took
}

/// Runs with a new connection, on a runtime as applications have it.
fn with_pair<F: Future<Output = Duration>>(
    run: impl FnOnce((UtpStream, UtpStream)) -> F,
) -> Duration {
    let runtime = Runtime::new().expect("the system gives threads");
    runtime.block_on(async {
        let bind = || UtpSocket::bind((Ipv4Addr::LOCALHOST, 0).into());
        let ours = bind().await.expect("a port is free");
        let theirs = bind().await.expect("a port is free");
        let (stream, accepted) = tokio::join!(ours.connect(theirs.local_addr()), theirs.accept());
        run((stream.expect("it is accepted"), accepted.expect("it connects"))).await
    })
}

const CHUNK_BYTES: usize = 64 * 1024;
