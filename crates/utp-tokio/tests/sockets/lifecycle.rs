//! How connections begin and end.

use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use utp_tokio::{Config, EndpointConfig, UtpSocket};

use crate::memory::Network;
use crate::support::{LIMIT, bind, data, digest, localhost, pair, receive, send, within};

#[tokio::test]
async fn shutdown_resolves_when_the_peer_has_everything() {
    let (a, b) = (bind().await, bind().await);
    let (mut ours, mut theirs) = pair(&a, &b).await;
    within(async {
        ours.write_all(b"all of it").await.unwrap();
        ours.shutdown().await.unwrap();
        // Delivered, though nobody has read it yet.
        assert_eq!(receive(&mut theirs).await, b"all of it");
        ours.shutdown().await.unwrap();
        let error = ours.write_all(b"more").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    })
    .await;
}

#[tokio::test]
async fn half_closed_stream_still_receives() {
    let (a, b) = (bind().await, bind().await);
    let (mut ours, mut theirs) = pair(&a, &b).await;
    let answer = data(1, 500_000);
    within(async {
        ours.write_all(b"question").await.unwrap();
        ours.shutdown().await.unwrap();
        assert_eq!(receive(&mut theirs).await, b"question");
        let ((), received) = tokio::join!(send(&mut theirs, &answer), receive(&mut ours));
        assert_eq!(digest(&received), digest(&answer));
    })
    .await;
}

#[tokio::test]
async fn dropping_the_write_half_ends_the_direction() {
    let (a, b) = (bind().await, bind().await);
    let (ours, mut theirs) = pair(&a, &b).await;
    let (mut reader, mut writer) = ours.into_split();
    within(async {
        writer.write_all(b"last words").await.unwrap();
        drop(writer);
        assert_eq!(receive(&mut theirs).await, b"last words");
        theirs.write_all(b"heard").await.unwrap();
        let mut answer = [0; 5];
        reader.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"heard");
    })
    .await;
}

#[tokio::test]
async fn dropping_the_read_half_discards_what_comes() {
    let (a, b) = (bind().await, bind().await);
    let (ours, mut theirs) = pair(&a, &b).await;
    let (reader, mut writer) = ours.into_split();
    drop(reader);
    within(async {
        // More than any window: it is taken although nobody reads.
        send(&mut theirs, &data(2, 5_000_000)).await;
        send(&mut writer, b"still here").await;
        assert_eq!(receive(&mut theirs).await, b"still here");
    })
    .await;
}

