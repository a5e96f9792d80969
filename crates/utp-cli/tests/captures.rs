//! The formats of captures and the headers of links, read and refused.

#[expect(dead_code, reason = "each test file uses a part of it")]
mod support;

use support::{block, classic_head, classic_record, decode, ipv4, packet, pcap, udp};
use utp_cli::capture::{Capture, CaptureError, LinkType};
use utp_cli::datagram::{Content, read};

/// When the frames of a capture passed, and their bytes.
fn frames(file: &[u8]) -> Vec<(Option<u64>, LinkType, Vec<u8>)> {
    let mut capture = Capture::open(file).expect("a capture");
    let mut frames = Vec::new();
    while let Some(frame) = capture.next_frame().expect("whole") {
        frames.push((frame.at_ns, frame.link, frame.bytes.to_vec()));
    }
    frames
}

/// Where a broken capture is said to break, and why.
fn broken(file: &[u8]) -> (u64, String) {
    match decode(file) {
        Err(CaptureError::Broken { offset, what }) => (offset, what),
        other => panic!("it is broken: {other:?}"),
    }
}

const ORDERS: [fn(u32) -> [u8; 4]; 2] = [u32::to_be_bytes, u32::to_le_bytes];

#[test]
fn classic_captures_are_read_in_all_four_spellings() {
    for order in ORDERS {
        for (magic, unit) in [(0xa1b2_c3d4, 1_000), (0xa1b2_3c4d, 1)] {
            let mut file = classic_head(magic, order, 101);
            file.extend(classic_record(order, [3, 70], b"one"));
            file.extend(classic_record(order, [4, 0], b""));
            let expected = [
                (Some(3_000_000_000 + 70 * unit), LinkType::RAW, b"one".to_vec()),
                (Some(4_000_000_000), LinkType::RAW, Vec::new()),
            ];
            assert_eq!(frames(&file), expected);
        }
    }
}

/// Two sections with different orders of bytes, resolutions and links.
fn pcapng(orders: [fn(u32) -> [u8; 4]; 2]) -> Vec<u8> {
    let mut file = Vec::new();
    for order in orders {
        let u16s = |values: &[u16]| -> Vec<u8> {
            let halves = |value: u16| match order(1) {
                [0, 0, 0, 1] => value.to_be_bytes(),
                _ => value.to_le_bytes(),
            };
            values.iter().copied().flat_map(halves).collect()
        };
        let head = [order(0x1a2b_3c4d).to_vec(), u16s(&[1, 0]), vec![0xff; 8]].concat();
        file.extend(block(order, 0x0a0d_0d0a, &head));
        // Microseconds by default; a comment that is no UTF-8, and no end mark.
        let options = [u16s(&[1, 3]), vec![0xff, 0xfe, 0xfd, 0]].concat();
        let ethernet = [u16s(&[1, 0]), order(0).to_vec(), options].concat();
        file.extend(block(order, 1, &ethernet));
        // Parts of 2^10, and a second later than they say.
        let options = [
            u16s(&[9, 1]),
            vec![0x8a, 0, 0, 0],
            u16s(&[14, 8]),
            [order(0), order(1)].concat(),
            u16s(&[0, 0]),
        ];
        let options = match order(1) {
            [0, 0, 0, 1] => options.concat(),
            _ => [&options[..3], &[[order(1), order(0)].concat()], &options[4..]].concat().concat(),
        };
        let raw = [u16s(&[101, 0]), order(2).to_vec(), options].concat();
        file.extend(block(order, 1, &raw));
        file.extend(block(order, 0x0bad, b"nobody knows this block"));
        let stamped = |interface: u32, low: u32, data: &[u8]| {
            let len = u32::try_from(data.len()).expect("short");
            let fields = [interface, 0, low, len, len].map(order).concat();
            block(order, 6, &[&fields[..], data].concat())
        };
        file.extend(stamped(0, 5_000_001, b"ether"));
        file.extend(stamped(1, 512, b"raw"));
        let older = [u16s(&[1, 0]), [0, 1_024, 2, 9].map(order).concat(), b"ol".to_vec()].concat();
        file.extend(block(order, 2, &older));
        file.extend(block(order, 3, &[&order(4)[..], b"easy"].concat()));
    }
    file
}

