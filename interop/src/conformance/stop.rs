//! Why a case ends before its end.

use std::fmt;

/// What a step of a case returns.
pub(crate) type CaseResult<T = ()> = Result<T, Stop>;

/// Why a case ends early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The implementation did something else than what is asked for.
    Fail(Failure),
    /// The runner or the machine failed; says nothing about the implementation.
    Internal(String),
    /// The machine was too late for a judgement.
    Late(String),
    /// The case cannot be run against this implementation, or on this machine.
    Skip(String),
}

/// What went wrong, and where the case says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// File and line, and the line itself if it is one of a script.
    pub(crate) place: String,
    /// What was found and what is allowed.
    pub(crate) what: String,
}

impl Stop {
    /// The runner failed at something that the operating system does.
    pub(crate) fn internal(doing: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::Internal(format!("{doing}: {error}"))
    }
}
