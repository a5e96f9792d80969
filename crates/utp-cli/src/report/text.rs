//! The report for people: a summary of the capture, and a paragraph for each flow.

use std::fmt;

use utp_wire::PacketType;

use super::{SIDES, Subject, seconds};
use crate::flow::{Close, Counts, FLOWS_MAX, Findings, Flow, Handshake, Samples, Way};

/// Findings as text.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// What it is about.
    pub subject: Subject<'a>,
    /// What was found.
    pub findings: &'a Findings,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, findings } = self;
        let Findings { counts, first_ns, last_ns, flows, .. } = findings;
        let length = seconds(*first_ns, *last_ns);
        writeln!(
            f,
            "{}: {}, {} frames in {length:.3} s",
            subject.file, subject.format, counts.frames
        )?;
        write_counts(f, counts, flows.len())?;
        for (number, flow) in (1..).zip(flows) {
            if subject.includes(number) {
                writeln!(f)?;
                write_flow(f, number, flow, *first_ns)?;
            }
        }
        Ok(())
    }
}

fn write_counts(f: &mut fmt::Formatter<'_>, counts: &Counts, flows: usize) -> fmt::Result {
    let plural = if flows == 1 { "" } else { "s" };
    write!(f, "{} uTP packets in {flows} flow{plural}", counts.utp)?;
    for (count, what) in [
        (counts.other_udp, "other UDP"),
        (counts.not_udp, "not UDP"),
        (counts.fragments, "later fragments"),
        (counts.malformed, "malformed below uTP"),
        (counts.unknown_link, "of an unknown link"),
    ] {
        if count > 0 {
            write!(f, ", {count} {what}")?;
        }
    }
    writeln!(f)?;
    if counts.fragmented > 0 {
        writeln!(f, "{} datagrams are in fragments: only the first is read", counts.fragmented)?;
    }
    if counts.cut > 0 {
        writeln!(f, "{} datagrams were captured in part", counts.cut)?;
    }
    if counts.beyond_flows_max > 0 {
        let packets = counts.beyond_flows_max;
        writeln!(
            f,
            "There are more than {FLOWS_MAX} flows: {packets} packets of others are left out"
        )?;
    }
    Ok(())
}

fn write_flow(
    f: &mut fmt::Formatter<'_>,
    number: usize,
    flow: &Flow,
    start_ns: u64,
) -> fmt::Result {
    let Flow { initiator, acceptor, id, first_ns, last_ns, .. } = flow;
    let (from, to) = (seconds(start_ns, *first_ns), seconds(start_ns, *last_ns));
    writeln!(
        f,
        "Flow {number}: {initiator} to {acceptor}, ids {} and {}, {from:.3} s to {to:.3} s",
        id.next().0,
        id.0
    )?;
    writeln!(f, "  handshake: {}", handshake(&flow.handshake, start_ns))?;
    write_close(f, flow, start_ns)?;
    let mut rows = vec![HEADINGS.map(String::from)];
    rows.extend(SIDES.map(|(role, name)| row(name, flow.way(role))));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; HEADINGS.len()] = std::array::from_fn(width);
    for row in &rows {
        write!(f, "  {:<1$}", row[0], widths[0])?;
        for (cell, width) in row.iter().zip(widths).skip(1) {
            write!(f, "  {cell:>width$}")?;
        }
        writeln!(f)?;
    }
    Ok(())
}

fn handshake(handshake: &Handshake, start_ns: u64) -> String {
    let Some(syn_ns) = handshake.syn_ns else { return "before the capture".into() };
    let repeated = match handshake.syns {
        0 | 1 => String::new(),
        count => format!(" ({count} times)"),
    };
    let answer = match handshake.round_trip_ns() {
        Some(span) => format!("answered after {:.3} ms", seconds(0, span) * 1e3),
        None => "never answered".into(),
    };
    format!("SYN at {:.6} s{repeated}, {answer}", seconds(start_ns, syn_ns))
}

fn write_close(f: &mut fmt::Formatter<'_>, flow: &Flow, start_ns: u64) -> fmt::Result {
    let state = match flow.close() {
        Close::Closed => "both directions",
        Close::HalfClosed => "in part",
        Close::Open => "still open at the end of the capture",
        Close::Reset => "by a RESET",
    };
    write!(f, "  close:     {state}")?;
    for (role, name) in SIDES {
        let way = flow.way(role);
        if let Some(fin) = way.fin {
            let at = seconds(start_ns, fin.at_ns);
            match fin.acked_ns {
                Some(acked_ns) => {
                    let after = seconds(fin.at_ns, acked_ns) * 1e3;
                    write!(
                        f,
                        "; FIN of the {name} at {at:.6} s, acknowledged after {after:.3} ms"
                    )?;
                }
                None => write!(f, "; FIN of the {name} at {at:.6} s, not acknowledged")?,
            }
        }
        if let Some(reset_ns) = way.reset_ns {
            write!(f, "; RESET of the {name} at {:.6} s", seconds(start_ns, reset_ns))?;
        }
        if let Some(reason) = way.close_reason {
            write!(f, "; reason {reason} of the {name}")?;
        }
    }
    writeln!(f)
}

const HEADINGS: [&str; 15] = [
    "sent by",
    "packets",
    "SYN",
    "DATA",
    "FIN",
    "STATE",
    "RESET",
    "malformed",
    "payload",
    "resent",
    "late",
    "missing",
    "sacks",
    "p50 ms",
    "p95 ms",
];

fn row(name: &str, way: &Way) -> [String; HEADINGS.len()] {
    let of = |packet_type: PacketType| way.types[packet_type as usize].to_string();
    [
        name.to_owned(),
        way.packets.to_string(),
        of(PacketType::Syn),
        of(PacketType::Data),
        of(PacketType::Fin),
        of(PacketType::State),
        of(PacketType::Reset),
        way.malformed.to_string(),
        way.payload_bytes.to_string(),
        way.resent.to_string(),
        way.late.to_string(),
        way.sequence.missing().to_string(),
        way.selective_acks.to_string(),
        delay(&way.delays, 50),
        delay(&way.delays, 95),
    ]
}

fn delay(samples: &Samples, percent: usize) -> String {
    let value = samples.above_base_us(percent);
    value.map_or_else(|| "-".into(), |us| format!("{:.3}", f64::from(us) / 1e3))
}
