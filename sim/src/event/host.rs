//! A host: the sockets and applications of its flows, their timers, and what arrives.

use super::cx::{Cx, World};
use super::driver::Driver;
use super::receiver::Receiver;
use super::sender::Sender;
use super::socket::Socket;
use super::tasks::{Role, TaskId, Tasks};
use super::timers::{TimerId, Timers};
use crate::app::Transfer;
use crate::clock::HostClock;
use crate::packet::{Delivery, HostId};
use crate::rng::Stream;
use crate::scenario::{HostEvent, Stack, Timers as Precision};
use crate::taps::{Direction, ProtocolEvent, SharedProtocolSink, address};
use crate::time::Ns;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use utp_proto::{ConnectionHandle, Endpoint, EndpointConfig, Entropy, Instant, Trace, TraceEvent};

/// One of the two hosts.
pub(super) struct Host {
    id: HostId,
    transfers: Arc<[Transfer]>,
    clock: HostClock,
    /// True time in nanoseconds, for those who only get what the host's clock shows.
    now: Arc<AtomicU64>,
    precision: Precision,
    entropy: SharedEntropy,
    protocol: Option<SharedProtocolSink>,
    cells: Vec<Cell>,
    /// Index of the cell of each flow that has one.
    cell_of_flow: Vec<Option<usize>>,
    tasks: Tasks,
    timers: Timers<TaskId>,
    /// What is on its way here, by time and then in the order of being announced.
    arrivals: VecDeque<(Ns, Delivery)>,
    /// Flows whose transfer is complete, and when the sender hears of it.
    notices: VecDeque<(Ns, u16)>,
    is_paused: bool,
    events: u64,
}

/// One end of a flow.
struct Cell {
    flow: u16,
    socket: Box<dyn Socket>,
    timer: TimerId,
    app: App,
}

enum App {
    Receiver(Receiver),
    Sender(Sender),
}

impl Host {
    pub(super) fn new(
        id: HostId,
        transfers: Arc<[Transfer]>,
        clock: HostClock,
        precision: Precision,
        entropy: Stream,
        protocol: Option<SharedProtocolSink>,
    ) -> Self {
        let flows = transfers.iter().map(|transfer| usize::from(transfer.flow()) + 1).max();
        let mut cell_of_flow = vec![None; flows.unwrap_or(0)];
        for (cell, transfer) in transfers.iter().enumerate() {
            cell_of_flow[usize::from(transfer.flow())] = Some(cell);
        }
        Self {
            id,
            transfers,
            clock,
            now: Arc::new(AtomicU64::new(0)),
            precision,
            entropy: SharedEntropy(Arc::new(Mutex::new(entropy))),
            protocol,
            cells: Vec::new(),
            cell_of_flow,
            tasks: Tasks::default(),
            timers: Timers::new(precision),
            arrivals: VecDeque::new(),
            notices: VecDeque::new(),
            is_paused: false,
            events: 0,
        }
    }

    /// Starts the software at `now`, from nothing.
    pub(super) fn boot(&mut self, now: Ns) {
        self.crash();
        for (index, transfer) in self.transfers.iter().enumerate() {
            let app_task = TaskId::new(index, Role::App);
            let transfer = transfer.clone();
            self.cells.push(Cell {
                flow: transfer.flow(),
                socket: self.socket(&transfer),
                timer: self.timers.add(TaskId::new(index, Role::Driver)),
                app: match self.id {
                    HostId::Left => {
                        App::Sender(Sender::new(now, transfer, app_task, &mut self.timers))
                    }
                    HostId::Right => {
                        App::Receiver(Receiver::new(transfer, app_task, &mut self.timers))
                    }
                },
            });
        }
        for role in [Role::App, Role::Driver] {
            for index in 0..self.cells.len() {
                self.tasks.wake(TaskId::new(index, role));
            }
        }
    }

