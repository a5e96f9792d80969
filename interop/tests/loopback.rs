//! Transfers between real processes over real UDP, each with a hard time limit.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tokio::time::timeout;
use utp_interop::harness::{
    Case, Direction, Exchange, Family, Impairment, Outcome, Report, ShimProcess, Shims, Transfer,
    Via,
};
use utp_interop::relay::Conditions;
use utp_interop::shim::{ErrorKind, Event, pattern_sha256};
use utp_reference::SynSeq;
use utp_sim::scenario::{LinkConfig, Loss};
use utp_sim::time::Ns;

const LIBUTP_PEER: &str = env!("CARGO_BIN_EXE_libutp-peer");
const UTP_PEER: &str = env!("CARGO_BIN_EXE_utp-peer");
const HARNESS: &str = env!("CARGO_BIN_EXE_utp-interop");

/// No test takes longer, whatever hangs.
const LIMIT: Duration = Duration::from_secs(60);

fn shims() -> Shims {
    let folder = Path::new(LIBUTP_PEER).parent().expect("in a folder");
    Shims::in_folder(folder.to_owned())
}

fn transfer(pair: &str, family: Family, direction: Direction, bytes: u64) -> Transfer {
    Transfer {
        pair: pair.parse().expect("two stacks"),
        family,
        direction,
        bytes,
        seed: 3,
        sha256: pattern_sha256(3, bytes),
        impairment: Impairment::Clean,
        via: Via::Loopback,
        syn_seq: SynSeq::Any,
        udp_buffer: 4 << 20,
        limit: LIMIT / 2,
        round: 1,
        pcap: None,
    }
}

async fn run(transfer: &Transfer) -> Outcome {
    let outcome = timeout(LIMIT, transfer.run(&shims())).await;
    outcome.expect("ends in time").expect("the harness works")
}

fn lossy(loss_ppm: u32) -> Via {
    let (delay, loss) = (Ns::from_millis(5), Loss::Bernoulli(loss_ppm));
    let link = LinkConfig { delay, loss, ..LinkConfig::default() };
    Via::Relay { conditions: Box::new(Conditions::symmetric(link)), seed: 1 }
}

async fn both_directions(pair: &str) {
    for family in [Family::V4, Family::V6] {
        if !family.is_available() {
            println!("IP{family} is missing on this machine");
            continue;
        }
        for direction in [Direction::ClientSends, Direction::ServerSends] {
            let outcome = run(&transfer(pair, family, direction, 1 << 20)).await;
            assert!(outcome.received.is_ok(), "{pair} {family} {direction}: {outcome:?}");
            assert!(outcome.closed_cleanly, "{pair} {family} {direction}: {outcome:?}");
            assert!(outcome.client.is_some() && outcome.server.is_some());
        }
    }
}

#[tokio::test]
async fn libutp_sends_itself_a_mebibyte_in_both_directions() {
    both_directions("libutp:libutp").await;
}

#[tokio::test]
async fn ours_sends_itself_a_mebibyte_in_both_directions() {
    both_directions("ours:ours").await;
}

#[tokio::test]
async fn ours_connects_to_libutp_and_either_sends() {
    both_directions("ours:libutp").await;
}

#[tokio::test]
async fn libutp_connects_to_ours_and_either_sends() {
    both_directions("libutp:ours").await;
}

/// Holds every conversation but the longest, which the harness itself holds.
async fn converse(pair: &str) {
    for case in Case::ALL.into_iter().filter(|case| *case != Case::ManyShort) {
        let pair = pair.parse().expect("two stacks");
        let exchange = Exchange { pair, family: Family::V4, case };
        let run = timeout(LIMIT, exchange.run(&shims())).await;
        let run = run.expect("ends in time").expect("the harness works");
        assert!(run.pass, "{run}");
    }
}

#[tokio::test]
async fn ours_converses_with_itself() {
    converse("ours:ours").await;
}

#[tokio::test]
async fn ours_converses_with_a_libutp_acceptor() {
    converse("ours:libutp").await;
}

#[tokio::test]
async fn ours_converses_with_a_libutp_initiator() {
    converse("libutp:ours").await;
}

#[tokio::test]
async fn a_lossy_relay_slows_a_transfer_and_changes_none_of_it() {
    let mut transfer = transfer("libutp:libutp", Family::V4, Direction::ClientSends, 300_000);
    transfer.syn_seq = SynSeq::Below;
    transfer.via = lossy(10_000);
    let outcome = run(&transfer).await;
    let received = outcome.received.as_ref().expect("arrives");
    // One packet, then three, then five in each round trip of 10 ms.
    assert!(received.seconds > 0.1, "{outcome:?}");
    let observed = outcome.observed.expect("a relay was in between");
    let arrived: u64 = observed.steps.iter().map(|step| step.arrived_bytes).sum();
    let sent: u64 = observed.steps.iter().map(|step| step.sent_bytes).sum();
    assert!(arrived >= 300_000 && sent > arrived, "{sent} sent, {arrived} arrived");
    assert!(observed.told_delay.is_some());
}

