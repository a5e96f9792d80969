//! What flows send, and which way.

use crate::time::Ns;
use std::fmt;
use std::sync::Arc;
use utp_ledbat::ControllerFactory;
use utp_wire::Instant;

/// A flow of packets from the left host to the right one.
#[derive(Clone, Debug)]
pub struct FlowSpec {
    /// Name in the file.
    pub name: String,
    /// What sends.
    pub kind: FlowKind,
    /// Indices into `Scenario::links` of the links its data takes, in order; not empty.
    pub via: Vec<usize>,
    /// The links its acks take, in order; `None` is an ideal path with the delays that the links of
    /// `via` have at the start.
    pub back: Option<Vec<usize>>,
    /// When it starts, or the earliest moment with a [`FlowSpec::start_jitter`].
    pub start: Ns,
    /// The start is moved by up to so much, drawn from the seed: [`super::Scenario::start_of`].
    pub start_jitter: Ns,
    /// When it stops sending, if before the end.
    pub stop: Option<Ns>,
}

/// What a flow sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowKind {
    /// A constant bit rate, as a voice call has.
    Cbr {
        /// Payload bits per second.
        rate_bps: u64,
        /// Time between packets.
        interval: Ns,
    },
    /// TCP CUBIC (RFC 9438) with selective-ack recovery.
    Cubic {
        /// Size of the transfer; without it never ends.
        bytes: Option<u64>,
    },
    /// Bursts of a constant bit rate with silence between them.
    OnOff {
        /// Payload bits per second during a burst.
        rate_bps: u64,
        /// Time between packets of a burst.
        interval: Ns,
        /// Mean length of a burst.
        on: Ns,
        /// Mean length of the silence.
        off: Ns,
        /// Whether lengths are drawn from an exponential distribution; otherwise they are constant.
        random: bool,
    },
    /// A real QUIC stack; needs the feature `quic`.
    Quic {
        /// Which congestion controller.
        controller: QuicController,
        /// Size of the transfer; without it never ends.
        bytes: Option<u64>,
    },
    /// TCP Reno with selective-ack recovery.
    Reno {
        /// Size of the transfer; without it never ends.
        bytes: Option<u64>,
    },
    /// Small requests that are answered over a TCP Reno connection, one after the other.
    RequestResponse {
        /// Payload of the request, which goes along `back`.
        request_bytes: u64,
        /// Payload of the response, which goes along `via`.
        response_bytes: u64,
        /// Time between a response and the next request.
        think: Ns,
    },
    /// A transfer over uTP.
    Utp(UtpFlow),
}

impl FlowKind {
    /// Size of the transfer, if it has one.
    pub const fn bytes(&self) -> Option<u64> {
        match self {
            Self::Cubic { bytes } | Self::Reno { bytes } | Self::Quic { bytes, .. } => *bytes,
            Self::Utp(utp) => utp.bytes,
            Self::Cbr { .. } | Self::OnOff { .. } | Self::RequestResponse { .. } => None,
        }
    }

    /// The feature of this crate that it needs.
    pub fn feature(&self) -> Option<&'static str> {
        match self {
            Self::Quic { .. } => Some("quic"),
            Self::Utp(utp) if utp.stacks().contains(&Stack::Libutp) => Some("reference"),
            _ => None,
        }
    }
}

/// A transfer over uTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UtpFlow {
    /// What sends.
    pub sender: Stack,
    /// What receives.
    pub receiver: Stack,
    /// The congestion controller of the sender; where libutp sends, the one that is made after its
    /// own.
    pub controller: Controller,
    /// Size of the transfer; without it never ends.
    pub bytes: Option<u64>,
    /// Most payload bits per second that the sending application produces.
    pub write_rate_bps: Option<u64>,
    /// Most payload bits per second that the receiving application reads.
    pub read_rate_bps: Option<u64>,
    /// How the receiver lies in its acknowledgements.
    pub lie: Option<Lie>,
}

