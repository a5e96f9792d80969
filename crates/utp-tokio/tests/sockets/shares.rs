//! Weights and rate caps of single streams, changed while they send, in virtual time.

use std::num::{NonZeroU8, NonZeroU32};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use utp_tokio::{OwnedReadHalf, OwnedWriteHalf, UtpSocket};

use crate::memory::Network;
use crate::support::{LIMIT, data, pair, receive, send, within};

fn two(network: &Network) -> (UtpSocket, UtpSocket) {
    (network.socket(1, UtpSocket::builder()), network.socket(2, UtpSocket::builder()))
}

/// A stream that a task sends bytes on, as fast as it may.
struct Upload {
    /// Steers what the other half sends.
    reader: OwnedReadHalf,
    seed: u64,
    received: JoinHandle<Vec<u8>>,
    _peer_writer: OwnedWriteHalf,
}

impl Upload {
    async fn start(a: &UtpSocket, b: &UtpSocket, seed: u64) -> Self {
        let (ours, theirs) = pair(a, b).await;
        let (reader, mut writer) = ours.into_split();
        let (mut peer_reader, _peer_writer) = theirs.into_split();
        tokio::spawn(async move { send(&mut writer, &data(seed, LEN)).await });
        let received = tokio::spawn(async move { receive(&mut peer_reader).await });
        Self { reader, seed, received, _peer_writer }
    }

    /// Bytes that the peer has by now.
    async fn acked(&self) -> u64 {
        let _stale = self.reader.stats();
        sleep(Duration::from_millis(1)).await;
        self.reader.stats().bytes_acked
    }

    /// The rest arrives, and all of it is right.
    async fn finish(self) {
        assert!(within(self.received).await.unwrap() == data(self.seed, LEN));
    }
}

/// Bytes per second that two uploads achieve in the next ten.
async fn rates(uploads: [&Upload; 2]) -> [u64; 2] {
    let before = [uploads[0].acked().await, uploads[1].acked().await];
    sleep(Duration::from_secs(10)).await;
    let after = [uploads[0].acked().await, uploads[1].acked().await];
    [(after[0] - before[0]) / 10, (after[1] - before[1]) / 10]
}

#[tokio::test(start_paused = true)]
async fn a_weight_changed_while_both_send_moves_the_shares_at_once() {
    let network = Network::new();
    let (a, b) = two(&network);
    a.set_send_rate_max(NonZeroU32::new(100_000));
    let (first, second) = (Upload::start(&a, &b, 1).await, Upload::start(&a, &b, 2).await);
    sleep(Duration::from_secs(1)).await;
    let weight = |weight| NonZeroU8::new(weight).unwrap();
    for (weights, part) in [(None, 500), (Some((48, 16)), 750), (Some((1, 4)), 200)] {
        if let Some((ours, theirs)) = weights {
            first.reader.set_weight(weight(ours));
            second.reader.set_weight(weight(theirs));
        }
        let [ours, theirs] = rates([&first, &second]).await;
        let permille = 1_000 * ours / (ours + theirs);
        assert!(permille.abs_diff(part) <= 20, "{weights:?}: {ours} and {theirs} B/s");
        assert!((90_000..=100_000).contains(&(ours + theirs)), "{weights:?}");
    }
    a.set_send_rate_max(None);
    first.finish().await;
    second.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_cap_changed_while_it_sends_holds_one_stream_and_no_other() {
    let network = Network::new();
    let (a, b) = two(&network);
    let (capped, other) = (Upload::start(&a, &b, 3).await, Upload::start(&a, &b, 4).await);
    capped.reader.set_send_rate_max(NonZeroU32::new(20_000));
    other.reader.set_send_rate_max(NonZeroU32::new(60_000));
    sleep(Duration::from_secs(1)).await;
    for (cap, other_cap) in [(20_000, 60_000), (50_000, 60_000), (5_000, 30_000)] {
        capped.reader.set_send_rate_max(NonZeroU32::new(cap));
        other.reader.set_send_rate_max(NonZeroU32::new(other_cap));
        let rates = rates([&capped, &other]).await;
        for (rate, cap) in rates.into_iter().zip([cap, other_cap].map(u64::from)) {
            // Headers count, and so do ten packets in the beginning.
            assert!(rate * 10 > cap * 9 && rate <= cap * 102 / 100, "{rate} of {cap} B/s");
        }
    }
    capped.reader.set_send_rate_max(None);
    other.reader.set_send_rate_max(None);
    let stats = capped.reader.stats();
    assert_eq!((stats.timeouts, stats.retransmissions), (0, 0), "held back is not lost");
    capped.finish().await;
    other.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_lifted_rate_cap_frees_what_it_held_at_once() {
    let network = Network::new();
    let (a, b) = two(&network);
    let upload = Upload::start(&a, &b, 5).await;
    // At a byte per second a packet would wait for twenty minutes.
    upload.reader.set_send_rate_max(NonZeroU32::new(1));
    sleep(Duration::from_secs(60)).await;
    let held = upload.acked().await;
    sleep(Duration::from_secs(60)).await;
    assert!(held < LEN as u64 && upload.acked().await == held, "{held} bytes");
    upload.reader.set_send_rate_max(None);
    timeout(Duration::from_secs(5), upload.finish()).await.expect("nothing waits any more");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_whole_or_half_steers_alike() {
    let network = Network::new();
    let (a, b) = two(&network);
    for halves in [false, true] {
        let (ours, mut theirs) = pair(&a, &b).await;
        let cap = NonZeroU32::new(50_000);
        let sent = data(6, 500_000);
        let started = tokio::time::Instant::now();
        let received = if halves {
            let (_reader, mut writer) = ours.into_split();
            writer.set_weight(NonZeroU8::MIN);
            writer.set_send_rate_max(cap);
            tokio::join!(send(&mut writer, &sent), receive(&mut theirs)).1
        } else {
            let mut ours = ours;
            ours.set_weight(NonZeroU8::MAX);
            ours.set_send_rate_max(cap);
            tokio::join!(send(&mut ours, &sent), receive(&mut theirs)).1
        };
        assert!(received == sent && started.elapsed() < LIMIT);
        let seconds = started.elapsed().as_secs_f64();
        assert!((9.5..11.0).contains(&seconds), "{seconds} s for ten");
    }
}

/// Enough for half a minute at any cap of these tests.
const LEN: usize = 4_000_000;
