//! The events a shim reports on standard output, one JSON object a line.

use std::io::{self, Write as _};

use serde::{Deserialize, Serialize};

/// Numbers the connections of one shim, from 1, in the order in which they came up.
pub type ConnId = u32;

/// One line of standard output, told apart by the key `ev`.
///
/// Keys beyond those of the protocol are optional, so that a minimal shim may leave them out.
///
/// ```
/// use utp_shim::Event;
///
/// let line = serde_json::to_string(&Event::Connected { conn: 1 }).expect("serialises");
/// assert_eq!(line, r#"{"ev":"connected","conn":1}"#);
/// let minimal: Event = serde_json::from_str(r#"{"ev":"eof"}"#).expect("parses");
/// assert_eq!(minimal, Event::Eof { conn: 0 });
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ev", rename_all = "lowercase")]
pub enum Event {
    /// A peer's connection was taken in.
    Accepted {
        /// Which connection.
        #[serde(default)]
        conn: ConnId,
    },
    /// The connection is over and its memory is free.
    Closed {
        /// Which connection.
        #[serde(default)]
        conn: ConnId,
    },
    /// Our connection to the peer is up.
    Connected {
        /// Which connection.
        #[serde(default)]
        conn: ConnId,
    },
    /// Bytes were read: all of a finished stream, or what `read N` or `pause` closes off.
    Data {
        /// Which connection.
        #[serde(default)]
        conn: ConnId,
        /// How many bytes.
        n: u64,
        /// SHA-256 of these bytes, in hexadecimal.
        sha256: String,
        /// From the first of these bytes to the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
    },
    /// The peer finished its stream, and all of it was read.
    Eof {
        /// Which connection.
        #[serde(default)]
        conn: ConnId,
    },
    /// The connection failed.
    Error {
        /// Which connection, 0 when it concerns none.
        #[serde(default)]
        conn: ConnId,
        /// What happened.
        kind: ErrorKind,
        /// The same in words, for a person.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    /// The UDP socket is bound: peers may connect.
    Listening {
        /// The local UDP port.
        port: u16,
    },
    /// What the process uses: the answer to `stats`, and the last line of every shim.
    Stats(Stats),
}

impl Event {
    /// Which connection the event is about, 0 when it is about none.
    pub const fn conn(&self) -> ConnId {
        match self {
            Self::Accepted { conn }
            | Self::Closed { conn }
            | Self::Connected { conn }
            | Self::Data { conn, .. }
            | Self::Eof { conn }
            | Self::Error { conn, .. } => *conn,
            Self::Listening { .. } | Self::Stats(_) => 0,
        }
    }
}

/// How a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorKind {
    /// The peer contradicted itself.
    Conflict,
    /// Anything else.
    Other,
    /// Nobody there, or the connection was turned away.
    Refused,
    /// The peer dropped the connection.
    Reset,
    /// The peer stopped answering.
    Timeout,
}

/// What a shim's process uses. What the platform or the implementation cannot say is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Resident memory, in KiB.
    #[serde(default)]
    pub rss_kib: u64,
    /// Connections that are not closed yet.
    #[serde(default)]
    pub conns: u32,
    /// Resident memory at its highest, in KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_rss_kib: Option<u64>,
    /// Processor time used so far, user and kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_s: Option<f64>,
    /// Receive buffer of the UDP socket that the kernel granted, in bytes as the kernel counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub udp_recv_buffer: Option<usize>,
    /// Send buffer of the UDP socket that the kernel granted, in bytes as the kernel counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub udp_send_buffer: Option<usize>,
    /// UDP datagrams received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datagrams_received: Option<u64>,
    /// UDP datagrams sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datagrams_sent: Option<u64>,
    /// Times that the kernel had no room for a datagram; it was kept and sent later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_blocked: Option<u64>,
}

/// Writes events to standard output, each as a whole line, at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Emitter(());

impl Emitter {
    /// Writes one event.
    ///
    /// # Errors
    ///
    /// When nobody reads any more, which is a reason to leave.
    pub fn emit(&self, event: &Event) -> io::Result<()> {
        let mut line = serde_json::to_string(event)?;
        line.push('\n');
        let mut out = io::stdout().lock();
        out.write_all(line.as_bytes())?;
        out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_written_as_the_protocol_spells_them() {
        for (event, line) in [
            (Event::Listening { port: 4242 }, r#"{"ev":"listening","port":4242}"#),
            (Event::Accepted { conn: 2 }, r#"{"ev":"accepted","conn":2}"#),
            (Event::Closed { conn: 1 }, r#"{"ev":"closed","conn":1}"#),
            (
                Event::Data { conn: 1, n: 3, sha256: "ab".into(), seconds: Some(0.5) },
                r#"{"ev":"data","conn":1,"n":3,"sha256":"ab","seconds":0.5}"#,
            ),
            (
                Event::Error { conn: 1, kind: ErrorKind::Refused, detail: String::new() },
                r#"{"ev":"error","conn":1,"kind":"refused"}"#,
            ),
            (
                Event::Stats(Stats { rss_kib: 7, conns: 1, ..Stats::default() }),
                r#"{"ev":"stats","rss_kib":7,"conns":1}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&event).expect("serialises"), line);
            assert_eq!(serde_json::from_str::<Event>(line).expect("parses"), event);
        }
    }

    #[test]
    fn a_minimal_shim_may_leave_out_what_is_ours() {
        let line = r#"{"ev":"data","n":3,"sha256":"ab"}"#;
        let data = Event::Data { conn: 0, n: 3, sha256: "ab".into(), seconds: None };
        assert_eq!(serde_json::from_str::<Event>(line).expect("parses"), data);
        let line = r#"{"ev":"error","kind":"timeout","unknown":1}"#;
        assert!(matches!(
            serde_json::from_str::<Event>(line).expect("parses"),
            Event::Error { kind: ErrorKind::Timeout, .. }
        ));
    }
}
