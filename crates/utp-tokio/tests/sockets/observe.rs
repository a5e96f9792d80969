//! What a socket tells of itself: sums over its streams, a trace, and rate caps that show.

use std::io::Write;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep};
use utp_tokio::{Config, TraceSink, UtpSocket};

use crate::memory::Network;
use crate::support::{data, pair, receive, send, within};

/// Text that a thread writes and a test reads.
#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn totals_add_up_all_streams_those_included_that_are_gone() {
    let network = Network::new();
    let mut config = Config::default();
    config.linger_us = 100_000;
    let options = UtpSocket::builder().config(config);
    let (a, b) = (network.socket(1, options.clone()), network.socket(2, options));
    for _ in 0..3 {
        let (mut ours, mut theirs) = pair(&a, &b).await;
        let sent = data(1, 50_000);
        within(async { tokio::join!(send(&mut ours, &sent), receive(&mut theirs)) }).await;
    }
    sleep(Duration::from_secs(5)).await;
    let _stale = (a.stats(), b.stats());
    sleep(Duration::from_millis(1)).await;
    let (ours, theirs) = (a.stats().totals, b.stats().totals);
    assert_eq!((ours.bytes_acked, theirs.bytes_received), (150_000, 150_000));
    assert!(ours.limited.application_us > 0);
}

#[tokio::test(start_paused = true)]
async fn a_rate_cap_slows_a_socket_and_can_be_lifted() {
    let network = Network::new();
    let (a, b) = (network.socket(1, UtpSocket::builder()), network.socket(2, UtpSocket::builder()));
    let (mut ours, mut theirs) = pair(&a, &b).await;
    a.set_send_rate_max(NonZeroU32::new(50_000));
    let start = Instant::now();
    let (_, read) = within(async {
        tokio::join!(
            async {
                ours.write_all(&data(2, 500_000)).await.unwrap();
                sleep(Duration::from_secs(4)).await;
                a.set_send_rate_max(None);
                ours.shutdown().await.unwrap();
            },
            receive(&mut theirs)
        )
    })
    .await;
    assert_eq!(read.len(), 500_000);
    let took = start.elapsed();
    // 200 kB of it under the cap; without one the rest takes a moment.
    assert!(took > Duration::from_secs(4) && took < Duration::from_secs(6), "{took:?}");
    assert!(ours.stats().limited.pacing_us > 3_000_000);
}

#[tokio::test(start_paused = true)]
async fn a_trace_has_a_line_for_every_event() {
    let text = Text::default();
    let sink = TraceSink::to_writer(text.clone()).unwrap();
    let network = Network::new();
    let a = network.socket(1, UtpSocket::builder().trace(sink.clone()));
    let b = network.socket(2, UtpSocket::builder());
    let (mut ours, mut theirs) = pair(&a, &b).await;
    within(async { tokio::join!(send(&mut ours, b"hello"), receive(&mut theirs)) }).await;
    // The thread that writes lives in real time.
    let lines = loop {
        let text = String::from_utf8(text.0.lock().unwrap().clone()).unwrap();
        if text.contains("\"type\":\"Fin\"") {
            break text;
        }
        std::thread::yield_now();
    };
    let first = lines.lines().next().unwrap();
    assert!(first.contains(r#""connection":1,"event":"opened","remote":"10.0.0.2:1""#), "{first}");
    assert!(lines.contains(r#""event":"state_changed","from":"SynSent","to":"Connected""#));
    assert!(lines.lines().all(|line| line.starts_with("{\"t_us\":") && line.ends_with('}')));
    assert_eq!(sink.dropped(), 0);
}
