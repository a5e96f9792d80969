//! Captures of real transfers, as this project and tshark read them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use utp_cli::capture::Capture;
use utp_cli::flow::{Close, Findings, Tracker};
use utp_interop::harness::{
    Direction, DissectError, Dissected, Family, Impairment, Shims, Transfer, Via,
};
use utp_interop::relay::{CaptureFile, Conditions};
use utp_interop::shim::pattern_sha256;
use utp_reference::SynSeq;
use utp_sim::scenario::{LinkConfig, Loss, Reorder};
use utp_sim::time::Ns;

const BYTES: u64 = 300_000;

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("writable");
    folder
}

/// Captures of a transfer over links that lose and reorder: at the client, and at the server.
async fn captures(name: &str, pair: &str, family: Family) -> Vec<CaptureFile> {
    let link = LinkConfig {
        delay: Ns::from_millis(5),
        loss: Loss::Bernoulli(20_000),
        reorder: Some(Reorder { ppm: 50_000, delay: Ns::from_millis(2) }),
        ..LinkConfig::default()
    };
    let shims = Path::new(env!("CARGO_BIN_EXE_utp-peer")).parent().expect("in a folder");
    let transfer = Transfer {
        pair: pair.parse().expect("two stacks"),
        family,
        direction: Direction::ClientSends,
        bytes: BYTES,
        seed: 3,
        sha256: pattern_sha256(3, BYTES),
        impairment: Impairment::Loss,
        via: Via::Relay { conditions: Box::new(Conditions::symmetric(link)), seed: 1 },
        syn_seq: SynSeq::Below,
        udp_buffer: 4 << 20,
        limit: Duration::from_secs(60),
        round: 1,
        pcap: Some(folder(name)),
    };
    let outcome = transfer.run(&Shims::in_folder(shims.to_owned())).await;
    let outcome = outcome.expect("the harness works");
    outcome.received.expect("arrives");
    outcome.captures
}

/// What `utp decode` tells of a capture.
fn decode(file: &Path) -> Findings {
    let mut capture = Capture::open(File::open(file).expect("written")).expect("a capture");
    let mut tracker = Tracker::default();
    while let Some(frame) = capture.next_frame().expect("whole") {
        tracker.handle(&frame);
    }
    tracker.finish()
}

async fn both_ends_agree(name: &str, pair: &str) {
    for family in [Family::V4, Family::V6] {
        if !family.is_available() {
            println!("IP{family} is missing on this machine");
            continue;
        }
        let captures = captures(&format!("{name}-{family}"), pair, family).await;
        let [client, server] = &captures[..] else { panic!("one for each end") };
        for capture in [client, server] {
            let findings = decode(&capture.path);
            let [flow] = &findings.flows[..] else { panic!("one connection") };
            assert_eq!(findings.counts.frames, capture.packets);
            assert_eq!(findings.counts.utp, capture.packets);
            assert_eq!(flow.close(), Close::Closed);
            let sent = &flow.to_acceptor;
            assert_eq!(sent.malformed + flow.to_initiator.malformed, 0);
            assert!(sent.delays.count() > 5, "acks tell of delays");
            match Dissected::of(capture) {
                Ok(found) => {
                    assert!(found.is_good(capture), "{}: {found:?}", capture.path.display());
                    assert_eq!(found.utp, findings.counts.utp);
                }
                Err(DissectError::Missing) => println!("skipped: tshark is not installed"),
                Err(error) => panic!("{error}"),
            }
        }
        // What was lost on the way was sent again at the one end, and is late at the other.
        let at_client = decode(&client.path).flows.remove(0).to_acceptor;
        let at_server = decode(&server.path).flows.remove(0).to_acceptor;
        assert!(at_client.resent > 0 && at_server.late > 0);
        assert!(at_client.packets > at_server.packets);
        assert_eq!(at_client.payload_bytes - at_client.resent_bytes, BYTES);
    }
}

#[tokio::test]
async fn captures_of_ours_are_read_by_everybody() {
    both_ends_agree("ours", "ours:ours").await;
}

#[tokio::test]
async fn captures_with_libutp_are_read_by_everybody() {
    both_ends_agree("mixed", "ours:libutp").await;
    both_ends_agree("reference", "libutp:ours").await;
}
