//! Waiting for packets, events and silence.

use std::time::{Duration, Instant};

use super::{Peer, Seen, WantEvent};
use crate::conformance::stop::CaseResult;
use crate::conformance::want::Want;
use crate::shim::Event;

impl Peer {
    /// The next packet has to look like `want`, and come within a time from now. Packets that are
    /// ignored may come before.
    #[track_caller]
    pub(crate) fn expect(&mut self, want: &Want, within: Duration) -> CaseResult<Seen> {
        self.expect_between(want, self.started, Instant::now() + within)
    }

    /// The next packet has to look like `want`, and arrive between two moments.
    #[track_caller]
    pub(crate) fn expect_between(
        &mut self,
        want: &Want,
        from: Instant,
        until: Instant,
    ) -> CaseResult<Seen> {
        loop {
            let Some(seen) = self.next_packet(want.socket(), until)? else {
                return Err(self.fail(format!("nothing came in time; allowed is {want}")));
            };
            match want.mismatch(&seen) {
                None => return self.in_time(seen, from, until),
                Some(_) if self.is_ignored(&seen) => {}
                Some(mismatch) => {
                    self.trace.mark(seen.trace_number);
                    return Err(self.fail(format!("{mismatch}; came {}", *seen)));
                }
            }
        }
    }

    /// A packet that looks like `want` has to come within a time from now; others may come before.
    #[track_caller]
    pub(crate) fn eventually(&mut self, want: &Want, within: Duration) -> CaseResult<Seen> {
        self.eventually_between(want, self.started, Instant::now() + within, |_| {})
    }

    /// A packet that looks like `want` has to arrive between two moments; each of the others is
    /// handed to `other`.
    #[track_caller]
    pub(crate) fn eventually_between(
        &mut self,
        want: &Want,
        from: Instant,
        until: Instant,
        mut other: impl FnMut(&Seen),
    ) -> CaseResult<Seen> {
        let mut last = None;
        while let Some(seen) = self.next_packet(want.socket(), until)? {
            match want.mismatch(&seen) {
                None => return self.in_time(seen, from, until),
                Some(mismatch) => {
                    other(&seen);
                    last = Some(format!("; of the last that came, {mismatch}"));
                }
            }
        }
        let last = last.unwrap_or_default();
        Err(self.fail(format!("no such packet came in time, wanted is {want}{last}")))
    }

    /// Nothing but what is ignored may come for a time.
    #[track_caller]
    pub(crate) fn silence(&mut self, time: Duration) -> CaseResult {
        self.none_of(&Want::any(), time)
    }

    /// Nothing that looks like `want` may come for a time; all else that comes is passed over.
    #[track_caller]
    pub(crate) fn none_of(&mut self, want: &Want, time: Duration) -> CaseResult {
        let until = Instant::now() + time;
        while let Some(seen) = self.next_on_any(until)? {
            let concerns = want.socket() == 0 || want.socket() == seen.socket;
            if concerns && want.matches(&seen) && !self.is_ignored(&seen) {
                self.trace.mark(seen.trace_number);
                return Err(self.fail(format!("nothing of the kind may come; came {}", *seen)));
            }
        }
        self.mark = Instant::now();
        Ok(())
    }

    /// Everything that comes in a time, without a judgement.
    #[track_caller]
    pub(crate) fn collect(&mut self, time: Duration) -> CaseResult<Vec<Seen>> {
        let until = Instant::now() + time;
        let mut all = Vec::new();
        while let Some(seen) = self.next_on_any(until)? {
            all.push(seen);
        }
        self.mark = Instant::now();
        Ok(all)
    }

    /// Lets time pass; what comes is kept for later.
    #[track_caller]
    pub(crate) fn sleep_until(&mut self, until: Instant) -> CaseResult {
        while self.pump(until)? {}
        Ok(())
    }

    /// Lets time pass; what comes is kept for later.
    #[track_caller]
    pub(crate) fn sleep(&mut self, time: Duration) -> CaseResult {
        self.sleep_until(Instant::now() + time)?;
        self.mark = Instant::now();
        Ok(())
    }