#[test]
fn pcapng_is_read_with_the_resolution_of_each_interface() {
    let section = [
        (Some(5_000_001_000), LinkType::ETHERNET, b"ether".to_vec()),
        (Some(1_500_000_000), LinkType::RAW, b"raw".to_vec()),
        (Some(2_000_000_000), LinkType::RAW, b"ol".to_vec()),
        (None, LinkType::ETHERNET, b"easy".to_vec()),
    ];
    let sections = [section.clone(), section].concat();
    assert_eq!(frames(&pcapng(ORDERS)), sections);
    assert_eq!(frames(&pcapng([ORDERS[1], ORDERS[0]])), sections);
}

#[test]
fn a_file_that_ends_too_soon_is_refused_where_its_record_begins() {
    let file = pcap(&[b"first".to_vec(), b"second".to_vec()]);
    let second = 24 + 16 + 5;
    for len in 0..file.len() {
        let expected = match len {
            0..24 => 0,
            24 | 45 => continue, // These are whole.
            25..45 => 24,
            _ => second,
        };
        let (offset, what) = broken(&file[..len]);
        assert_eq!(offset, expected, "{len}: {what}");
        assert!(what.ends_with(&format!("and the file ends after {}", len as u64 - expected)));
    }
    let file = pcapng(ORDERS);
    let mut whole = 0;
    for len in 1..file.len() {
        match decode(&file[..len]) {
            Ok(_) => whole += 1,
            Err(CaptureError::Broken { offset, .. }) => assert!(offset < len as u64),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(whole, 2 * 8 - 1, "it is whole behind each of its blocks");
}

#[test]
fn what_is_no_capture_is_refused_in_words() {
    for (file, words) in [
        (&b"GET / HTTP/1.1\r\n"[..], "47455420 is not the magic number"),
        (&[0x1f, 0x8b, 8, 0, 0, 0][..], "gunzip"),
        (&[0x0a, 0x0d, 0x0d, 0x0a, 0, 0, 0, 28, 1, 2, 3, 4][..], "no known order"),
    ] {
        let (offset, what) = broken(file);
        assert_eq!(offset, 0);
        assert!(what.contains(words), "{what}");
    }
    let head = classic_head(0xa1b2_c3d4, u32::to_be_bytes, 127);
    assert_eq!(broken(&head), (0, "link type 127 is not one that this program can read".into()));
}

#[test]
fn impossible_records_are_refused_with_their_place() {
    let good = pcap(&[b"good".to_vec()]);
    let order = u32::to_be_bytes;
    let late = classic_record(order, [1, 1_000_000_000], b"");
    let (offset, what) = broken(&[&good[..], &late].concat());
    assert_eq!(offset, good.len() as u64);
    assert!(what.contains("more than a second"), "{what}");

    let long = [order(0), order(0), order(u32::MAX), order(u32::MAX)].concat();
    let (offset, what) = broken(&[&good[..], &long].concat());
    assert_eq!(offset, good.len() as u64);
    assert!(what.contains("more than 16777216"), "{what}");

    let section = block(order, 0x0a0d_0d0a, &[&order(0x1a2b_3c4d)[..], &[0; 12]].concat());
    let interface = block(order, 1, &[0, 101, 0, 0, 0, 0, 0, 0]);
    let start = [section.clone(), interface].concat();
    for (kind, body, words) in [
        (6, [9, 0, 0, 0, 0].map(order).concat(), "interface 9, which is not described"),
        (6, [0, 0, 0, 5, 5].map(order).concat(), "do not hold 5 at byte 20"),
        (6, vec![0; 4], "do not hold 4 at byte 4"),
        (3, order(100).to_vec(), "do not hold 100 at byte 4"),
        (1, vec![0; 4], "do not hold 4 at byte 4"),
        (1, vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 20, 0, 0, 0], "10^-20"),
    ] {
        let (offset, what) = broken(&[&start[..], &block(order, kind, &body)].concat());
        assert_eq!(offset, start.len() as u64);
        assert!(what.contains(words), "{what}");
    }
    let mut torn = block(order, 6, &[0; 20]);
    torn[30] ^= 1;
    let (_, what) = broken(&[&start[..], &torn].concat());
    assert!(what.contains("ends with"), "{what}");
    let many = block(order, 1, &[0; 8]).repeat(1_025);
    let (offset, what) = broken(&[&section[..], &many].concat());
    assert_eq!((offset, what.contains("1024 interfaces")), (28 + 1_024 * 20, true), "{what}");
}

fn datagram(link: LinkType, frame: &[u8]) -> Option<(String, String, Vec<u8>)> {
    match read(link, frame) {
        Content::Udp(it) => {
            Some((it.source.to_string(), it.destination.to_string(), it.payload.to_vec()))
        }
        _ => None,
    }
}

#[test]
fn datagrams_are_found_behind_the_headers_of_every_link() {
    let v4 = packet(([10, 0, 0, 1], 1).into(), ([10, 0, 0, 2], 2).into(), b"four");
    let v6 = packet("[fd00::1]:1".parse().unwrap(), "[fd00::2]:2".parse().unwrap(), b"six");
    let four = Some(("10.0.0.1:1".into(), "10.0.0.2:2".into(), b"four".to_vec()));
    let six = Some(("[fd00::1]:1".into(), "[fd00::2]:2".into(), b"six".to_vec()));
    let under = |head: &[u8], packet: &[u8]| [head, packet].concat();
    let macs = [0; 12];
    for (link, head_v4, head_v6) in [
        (LinkType::RAW, vec![], vec![]),
        (LinkType::ETHERNET, [&macs[..], &[8, 0]].concat(), [&macs[..], &[0x86, 0xdd]].concat()),
        (
            LinkType::ETHERNET,
            [&macs[..], &[0x81, 0, 0, 7, 8, 0]].concat(),
            [&macs[..], &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 9, 0x86, 0xdd]].concat(),
        ),
        (
            LinkType::LINUX_SLL,
            [&[0; 14][..], &[8, 0]].concat(),
            [&[0; 14][..], &[0x86, 0xdd]].concat(),
        ),
        (
            LinkType::LINUX_SLL2,
            [&[8, 0][..], &[0; 18]].concat(),
            [&[0x86, 0xdd][..], &[0; 18]].concat(),
        ),
        (LinkType::NULL, vec![2, 0, 0, 0], vec![30, 0, 0, 0]),
        (LinkType::NULL, vec![0, 0, 0, 2], vec![0, 0, 0, 28]),
        (LinkType::LOOP, vec![0, 0, 0, 2], vec![0, 0, 0, 24]),
    ] {
        assert_eq!(datagram(link, &under(&head_v4, &v4)), four, "{link}");
        assert_eq!(datagram(link, &under(&head_v6, &v6)), six, "{link}");
        // Whatever is cut off is no reason to panic.
        for len in 0..head_v6.len() + 48 {
            read(link, &under(&head_v6, &v6)[..len]);
        }
    }
    assert_eq!((datagram(LinkType::IPV4, &v4), datagram(LinkType::IPV6, &v6)), (four, six));
    assert_eq!(read(LinkType(127), &v4), Content::UnknownLink);
}

