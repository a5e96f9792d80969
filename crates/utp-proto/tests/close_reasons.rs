//! Close reasons: extension 3, read from peers and told to them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod wire;

use utp_proto::ReadError;
use utp_wire::PacketType;
use wire::{SECOND, Wire, plain};

// req: CL-13
#[test]
fn a_close_reason_on_a_fin_is_read() {
    Wire::everywhere(plain, |mut wire| {
        assert_eq!(wire.connection().close_reason(), None);
        wire.recv(wire.fin(0, -1).extension(3, &[0, 0, 1, 7]));
        assert_eq!(wire.read_until_end().1, ReadError::Finished);
        assert_eq!(wire.stats().close_reason, Some(263));
        // Behind another extension, and of the wrong length.
        let mut wire = Wire::plain();
        wire.recv(wire.fin(0, -1).extension(2, &[0; 8]).extension(3, &[0, 0, 0, 9]));
        assert_eq!(wire.connection().close_reason(), Some(9));
        let mut wire = Wire::plain();
        wire.recv(wire.fin(0, -1).extension(3, &[0, 9]));
        assert_eq!(wire.read_until_end().1, ReadError::Finished);
        assert_eq!(wire.connection().close_reason(), None);
    });
}

// req: EX-07
#[test]
fn a_close_reason_in_midstream_is_noted_and_the_stream_goes_on() {
    Wire::everywhere(plain, |mut wire| {
        wire.recv(wire.data(0, -1, b"a").extension(3, &[0, 0, 0, 7]));
        wire.recv(wire.data(1, -1, b"b"));
        assert_eq!(wire.read_until_end(), (b"ab".to_vec(), ReadError::Blocked));
        assert_eq!(wire.connection().close_reason(), Some(7));
    });
}

// req: CL-13
#[test]
fn a_reason_goes_out_behind_the_extension_bits_on_each_copy_of_the_fin() {
    Wire::everywhere(plain, |mut wire| {
        wire.write(5);
        let now = wire.now;
        wire.connection_mut().finish_with_reason(now, 0x1234);
        wire.drain();
        wire.advance(2 * SECOND);
        let sent = wire.take();
        let fins: Vec<_> = sent.iter().filter(|sent| sent.is(PacketType::Fin)).collect();
        assert!(fins.len() >= 2, "it is resent");
        for fin in fins {
            assert_eq!((fin.len, fin.payload.len()), (36, 0));
            assert_eq!(fin.close_reason, Some(0x1234));
            assert_eq!(fin.extension_bits, Some([0; 8]));
        }
        assert!(sent.iter().filter(|sent| !sent.is(PacketType::Fin)).all(|sent| sent.len <= 25));
    });
}

// req: CL-13
#[test]
fn an_abort_tells_its_reason_and_one_of_the_peer_is_heard() {
    let mut wire = Wire::plain();
    let now = wire.now;
    wire.connection_mut().abort_with_reason(now, 5);
    wire.drain();
    let reset = wire.take().pop().unwrap();
    assert!(reset.is(PacketType::Reset));
    assert_eq!(reset.close_reason, Some(5));
    let mut wire = Wire::plain();
    wire.write(1);
    wire.recv(wire.reset(0).extension(3, &[0, 0, 0, 6]));
    assert_eq!(wire.connection().close_reason(), Some(6));
}

#[test]
fn a_reason_that_comes_after_the_end_changes_no_copy_of_the_fin() {
    let mut wire = Wire::plain();
    let now = wire.now;
    wire.finish();
    wire.connection_mut().finish_with_reason(now, 7);
    wire.drain();
    wire.advance(2 * SECOND);
    let sent = wire.take();
    let fins: Vec<_> = sent.iter().filter(|sent| sent.is(PacketType::Fin)).collect();
    assert!(fins.len() >= 2, "it is resent");
    assert!(fins.iter().all(|fin| fin.close_reason.is_none() && fin.len == 20));
}
