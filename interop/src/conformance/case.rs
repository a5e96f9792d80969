//! A case: what it is called, what it is about and how it is run.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::peer::Peer;
use super::script::Script;
use super::stop::CaseResult;
use crate::harness::Ability;

/// One case of the suite.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Such as `HS-02`; the group is what stands before the dash.
    pub(crate) id: String,
    pub(crate) grade: Grade,
    /// One line: what is expected.
    pub(crate) title: String,
    /// Where the requirement is from, such as "BEP-29 connection setup".
    pub(crate) reference: String,
    /// Ids of the clauses of `specs/requirements.toml` that it shows.
    pub(crate) requirements: Vec<String>,
    /// What the implementation has to be able to do, as far as it is known beforehand.
    pub(crate) needs: Vec<Ability>,
    pub(crate) flags: Vec<Flag>,
    /// How long a run may take.
    pub(crate) limit: Duration,
    pub(crate) body: Body,
}

/// How much depends on a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Grade {
    /// The text of BEP-29, or safety.
    Must,
    /// Good practice of the RFCs, or behaviour of libutp that peers rely on.
    Should,
    /// Quality.
    May,
}

/// What the schedule and the results have to know about a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    /// It takes much processor time or sends floods: it runs by itself.
    Heavy,
    /// It needs a network of its own: a namespace of Linux, which has nothing but a loopback
    /// device, and where ICMP messages may be made and sizes set without harm to others.
    OwnNetwork,
    /// It hurts: it runs against our own stack only and is in no published table.
    Hostile,
    /// It takes minutes: it runs only with `--slow`.
    Slow,
    /// It judges milliseconds: few run at once.
    Timing,
}

/// What a run of a case does.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Rust(fn(&mut Peer) -> CaseResult),
    Script(Arc<Script>),
}

impl Case {
    /// A case written in Rust, with no clauses, needs or flags yet.
    pub(crate) fn rust(
        id: &str,
        grade: Grade,
        reference: &str,
        title: &str,
        run: fn(&mut Peer) -> CaseResult,
    ) -> Self {
        Self {
            id: id.to_owned(),
            grade,
            title: title.to_owned(),
            reference: reference.to_owned(),
            requirements: Vec::new(),
            needs: Vec::new(),
            flags: Vec::new(),
            limit: LIMIT,
            body: Body::Rust(run),
        }
    }

    /// Names the clauses that the case shows.
    pub(crate) fn req(mut self, ids: &[&str]) -> Self {
        self.requirements = ids.iter().map(|id| (*id).to_owned()).collect();
        self
    }

    /// Names what the implementation has to be able to do. What a call of the shim or a command
    /// takes need not be said.
    pub(crate) fn needs(mut self, abilities: &[Ability]) -> Self {
        self.needs = abilities.to_vec();
        self
    }

    pub(crate) fn flag(mut self, flag: Flag) -> Self {
        self.flags.push(flag);
        self
    }

    /// Sets how many seconds a run may take.
    pub(crate) const fn limit_s(mut self, seconds: u64) -> Self {
        self.limit = Duration::from_secs(seconds);
        self
    }

    pub(crate) fn has(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }

    /// The two letters before the dash.
    pub(crate) fn group(&self) -> &str {
        self.id.split('-').next().unwrap_or_default()
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        })
    }
}

impl FromStr for Grade {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "MUST" => Ok(Self::Must),
            "SHOULD" => Ok(Self::Should),
            "MAY" => Ok(Self::May),
            _ => Err(format!("`{text}` is not MUST, SHOULD or MAY")),
        }
    }
}

impl Flag {
    const NAMED: [(Self, &'static str); 5] = [
        (Self::OwnNetwork, "own-network"),
        (Self::Heavy, "heavy"),
        (Self::Hostile, "hostile"),
        (Self::Slow, "slow"),
        (Self::Timing, "timing"),
    ];
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMED.iter().find(|(flag, _)| flag == self);
        f.write_str(name.map_or("", |(_, name)| name))
    }
}

impl FromStr for Flag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let flag = Self::NAMED.iter().find(|(_, name)| *name == text).map(|(flag, _)| *flag);
        flag.ok_or_else(|| format!("`{text}` is not heavy, hostile, own-network, slow or timing"))
    }
}

/// How long a run may take unless the case says something else.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