#[test]
fn padding_of_a_short_frame_is_no_payload() {
    let mut frame = packet(([10, 0, 0, 1], 1).into(), ([10, 0, 0, 2], 2).into(), b"x");
    frame.extend([0; 17]);
    assert_eq!(datagram(LinkType::RAW, &frame).expect("UDP").2, b"x");
}

#[test]
fn headers_before_udp_in_ipv6_are_skipped() {
    let body = udp(1, 2, b"deep");
    let mut packet = vec![0x60, 0, 0, 0, 0, 0, 0, 64];
    packet.extend([0; 32]);
    packet.extend([60, 0, 0, 0, 0, 0, 0, 0]); // Hop by hop.
    packet.extend([51, 1]); // Options for the destination, of 16 bytes.
    packet.extend([0; 14]);
    packet.extend([44, 2]); // Authentication, of 16 bytes.
    packet.extend([0; 14]);
    packet.extend([17, 0, 0, 1, 0, 0, 0, 9]); // The first of several fragments.
    packet.extend(body);
    let Content::Udp(datagram) = read(LinkType::RAW, &packet) else { panic!("it is one") };
    assert_eq!((datagram.payload, datagram.is_fragmented), (&b"deep"[..], true));
}

#[test]
fn fragments_are_noted() {
    let ends = [[10, 0, 0, 1], [10, 0, 0, 2]];
    let whole = udp(1, 2, &[7; 100]);
    let first = ipv4(ends, 0x2000, &whole[..56]);
    let Content::Udp(datagram) = read(LinkType::RAW, &first) else { panic!("it has the header") };
    assert_eq!((datagram.payload.len(), datagram.len), (48, 100));
    assert!(datagram.is_fragmented && !datagram.is_whole());
    assert_eq!(read(LinkType::RAW, &ipv4(ends, 7, &whole[56..])), Content::Fragment);
    let counts = decode(&pcap(&[first, ipv4(ends, 7, &whole[56..])])).expect("a capture").counts;
    assert_eq!((counts.fragmented, counts.fragments, counts.other_udp), (1, 1, 1));
}
