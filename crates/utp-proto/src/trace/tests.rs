//! The two forms of an event.

use super::*;

fn line(event: &TraceEvent) -> String {
    let mut line = String::new();
    let connection = ConnectionHandle::for_test(3, 9);
    event.to_json_line(Instant::from_micros(12_000), connection, &mut line);
    line
}

#[test]
fn an_event_is_one_line_of_json() {
    let event = TraceEvent::Acked { bytes: 1_382, rtt_us: Some(20_000) };
    let start = r#"{"t_us":12000,"connection":9,"event":"#;
    let expected = format!("{start}\"acked\",\"bytes\":1382,\"rtt_us\":20000}}\n");
    assert_eq!(line(&event), expected);
    let event = TraceEvent::DelaySample { ours_us: None, theirs_us: Some(7) };
    let expected = format!("{start}\"delay_sample\",\"ours_us\":null,\"theirs_us\":7}}\n");
    assert_eq!(line(&event), expected);
    let event = TraceEvent::Opened {
        remote: ([10, 0, 0, 1], 6881).into(),
        id_recv: ConnectionId(5),
        id_send: ConnectionId(6),
        state: State::SynSent,
    };
    let fields = r#""opened","remote":"10.0.0.1:6881","id_recv":5,"id_send":6,"state":"SynSent"}"#;
    assert_eq!(line(&event), format!("{start}{fields}\n"));
}

#[test]
fn an_event_is_text() {
    let cause = ResendCause::TimeOut;
    let event = TraceEvent::Resent { seq_nr: SeqNr(7), cause, transmissions: 2 };
    assert_eq!(event.to_string(), "resent seq_nr=7 cause=TimeOut transmissions=2");
    let event = TraceEvent::Acked { bytes: 5, rtt_us: None };
    assert_eq!(event.to_string(), "acked bytes=5 rtt_us=-");
}

#[test]
fn nothing_is_noted_unless_somebody_wants_it() {
    let mut log = TraceLog::default();
    log.record(|| unreachable!("nobody wants it"));
    log.set_enabled(true);
    let mut made = 0;
    log.record(|| {
        made += 1;
        TraceEvent::MtuChanged { payload_bytes: 1_200 }
    });
    assert_eq!(made, 1);
    assert!(size_of::<TraceLog>() <= size_of::<usize>());
}