#[tokio::test]
async fn a_stream_that_differs_fails_its_transfer() {
    let mut transfer = transfer("libutp:libutp", Family::V4, Direction::ClientSends, 1000);
    transfer.sha256 = pattern_sha256(4, 1000);
    let reason = run(&transfer).await.received.expect_err("another stream");
    assert!(reason.contains("SHA-256"), "{reason}");
}

#[tokio::test]
async fn a_transfer_that_hangs_ends_at_its_limit() {
    let mut transfer = transfer("libutp:libutp", Family::V4, Direction::ClientSends, 1000);
    transfer.via = lossy(1_000_000);
    transfer.limit = Duration::from_millis(500);
    let outcome = run(&transfer).await;
    let reason = outcome.received.expect_err("nothing gets through");
    assert!(reason.contains("not done within"), "{reason}");
    assert!(!outcome.connected);
}

/// The next event, of which there has to be one.
async fn next(shim: &mut ShimProcess) -> Event {
    timeout(LIMIT, shim.next_event()).await.expect("in time").expect("an event")
}

async fn scripts(program: &str) -> [ShimProcess; 2] {
    let arguments = ["listen", "127.0.0.1:0", "--once", "--quit-on-eof"];
    let mut server = ShimProcess::start(Path::new(program), arguments).expect("starts");
    let Event::Listening { port } = next(&mut server).await else { panic!("does not listen") };
    let address = format!("127.0.0.1:{port}");
    let arguments = ["connect", &address, "--role", "script", "--quit-on-eof"];
    let client = ShimProcess::start(Path::new(program), arguments).expect("starts");
    [client, server]
}

/// Scripts write, read by halves, shut down and close; everything is reported in its order.
async fn follow_a_script(program: &str) {
    let [mut client, mut server] = scripts(program).await;
    assert_eq!(next(&mut client).await, Event::Connected { conn: 1 });
    client.command("write 3000 7").await;
    assert_eq!(next(&mut server).await, Event::Accepted { conn: 1 });
    server.command("read 1000").await;
    let Event::Data { n: 1000, sha256, .. } = next(&mut server).await else { panic!("no data") };
    assert_eq!(sha256, pattern_sha256(7, 1000));
    server.command("write 10 8").await;
    server.command("resume").await;
    client.command("read 10").await;
    let Event::Data { n: 10, sha256, .. } = next(&mut client).await else { panic!("no data") };
    assert_eq!(sha256, pattern_sha256(8, 10));
    client.command("shutdown").await;
    assert!(matches!(next(&mut server).await, Event::Data { n: 2000, .. }));
    assert_eq!(next(&mut server).await, Event::Eof { conn: 1 });
    server.command("stats").await;
    let Event::Stats(stats) = next(&mut server).await else { panic!("no stats") };
    assert_eq!(stats.conns, 1);
    client.command("resume").await;
    server.command("close").await;
    assert_eq!(next(&mut client).await, Event::Eof { conn: 1 });
    client.command("close").await;
    for shim in [&mut client, &mut server] {
        assert_eq!(next(shim).await, Event::Closed { conn: 1 });
        assert!(matches!(next(shim).await, Event::Stats(_)));
        assert!(shim.ended_well().await);
    }
}

#[tokio::test]
async fn libutp_follows_a_script() {
    follow_a_script(LIBUTP_PEER).await;
}

#[tokio::test]
async fn ours_follows_a_script() {
    follow_a_script(UTP_PEER).await;
}

#[tokio::test]
async fn an_abort_of_ours_resets_the_peer() {
    let [mut client, mut server] = scripts(UTP_PEER).await;
    assert_eq!(next(&mut client).await, Event::Connected { conn: 1 });
    assert_eq!(next(&mut server).await, Event::Accepted { conn: 1 });
    server.command("resume").await;
    client.command("abort").await;
    assert_eq!(next(&mut client).await, Event::Closed { conn: 1 });
    let Event::Error { kind, .. } = next(&mut server).await else { panic!("no error") };
    assert_eq!(kind, ErrorKind::Reset);
    assert_eq!(next(&mut server).await, Event::Closed { conn: 1 });
    assert!(!server.ended_well().await);
}

