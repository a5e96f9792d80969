//! Captures of a lossy transfer as tshark reads them. Without tshark on the machine only their
//! shape is checked.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Loss and reordering, so that there are selective acknowledgements and resent packets.
const LOSSY: &str = r#"
summary            = "A transfer over a lossy link that reorders."
duration           = "60s"
stop_when_complete = true
engine             = "event"
[link.uplink]
rate   = "10mbit"
delay  = "10ms"
queue  = { kind = "droptail", bytes_max = "100kB" }
loss   = "3%"
jitter = { max = "5ms", reorder = true }
[[flow]]
name  = "upload"
kind  = "utp"
via   = "uplink"
bytes = "1MB"
"#;

fn capture(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).expect("writable");
    let file = folder.join("lossy.toml");
    fs::write(&file, LOSSY).expect("writable");
    let output = Command::new(env!("CARGO_BIN_EXE_utp-sim"))
        .args(["simulate", "--pcap", "--trace", "--out"])
        .arg(&folder)
        .arg(&file)
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder.join("lossy")
}

/// The packets of a capture, each an IP datagram.
fn packets(file: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(file).expect("written");
    let mut rest = &bytes[24..];
    let mut packets = Vec::new();
    while let Some((header, after)) = rest.split_at_checked(16) {
        let length = u32::from_le_bytes(header[8..12].try_into().expect("four bytes"));
        let (packet, after) = after.split_at(usize::try_from(length).expect("small"));
        packets.push(packet.to_vec());
        rest = after;
    }
    assert!(rest.is_empty(), "the last packet is whole");
    packets
}

/// The types of a uTP packet's extensions, in order.
fn extensions(packet: &[u8]) -> Vec<u8> {
    let utp = &packet[28..];
    let (mut kind, mut at) = (utp[1], 20);
    let mut kinds = Vec::new();
    while kind != 0 {
        kinds.push(kind);
        kind = utp[at];
        at += 2 + usize::from(utp[at + 1]);
    }
    kinds
}

/// Pads packets that probe for a larger path MTU; every implementation skips what it does not know.
const PADDING: u8 = 0x70;

#[test]
fn the_dissector_reads_every_packet_and_finds_none_malformed() {
    let folder = capture("tshark");
    for (name, sends_data) in [("default-left.pcap", true), ("default-right.pcap", false)] {
        let file = folder.join(name);
        let packets = packets(&file);
        assert!(packets.len() > 1_000, "{name}: {}", packets.len());
        let selective = packets.iter().filter(|packet| extensions(packet).contains(&1));
        assert!(selective.count() > 50, "{name} has selective acknowledgements");
        let Some(frames) = tshark(&file, "frame") else {
            eprintln!("tshark is not installed: {name} was not read by it");
            continue;
        };
        assert_eq!(frames.len(), packets.len());
        let bad = "_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0";
        assert_eq!(tshark(&file, bad), Some(BTreeSet::new()), "{name}");
        assert_eq!(tshark(&file, "!bt-utp"), Some(BTreeSet::new()), "{name}");
        // What it knows least of is what probes of the path MTU are padded with.
        let padded = packets.iter().filter(|packet| extensions(packet).contains(&PADDING));
        assert!(padded.count() > 0, "{name}");
        let with_acks = tshark(&file, "bt-utp.extension_bitmask").expect("it ran before");
        assert!(with_acks.len() > 50, "{name}, the sender is here: {sends_data}");
    }
}

/// The numbers of the frames that a display filter of tshark lets through; none without tshark.
fn tshark(file: &Path, filter: &str) -> Option<BTreeSet<usize>> {
    let output = Command::new("tshark")
        .args(["-d", "udp.port==10000,bt-utp", "-o", "ip.check_checksum:TRUE"])
        .args(["-o", "udp.check_checksum:TRUE", "-T", "fields", "-e", "frame.number", "-Y", filter])
        .arg("-r")
        .arg(file)
        .output()
        .ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    Some(text.lines().map(|line| line.parse().expect("a number")).collect())
}

#[test]
fn the_trace_has_packets_and_protocol_events_in_the_order_of_time() {
    let folder = capture("trace");
    let text = fs::read_to_string(folder.join("default.jsonl")).expect("written");
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let times: Vec<u64> = lines.iter().map(|line| line["t_ns"].as_u64().expect("there")).collect();
    assert!(times.is_sorted());
    let count = |event: &str| lines.iter().filter(|line| line["event"] == event).count();
    assert_eq!(count("opened"), 2);
    let lost = |line: &&serde_json::Value| line["event"] == "dropped" && line["reason"] == "loss";
    assert!(lines.iter().filter(lost).count() > 5);
    assert!(count("resent") > 5);
    assert!(lines.iter().all(|line| line["flow"] == "upload"));
    for host in ["left", "right"] {
        let sent =
            |line: &&serde_json::Value| line["host"] == host && line["event"] == "packet_sent";
        let sent = lines.iter().filter(sent).count();
        let entered = lines.iter().filter(|line| line["event"] == "sent").count();
        assert!(sent > 300 && sent < entered, "{host}: {sent} of {entered}");
    }
}
