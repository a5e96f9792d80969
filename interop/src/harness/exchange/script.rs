//! What the two sides of a conversation are told, and what they have to say.

use std::time::Duration;

use super::{Case, SHORT_BYTES, SHORT_COUNT, SHORT_SEED, with_stderr};
use crate::harness::{Pair, ShimProcess};
use crate::shim::{Event, pattern_sha256};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Both shims.
#[derive(Debug)]
pub(super) struct Sides {
    client: ShimProcess,
    server: ShimProcess,
    /// The client's stack sends nothing by itself, so that an acceptor is never heard.
    client_has_to_unlock: bool,
    waiting_for: String,
}

type Step = Result<(), String>;

impl Sides {
    pub(super) fn new(client: ShimProcess, server: ShimProcess, pair: Pair) -> Self {
        let client_has_to_unlock = pair.client.loses_repeated_syn;
        Self { client, server, client_has_to_unlock, waiting_for: "nothing".into() }
    }

    /// What did not come, if time ran out.
    pub(super) fn waiting_for(&self) -> &str {
        &self.waiting_for
    }

    /// Holds the conversation to its end.
    pub(super) async fn hold(&mut self, case: Case) -> Step {
        match case {
            Case::BothCloseAtOnce => self.both_close().await,
            Case::ClientClosesFirst => self.one_closes(Side::Client).await,
            Case::ClientHalfCloses => self.one_half_closes(Side::Client).await,
            Case::ManyShort => self.many_short().await,
            Case::ServerClosesFirst => self.one_closes(Side::Server).await,
            Case::ServerHalfCloses => self.one_half_closes(Side::Server).await,
            Case::ServerSpeaksFirst => self.server_speaks_first().await,
        }
    }

    /// Lets both go, and adds what they wrote to a failure.
    pub(super) async fn leave(&mut self, case: Case, result: Step) -> Step {
        // A failed side is not waited for, and a server of many does not leave by itself.
        let patience =
            |waits| if waits && result.is_ok() { LEAVE_PATIENCE } else { Duration::ZERO };
        let (client, server) = (patience(true), patience(case != Case::ManyShort));
        tokio::join!(self.client.leave(client), self.server.leave(server));
        result.map_err(|reason| {
            let reason = with_stderr(&reason, "client", &mut self.client);
            with_stderr(&reason, "server", &mut self.server)
        })
    }

    async fn both_close(&mut self) -> Step {
        self.open().await?;
        // Without data under way: a libutp that has closed drops what it had not acked.
        self.tell(Side::Client, "close").await;
        self.tell(Side::Server, "close").await;
        self.closed().await
    }

    async fn one_closes(&mut self, first: Side) -> Step {
        self.open().await?;
        self.tell(first, "write 100000 2").await;
        self.tell(first, "close").await;
        self.tell(first.other(), "resume").await;
        self.data(first.other(), 100_000, 2).await?;
        self.eof(first.other()).await?;
        self.tell(first.other(), "close").await;
        self.closed().await
    }

    async fn one_half_closes(&mut self, first: Side) -> Step {
        self.open().await?;
        let second = first.other();
        self.tell(first, "write 5000 2").await;
        self.tell(first, "shutdown").await;
        self.tell(second, "resume").await;
        self.data(second, 5_000, 2).await?;
        self.eof(second).await?;
        self.tell(second, "write 70000 3").await;
        self.tell(first, "read 70000").await;
        self.data(first, 70_000, 3).await?;
        self.tell(second, "close").await;
        self.tell(first, "resume").await;
        self.eof(first).await?;
        self.tell(first, "close").await;
        self.closed().await
    }

    async fn server_speaks_first(&mut self) -> Step {
        self.connected().await?;
        if self.client_has_to_unlock {
            self.tell(Side::Client, "write 0 1").await;
        }
        self.tell(Side::Client, "read 3000").await;
        self.accepted().await?;
        self.tell(Side::Server, "write 3000 3").await;
        self.data(Side::Client, 3_000, 3).await?;
        self.tell(Side::Client, "close").await;
        self.tell(Side::Server, "resume").await;
        self.eof(Side::Server).await?;
        self.tell(Side::Server, "close").await;
        self.closed().await
    }

