//! What cannot be seen from outside: the sizes of the endpoint's queues.

use bytes::Bytes;

use super::*;
use crate::RecvMeta;

struct Fixed(u8);

impl Entropy for Fixed {
    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_add(41);
            *byte = self.0;
        }
    }
}

/// Hands everything that is due from one side to the other and back.
fn exchange(endpoints: &mut [Endpoint; 2], addresses: [SocketAddr; 2], now: Instant) {
    for _ in 0..8 {
        for side in [0, 1] {
            endpoints[side].handle_timeout(now);
            while endpoints[side].poll_event().is_some() {}
            let mut buf = Vec::new();
            while endpoints[side].poll_transmit(now, NonZeroUsize::MIN, &mut buf).is_some() {
                let meta = RecvMeta { remote: addresses[side], local_ip: None, received_at: None };
                let datagram = Bytes::from(std::mem::take(&mut buf));
                let peer = &mut endpoints[1 - side];
                if let Disposition::Incoming(incoming) = peer.handle_datagram(now, meta, datagram) {
                    peer.accept(now, incoming, Arc::default()).expect("there is room");
                }
            }
        }
    }
}

#[test]
fn the_deadlines_of_a_long_lived_connection_do_not_pile_up() {
    let addresses = [([10, 0, 0, 1], 1).into(), ([10, 0, 0, 2], 2).into()];
    let mut endpoints = [1, 2].map(|seed| Endpoint::new(Arc::default(), Box::new(Fixed(seed))));
    let mut now = Instant::from_micros(1);
    let handle = endpoints[0].connect(now, addresses[1], Arc::default()).expect("there is room");
    for _ in 0..2_000 {
        exchange(&mut endpoints, addresses, now);
        now = now.saturating_add(3_000_000);
        // A request every three seconds: the deadline moves from the keepalive to the time-out
        // of the request and back.
        let mut connection = endpoints[0].connection_mut(handle).expect("it lives");
        assert!(connection.write(now, b"request").is_ok());
    }
    for endpoint in &endpoints {
        let waiting = endpoint.deadlines.len();
        assert!(waiting < 20, "{waiting} deadlines wait for one connection");
    }
}