    /// A socket for one end of a transfer, with the stack that the scenario wants there.
    fn socket(&self, transfer: &Transfer) -> Box<dyn Socket> {
        match transfer.stack(self.id) {
            #[cfg(feature = "reference")]
            Stack::Libutp => Box::new(super::reference::Driver::new(self.entropy.clone())),
            #[cfg(not(feature = "reference"))]
            Stack::Libutp => unreachable!("the loader asks for the feature `reference`"),
            Stack::Ours => {
                let entropy = Box::new(self.entropy.clone());
                let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::default()), entropy);
                endpoint.set_trace(self.trace(transfer.flow()));
                Box::new(Driver::new(endpoint, Arc::new(transfer.config())))
            }
        }
    }

    /// What the scenario makes happen.
    pub(super) fn change(&mut self, now: Ns, event: HostEvent) {
        match event {
            HostEvent::Crash => self.crash(),
            HostEvent::Restart => self.boot(now),
            HostEvent::Pause => self.is_paused = true,
            HostEvent::Resume => self.is_paused = false,
            // The clock knows of these.
            HostEvent::ClockDrift(_) | HostEvent::ClockStep(_) => {}
        }
    }

    /// Forgets everything but what the machine itself has.
    fn crash(&mut self) {
        self.timers = Timers::new(self.precision);
        self.tasks = Tasks::default();
        self.cells = Vec::new();
        self.is_paused = false;
    }

    /// When the host has something to do next, at the end of time if it has not.
    pub(super) fn next_at(&self) -> Ns {
        if self.is_paused {
            return NEVER;
        }
        let timer = self.timers.next_at().unwrap_or(NEVER);
        let arrival = self.arrivals.front().map_or(NEVER, |arrival| arrival.0);
        let notice = self.notices.front().map_or(NEVER, |notice| notice.0);
        timer.min(arrival).min(notice)
    }

    /// Something will arrive.
    pub(super) fn announce(&mut self, at: Ns, delivery: Delivery) {
        // Nearly everything arrives in the order in which it was sent.
        let mut place = self.arrivals.len();
        while place > 0 && self.arrivals[place - 1].0 > at {
            place -= 1;
        }
        self.arrivals.insert(place, (at, delivery));
    }

    /// A transfer has completed at the other host at `now`; its sender hears of it in the next
    /// window of the engine that has windows.
    pub(super) fn notify(&mut self, now: Ns, flow: u16) {
        let at = Ns((now.0 / WINDOW.0 + 1) * WINDOW.0);
        self.notices.push_back((at, flow));
    }

    /// Does what is due at `now`: timers first, then what arrives.
    pub(super) fn run(&mut self, now: Ns, world: &mut World) {
        if self.is_paused {
            return;
        }
        while let Some(task) = self.timers.fire(now) {
            self.events += 1;
            self.tasks.wake(task);
        }
        while self.notices.front().is_some_and(|notice| notice.0 <= now) {
            let Some((_, flow)) = self.notices.pop_front() else { break };
            let Some(index) = self.cell_of(flow) else { continue };
            if let App::Sender(sender) = &mut self.cells[index].app {
                sender.is_complete = true;
                self.tasks.wake(TaskId::new(index, Role::App));
            }
        }
        self.settle(now, world);
        while self.hand_over(now, world) {}
        self.settle(now, world);
    }

    /// Runs tasks until none has anything to do.
    pub(super) fn settle(&mut self, now: Ns, world: &mut World) {
        self.now.store(now.0, Ordering::Relaxed);
        while let Some(task) = self.tasks.next() {
            let index = task.cell();
            let cell = &mut self.cells[index];
            let mut cx = Cx {
                now,
                instant: self.clock.now(now),
                host: self.id,
                flow: cell.flow,
                peer: SocketAddr::new(address(self.id.peer()), self.id.peer().port(cell.flow)),
                app_task: TaskId::new(index, Role::App),
                driver_task: TaskId::new(index, Role::Driver),
                driver_timer: cell.timer,
                clock: &self.clock,
                tasks: &mut self.tasks,
                timers: &mut self.timers,
                world,
            };
            match (task.role(), &mut cell.app) {
                (Role::Driver, _) => cell.socket.poll(&mut cx),
                (Role::App, App::Sender(sender)) => sender.poll(&mut cx, &mut *cell.socket),
                (Role::App, App::Receiver(receiver)) => receiver.poll(&mut cx, &mut *cell.socket),
            }
        }
    }

    /// Events that were handled.
    pub(super) const fn events(&self) -> u64 {
        self.events
    }

    /// Puts the next arrival that is there into its socket.
    fn hand_over(&mut self, now: Ns, world: &mut World) -> bool {
        if self.arrivals.front().is_none_or(|arrival| arrival.0 > now) {
            return false;
        }
        let Some((_, delivery)) = self.arrivals.pop_front() else { return false };
        self.events += 1;
        if self.cells.is_empty() {
            // It has crashed.
            return true;
        }
        let port = match &delivery {
            Delivery::Datagram(datagram) => {
                world.datagrams.show(now, self.id, Direction::Received, datagram);
                datagram.destination
            }
            Delivery::TooBig(message) => message.source,
        };
        let flow = self.id.flow_of_port(port);
        // What nobody is bound for is dropped.
        if let Some(index) = flow.and_then(|flow| self.cell_of(flow)) {
            self.cells[index].socket.hand_over(delivery);
            self.tasks.wake(TaskId::new(index, Role::Driver));
        }
        true
    }

    fn cell_of(&self, flow: u16) -> Option<usize> {
        let cell = *self.cell_of_flow.get(usize::from(flow))?;
        cell.filter(|&cell| cell < self.cells.len())
    }

    fn trace(&self, flow: u16) -> Option<Box<dyn Trace>> {
        let sink = self.protocol.clone()?;
        Some(Box::new(Tracer { host: self.id, flow, now: Arc::clone(&self.now), sink }))
    }
}

/// Takes the protocol events of one endpoint.
struct Tracer {
    host: HostId,
    flow: u16,
    now: Arc<AtomicU64>,
    sink: SharedProtocolSink,
}

impl Trace for Tracer {
    fn record(&mut self, _: Instant, connection: ConnectionHandle, event: &TraceEvent) {
        let (host, flow, event) = (self.host, self.flow, *event);
        let at = Ns(self.now.load(Ordering::Relaxed));
        self.sink.record(&ProtocolEvent { at, host, flow, connection, event });
    }
}

/// The random bytes of a host, which its sockets share.
#[derive(Clone)]
pub(super) struct SharedEntropy(Arc<Mutex<Stream>>);

impl Entropy for SharedEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fill(bytes);
    }
}

const NEVER: Ns = Ns(u64::MAX);

/// The window of the turmoil engine, in which one host hears nothing of the other.
const WINDOW: Ns = Ns::from_millis(1);
