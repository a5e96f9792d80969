//! A toy protocol for tests of the engine: numbered packets, answered one by one.

use super::*;
use crate::scenario::{
    Controller, FlowKind, FlowSpec, LinkConfig, LinkSpec, Rate, Scenario, UtpFlow,
};
use std::future::poll_fn;
use std::io::IoSliceMut;
use std::sync::Mutex;
use utp_tokio::transport::{AsyncUdpSocket, Datagrams, RecvMeta};

pub(super) fn scenario(rate_bps: u64, delay: Ns) -> Scenario {
    let config = LinkConfig { rate: Rate::Constant(rate_bps), delay, ..LinkConfig::default() };
    let controller = Controller::named("libutp").expect("it exists");
    let flow = FlowSpec {
        name: "toy".into(),
        kind: FlowKind::Utp(UtpFlow::new(controller)),
        via: vec![0],
        back: None,
        start: Ns::ZERO,
        start_jitter: Ns::ZERO,
        stop: None,
    };
    Scenario {
        seed: 1,
        duration: Ns::from_secs(2),
        links: vec![LinkSpec { name: "uplink".into(), config }],
        flows: vec![flow],
        ..Scenario::default()
    }
}

pub(super) fn engine(scenario: &Scenario) -> Engine {
    Engine::new(scenario, Taps::default()).expect("paths are long enough")
}

pub(super) fn run(engine: &mut Engine, until: Ns) {
    engine.run_until(until, &mut |_, _| ControlFlow::Continue(())).expect("nothing fails");
}

pub(super) async fn send(host: &Host, socket: &SimSocket, payload: &[u8]) {
    let datagrams = Datagrams {
        destination: host.address(host.id().peer(), 0),
        source: None,
        contents: payload,
        segment_size: None,
        dont_fragment: true,
    };
    let sent = poll_fn(|cx| socket.poll_send(cx, &datagrams)).await;
    assert_eq!(sent.expect("there is a route"), payload.len());
}

pub(super) async fn receive(socket: &SimSocket) -> Vec<u8> {
    let mut buf = vec![0; 65_535];
    let mut meta = [RecvMeta::default()];
    let count = poll_fn(|cx| socket.poll_recv(cx, &mut [IoSliceMut::new(&mut buf)], &mut meta));
    assert_eq!(count.await.expect("simulated sockets do not fail"), 1);
    buf.truncate(meta[0].len);
    buf
}

/// A log that tasks of both hosts write to.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<(Ns, HostId, u64)>>>);

impl Log {
    pub(super) fn note(&self, host: &Host, number: u64) {
        self.0.lock().expect("one thread").push((host.now(), host.id(), number));
    }

    pub(super) fn of(&self, host: HostId) -> Vec<(Ns, u64)> {
        let entries = self.0.lock().expect("one thread");
        entries.iter().filter(|entry| entry.1 == host).map(|entry| (entry.0, entry.2)).collect()
    }
}

pub(super) fn number(payload: &[u8]) -> u64 {
    u64::from_le_bytes(payload[..8].try_into().expect("toy packets start with a number"))
}

pub(super) fn numbered(number: u64, len: usize) -> Vec<u8> {
    let mut payload = vec![0; len];
    payload[..8].copy_from_slice(&number.to_le_bytes());
    payload
}

/// A receiver that notes every packet and answers it with eight bytes.
pub(super) fn echo(log: &Log) -> impl Fn(&Host) + use<> {
    let log = log.clone();
    move |host| {
        let (log, host, socket) = (log.clone(), host.clone(), host.socket(0));
        host.clone().spawn(async move {
            loop {
                let number = number(&receive(&socket).await);
                log.note(&host, number);
                send(&host, &socket, &numbered(number, 8)).await;
            }
        });
    }
}

/// A sender that keeps `window` packets of `len` bytes in flight and notes every answer.
pub(super) fn closed_loop(log: &Log, window: u64, len: usize) -> impl Fn(&Host) + use<> {
    let log = log.clone();
    move |host| {
        let (log, host, socket) = (log.clone(), host.clone(), host.socket(0));
        host.clone().spawn(async move {
            for number in 0..window {
                send(&host, &socket, &numbered(number, len)).await;
            }
            for next in window.. {
                let number = number(&receive(&socket).await);
                log.note(&host, number);
                send(&host, &socket, &numbered(next, len)).await;
            }
        });
    }
}
