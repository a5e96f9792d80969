//! The conformance suite: a scripted peer on raw UDP sockets plays against any implementation that
//! stands behind a shim.
//!
//! - A `case` is a script of `interop/cases` or a function of `cases`; `suite` knows all.
//! - The `peer` sends and awaits packets and events. It speaks in terms of `packet`, `want`
//!   and `flow`, remembers in a `trace`, and shares no code with the stacks.
//! - `script` reads and runs the language of the scripts.
//! - `run` and `schedule` run cases, some of them in an `own_network`; `outcome` and `known` judge
//!   them, `report` writes them down.
//! - [`Conformance`] is the command.

#![expect(dead_code, reason = "the peer can do what groups of cases that are not here yet need")]

mod case;
mod cases;
mod command;
mod flow;
mod known;
mod outcome;
mod own_network;
mod packet;
mod peer;
mod pulse;
mod report;
mod run;
mod schedule;
mod script;
mod stop;
mod suite;
mod trace;
mod want;

pub use self::command::{Conformance, Ended};
