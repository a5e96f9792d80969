//! Captures of simulated transfers, whole, cut and damaged.

#[expect(dead_code, reason = "each test file uses a part of it")]
mod support;

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use support::{block, decode};
use utp_cli::capture::{Capture, CaptureError};
use utp_cli::flow::{Close, Findings, Tracker};
use utp_cli::report::{PacketLine, Subject, Summary, Text};
use utp_sim::capture::Pcap;
use utp_sim::taps::Taps;

/// What each host of a simulated transfer sees, and how often the sender sent a packet again.
struct Simulated {
    left: Vec<u8>,
    right: Vec<u8>,
    retransmissions: u64,
}

fn simulate(link: &str, bytes: u32) -> Simulated {
    let text = format!(
        r#"
        summary  = "A transfer that is captured."
        duration = "60s"
        engine   = "event"
        [link.uplink]
        rate  = "10mbit"
        delay = "10ms"
        {link}
        [[flow]]
        name  = "upload"
        kind  = "utp"
        via   = "uplink"
        bytes = {bytes}
        "#
    );
    let file = utp_sim::scenario::parse("captured.toml".as_ref(), &text).expect("a scenario");
    let captures = [(); 2].map(|()| Pcap::new(Vec::new()).expect("memory"));
    let captures = Arc::new(Mutex::new(captures));
    let sink = Arc::clone(&captures);
    let taps = Taps {
        datagrams: Some(Box::new(move |captured| {
            let pcap = &mut sink.lock().expect("one thread")[captured.host.index()];
            pcap.write(captured).expect("memory");
        })),
        ..Taps::default()
    };
    let run = utp_sim::run::run_tapped(&file.variants[0], &|_| {}, taps).expect("it runs");
    let captures = Arc::into_inner(captures).expect("the run is over").into_inner();
    let [left, right] = captures.expect("no panic").map(|pcap| pcap.finish().expect("memory"));
    Simulated { left, right, retransmissions: run.record.flows[0].retransmissions }
}

#[test]
fn a_transfer_without_losses_looks_the_same_from_both_ends() {
    let simulated = simulate("", 500_000);
    for file in [&simulated.left, &simulated.right] {
        let findings = decode(file).expect("a capture");
        let [flow] = &findings.flows[..] else { panic!("one flow") };
        assert_eq!(findings.counts.utp, findings.counts.frames);
        // A receiver of the simulator leaves its own direction open.
        assert_eq!(flow.close(), Close::HalfClosed);
        let sent = &flow.to_acceptor;
        assert!(sent.fin.is_some_and(|fin| fin.acked_ns.is_some()));
        assert_eq!(sent.payload_bytes - sent.resent_bytes, 500_000);
        assert_eq!((sent.sequence.missing(), sent.malformed), (0, 0));
        // Nothing else is on the link: the queue holds what the window is larger than the path.
        let p95 = sent.delays.above_base_us(95).expect("acks tell of it");
        assert!((1_000..110_000).contains(&p95), "{p95} us");
    }
}