    async fn many_short(&mut self) -> Step {
        let sha256 = pattern_sha256(SHORT_SEED, SHORT_BYTES);
        // Closed by the client, received and closed by the server.
        let mut counts = [0; 3];
        let mut client_left = false;
        while counts != [SHORT_COUNT; 3] {
            self.waiting_for =
                format!("{SHORT_COUNT} each of closed, received, closed: {counts:?}");
            let (side, event) = tokio::select! {
                event = self.client.next_event(), if !client_left => (Side::Client, event),
                event = self.server.next_event() => (Side::Server, event),
            };
            match (side, event) {
                (Side::Server, Some(Event::Data { n, sha256: digest, .. })) => {
                    if (n, &digest) != (SHORT_BYTES, &sha256) {
                        return Err(format!("a stream of {n} bytes with SHA-256 {digest}"));
                    }
                    counts[1] += 1;
                }
                (Side::Client, Some(Event::Closed { .. })) => counts[0] += 1,
                (Side::Server, Some(Event::Closed { .. })) => counts[2] += 1,
                (_, Some(event @ Event::Error { .. })) => {
                    return Err(unexpected(side, Some(event)));
                }
                (_, Some(_)) => {}
                // The client leaves when it is done.
                (Side::Client, None) if counts[0] == SHORT_COUNT => client_left = true,
                (_, None) => return Err(unexpected(side, None)),
            }
        }
        Ok(())
    }

    /// One exchange of data, after which both know that they are connected.
    async fn open(&mut self) -> Step {
        self.connected().await?;
        self.tell(Side::Client, "write 1000 1").await;
        self.accepted().await?;
        self.tell(Side::Server, "read 1000").await;
        self.data(Side::Server, 1_000, 1).await
    }

    async fn connected(&mut self) -> Step {
        let is = |event: &Event| matches!(event, Event::Connected { .. });
        self.expect(Side::Client, "connected", is).await
    }

    async fn accepted(&mut self) -> Step {
        let is = |event: &Event| matches!(event, Event::Accepted { .. });
        self.expect(Side::Server, "accepted", is).await
    }

    async fn eof(&mut self, side: Side) -> Step {
        self.expect(side, "eof", |event| matches!(event, Event::Eof { .. })).await
    }

    async fn data(&mut self, side: Side, bytes: u64, seed: u64) -> Step {
        let wanted = pattern_sha256(seed, bytes);
        let is = move |event: &Event| match event {
            Event::Data { n, sha256, .. } => (*n, sha256) == (bytes, &wanted),
            _ => false,
        };
        self.expect(side, "data", is).await
    }

    /// Both sides close without an error.
    async fn closed(&mut self) -> Step {
        for side in [Side::Client, Side::Server] {
            loop {
                let what = format!("closed of the {}", side.name());
                match self.next(side, &what).await {
                    Some(Event::Closed { .. }) => break,
                    // What a side had read when it closed is its own business.
                    Some(Event::Data { .. } | Event::Eof { .. }) => {}
                    event => return Err(unexpected(side, event)),
                }
            }
        }
        Ok(())
    }

    async fn expect(&mut self, side: Side, what: &str, is: impl Fn(&Event) -> bool) -> Step {
        let event = self.next(side, &format!("{what} of the {}", side.name())).await;
        match event {
            Some(event) if is(&event) => Ok(()),
            event => Err(format!("{} instead of {what}", unexpected(side, event))),
        }
    }

    async fn next(&mut self, side: Side, what: &str) -> Option<Event> {
        self.waiting_for.clear();
        self.waiting_for.push_str(what);
        self.shim(side).next_event().await
    }

    async fn tell(&mut self, side: Side, command: &str) {
        self.shim(side).command(command).await;
    }

    const fn shim(&mut self, side: Side) -> &mut ShimProcess {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }
}

fn unexpected(side: Side, event: Option<Event>) -> String {
    match event {
        Some(event) => format!("the {} said {event:?}", side.name()),
        None => format!("the {} left", side.name()),
    }
}

/// How long both may take to leave after the last event.
const LEAVE_PATIENCE: Duration = Duration::from_secs(5);