    /// Forgets the packets that have come and were not asked for.
    #[track_caller]
    pub(crate) fn forget_packets(&mut self) -> CaseResult {
        while self.pump(Instant::now())? {}
        self.packets.clear();
        Ok(())
    }

    /// The next packet on a socket that has come or comes until then.
    #[track_caller]
    pub(crate) fn next_packet(
        &mut self,
        socket: usize,
        until: Instant,
    ) -> CaseResult<Option<Seen>> {
        loop {
            let position = self.packets.iter().position(|seen| seen.socket == socket);
            if let Some(seen) = position.and_then(|position| self.packets.remove(position)) {
                return Ok(Some(seen));
            }
            if !self.pump(until)? {
                return Ok(None);
            }
        }
    }

    #[track_caller]
    pub(super) fn next_on_any(&mut self, until: Instant) -> CaseResult<Option<Seen>> {
        while self.packets.is_empty() {
            if !self.pump(until)? {
                return Ok(None);
            }
        }
        Ok(self.packets.pop_front())
    }

    /// An event that looks like `want` has to come within a time. Others may come before, except
    /// for errors, and for bytes when bytes are wanted.
    #[track_caller]
    pub(crate) fn expect_event(&mut self, want: &WantEvent, within: Duration) -> CaseResult<Event> {
        let until = Instant::now() + within;
        loop {
            while let Some((at, event)) = self.events.pop_front() {
                if want.matches(&event) {
                    self.mark = at;
                    return Ok(event);
                }
                if want.is_ruled_out_by(&event) {
                    let text = serde_json::to_string(&event).unwrap_or_default();
                    return Err(self.fail(format!("the event {text} came; allowed is {want}")));
                }
            }
            // One that has left may still have said something that waits to be read.
            if !self.pump(until)? {
                let left = if self.shim_has_left() { " (the shim has left)" } else { "" };
                return Err(self.fail(format!("no event {want} came in time{left}")));
            }
        }
    }

    /// No event that looks like `want` may come for a time, or may have come since the last one
    /// that was waited for.
    #[track_caller]
    pub(crate) fn no_event(&mut self, want: &WantEvent, time: Duration) -> CaseResult {
        let until = Instant::now() + time;
        loop {
            if let Some((_, event)) = self.events.iter().find(|(_, event)| want.matches(event)) {
                let text = serde_json::to_string(event).unwrap_or_default();
                return Err(self.fail(format!("the event {text} may not come")));
            }
            if !self.pump(until)? {
                self.mark = Instant::now();
                return Ok(());
            }
        }
    }

    /// Such events have to come until there have been `count` since the case began.
    #[track_caller]
    pub(crate) fn expect_count(
        &mut self,
        want: &WantEvent,
        count: usize,
        within: Duration,
    ) -> CaseResult {
        let until = Instant::now() + within;
        while self.count_events(want) < count && self.pump(until)? {}
        let found = self.count_events(want);
        self.check(found == count, || format!("{found} events {want} came, allowed are {count}"))
    }

    /// All events since the case began.
    pub(crate) fn heard(&self) -> &[Event] {
        &self.heard
    }

    /// How many such events there have been since the case began.
    pub(crate) fn count_events(&self, want: &WantEvent) -> usize {
        self.heard.iter().filter(|event| want.matches(event)).count()
    }

    #[track_caller]
    fn in_time(&mut self, seen: Seen, from: Instant, until: Instant) -> CaseResult<Seen> {
        let (early, late) =
            (from.checked_duration_since(seen.at), seen.at.checked_duration_since(until));
        let wrong = match (early, late) {
            (Some(early), _) if early > Duration::ZERO => Some((early, "early")),
            (_, Some(late)) if late > Duration::ZERO => Some((late, "late")),
            _ => None,
        };
        self.mark = seen.at;
        let Some((by, word)) = wrong else { return Ok(seen) };
        self.trace.mark(seen.trace_number);
        Err(self.fail(format!("it came {:.6} s too {word}: {}", by.as_secs_f64(), *seen)))
    }

    fn is_ignored(&self, seen: &Seen) -> bool {
        self.ignored.iter().any(|want| want.matches(seen))
    }
}
