//! What the kernel does to batches it does not like.

use std::future::poll_fn;
use std::net::Ipv4Addr;

use super::refusals::SEND_TRIES;
use super::*;

fn bind() -> UdpTransport {
    UdpTransport::bind((Ipv4Addr::LOCALHOST, 0).into(), 1 << 20).expect("loopback")
}

async fn send(from: &UdpTransport, to: &UdpTransport, contents: &[u8]) -> io::Result<usize> {
    let datagrams = Datagrams {
        destination: to.local_addr,
        source: None,
        contents,
        segment_size: Some(SEGMENT),
        dont_fragment: true,
    };
    poll_fn(|cx| from.poll_send(cx, &datagrams)).await
}

async fn receive_bytes(from: &UdpTransport, bytes: usize) -> usize {
    let (mut received, mut space) = (0, vec![0; 65_535]);
    while received < bytes {
        let mut bufs = [IoSliceMut::new(&mut space)];
        let mut meta = [RecvMeta::default()];
        poll_fn(|cx| from.poll_recv(cx, &mut bufs, &mut meta)).await.expect("a socket that works");
        received += meta[0].len;
    }
    received
}

// req: F-21
#[tokio::test]
async fn batch_the_kernel_cannot_segment_goes_one_by_one() {
    let (from, to) = (bind(), bind());
    // More segments than any kernel takes at once.
    let contents = vec![7; 500 * SEGMENT];
    from.send_segments.store(1_000, Ordering::Relaxed);
    for round in 1..=OFFLOAD_FAILURES_MAX {
        assert_eq!(send(&from, &to, &contents).await.expect("they go"), contents.len());
        assert_eq!(receive_bytes(&to, contents.len()).await, contents.len());
        let failures = from.offload_failures.load(Ordering::Relaxed);
        assert_eq!(failures, round, "each batch is tried with offload first");
    }
    // Now it is given up, and the driver asks for single datagrams.
    assert_eq!(from.max_send_segments(), 1);
    assert_eq!(send(&from, &to, &contents).await.expect("the first goes"), SEGMENT);
    assert_eq!(receive_bytes(&to, SEGMENT).await, SEGMENT);
}

#[tokio::test]
async fn single_failure_of_segmentation_is_forgiven() {
    let (from, to) = (bind(), bind());
    if from.max_send_segments() == 1 {
        return; // No offload here.
    }
    from.send_segments.store(1_000, Ordering::Relaxed);
    send(&from, &to, &vec![7; 500 * SEGMENT]).await.expect("they go");
    assert_eq!(from.offload_failures.load(Ordering::Relaxed), 1);
    send(&from, &to, &[7; 3 * SEGMENT]).await.expect("a small batch is segmented");
    assert_eq!(from.offload_failures.load(Ordering::Relaxed), 0);
}

fn transmit<'a>(to: &UdpTransport, contents: &'a [u8]) -> Transmit<'a> {
    let destination = to.local_addr;
    Transmit { destination, ecn: None, contents, segment_size: None, src_ip: None }
}

// req: MT-04
#[tokio::test]
async fn datagram_that_is_too_large_takes_its_batch_back() {
    let (from, to) = (bind(), bind());
    // No datagram is larger than 65507 bytes; the last one here is smaller.
    let segment = 65_508;
    let contents = vec![7; segment + SEGMENT];
    let error = from.send_one_by_one(transmit(&to, &contents), segment).expect_err("none goes");
    assert!(is_too_large(&error), "{error}");
    assert_eq!(from.offload_failures.load(Ordering::Relaxed), 0, "offload is not to blame");
    let whole = Datagrams {
        destination: to.local_addr,
        source: None,
        contents: &contents,
        segment_size: Some(segment),
        dont_fragment: true,
    };
    let error = poll_fn(|cx| from.poll_send(cx, &whole)).await.expect_err("none goes");
    assert!(is_too_large(&error), "{error}");
    assert_eq!(send(&from, &to, &[7; SEGMENT]).await.expect("it goes"), SEGMENT);
}

#[tokio::test]
async fn error_that_meets_every_datagram_is_returned() {
    let (from, to) = (bind(), bind());
    let contents = vec![7; 2 * 65_508];
    from.send_one_by_one(transmit(&to, &contents), 65_508).expect_err("none goes");
    assert_eq!(from.offload_failures.load(Ordering::Relaxed), 0);
}

// req: F-16
#[test]
fn call_that_the_host_has_no_buffers_for_is_not_repeated_at_once_and_costs_nothing() {
    for errno in [rustix::io::Errno::NOBUFS, rustix::io::Errno::NOMEM] {
        let refusal = || io::Error::from_raw_os_error(errno.raw_os_error());
        let mut calls = 0;
        let refused = insist(|| {
            calls += 1;
            Err(refusal())
        });
        assert!(is_out_of_buffers(&refused.expect_err("it is refused")));
        assert_eq!(calls, 1);
        assert!(is_kept(&refusal()));
    }
    let unreachable = io::Error::from_raw_os_error(rustix::io::Errno::NETUNREACH.raw_os_error());
    assert!(!is_kept(&unreachable));
}

// req: F-19
#[tokio::test]
async fn call_that_was_interrupted_is_repeated() {
    let interrupted = || io::Error::from(io::ErrorKind::Interrupted);
    let mut calls = 0;
    let sent = insist(|| {
        calls += 1;
        if calls < SEND_TRIES { Err(interrupted()) } else { Ok(()) }
    });
    sent.expect("the last try works");
    assert_eq!(calls, SEND_TRIES);
    // One that never gets through is given up.
    assert_eq!(insist(|| Err(interrupted())).expect_err("in vain").kind(), interrupted().kind());

    let transport = bind();
    poll_fn(|cx| {
        assert!(matches!(transport.on_receive_error(cx, interrupted()), Poll::Ready(Ok(()))));
        Poll::Ready(())
    })
    .await;
}

#[test]
fn age_survives_a_clock_that_was_set() {
    let at = Duration::from_secs;
    assert_eq!(age(Some(at(10)), Some(at(10))), Some(Duration::ZERO));
    assert_eq!(age(Some(at(10)), Some(at(11))), None, "set back");
    assert_eq!(age(Some(at(10)), Some(at(5))), None, "set forward");
    assert_eq!(age(Some(at(10)), None), None);
}

const SEGMENT: usize = 10;
