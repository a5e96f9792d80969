//! Why a stream ended, as one side says and the other one reads.

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;
use utp_tokio::UtpSocket;

use crate::memory::{DELAY, Network};
use crate::support::{bind, data, pair, receive, within};

fn two(network: &Network) -> (UtpSocket, UtpSocket) {
    (network.socket(1, UtpSocket::builder()), network.socket(2, UtpSocket::builder()))
}

/// Polls a future once and drops it.
async fn poll_once(future: impl Future) {
    let mut future = pin!(future);
    poll_fn(|cx| {
        assert!(future.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
}

// req: U-36
#[tokio::test(start_paused = true)]
async fn a_shutdown_tells_its_reason_behind_the_last_byte() {
    let network = Network::new();
    let (a, b) = two(&network);
    let (mut ours, mut theirs) = pair(&a, &b).await;
    let sent = data(1, 300_000);
    within(async {
        let ((), received) = tokio::join!(
            async {
                ours.write_all(&sent).await.unwrap();
                ours.shutdown_with_reason(0x1234).await.unwrap();
            },
            receive(&mut theirs)
        );
        assert!(received == sent);
        assert_eq!(theirs.close_reason(), Some(0x1234));
        // The other direction is open, and has a reason of its own.
        assert_eq!(ours.close_reason(), None);
        theirs.write_all(b"why?").await.unwrap();
        theirs.shutdown_with_reason(u16::MAX).await.unwrap();
        assert_eq!(receive(&mut ours).await, b"why?");
        assert_eq!(ours.close_reason(), Some(u16::MAX));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn halves_tell_and_read_reasons() {
    let network = Network::new();
    let (a, b) = two(&network);
    let (ours, theirs) = pair(&a, &b).await;
    let (_our_reader, mut our_writer) = ours.into_split();
    let (mut their_reader, their_writer) = theirs.into_split();
    within(async {
        our_writer.write_all(b"bye").await.unwrap();
        our_writer.shutdown_with_reason(0).await.unwrap();
        assert_eq!(receive(&mut their_reader).await, b"bye");
        // Zero is a reason as any other.
        assert_eq!(their_reader.close_reason(), Some(0));
        assert_eq!(their_writer.close_reason(), Some(0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_reason_gets_through_when_its_packet_is_lost() {
    let network = Network::new();
    let (a, b) = two(&network);
    let (mut ours, mut theirs) = pair(&a, &b).await;
    let mut fins = 0;
    network.deliver_if(move |_, datagram| {
        fins += u32::from(datagram[0] >> 4 == utp_wire::PacketType::Fin as u8);
        fins != 1
    });
    within(async {
        ours.shutdown_with_reason(77).await.unwrap();
        assert_eq!(receive(&mut theirs).await, b"");
        assert_eq!(theirs.close_reason(), Some(77));
    })
    .await;
    assert!(ours.stats().retransmissions >= 1);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_shutdown_has_told_its_reason() {
    let network = Network::new();
    let (a, b) = two(&network);
    for len in [0, 10, 3_000_000] {
        let (mut ours, mut theirs) = pair(&a, &b).await;
        let sent = data(2, len);
        within(async {
            let ((), received) = tokio::join!(
                async {
                    ours.write_all(&sent).await.unwrap();
                    poll_once(ours.shutdown_with_reason(5)).await;
                    drop(ours);
                },
                receive(&mut theirs)
            );
            assert!(received == sent);
            assert_eq!(theirs.close_reason(), Some(5), "{len} bytes");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_first_shutdown_says_why() {
    let network = Network::new();
    let (a, b) = two(&network);
    let (mut ours, mut theirs) = pair(&a, &b).await;
    within(async {
        poll_once(ours.shutdown_with_reason(1)).await;
        ours.shutdown_with_reason(2).await.unwrap();
        ours.shutdown().await.unwrap();
        receive(&mut theirs).await;
        assert_eq!(theirs.close_reason(), Some(1));

        let (mut ours, mut theirs) = pair(&a, &b).await;
        ours.shutdown().await.unwrap();
        ours.shutdown_with_reason(3).await.unwrap();
        receive(&mut theirs).await;
        assert_eq!(theirs.close_reason(), None);
    })
    .await;
}

// req: U-36
#[tokio::test(start_paused = true)]
async fn an_abort_tells_its_reason_with_the_reset() {
    let network = Network::new();
    let (a, b) = two(&network);
    for reason in [None, Some(9)] {
        let (mut ours, mut theirs) = pair(&a, &b).await;
        within(async {
            // What was not delivered yet is lost.
            network.block(a.local_addr(), true);
            ours.write_all(&data(3, 100_000)).await.unwrap();
            match reason {
                None => ours.abort(),
                Some(reason) => ours.abort_with_reason(reason),
            }
            network.block(a.local_addr(), false);
            let mut received = Vec::new();
            let error = theirs.read_to_end(&mut received).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            assert_eq!(theirs.close_reason(), reason);
            assert!(received.len() < 100_000);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_abort_after_a_shutdown_keeps_the_reason_of_that() {
    let network = Network::new();
    let (a, b) = two(&network);
    let (mut ours, mut theirs) = pair(&a, &b).await;
    // The FIN gets lost, so that the reset is what the peer hears.
    network.deliver_if(|_, datagram| datagram[0] >> 4 != utp_wire::PacketType::Fin as u8);
    within(async {
        poll_once(ours.shutdown_with_reason(4)).await;
        sleep(DELAY).await;
        ours.abort_with_reason(6);
        let error = theirs.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(theirs.close_reason(), Some(4));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_finds_the_end_finds_the_reason_whatever_the_threads_do() {
    let (a, b) = (bind().await, bind().await);
    for round in 0..200_u16 {
        let (mut ours, mut theirs) = pair(&a, &b).await;
        let aborts = round % 2 == 1;
        let reader = tokio::spawn(async move {
            // Looks without being woken, so that it meets the driver at any point.
            let mut byte = [0];
            loop {
                let read = poll_fn(|cx| {
                    Poll::Ready(match pin!(theirs.read(&mut byte)).poll(cx) {
                        Poll::Ready(read) => Some(read),
                        Poll::Pending => None,
                    })
                });
                match read.await {
                    Some(Ok(1)) => {}
                    Some(end) => return (end.map_err(|error| error.kind()), theirs.close_reason()),
                    None => tokio::task::yield_now().await,
                }
            }
        });
        ours.write_all(b"x").await.unwrap();
        let expected = if aborts {
            ours.abort_with_reason(round);
            Err(ErrorKind::ConnectionReset)
        } else {
            poll_once(ours.shutdown_with_reason(round)).await;
            drop(ours);
            Ok(0)
        };
        assert_eq!(within(reader).await.unwrap(), (expected, Some(round)));
    }
    // Nothing hangs on.
    within(async {
        while a.stats().streams > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}
