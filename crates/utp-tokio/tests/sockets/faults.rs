//! What the host does to a socket: calls that fail, batches that are mixed or cut short, buffers
//! that overflow, tasks that do not run.

use std::io::{Error, ErrorKind};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep};
use utp_tokio::UtpSocket;

use crate::faulty::{Faulty, SendFate, Starving, two};
use crate::memory::{Network, address};
use crate::support::{bind, data, exchange, next_random, pair, receive, send, within};

// req: F-19
#[tokio::test(start_paused = true)]
async fn a_socket_that_is_gone_ends_everything_on_it_with_an_error() {
    // What closed, shut down and unplugged sockets say.
    for kind in [ErrorKind::InvalidInput, ErrorKind::NotConnected, ErrorKind::Other] {
        let network = Network::new();
        let ([transport, _], a, b) = two(&network);
        let (mut reading, _theirs) = pair(&a, &b).await;
        let (mut writing, mut peer) = pair(&a, &b).await;
        let failing = async {
            sleep(Duration::from_secs(1)).await;
            transport.fail_receive(kind.into());
        };
        within(async {
            let (read, written, connected, accepted, unclaimed, ()) = tokio::join!(
                reading.read_u8(),
                async {
                    loop {
                        let written = writing.write_all(&[0; 100_000]).await;
                        if let Err(error) = written {
                            return error;
                        }
                    }
                },
                // Nobody answers.
                a.connect(address(9)),
                a.accept(),
                a.recv_unclaimed(),
                failing
            );
            assert_eq!(read.unwrap_err().kind(), kind);
            assert_eq!(written.kind(), kind);
            assert_eq!(connected.unwrap_err().kind(), kind);
            assert!(accepted.is_err() && unclaimed.is_err());
            assert_eq!(writing.shutdown().await.unwrap_err().kind(), kind);
            assert_eq!(a.connect(b.local_addr()).await.unwrap_err().kind(), kind);
            a.close().await;
            // The peers find out by themselves.
            let error = peer.read_to_end(&mut Vec::new()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
        })
        .await;
    }
}

// req: F-16, F-19
#[tokio::test(start_paused = true)]
async fn a_socket_that_sends_nothing_any_more_ends_its_streams_in_time() {
    // Buffers are waited for as long as a socket that is full.
    for (kind, ended_s) in [(ErrorKind::Other, 60), (ErrorKind::OutOfMemory, 80)] {
        let network = Network::new();
        let ([transport, _], a, b) = two(&network);
        let (mut ours, mut theirs) = pair(&a, &b).await;
        transport.on_send(move |_| SendFate::Fails(kind.into()));
        let started = Instant::now();
        within(async {
            ours.write_all(b"anybody there?").await.unwrap();
            theirs.write_all(b"yes").await.unwrap();
            for stream in [&mut ours, &mut theirs] {
                let error = stream.shutdown().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::TimedOut);
            }
            assert!(a.stats().send_errors > 0);
            a.close().await;
        })
        .await;
        assert!(started.elapsed() < Duration::from_secs(ended_s), "{:?}", started.elapsed());
    }
}

// req: F-16
#[tokio::test(start_paused = true)]
async fn a_host_that_is_out_of_buffers_is_asked_again_and_nothing_is_lost() {
    for per_mille in [10, 100, 500] {
        let network = Network::new();
        let (_, a, b) = two(&network);
        let (mut ours, mut theirs) = pair(&a, &b).await;
        network.fail_sends(per_mille);
        let sent = data(8, 1_000_000);
        let started = Instant::now();
        within(async {
            let mut received = vec![0; sent.len()];
            let (written, read) =
                tokio::join!(ours.write_all(&sent), theirs.read_exact(&mut received));
            written.unwrap();
            read.unwrap();
            assert!(received == sent);
        })
        .await;
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
        sleep(Duration::from_millis(100)).await;
        let stats = ours.stats();
        assert!(a.stats().sends_blocked >= 1, "{per_mille} of 1 000 sends fail");
        assert_eq!(a.stats().send_errors + b.stats().send_errors, 0);
        let repairs = (stats.timeouts, stats.retransmissions, stats.losses_detected);
        assert_eq!(repairs, (0, 0, 0), "{per_mille} of 1 000: {stats:?}");
    }
}