#[tokio::test]
async fn dropped_stream_delivers_what_was_written() {
    let (a, b) = (bind().await, bind().await);
    let (mut ours, mut theirs) = pair(&a, &b).await;
    // More than the core's send buffer holds.
    let sent = data(3, 3_000_000);
    within(async {
        let (received, ()) = tokio::join!(receive(&mut theirs), async {
            ours.write_all(&sent).await.unwrap();
            drop((ours, a));
        });
        assert_eq!(digest(&received), digest(&sent));
        theirs.shutdown().await.unwrap();
    })
    .await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn connect_where_nobody_listens_is_refused_at_once() {
    let gone = UdpSocket::bind(localhost()).unwrap();
    let nobody = gone.local_addr().unwrap();
    drop(gone);
    let a = bind().await;
    let started = Instant::now();
    let error = within(a.connect(nobody)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn socket_without_a_backlog_refuses() {
    let (a, b) = (bind().await, UtpSocket::builder().backlog(0).bind(localhost()).await.unwrap());
    let error = within(a.connect(b.local_addr())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(within(b.accept()).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(b.stats().connects_refused, 1);
    // It connects nevertheless.
    let (mut ours, mut theirs) = pair(&b, &a).await;
    within(async {
        send(&mut ours, b"hello").await;
        assert_eq!(receive(&mut theirs).await, b"hello");
    })
    .await;
}

#[tokio::test]
async fn connects_beyond_the_backlog_are_refused() {
    let a = bind().await;
    let b = UtpSocket::builder().backlog(3).bind(localhost()).await.unwrap();
    let mut streams = Vec::new();
    within(async {
        let error = loop {
            match a.connect(b.local_addr()).await {
                Ok(mut stream) => {
                    // The backlog holds it once this has arrived.
                    stream.write_all(b"x").await.unwrap();
                    while stream.stats().bytes_acked == 0 && streams.len() < 3 {
                        tokio::task::yield_now().await;
                    }
                    streams.push(stream);
                }
                Err(error) => break error,
            }
            assert!(streams.len() < 10, "the backlog is bounded");
        };
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(streams.len(), 3);
        let mut first = b.accept().await.unwrap();
        assert_eq!(first.read_u8().await.unwrap(), b'x');
        a.connect(b.local_addr()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn addresses_that_cannot_be_reached_fail_at_once() {
    let a = bind().await;
    for address in ["[::1]:9", "127.0.0.1:0", "0.0.0.0:9"] {
        let error = within(a.connect(address.parse().unwrap())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{address}");
    }
}

#[tokio::test]
async fn limit_of_connections_fails_a_connect() {
    let mut endpoint_config = EndpointConfig::default();
    endpoint_config.connections_max = 1;
    let a = UtpSocket::builder().endpoint_config(endpoint_config).bind(localhost()).await.unwrap();
    let b = bind().await;
    let (_ours, _theirs) = pair(&a, &b).await;
    let error = within(a.connect(b.local_addr())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceBusy);
}

#[tokio::test]
async fn aborted_stream_resets_the_peer() {
    let (a, b) = (bind().await, bind().await);
    let (ours, mut theirs) = pair(&a, &b).await;
    within(async {
        ours.abort();
        let error = theirs.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let error = theirs.shutdown().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    })
    .await;
}

/// Options with which a finished connection is forgotten soon.
fn short_linger() -> utp_tokio::UtpSocketBuilder {
    let mut config = Config::default();
    config.linger_us = 100_000;
    UtpSocket::builder().config(config)
}

#[tokio::test(start_paused = true)]
async fn dropped_streams_free_their_connections() {
    let network = Network::new();
    let (a, b) = (network.socket(1, short_linger()), network.socket(2, short_linger()));
    for round in 0..20 {
        let (mut ours, mut theirs) = pair(&a, &b).await;
        let sent = data(round, 10_000);
        within(async {
            send(&mut ours, &sent).await;
            assert_eq!(receive(&mut theirs).await, sent);
        })
        .await;
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    for socket in [&a, &b] {
        assert_eq!(socket.stats().streams, 0);
        assert_eq!(socket.stats().endpoint.connections, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_connect_is_given_up() {
    let network = Network::new();
    network.deliver_if(|_, _| false);
    let a = network.socket(1, short_linger());
    let connect = a.connect(crate::memory::address(2));
    assert!(tokio::time::timeout(Duration::from_secs(5), connect).await.is_err());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(a.stats().streams, 0);
    assert_eq!(a.stats().endpoint.connections, 0);
}

#[tokio::test]
async fn close_waits_for_what_was_written() {
    let (a, b) = (bind().await, bind().await);
    let (mut ours, mut theirs) = pair(&a, &b).await;
    let sent = data(4, 3_000_000);
    let copy = sent.clone();
    let writer = tokio::spawn(async move {
        ours.write_all(&copy).await.unwrap();
        drop(ours);
        a.close().await;
    });
    within(async {
        assert_eq!(digest(&receive(&mut theirs).await), digest(&sent));
        drop(theirs);
        writer.await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn close_resets_streams_that_take_too_long() {
    let network = Network::new();
    let a = network.socket(1, UtpSocket::builder().close_timeout(Duration::from_secs(3)));
    let b = network.socket(2, UtpSocket::builder());
    let (mut ours, mut theirs) = pair(&a, &b).await;
    let started = tokio::time::Instant::now();
    within(a.close()).await;
    let waited = started.elapsed();
    assert!(waited >= Duration::from_secs(3) && waited < Duration::from_millis(3_100));
    let error = ours.write_all(b"too late").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
    let error = within(theirs.read_u8()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn closing_socket_refuses_connects() {
    let (a, b) = (bind().await, bind().await);
    let (ours, theirs) = pair(&a, &b).await;
    let address = b.local_addr();
    let closing = tokio::spawn(b.close());
    within(async {
        // Until the driver knows that it closes, connects may come through.
        while a.connect(address).await.is_ok() {}
        drop((ours, theirs));
        closing.await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn stream_outlives_its_socket() {
    let (a, b) = (bind().await, bind().await);
    let (ours, theirs) = pair(&a, &b).await;
    drop((a, b));
    crate::support::exchange(ours, theirs, [&data(5, 1_000_000), &data(6, 1_000_000)]).await;
}

#[tokio::test]
async fn port_is_free_when_close_returns() {
    let (a, b) = (bind().await, bind().await);
    let address = a.local_addr();
    let (mut ours, mut theirs) = pair(&a, &b).await;
    within(async {
        tokio::join!(send(&mut ours, b"x"), send(&mut theirs, b"y"));
        drop(ours);
        a.close().await;
        assert!(UtpSocket::bind(address).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn many_accepts_wait_at_once() {
    let (a, b) = (bind().await, Arc::new(bind().await));
    let accepts: Vec<_> = (0..5)
        .map(|_| {
            let b = Arc::clone(&b);
            tokio::spawn(async move { b.accept().await.unwrap().read_u8().await.unwrap() })
        })
        .collect();
    let mut streams = Vec::new();
    within(async {
        for number in 0..5 {
            let mut stream = a.connect(b.local_addr()).await.unwrap();
            stream.write_u8(number).await.unwrap();
            streams.push(stream);
        }
        let mut numbers = Vec::new();
        for accept in accepts {
            numbers.push(accept.await.unwrap());
        }
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
    })
    .await;
}

#[test]
fn streams_fail_when_their_runtime_is_gone() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (socket, mut stream) = runtime.block_on(async {
        let (a, b) = (bind().await, bind().await);
        let (ours, _theirs) = pair(&a, &b).await;
        (a, ours)
    });
    drop(runtime);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let waited = tokio::time::timeout(LIMIT, stream.read_u8()).await.unwrap();
        assert_eq!(waited.unwrap_err().kind(), ErrorKind::ConnectionAborted);
        assert!(socket.accept().await.is_err());
        assert!(socket.connect(localhost()).await.is_err());
        assert!(socket.recv_unclaimed().await.is_err());
    });
}
