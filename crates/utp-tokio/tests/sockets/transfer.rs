//! Bytes go through unchanged, whatever the way they are written and read.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use utp_tokio::{Config, UtpSocket};

#[cfg(target_os = "linux")]
use crate::memory::{Network, address};
use crate::support::{bind, data, digest, exchange, localhost, pair, receive, send, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn megabytes_both_ways_over_ipv4() {
    let (a, b) = (bind().await, bind().await);
    let (ours, theirs) = pair(&a, &b).await;
    assert_eq!(ours.peer_addr(), b.local_addr());
    assert_eq!(theirs.peer_addr(), a.local_addr());
    assert_eq!(ours.local_addr(), a.local_addr());
    exchange(ours, theirs, [&data(1, 8_000_000), &data(2, 5_000_000)]).await;
}

#[tokio::test]
async fn megabytes_both_ways_over_ipv6() {
    let address: SocketAddr = (Ipv6Addr::LOCALHOST, 0).into();
    let Ok(a) = UtpSocket::bind(address).await else {
        return eprintln!("skipped, no IPv6 here");
    };
    let b = UtpSocket::bind(address).await.unwrap();
    let (ours, theirs) = pair(&a, &b).await;
    exchange(ours, theirs, [&data(3, 3_000_000), &data(4, 2_000_000)]).await;
}

#[tokio::test]
async fn socket_for_both_families_serves_an_ipv4_peer() {
    let Ok(any) = UtpSocket::bind((Ipv6Addr::UNSPECIFIED, 0).into()).await else {
        return eprintln!("skipped, no IPv6 here");
    };
    let peer = bind().await;
    let port = any.local_addr().port();
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    let (ours, theirs) = within(async { tokio::join!(peer.connect(address), any.accept()) }).await;
    let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
    assert_eq!(theirs.peer_addr(), peer.local_addr());
    assert_eq!(theirs.local_addr(), address);
    exchange(ours, theirs, [&data(5, 1_000_000), &data(6, 1_000_000)]).await;

    let (ours, theirs) =
        within(async { tokio::join!(any.connect(peer.local_addr()), peer.accept()) }).await;
    exchange(ours.unwrap(), theirs.unwrap(), [&data(7, 100_000), &data(8, 100_000)]).await;
}

#[tokio::test]
async fn chunks_go_through_unchanged() {
    let (a, b) = (bind().await, bind().await);
    let (mut ours, mut theirs) = pair(&a, &b).await;
    let sent = Bytes::from(data(9, 3_000_000));
    let copy = sent.clone();
    let writer = tokio::spawn(async move {
        let mut rest = copy;
        let mut size = 1;
        while !rest.is_empty() {
            ours.write_chunk(rest.split_to(size.min(rest.len()))).await.unwrap();
            size = size * 7 % 300_007;
        }
        ours.shutdown().await.unwrap();
    });
    let mut received = Vec::new();
    let reader = async {
        while let Some(chunk) = theirs.read_chunk(1_000).await.unwrap() {
            assert!(!chunk.is_empty() && chunk.len() <= 1_000);
            received.extend_from_slice(&chunk);
        }
    };
    within(reader).await;
    within(writer).await.unwrap();
    assert_eq!(digest(&received), digest(&sent));
}

#[tokio::test]
async fn single_bytes_are_answered_one_by_one() {
    let (a, b) = (bind().await, bind().await);
    let (mut ours, mut theirs) = pair(&a, &b).await;
    let echo = tokio::spawn(async move {
        let mut byte = [0];
        while theirs.read(&mut byte).await.unwrap() == 1 {
            theirs.write_all(&byte).await.unwrap();
        }
    });
    within(async {
        for sent in 0..=255 {
            ours.write_all(&[sent]).await.unwrap();
            assert_eq!(ours.read_u8().await.unwrap(), sent);
        }
        ours.shutdown().await.unwrap();
        echo.await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_streams_share_two_sockets() {
    let (a, b) = (Arc::new(bind().await), bind().await);
    let address = b.local_addr();
    let mut clients = JoinSet::new();
    for seed in 0..400 {
        let a = Arc::clone(&a);
        clients.spawn(async move {
            let stream = a.connect(address).await.unwrap();
            let (mut reader, mut writer) = stream.into_split();
            let sent = data(seed, 30_000);
            let ((), received) = tokio::join!(send(&mut writer, &sent), receive(&mut reader));
            assert_eq!(digest(&received), digest(&sent));
        });
    }
    let mut servers = JoinSet::new();
    within(async {
        for _ in 0..400 {
            let stream = b.accept().await.unwrap();
            servers.spawn(async move {
                let (mut reader, mut writer) = stream.into_split();
                tokio::io::copy(&mut reader, &mut writer).await.unwrap();
                writer.shutdown().await.unwrap();
            });
        }
        while let Some(result) = clients.join_next().await {
            result.unwrap();
        }
        while let Some(result) = servers.join_next().await {
            result.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn connect_with_settings_of_its_own() {
    let (a, b) = (bind().await, bind().await);
    let mut config = Config::default();
    config.datagram_bytes_max_v4 = 8_000;
    let config = Arc::new(config);
    let (ours, theirs) = within(async {
        tokio::join!(a.connect_with(b.local_addr(), Arc::clone(&config)), b.accept())
    })
    .await;
    exchange(ours.unwrap(), theirs.unwrap(), [&data(10, 2_000_000), &data(11, 1_000_000)]).await;
}

#[tokio::test]
async fn stats_tell_what_went_through() {
    let (a, b) = (bind().await, bind().await);
    let (mut ours, mut theirs) = pair(&a, &b).await;
    let sent = data(12, 1_000_000);
    within(async {
        let (received, ()) = tokio::join!(receive(&mut theirs), send(&mut ours, &sent));
        assert_eq!(received.len(), sent.len());
        while ours.stats().bytes_acked < 1_000_000 {
            tokio::task::yield_now().await;
        }
        while b.stats().bytes_received < 1_000_000 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(theirs.stats().bytes_received, 1_000_000);
    let stats = a.stats();
    assert!(stats.datagrams_sent > 1_000_000 / 1_472);
    assert!(stats.bytes_sent > 1_000_000);
    assert_eq!(stats.streams, 1);
    assert!(stats.buffer_bytes.receive.is_some());
    assert!(stats.send_segments_max >= 1);
}

#[tokio::test]
async fn bound_socket_is_adopted() {
    let udp = std::net::UdpSocket::bind(localhost()).unwrap();
    let address = udp.local_addr().unwrap();
    let a = UtpSocket::builder().from_std(udp).unwrap();
    assert_eq!(a.local_addr(), address);
    let b = bind().await;
    let (ours, theirs) = pair(&b, &a).await;
    assert_eq!(ours.peer_addr(), address);
    exchange(ours, theirs, [&data(13, 100_000), &data(14, 100_000)]).await;
}

// req: MT-04, F-17
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn link_that_takes_only_smaller_datagrams_costs_no_byte() {
    for limit in [1_200, 1_300, 1_400] {
        let network = Network::new();
        let builder = UtpSocket::builder();
        let (a, b) = (network.socket(1, builder.clone()), network.socket(2, builder));
        let (mut ours, mut theirs) = pair(&a, &b).await;
        let (first, second) = (data(21, 1_000_000), data(22, 1_000_000));
        within(async {
            tokio::join!(
                async {
                    ours.write_all(&first).await.unwrap();
                    network.limit_size(address(1), limit);
                    ours.write_all(&second).await.unwrap();
                    ours.shutdown().await.unwrap();
                },
                async {
                    let mut received = Vec::new();
                    theirs.read_to_end(&mut received).await.unwrap();
                    assert!(received[..1_000_000] == first && received[1_000_000..] == second);
                }
            )
        })
        .await;
        assert!(a.stats().sends_too_large > 0);
        assert_eq!(a.stats().send_errors, 0);
        let stats = ours.stats();
        assert_eq!((stats.timeouts, stats.losses_detected), (0, 0), "{stats:?}");
        assert!(usize::from(stats.datagram_bytes) <= limit);
    }
}

#[tokio::test(start_paused = true)]
async fn gap_fills_though_what_came_beyond_it_takes_most_of_the_buffer() {
    // The packets of the gap are less than what a reader tells of at once as a rule; unless it
    // does, there is no room for them.
    const BUFFER_BYTES: u32 = 128 << 10;
    const DATA_PACKETS_LOST: std::ops::Range<u64> = 200..216;
    let network = Network::new();
    let mut config = Config::default();
    config.receive_buffer_bytes = BUFFER_BYTES;
    config.receive_buffer_max_bytes = BUFFER_BYTES;
    config.controller = Arc::new(utp_ledbat::FixedWindowFactory((4 * BUFFER_BYTES).into()));
    let options = || UtpSocket::builder().config(config.clone());
    let (a, b) = (network.socket(1, options()), network.socket(2, options()));
    let (ours, theirs) = pair(&a, &b).await;
    let mut data_packets = 0;
    network.deliver_if(move |_, datagram| {
        data_packets += u64::from(datagram.len() > 1_000);
        !(datagram.len() > 1_000 && DATA_PACKETS_LOST.contains(&data_packets))
    });
    exchange(ours, theirs, [&data(10, 2_000_000), &[]]).await;
}
