//! How much goes out in one call, and what is no packet of its own, in virtual time.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use utp_tokio::UtpSocket;

use crate::memory::Network;
use crate::support::{data, pair, within};

fn two(network: &Network) -> (UtpSocket, UtpSocket) {
    (network.socket(1, UtpSocket::builder()), network.socket(2, UtpSocket::builder()))
}

#[tokio::test(start_paused = true)]
async fn an_answer_takes_the_ack_along() {
    const ROUNDS: u8 = 100;
    let network = Network::new();
    let (a, b) = two(&network);
    let (mut ours, mut theirs) = pair(&a, &b).await;
    let before = network.trace().len();
    let echo = async {
        for _ in 0..ROUNDS {
            let byte = theirs.read_u8().await.unwrap();
            theirs.write_u8(byte).await.unwrap();
        }
    };
    let ask = async {
        for round in 0..ROUNDS {
            ours.write_u8(round).await.unwrap();
            assert_eq!(ours.read_u8().await.unwrap(), round);
        }
    };
    within(async { tokio::join!(ask, echo) }).await;
    let datagrams = network.trace().len() - before;
    assert!(
        datagrams <= 2 * usize::from(ROUNDS) + 2,
        "{datagrams} datagrams for {ROUNDS} round trips"
    );
}

#[tokio::test(start_paused = true)]
async fn streams_between_two_sockets_share_calls() {
    const STREAMS: u64 = 40;
    const LEN: usize = 1_000;
    let network = Network::new();
    let (a, b) = two(&network);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..STREAMS {
        let (our, their) = pair(&a, &b).await;
        ours.push(our);
        theirs.push(their);
    }
    let calls = |a: &UtpSocket, b: &UtpSocket| [a, b].map(|socket| socket.stats().sends);
    let [before_a, before_b] = calls(&a, &b);
    for (seed, stream) in (0..).zip(&mut ours) {
        stream.write_all(&data(seed, LEN)).await.unwrap();
    }
    for (seed, stream) in (0..).zip(&mut theirs) {
        let mut received = vec![0; LEN];
        within(stream.read_exact(&mut received)).await.unwrap();
        assert!(received == data(seed, LEN), "stream {seed}");
    }
    let [after_a, after_b] = calls(&a, &b);
    let (sent, acked) = (after_a - before_a, after_b - before_b);
    assert!(
        sent < STREAMS / 2 && acked < STREAMS / 2,
        "{sent} and {acked} calls for {STREAMS} streams"
    );
}
