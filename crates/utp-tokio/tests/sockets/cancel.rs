//! Futures that are dropped at each place where they wait: nothing is lost, nothing stays behind.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;
use utp_tokio::{Config, UtpSocket, UtpSocketBuilder};

use crate::memory::{Network, address};
use crate::support::{data, digest, pair, receive, within};

/// Polls `future` until it has had to wait more than `waits` times, and drops it then.
async fn dropped_after<T>(future: impl Future<Output = T>, mut waits: usize) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if waits == 0 => Poll::Ready(None),
        Poll::Pending => {
            waits -= 1;
            Poll::Pending
        }
    })
    .await
}

/// A finished connection is forgotten soon.
fn options() -> UtpSocketBuilder {
    let mut config = Config::default();
    config.linger_us = 100_000;
    UtpSocket::builder().config(config)
}

fn sockets() -> (UtpSocket, UtpSocket) {
    let network = Network::new();
    (network.socket(1, options()), network.socket(2, options()))
}

// req: F-25
#[tokio::test(start_paused = true)]
async fn dropped_accepts_lose_no_stream() {
    let (a, b) = sockets();
    within(async {
        let connects = async {
            let mut streams = Vec::new();
            for nr in 0..20 {
                let mut stream = a.connect(b.local_addr()).await.unwrap();
                stream.write_u8(nr).await.unwrap();
                sleep(Duration::from_millis(7)).await;
                streams.push(stream);
            }
            streams
        };
        let accepts = async {
            let mut seen = Vec::new();
            for waits in (0..3).cycle() {
                if let Some(stream) = dropped_after(b.accept(), waits).await {
                    seen.push(stream.unwrap().read_u8().await.unwrap());
                    if seen.len() == 20 {
                        break;
                    }
                } else {
                    sleep(Duration::from_millis(3)).await;
                }
            }
            seen
        };
        let (_streams, seen) = tokio::join!(connects, accepts);
        assert_eq!(seen, (0..20).collect::<Vec<u8>>());
    })
    .await;
}

// req: F-25
#[tokio::test(start_paused = true)]
async fn dropped_receives_lose_no_datagram() {
    let (a, b) = sockets();
    within(async {
        let mut seen = 0;
        for nr in 0..100_u8 {
            a.send_unclaimed(b.local_addr(), &[b'd', nr]).unwrap();
            if let Some(datagram) = dropped_after(b.recv_unclaimed(), usize::from(nr) % 3).await {
                assert_eq!(datagram.unwrap().data[..], [b'd', seen]);
                seen += 1;
            }
        }
        while seen < 100 {
            assert_eq!(b.recv_unclaimed().await.unwrap().data[..], [b'd', seen]);
            seen += 1;
        }
    })
    .await;
}

// req: F-25
#[tokio::test(start_paused = true)]
async fn dropped_reads_and_writes_lose_no_byte() {
    let (a, b) = sockets();
    let (mut ours, mut theirs) = pair(&a, &b).await;
    let sent = data(1, 1_500_000);
    within(async {
        let write = async {
            let (mut at, mut round) = (0, 0);
            while at < sent.len() {
                let piece = &sent[at..sent.len().min(at + 100_000)];
                match dropped_after(ours.write(piece), round % 2).await {
                    Some(written) => at += written.unwrap(),
                    None => sleep(Duration::from_millis(5)).await,
                }
                round += 1;
            }
            while dropped_after(ours.shutdown(), round % 3).await.is_none() {
                sleep(Duration::from_millis(5)).await;
                round += 1;
            }
        };
        let read = async {
            let mut received = Vec::new();
            for round in 0.. {
                match dropped_after(theirs.read_chunk(30_000), round % 3).await {
                    Some(Ok(Some(chunk))) => received.extend_from_slice(&chunk),
                    Some(end) => {
                        assert!(end.unwrap().is_none());
                        break;
                    }
                    None => {}
                }
            }
            received
        };
        let ((), received) = tokio::join!(write, read);
        assert_eq!(digest(&received), digest(&sent));
    })
    .await;
}

// req: F-25
#[tokio::test(start_paused = true)]
async fn a_dropped_write_of_a_chunk_has_written_its_first_part() {
    for waits in 0..4 {
        let (a, b) = sockets();
        let (mut ours, mut theirs) = pair(&a, &b).await;
        let chunk = Bytes::from(data(2, 4_000_000));
        within(async {
            let written = dropped_after(ours.write_chunk(chunk.clone()), waits).await;
            assert!(written.is_none(), "more than all queues hold");
            let ((), received) =
                tokio::join!(async { ours.shutdown().await.unwrap() }, receive(&mut theirs));
            assert!(received.len() >= 256 * 1024, "{}", received.len());
            assert!(received == chunk[..received.len()]);
        })
        .await;
    }
}

// req: F-25
#[tokio::test(start_paused = true)]
async fn dropped_connects_leave_nothing_behind() {
    let (a, b) = sockets();
    for waits in 0..3 {
        for _ in 0..20 {
            let connect = dropped_after(a.connect(b.local_addr()), waits).await;
            drop(connect);
            sleep(Duration::from_millis(4)).await;
        }
    }
    // Streams that were announced are dropped as they are accepted.
    while dropped_after(b.accept(), 0).await.is_some() {}
    sleep(Duration::from_secs(120)).await;
    while dropped_after(b.accept(), 0).await.is_some() {}
    sleep(Duration::from_secs(120)).await;
    for socket in [&a, &b] {
        let stats = socket.stats();
        assert_eq!((stats.streams, stats.endpoint.connections), (0, 0), "{stats:?}");
    }
    let (mut ours, mut theirs) = pair(&a, &b).await;
    ours.write_all(b"still").await.unwrap();
    ours.shutdown().await.unwrap();
    assert_eq!(receive(&mut theirs).await, b"still");
}

// req: F-25
#[tokio::test(start_paused = true)]
async fn a_dropped_close_still_delivers_what_was_written() {
    for waits in 0..3 {
        let network = Network::new();
        let (a, b) = (network.socket(1, options()), network.socket(2, options()));
        let (mut ours, mut theirs) = pair(&a, &b).await;
        let sent = data(3, 700_000);
        within(async {
            let (received, ()) = tokio::join!(receive(&mut theirs), async {
                ours.write_all(&sent).await.unwrap();
                drop(ours);
                dropped_after(a.close(), waits).await;
            });
            assert_eq!(digest(&received), digest(&sent));
        })
        .await;
    }
}

// req: F-25
#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_dropped_reads_change_nothing() {
    let (a, b) = sockets();
    let (mut ours, mut theirs) = pair(&a, &b).await;
    for _ in 0..100_000 {
        assert!(dropped_after(theirs.read_chunk(10), 0).await.is_none());
    }
    ours.write_all(b"late").await.unwrap();
    ours.shutdown().await.unwrap();
    assert_eq!(receive(&mut theirs).await, b"late");
    assert_eq!(address(2), b.local_addr());
}
