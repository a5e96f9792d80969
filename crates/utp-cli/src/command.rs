//! The command line of `utp`: what it accepts, prints and returns.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use utp_cli::capture::{Capture, CaptureError};
use utp_cli::flow::{Findings, Tracker};
use utp_cli::report::{PacketLine, Subject, Summary, Text};

/// Look into uTP (BEP-29), the transport of BitTorrent
#[derive(Debug, Parser)]
#[command(name = "utp", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Decode(Decode),
}

/// Tell what uTP connections did in a packet capture
///
/// Reads pcap (stamps in microseconds or nanoseconds, either order of bytes) and pcapng, with the
/// headers of Ethernet (VLANs too), Linux cooked v1 and v2, BSD loopback or none before IPv4 or
/// IPv6. A file that is cut or broken is refused with the offset of the record that is.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{DECODE_HELP}\n\n{EXAMPLES}"))]
struct Decode {
    /// The capture
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Tell only of this flow, by its number in the report
    #[arg(long, value_name = "N", value_parser = flow_number)]
    flow: Option<usize>,

    /// Print a line for each uTP packet instead; FILE is read twice
    #[arg(long, conflicts_with = "json")]
    packets: bool,

    /// Print JSON instead of text
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  tcpdump -i eth0 -w client.pcap udp port 6881     takes a capture
  utp decode client.pcap                           every connection in it
  utp decode client.pcap --flow 3 --packets        packet by packet, only the third
  utp decode client.pcap --json | jq '.flows[] | select(.close == \"reset\") | .initiator'";

const DECODE_HELP: &str = "\
How to read the report:
  What is uTP   No port says so. A connection counts when its SYN was captured, or when both sides
                send packets whose ids are neighbours. All else is counted as other UDP.
  ids           The initiator sends with the first, the acceptor with the second.
  handshake     The time from the first SYN to its answer, at the place of capture.
  payload       Bytes, those of packets that were resent included.
  resent        Packets whose number had passed before. Near the sender this is what it sent again.
  late          Packets that passed for the first time after a later one: reordered, or, near the
                receiver, sent again after they were lost on the way to it.
  missing       Numbers that never passed although later ones did: the capture has lost them, or it
                ends before they were sent again.
  sacks         Packets with a selective ack.
  p50, p95      Percentiles of the one-way delay of what this side sent, as the receiver measured it
                and told in timestamp_difference_microseconds, above the least of the connection.
                The clocks of two hosts have nothing in common, so that only differences count.

How to read a line of --packets:
  frame, seconds since the first frame, flow, -> from the initiator or <- from the acceptor, type,
  then the fields of the header (BEP-29), bytes of payload, the packets that a selective ack has,
  and whether the packet is resent, late or malformed.

On the machine that sends, a capture may show packets joined into one of up to 64 kB, because the
network card is to take them apart: `ethtool -K DEVICE tx-udp-segmentation off` ends that.

Exit status: 0 done, 2 wrong usage, or a file that cannot be read or is broken, 3 the output cannot
be written.";

/// Why nothing came of it.
enum Failure {
    /// What was asked for cannot be done, in words.
    Input(String),
    /// The output cannot be written.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(message) => f.write_str(message),
            Self::Output(error) => write!(f, "cannot write the output: {error}"),
        }
    }
}

pub(crate) fn main() -> ExitCode {
    let Cli { command: Task::Decode(decode) } = Cli::parse();
    let mut out = BufWriter::new(io::stdout().lock());
    match decode.run(&mut out).and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("utp: {failure}");
            ExitCode::from(match failure {
                Failure::Input(_) => 2,
                Failure::Output(_) => 3,
            })
        }
    }
}

impl Decode {
    fn run(&self, out: &mut impl Write) -> Result<(), Failure> {
        let name = self.file.display().to_string();
        let (format, findings) = findings(&self.file).map_err(|error| self.refuse(&error))?;
        if let Some(flow) = self.flow.filter(|flow| *flow > findings.flows.len()) {
            let count = findings.flows.len();
            return Err(Failure::Input(format!("{name} has no flow {flow}, it has {count}")));
        }
        let subject = Subject { file: &name, format: &format, only: self.flow };
        if self.packets {
            let is_file = self.file.metadata().is_ok_and(|metadata| metadata.is_file());
            if !is_file {
                return Err(Failure::Input(format!("{name} is no file: it cannot be read twice")));
            }
            return self.write_packets(out, subject, &findings);
        }
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &Summary::new(subject, &findings))
                .map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            write!(out, "{}", Text { subject, findings: &findings })?;
        }
        Ok(())
    }

    /// Reads the file again, now that it is known which packets belong to flows.
    fn write_packets(
        &self,
        out: &mut impl Write,
        subject: Subject<'_>,
        findings: &Findings,
    ) -> Result<(), Failure> {
        let mut capture = open(&self.file).map_err(|error| self.refuse(&error))?;
        let mut tracker = Tracker::default();
        while let Some(frame) = capture.next_frame().map_err(|error| self.refuse(&error))? {
            let observed = tracker.handle(&frame);
            let line = observed.and_then(|it| PacketLine::new(frame.number, it, findings));
            if let Some(line) = line.filter(|line| subject.includes(line.flow)) {
                writeln!(out, "{line}")?;
            }
        }
        Ok(())
    }

    fn refuse(&self, error: &CaptureError) -> Failure {
        Failure::Input(format!("{}: {error}", self.file.display()))
    }
}

fn open(file: &Path) -> Result<Capture<File>, CaptureError> {
    Capture::open(File::open(file)?)
}

/// How a capture is written, and what is in it.
fn findings(file: &Path) -> Result<(String, Findings), CaptureError> {
    let mut capture = open(file)?;
    let mut tracker = Tracker::default();
    while let Some(frame) = capture.next_frame()? {
        tracker.handle(&frame);
    }
    Ok((capture.format(), tracker.finish()))
}

fn flow_number(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("allowed: 1 or more, as the report counts flows".into()),
        Ok(number) => Ok(number),
    }
}
