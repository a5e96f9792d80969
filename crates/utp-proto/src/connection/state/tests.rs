//! Writes `specs/state-machine.md` from the transitions, and finds it stale.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use super::State::{self, Closed, Connected, Lingering, SynReceived, SynSent};
use super::Transition::{self, Answered, Failed, Finished, Forgotten, Proved};
use super::{LocalFin, RemoteFin};
use utp_wire::SeqNr;

const STATES: [State; 5] = [SynSent, SynReceived, Connected, Lingering, Closed];

const TRANSITIONS: [Transition; 5] = [Answered, Proved, Finished, Forgotten, Failed];

/// How the states come to be, beside the transitions.
const BIRTHS: [(State, &str); 2] = [(SynSent, "connect"), (SynReceived, "SYN accepted")];

const fn words(transition: Transition) -> &'static str {
    match transition {
        Answered => "STATE that acknowledges the SYN",
        Proved => "first packet of the initiator that acks the SYN-ACK",
        Finished => "both directions at their end, or ours once the owner has left",
        Forgotten => "lingered, replaced, unknown to the peer, or abandoned for too long",
        Failed => "reset, time-out, conflict, abort",
    }
}

fn page() -> String {
    let mut out = String::from(
        "# State machine of a connection\n\n\
         Written by a test of utp-proto from `connection/state.rs`; not by hand. To renew it:\n\n\
         ```sh\nUPDATE_SNAPSHOTS=1 cargo test -p utp-proto --lib state_machine\n```\n\n\
         ```mermaid\nstateDiagram-v2\n",
    );
    for (state, how) in BIRTHS {
        writeln!(out, "    [*] --> {state:?}: {how}").expect("a String takes everything");
    }
    for transition in TRANSITIONS {
        for source in transition.sources() {
            let target = transition.target();
            writeln!(out, "    {source:?} --> {target:?}: {transition:?}")
                .expect("a String takes everything");
        }
    }
    out.push_str("    Closed --> [*]\n```\n\n| from | transition | to | when |\n");
    out.push_str("| --- | --- | --- | --- |\n");
    for state in STATES {
        for transition in TRANSITIONS {
            if transition.sources().contains(&state) {
                let (target, when) = (transition.target(), words(transition));
                writeln!(out, "| {state:?} | {transition:?} | {target:?} | {when} |")
                    .expect("a String takes everything");
            }
        }
    }
    out.push_str(
        "\nBoth directions end by themselves while the connection is Connected:\n\n\
         | direction | steps |\n| --- | --- |\n",
    );
    let ours = [LocalFin::Open, LocalFin::Queued, LocalFin::Sent, LocalFin::Acked];
    let ours = ours.map(|step| format!("{step:?}")).join(" → ");
    writeln!(
        out,
        "| ours | {ours} |\n| the peer's | Open → Announced → Reached, or Open → Reached |"
    )
    .expect("a String takes everything");
    out
}

#[test]
fn the_state_machine_is_as_committed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs/state-machine.md");
    let page = page();
    if env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &page).expect("specs is writable");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        committed, page,
        "stale: UPDATE_SNAPSHOTS=1 cargo test -p utp-proto --lib state_machine"
    );
}

#[test]
fn nothing_leads_out_of_closed_and_everything_leads_there() {
    for transition in TRANSITIONS {
        assert!(!transition.sources().contains(&Closed), "{transition:?}");
    }
    for state in STATES.into_iter().filter(|state| *state != Closed) {
        assert!(Failed.sources().contains(&state), "{state:?}");
    }
}

#[test]
fn a_direction_goes_from_step_to_step() {
    let mut ours = LocalFin::Open;
    ours.queue();
    ours.send();
    ours.acked();
    assert_eq!(ours, LocalFin::Acked);
    let mut theirs = RemoteFin::Open;
    theirs.announce(SeqNr(9));
    theirs.reach(SeqNr(9));
    assert_eq!(theirs, RemoteFin::Reached(SeqNr(9)));
}