#[test]
fn what_the_sender_sends_again_is_seen_at_the_sender() {
    let simulated = simulate(r#"loss = "3%""#, 500_000);
    let left = &decode(&simulated.left).expect("a capture").flows[0];
    assert!(simulated.retransmissions > 5, "{}", simulated.retransmissions);
    assert_eq!(left.to_acceptor.resent, simulated.retransmissions);
    // Where they arrive, most of them pass for the first time.
    let right = &decode(&simulated.right).expect("a capture").flows[0];
    assert!(right.to_acceptor.late > left.to_acceptor.late);
    assert!(right.to_acceptor.resent < left.to_acceptor.resent);
    assert_eq!(right.to_acceptor.sequence.missing(), 0);
}

/// Everything that can be told of a file, if it is whole.
fn tell(file: &[u8]) -> Result<String, CaptureError> {
    let findings = decode(file)?;
    let subject = Subject { file: "simulated", format: "pcap", only: None };
    let summary = serde_json::to_string(&Summary::new(subject, &findings)).expect("JSON");
    let text = Text { subject, findings: &findings }.to_string();
    Ok(text + &summary + &packets(file, &findings)?)
}

fn packets(file: &[u8], findings: &Findings) -> Result<String, CaptureError> {
    let mut capture = Capture::open(file)?;
    let mut tracker = Tracker::default();
    let mut lines = String::new();
    while let Some(frame) = capture.next_frame()? {
        let observed = tracker.handle(&frame);
        let line = observed.and_then(|it| PacketLine::new(frame.number, it, findings));
        lines.extend(line.map(|line| format!("{line}\n")));
    }
    Ok(lines)
}

/// Tells of a file that may be broken; where it breaks lies within it.
fn tell_damaged(file: &[u8]) {
    match tell(file) {
        Ok(_) => {}
        Err(CaptureError::Broken { offset, .. }) => assert!(offset <= file.len() as u64),
        Err(CaptureError::Io(error)) => panic!("{error}"),
    }
}

/// A small transfer with losses: a dozen packets.
fn small() -> Vec<u8> {
    simulate(r#"loss = "20%""#, 3_000).left
}

/// The same as pcapng.
fn small_pcapng() -> Vec<u8> {
    let order = u32::to_le_bytes;
    let classic = small();
    let mut capture = Capture::open(&classic[..]).expect("a capture");
    let head = [&order(0x1a2b_3c4d)[..], &[1, 0, 0, 0], &[0xff; 8]].concat();
    let mut file = block(order, 0x0a0d_0d0a, &head);
    file.extend(block(order, 1, &[101, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 9, 0, 0, 0]));
    while let Some(frame) = capture.next_frame().expect("whole") {
        let at_ns = frame.at_ns.expect("classic captures have stamps");
        let half = |value: u64| u32::try_from(value & 0xffff_ffff).expect("it is cut");
        let len = u32::try_from(frame.bytes.len()).expect("short");
        let fields = [0, half(at_ns >> 32), half(at_ns), len, len].map(order).concat();
        file.extend(block(order, 6, &[&fields[..], frame.bytes].concat()));
    }
    file
}

#[test]
fn both_formats_tell_the_same() {
    assert_eq!(tell(&small()).expect("whole"), tell(&small_pcapng()).expect("whole"));
}

#[test]
fn a_capture_cut_at_any_byte_is_told_of_or_refused() {
    for file in [small(), small_pcapng()] {
        for len in 0..file.len() {
            tell_damaged(&file[..len]);
        }
    }
}

#[test]
fn a_capture_with_any_byte_changed_is_told_of_or_refused() {
    for mut file in [small(), small_pcapng()] {
        for at in 0..file.len() {
            let whole = file[at];
            for changed in [!whole, whole ^ 1, 0] {
                file[at] = changed;
                tell_damaged(&file);
            }
            file[at] = whole;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(7),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_capture_with_many_changes_is_told_of_or_refused(
        pcapng in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..200),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut file = if pcapng { PCAPNG.clone() } else { CLASSIC.clone() };
        // The head stays, or little else would be read.
        let head = if pcapng { 60 } else { 24 };
        for (at, value) in changes {
            let at = head + at.index(file.len() - head);
            file[at] = value;
        }
        file.truncate(cut.index(file.len() + 1));
        tell_damaged(&file);
    }

    #[test]
    fn packets_of_any_content_are_told_of(
        link in prop::sample::select(vec![0_u32, 1, 101, 108, 113, 228, 229, 276]),
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 0..20),
    ) {
        let order = u32::to_be_bytes;
        let mut file = support::classic_head(0xa1b2_c3d4, order, link);
        for frame in frames {
            file.extend(support::classic_record(order, [1, 2], &frame));
        }
        prop_assert!(tell(&file).is_ok());
    }
}

static CLASSIC: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(small);

static PCAPNG: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(small_pcapng);