// req: F-16
#[tokio::test(start_paused = true)]
async fn sends_that_fail_for_another_reason_are_losses_and_no_more() {
    for (per_mille, len) in [(10, 200_000), (100, 100_000), (250, 20_000)] {
        let network = Network::new();
        let (transports, a, b) = two(&network);
        let (mut ours, mut theirs) = pair(&a, &b).await;
        for (transport, mut state) in transports.iter().zip(16..) {
            transport.on_send(move |_| {
                if next_random(&mut state) % 1_000 < per_mille {
                    return SendFate::Fails(Error::other("who knows"));
                }
                SendFate::Passes
            });
        }
        let sent = data(8, len);
        within(async {
            let mut received = vec![0; sent.len()];
            let (written, read) =
                tokio::join!(ours.write_all(&sent), theirs.read_exact(&mut received));
            written.unwrap();
            read.unwrap();
            assert!(received == sent);
        })
        .await;
        assert!(a.stats().send_errors >= 1, "{per_mille} of 1 000 sends fail");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_which_the_transport_takes_a_part_goes_on_with_the_rest() {
    let network = Network::new();
    let ([transport, _], a, b) = two(&network);
    let (mut ours, mut theirs) = pair(&a, &b).await;
    let cut = Arc::new(AtomicU32::new(0));
    let (mut state, cuts) = (3, Arc::clone(&cut));
    transport.on_send(move |datagrams| {
        let count = usize::try_from(next_random(&mut state) % 3 + 1).unwrap();
        cuts.fetch_add(u32::from(datagrams.iter().count() > count), Ordering::Relaxed);
        SendFate::Only(count)
    });
    let sent = data(3, 500_000);
    let ((), received) =
        within(async { tokio::join!(send(&mut ours, &sent), receive(&mut theirs)) }).await;
    assert!(received == sent);
    let (stats, peer_stats) = (ours.stats(), theirs.stats());
    assert_eq!((stats.retransmissions, peer_stats.duplicates_received), (0, 0), "each goes once");
    assert!(cut.load(Ordering::Relaxed) > 30);
}

#[tokio::test(start_paused = true)]
async fn batches_that_mix_peers_and_sizes_are_taken_apart() {
    for (buffers_max, segments_max) in [(1, 64), (2, 3), (32, 64), (32, 1)] {
        let network = Network::new();
        let transport = Faulty::new(&network, 1);
        transport.receive_in(buffers_max, segments_max);
        let arrived = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&arrived);
        transport.on_receive(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let acceptor = transport.socket(UtpSocket::builder());
        let mut exchanges = Vec::new();
        for host in 2..6 {
            let socket = network.socket(host, UtpSocket::builder());
            let (ours, theirs) = pair(&socket, &acceptor).await;
            let seed = u64::from(host);
            // `send` writes pieces of many sizes.
            exchanges.push(tokio::spawn(async move {
                let (up, down) = (data(seed, 100_000), data(seed + 100, 50_000));
                exchange(ours, theirs, [&up, &down]).await;
            }));
        }
        // Others come between: empty ones, short ones, those of another protocol.
        let strangers = async {
            for nr in 0..200_u8 {
                let datagram = data(u64::from(nr), usize::from(nr % 23));
                network.inject(address(7), address(1), &datagram);
                network.inject(address(8), address(1), &[b'd', nr]);
                sleep(Duration::from_millis(3)).await;
            }
        };
        let listener = async {
            let mut heard = Vec::new();
            while heard.len() < 200 {
                let datagram = acceptor.recv_unclaimed().await.unwrap();
                if datagram.source == address(8) {
                    assert_eq!(datagram.data[0], b'd');
                    heard.push(datagram.data[1]);
                }
            }
            heard
        };
        let ((), heard) = within(async { tokio::join!(strangers, listener) }).await;
        assert!(heard.into_iter().eq(0..200));
        for exchange in exchanges {
            within(exchange).await.unwrap();
        }
        sleep(Duration::from_secs(1)).await;
        let stats = acceptor.stats();
        assert_eq!(stats.endpoint.datagrams_received, arrived.load(Ordering::Relaxed));
        let most = u64::try_from(buffers_max).unwrap();
        assert!(stats.buffers_received <= stats.receives * most);
        let shared = stats.endpoint.datagrams_received - stats.buffers_received;
        assert_eq!(shared > 20, segments_max > 1, "{shared} datagrams shared a buffer");
    }
}

// req: F-22
#[tokio::test(start_paused = true)]
async fn what_a_full_receive_buffer_drops_is_recovered() {
    for unread_max in [8, 40] {
        let network = Network::new();
        let runtime = Arc::new(Starving::new(2));
        let a = network.socket(1, UtpSocket::builder());
        let gate: Arc<Starving> = Arc::clone(&runtime);
        let b = Faulty::new(&network, 2).socket_in(gate, UtpSocket::builder());
        let (ours, theirs) = pair(&a, &b).await;
        let starving = async {
            // Once the window is open.
            sleep(Duration::from_millis(500)).await;
            network.limit_unread(address(2), unread_max);
            for _ in 0..10 {
                runtime.starve(true);
                sleep(Duration::from_millis(200)).await;
                runtime.starve(false);
                sleep(Duration::from_millis(300)).await;
            }
        };
        let (ones, others) = (data(4, 2_000_000), data(5, 500_000));
        tokio::join!(exchange(ours, theirs, [&ones, &others]), starving);
        assert!(network.overflown(address(2)) > 10, "{unread_max}");
    }
}

// req: F-30
#[tokio::test(start_paused = true)]
async fn a_runtime_that_does_not_run_the_stack_costs_it_one_time_out_at_most() {
    for starved_ms in [50, 700, 3_000, 20_000] {
        let network = Network::new();
        let runtime = Arc::new(Starving::new(1));
        let gate: Arc<Starving> = Arc::clone(&runtime);
        let a = Faulty::new(&network, 1).socket_in(gate, UtpSocket::builder());
        let b = network.socket(2, UtpSocket::builder());
        let (mut ours, mut theirs) = pair(&a, &b).await;
        let sent = data(6, 1_000_000);
        ours.set_send_rate_max(NonZeroU32::new(1_000_000));
        let started = Instant::now();
        let starving = async {
            sleep(Duration::from_millis(300)).await;
            runtime.starve(true);
            sleep(Duration::from_millis(starved_ms)).await;
            runtime.starve(false);
        };
        let ((), received, ()) =
            within(async { tokio::join!(send(&mut ours, &sent), receive(&mut theirs), starving) })
                .await;
        assert!(received == sent);
        // At the cap it takes a second beside the time that nothing ran.
        assert!(started.elapsed() > Duration::from_millis(starved_ms + 900));
        let stats = ours.stats();
        assert!(stats.timeouts <= 1, "{starved_ms} ms: {stats:?}");
        assert!(stats.rtt_us < 60_000, "{starved_ms} ms: {stats:?}");
    }
}

// req: F-28
#[tokio::test]
async fn a_port_that_cannot_be_had_is_a_clear_error() {
    let a = bind().await;
    let error = UtpSocket::bind(a.local_addr()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    // An address for documentation, which is nobody's.
    let error = UtpSocket::bind(([192, 0, 2, 1], 0).into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    // The one that was there before is none the worse.
    let (ours, theirs) = pair(&bind().await, &a).await;
    exchange(ours, theirs, [b"still", b"here"]).await;
}
