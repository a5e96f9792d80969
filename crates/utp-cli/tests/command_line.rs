//! The command `utp` from outside: what it prints, and the status it leaves.

#[expect(dead_code, reason = "each test file uses a part of it")]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{header, packet, pcap, utp};
use utp_wire::PacketType::{Data, State, Syn};

/// A file with two connections of three packets each, and a query of DHT.
fn capture(name: &str) -> PathBuf {
    let mut frames = Vec::new();
    for port in [6881, 6882] {
        let (left, right) = (([10, 0, 0, 1], 1_000).into(), ([10, 0, 0, 2], port).into());
        frames.push(packet(left, right, &utp(&header(Syn, 100, 1, 0), 0)));
        frames.push(packet(right, left, &utp(&header(State, 100, 9, 1), 0)));
        frames.push(packet(left, right, &utp(&header(Data, 101, 2, 8), 70)));
        frames.push(packet(left, right, b"d1:ad2:id20:abcdefghij0123456789e1:q4:pinge"));
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&file, pcap(&frames)).expect("writable");
    file
}

fn run(arguments: &[&str], file: &Path) -> Output {
    let utp =
        Command::new(env!("CARGO_BIN_EXE_utp")).arg("decode").args(arguments).arg(file).output();
    utp.expect("it starts")
}

fn stdout(output: &Output) -> &str {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

#[test]
fn the_report_names_every_connection() {
    let output = run(&[], &capture("report.pcap"));
    let text = stdout(&output);
    assert!(text.contains("6 uTP packets in 2 flows, 2 other UDP"), "{text}");
    assert!(text.contains("Flow 1: 10.0.0.1:1000 to 10.0.0.2:6881, ids 101 and 100"), "{text}");
    assert!(text.contains("handshake: SYN at 0.000000 s, answered after 1.000 ms"), "{text}");
    assert!(text.contains("Flow 2: 10.0.0.1:1000 to 10.0.0.2:6882"), "{text}");
}

#[test]
fn one_flow_can_be_asked_for_in_every_form() {
    let file = capture("one.pcap");
    let output = run(&["--flow", "2"], &file);
    assert!(!stdout(&output).contains("Flow 1:"));
    let output = run(&["--flow", "2", "--packets"], &file);
    let lines: Vec<&str> = stdout(&output).lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[2].starts_with("      7     0.006000    2 -> DATA  id 101"), "{}", lines[2]);
    assert!(lines[2].ends_with("len 70"), "{}", lines[2]);
    let output = run(&["--flow", "2", "--json"], &file);
    let json: serde_json::Value = serde_json::from_str(stdout(&output)).expect("JSON");
    let flows = json["flows"].as_array().expect("a list");
    assert_eq!((flows.len(), &flows[0]["flow"]), (1, &2.into()));
    assert_eq!(flows[0]["sent"][0]["payload_bytes"], 70);
    assert_eq!(json["frames"]["utp"], 6);
}

#[test]
fn what_cannot_be_read_is_wrong_input() {
    let file = capture("broken.pcap");
    let bytes = fs::read(&file).expect("written");
    fs::write(&file, &bytes[..bytes.len() - 1]).expect("writable");
    let output = run(&[], &file);
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let last = bytes.len() - 16 - 28 - 43;
    assert!(words.contains(&format!("broken.pcap: broken at byte {last}: a record")), "{words}");

    let nowhere = file.with_file_name("nowhere.pcap");
    assert_eq!(run(&[], &nowhere).status.code(), Some(2));
    let file = capture("whole.pcap");
    for arguments in [&["--flow", "0"][..], &["--flow", "3"], &["--packets", "--json"]] {
        let output = run(arguments, &file);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{arguments:?}");
    }
}

#[test]
fn the_help_teaches_how_to_read_the_report() {
    let output = run(&[], "--help".as_ref());
    let help = stdout(&output);
    for word in ["resent", "late", "missing", "p95", "utp decode client.pcap", "Exit status"] {
        assert!(help.contains(word), "{word} is not explained");
    }
}