#[tokio::test]
async fn ours_is_refused_at_once_where_nobody_listens() {
    // A port that was free a moment ago.
    let free = std::net::UdpSocket::bind("127.0.0.1:0").expect("binds");
    let address = free.local_addr().expect("bound").to_string();
    drop(free);
    let arguments = ["connect", &address, "--role", "script", "--quit-on-eof"];
    let mut client = ShimProcess::start(Path::new(UTP_PEER), arguments).expect("starts");
    let started = std::time::Instant::now();
    let Event::Error { kind, .. } = next(&mut client).await else { panic!("no error") };
    if cfg!(target_os = "linux") {
        assert_eq!(kind, ErrorKind::Refused);
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn libutp_says_that_it_cannot_abort() {
    let [mut client, _server] = scripts(LIBUTP_PEER).await;
    client.command("nonsense").await;
    client.command("abort").await;
    let mut complaints = 0;
    while let Some(event) = timeout(LIMIT, client.next_event()).await.expect("in time") {
        complaints += u32::from(matches!(event, Event::Error { .. }));
    }
    assert_eq!(complaints, 2);
    assert!(!client.ended_well().await);
    assert_eq!(client.exit_status().and_then(|status| status.code()), Some(89));
}

#[tokio::test]
async fn a_shim_leaves_when_its_harness_is_gone() {
    for program in [LIBUTP_PEER, UTP_PEER] {
        let shim = Command::new(program)
            .args(["listen", "127.0.0.1:0", "--quit-on-eof"])
            .stdin(Stdio::null())
            .output()
            .expect("starts");
        assert!(shim.status.success());
    }
}

fn results(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("utp-interop-{name}-{}", std::process::id()))
}

#[test]
fn the_harness_prints_and_writes_what_it_measured() {
    let folder = results("harness");
    let output = Command::new(HARNESS)
        .args(["interop", "--pair", "libutp:libutp", "--family", "v4", "--impairment", "clean"])
        .args(["--size", "256KiB", "--rounds", "2", "--json", "--out"])
        .arg(&folder)
        .output()
        .expect("starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed: Report = serde_json::from_slice(&output.stdout).expect("nothing but JSON");
    let summary = std::fs::read_to_string(folder.join("summary.json")).expect("written");
    assert_eq!(serde_json::from_str::<Report>(&summary).expect("JSON"), printed);
    let matrix = std::fs::read_to_string(folder.join("matrix.md")).expect("written");
    assert!(matrix.contains("| libutp "), "{matrix}");
    let page = std::fs::read_to_string(folder.join("matrix.html")).expect("written");
    assert!(page.contains("data-plot=\"0\"") && page.contains("{n:\"libutp to libutp, "), "{page}");
    assert!(printed.pass);
    let [cell] = &printed.runs[..] else { panic!("where ours has no part the client sends") };
    assert!(cell.sha256_ok && cell.mbps > Some(0.0));
    assert_eq!((cell.rounds, cell.passed), (2, 2));
    std::fs::remove_dir_all(folder).expect("removes");
}

/// The harness with one quick transfer and the given standard output.
fn harness_writing_to(stdout: Stdio) -> Output {
    Command::new(HARNESS)
        .args(["interop", "--pair", "libutp:libutp", "--family", "v4", "--impairment", "clean"])
        .args(["--direction", "client-sends", "--size", "64KiB", "--rounds", "1"])
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts")
        .wait_with_output()
        .expect("ends")
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = harness_writing_to(writer.into());
    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{messages}");
    assert!(!messages.contains("pipe"), "{messages}");
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_internal_error_in_words() {
    let full = std::fs::File::options().write(true).open("/dev/full").expect("opens");
    let output = harness_writing_to(full.into());
    let messages = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{messages}");
    assert!(messages.contains("utp-interop: writing to standard output: "), "{messages}");
}

#[test]
fn wrong_usage_is_told_apart_from_a_failed_transfer() {
    let status = |arguments: &[&str]| {
        let output = Command::new(HARNESS).args(arguments).output().expect("starts");
        assert!(!output.stderr.is_empty(), "{arguments:?} says what is wrong");
        output.status.code()
    };
    assert_eq!(status(&["interop", "--pair", "libutp:nobody"]), Some(2));
    assert_eq!(status(&["interop", "--shims", "/nowhere"]), Some(2));
    assert_eq!(status(&["bench", "--impl", "nobody"]), Some(2));
    assert_eq!(status(&["bench", "--runs", "0"]), Some(2));
}

#[test]
fn sizes_that_make_no_sense_are_refused_with_those_that_are_allowed() {
    for (arguments, allowed) in [
        (&["interop", "--size", "0"], "allowed: 1 byte or more"),
        (&["interop", "--size", "0KiB"], "allowed: 1 byte or more"),
        (&["interop", "--udp-buffer", "0"], "between 1 and 2147483647 bytes"),
        (&["interop", "--udp-buffer", "3GiB"], "between 1 and 2147483647 bytes"),
    ] {
        let output = Command::new(HARNESS).args(arguments).output().expect("starts");
        let messages = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(messages.contains(allowed), "{messages}");
    }
}