impl UtpFlow {
    /// An endless transfer with `controller` between honest hosts that are never the bottleneck.
    pub const fn new(controller: Controller) -> Self {
        Self {
            sender: Stack::Ours,
            receiver: Stack::Ours,
            controller,
            bytes: None,
            write_rate_bps: None,
            read_rate_bps: None,
            lie: None,
        }
    }

    /// Which implementations are at its ends, the sender first.
    pub const fn stacks(&self) -> [Stack; 2] {
        [self.sender, self.receiver]
    }
}

/// An implementation of uTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stack {
    /// libutp, the reference; on the event engine, with the feature `reference`.
    Libutp,
    /// That of this project.
    #[default]
    Ours,
}

/// How a receiver lies: its acknowledgements are rewritten on their way into the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// It acknowledges everything that was sent, arrived or not.
    Ack,
    /// It reports one delay for ever, in microseconds.
    Delay(u32),
    /// Its clock seems to run so many parts per million slower, whatever the packets say: each
    /// reported delay shrinks as time goes on.
    Slew(u32),
    /// It makes the sender raise its base delay: its own packets seem to become faster by so many
    /// microseconds with every acknowledgement.
    Ratchet(u32),
}

/// A congestion controller by value; two of one name and target count as equal.
///
/// ```
/// use utp_sim::scenario::Controller;
///
/// let controller = Controller::named("libutp").expect("it exists");
/// assert_eq!(controller.name(), "libutp");
/// assert!(Controller::named("no-such-law").is_none());
/// ```
#[derive(Clone)]
pub struct Controller(Arc<dyn ControllerFactory>);

impl Controller {
    /// Any controller, for instance one that is being tried out.
    pub fn new(factory: Arc<dyn ControllerFactory>) -> Self {
        Self(factory)
    }

    /// A controller by a name and what makes it for a connection, which gets the moment at which
    /// that starts and the most payload bytes of its packets.
    ///
    /// ```
    /// use utp_ledbat::FixedWindow;
    /// use utp_sim::scenario::Controller;
    ///
    /// let ten = |_, payload_bytes_max| FixedWindow::new(10 * u64::from(payload_bytes_max));
    /// assert_eq!(Controller::from_fn("ten packets", ten).name(), "ten packets");
    /// ```
    pub fn from_fn<C, F>(name: &str, build: F) -> Self
    where
        C: utp_ledbat::Controller + 'static,
        F: Fn(Instant, u16) -> C + Send + Sync + 'static,
    {
        Self(Arc::new(FromFn { name: name.to_owned(), build }))
    }

    /// The controller that scenario files know by this name: one of
    /// [`utp_ledbat::CONTROLLER_NAMES`], or `fixed:N` for a window of N bytes.
    pub fn named(name: &str) -> Option<Self> {
        utp_ledbat::by_name(name).map(|factory| Self(Arc::from(factory)))
    }

    /// The same law with another target for its queueing delay, in microseconds; `None` where the
    /// law has none that could be changed.
    pub fn with_target_us(&self, target_us: u32) -> Option<Self> {
        self.0.with_target_us(target_us).map(|factory| Self(Arc::from(factory)))
    }

    /// Its name in scenario files and outputs.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// What builds it for a connection.
    pub fn factory(&self) -> Arc<dyn ControllerFactory> {
        Arc::clone(&self.0)
    }
}

/// What [`Controller::from_fn`] was given.
struct FromFn<F> {
    name: String,
    build: F,
}

impl<C, F> ControllerFactory for FromFn<F>
where
    C: utp_ledbat::Controller + 'static,
    F: Fn(Instant, u16) -> C + Send + Sync,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn build(&self, now: Instant, payload_bytes_max: u16) -> Box<dyn utp_ledbat::Controller> {
        Box::new((self.build)(now, payload_bytes_max))
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FromFn").field(&self.name).finish()
    }
}

impl fmt::Debug for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Controller({})", self.name())
    }
}

impl PartialEq for Controller {
    fn eq(&self, other: &Self) -> bool {
        (self.name(), self.0.target_us()) == (other.name(), other.0.target_us())
    }
}

impl Eq for Controller {}

/// The congestion controllers of the QUIC stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuicController {
    /// BBR.
    Bbr,
    /// CUBIC.
    Cubic,
}
