//! The network between sockets: it goes and comes back, renames a host in the middle of a stream,
//! gives one host two names, stops some flows and releases them.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};
use utp_tokio::UtpSocket;

use crate::faulty::{Faulty, SendFate, two};
use crate::memory::{Network, address};
use crate::support::{data, exchange, next_random, pair, within};

// req: F-20
#[tokio::test(start_paused = true)]
async fn an_interface_that_goes_down_for_ten_seconds_ends_nothing() {
    for kind in [
        ErrorKind::NetworkDown,
        ErrorKind::NetworkUnreachable,
        ErrorKind::HostUnreachable,
        ErrorKind::AddrNotAvailable,
        ErrorKind::PermissionDenied,
    ] {
        let network = Network::new();
        let ([transport, _], a, b) = two(&network);
        let (idle, idle_peer) = pair(&a, &b).await;
        let (ours, theirs) = pair(&a, &b).await;
        for stream in [&ours, &theirs] {
            // Each is busy all the time.
            stream.set_send_rate_max(NonZeroU32::new(20_000));
        }
        let flaps = async {
            for _ in 0..2 {
                sleep(Duration::from_millis(100)).await;
                network.deliver_if(|_, _| false);
                transport.on_send(move |_| SendFate::Fails(kind.into()));
                sleep(Duration::from_secs(10)).await;
                network.deliver_if(|_, _| true);
                transport.on_send(|_| SendFate::Passes);
                // Time to notice.
                sleep(Duration::from_secs(10)).await;
            }
        };
        let (ones, others) = (data(1, 500_000), data(2, 500_000));
        tokio::join!(exchange(ours, theirs, [&ones, &others]), flaps);
        assert!(a.stats().send_errors > 0, "{kind:?}");
        exchange(idle, idle_peer, [b"still", b"here"]).await;
    }
}

// req: F-14
#[tokio::test(start_paused = true)]
async fn a_peer_that_changes_its_port_is_not_followed_and_both_ends_fail() {
    for speaks in [true, false] {
        let network = Network::new();
        let ([_, transport], a, b) = two(&network);
        let (mut ours, mut theirs) = pair(&a, &b).await;
        // From now on a router shows the first host under another address, and knows the old one
        // no more.
        transport.on_receive(|meta| {
            if meta.source == address(1) {
                meta.source = address(9);
            }
        });
        transport.on_send(|datagrams| match datagrams.destination {
            old if old == address(1) => SendFate::Lost,
            new if new == address(9) => SendFate::To(address(1)),
            _ => SendFate::Passes,
        });
        let started = Instant::now();
        timeout(Duration::from_secs(200), async {
            if speaks {
                theirs.write_all(b"to the old port").await.unwrap();
            }
            ours.write_all(b"from the new port").await.unwrap();
            let error = ours.read_u8().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            assert!(started.elapsed() < Duration::from_secs(1));
            let error = theirs.read_u8().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
        })
        .await
        .expect("both ends fail");
        // Who only waits asks now and then whether the other one is there.
        let limit_s = if speaks { 60 } else { 180 };
        assert!(started.elapsed() < Duration::from_secs(limit_s));
        assert!(b.stats().endpoint.unmatched > 0);
    }
}

// req: F-26
#[tokio::test(start_paused = true)]
async fn flows_that_are_clogged_and_released_in_random_order_all_finish() {
    for seed in 0..2 {
        swizzle(seed).await;
    }
}

async fn swizzle(seed: u64) {
    const FLOWS: u8 = 6;
    let network = Network::new();
    let server = network.socket(1, UtpSocket::builder());
    let (mut clients, mut exchanges) = (Vec::new(), Vec::new());
    for host in 2..2 + FLOWS {
        let transport = Faulty::new(&network, host);
        let socket = transport.socket(UtpSocket::builder());
        let (ours, theirs) = pair(&socket, &server).await;
        for stream in [&ours, &theirs] {
            // As long as the clogs last.
            stream.set_send_rate_max(NonZeroU32::new(15_000));
        }
        let (up, down) = (data(seed, 300_000), data(seed + 1, 300_000));
        exchanges.push(tokio::spawn(async move {
            exchange(ours, theirs, [&up, &down]).await;
            socket
        }));
        clients.push((address(host), transport));
    }
    let mut state = seed;
    let mut shuffled = |len: usize| {
        let mut order: Vec<(u64, usize)> =
            (0..len).map(|index| (next_random(&mut state), index)).collect();
        order.sort_unstable();
        order
    };
    for _ in 0..3 {
        for (random, index) in shuffled(clients.len()) {
            sleep(Duration::from_millis(random % 500)).await;
            let (address, transport) = &clients[index];
            match random % 3 {
                0 => network.block(*address, true),
                1 => transport.on_send(|_| SendFate::Lost),
                _ => transport.on_send(|_| SendFate::Fails(ErrorKind::NetworkUnreachable.into())),
            }
        }
        for (random, index) in shuffled(clients.len()) {
            sleep(Duration::from_millis(random % 2_000)).await;
            let (address, transport) = &clients[index];
            network.block(*address, false);
            transport.on_send(|_| SendFate::Passes);
        }
    }
    for exchange in exchanges {
        within(exchange).await.unwrap();
    }
}

// req: F-29
#[tokio::test(start_paused = true)]
async fn an_address_and_the_same_one_mapped_are_one_peer() {
    let network = Network::new();
    let ([_, transport], a, b) = two(&network);
    let mapped = |address: SocketAddr| match address.ip() {
        IpAddr::V4(v4) => SocketAddr::new(v4.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    };
    let mut nr = 0;
    transport.on_receive(move |meta| {
        nr += 1;
        if nr % 2 == 0 {
            meta.source = mapped(meta.source);
            meta.local_ip = Some(mapped(address(2)).ip());
        }
    });
    transport.on_send(|datagrams| {
        assert!(datagrams.destination.is_ipv4());
        assert!(datagrams.source.is_none_or(|ip| ip.is_ipv4()));
        SendFate::Passes
    });
    for _ in 0..2 {
        let (ours, theirs) = pair(&a, &b).await;
        assert_eq!(theirs.peer_addr(), address(1));
        exchange(ours, theirs, [&data(7, 300_000), &data(8, 300_000)]).await;
    }
    let (ours, theirs) = within(async {
        let mapped = mapped(address(2));
        tokio::join!(a.connect(mapped), b.accept())
    })
    .await;
    assert_eq!(ours.as_ref().unwrap().peer_addr(), address(2));
    exchange(ours.unwrap(), theirs.unwrap(), [b"one", b"peer"]).await;
    a.send_unclaimed(mapped(address(2)), b"d1:y1:qe").unwrap();
    assert_eq!(within(b.recv_unclaimed()).await.unwrap().source, address(1));
    assert_eq!(b.stats().endpoint.unmatched, 0);
}
