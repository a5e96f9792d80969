//! What no run may do.

use utp_proto::ConnectionError;

use crate::op::{Flips, Plan};
use crate::pair::App;
use crate::run::{Report, World};

/// Largest UDP payload, which may lie in a receive buffer beyond its limit.
const DATAGRAM_MAX: u64 = 65_507;

/// No connection holds more than its configuration allows.
pub(crate) fn memory(world: &World, plan: &Plan) -> Result<(), String> {
    for side in [0, 1] {
        let config = &plan.sides[side];
        let received_max = u64::from(config.receive_buffer_max_bytes.max(4_096)) + DATAGRAM_MAX;
        // As much again while a packet is withheld.
        let sent_max = 2 * u64::from(config.send_buffer_bytes).max(1_500);
        for handle in world.pair.apps[side].keys() {
            let Some(connection) = world.pair.endpoints[side].connection(*handle) else { continue };
            let stats = connection.stats();
            if stats.receive_charged_bytes > received_max {
                return Err(format!("side {side} holds {} bytes", stats.receive_charged_bytes));
            }
            if stats.send_buffered_bytes > sent_max {
                return Err(format!("side {side} buffers {} bytes", stats.send_buffered_bytes));
            }
            if stats.in_flight_bytes > stats.send_buffered_bytes {
                return Err(format!("side {side} has more in flight than it holds: {stats:?}"));
            }
        }
    }
    Ok(())
}

/// Nobody is woken again and again for nothing. What is not caused by a packet is caused by a timer
/// and those are few: a keepalive in half a minute, a time-out that backs off, a pacer's pause.
pub(crate) fn wakes(world: &World) -> Result<(), String> {
    let trace = world.pair.trace;
    match trace.steps > 20_000 + 20 * trace.packets {
        true => Err(format!("woken {} times for {} packets", trace.steps, trace.packets)),
        false => Ok(()),
    }
}

/// What was read is the beginning of what one other end wrote, and of nothing else. (That the
/// bytes are those of the pattern was checked as they were read.)
pub(crate) fn streams(world: &World) -> Result<(), String> {
    if world.flips == Flips::All {
        return Ok(());
    }
    for side in [0, 1] {
        for reader in ends(world, side) {
            if reader.writes_pattern == 0 {
                return Err(format!("side {side}: an event of a stream that nobody owns"));
            }
            let honest = world.network.borrow().flipped == 0;
            if reader.closed == Some(ConnectionError::FalseAck) && honest {
                return Err(format!("side {side} sees a lie in honest packets: {reader:?}"));
            }
            if reader.closed == Some(ConnectionError::Conflict) && honest {
                return Err(format!("side {side} sees a conflict in honest packets: {reader:?}"));
            }
            if reader.read == 0 {
                continue;
            }
            let Some(writer) = writer_of(world, side, reader) else {
                return Err(format!("side {side} reads what nobody writes: {reader:?}"));
            };
            if reader.read > writer.written {
                return Err(format!("side {side} reads more than was written: {reader:?}"));
            }
            let early =
                reader.read < writer.written || !(writer.finish_called || left(world, writer));
            if reader.end_of_stream && early {
                return Err(format!("side {side} ends early: {reader:?}, {writer:?}"));
            }
            if writer.read > 0 && writer.reads_pattern != reader.writes_pattern {
                return Err(format!("streams are mixed: {reader:?}, {writer:?}"));
            }
        }
    }
    Ok(())
}

/// What a writer was told to have arrived was read.
pub(crate) fn acked(world: &World) -> Result<(), String> {
    if matches!(world.flips, Flips::All | Flips::ButMeaning) {
        return Ok(());
    }
    for side in [0, 1] {
        for writer in world.pair.apps[side].values() {
            if !writer.finished || writer.written == 0 {
                continue;
            }
            let reader = ends_of(world, 1 - side)
                .find(|(end, _)| end.read > 0 && end.reads_pattern == writer.writes_pattern);
            match reader {
                Some((reader, gone)) => {
                    let aborted = world.aborted.contains(&reader.writes_pattern);
                    if reader.read < writer.written && !gone && !aborted {
                        return Err(format!("acked and not read: {reader:?}, {writer:?}"));
                    }
                }
                // An owner that left read nothing.
                None if world.left[1 - side].is_empty() => {
                    return Err(format!("acked and not read by anybody: {writer:?}"));
                }
                None => {}
            }
        }
    }
    Ok(())
}

/// The ends of streams that have neither finished nor failed.
pub(crate) fn open(world: &World) -> Vec<&App> {
    let mut open = Vec::new();
    for side in [0, 1] {
        for (handle, app) in &world.pair.apps[side] {
            let ended = app.closed.is_some() || (app.finished && app.end_of_stream);
            if !ended && world.pair.endpoints[side].connection(*handle).is_some() {
                open.push(app);
            }
        }
    }
    open
}

/// A number that changes with everything that moves.
pub(crate) fn progress(world: &World) -> u64 {
    let mut sum = 0;
    for side in [0, 1] {
        // What a peer takes whose owner has left is read by nobody.
        for handle in world.pair.apps[side].keys() {
            let connection = world.pair.endpoints[side].connection(*handle);
            sum += connection.map_or(0, |connection| connection.stats().bytes_acked);
        }
    }
    for app in world.pair.apps.iter().flat_map(|apps| apps.values()) {
        let steps = [app.connected, app.finished, app.end_of_stream, app.closed.is_some()];
        sum += app.read + app.written + steps.iter().filter(|step| **step).count() as u64;
    }
    sum
}

pub(crate) fn count(world: &World) -> Report {
    let mut report = Report::default();
    for app in world.pair.apps.iter().flat_map(|apps| apps.values()) {
        report.bytes += app.read;
        if app.finished && app.end_of_stream {
            report.completed += 1;
        } else {
            report.failed += 1;
        }
    }
    report
}

/// Nobody owns anything, and nothing is there.
pub(crate) fn nothing_is_left(world: &mut World) -> Result<(), String> {
    for side in [0, 1] {
        let apps = &world.pair.apps[side];
        if !apps.is_empty() {
            return Err(format!("side {side}: an event after a release: {apps:?}"));
        }
        let stats = world.pair.endpoints[side].stats();
        if stats.connections != 0 || stats.half_open != 0 {
            return Err(format!("side {side} keeps connections: {stats:?}"));
        }
        if let Some(at) = world.pair.endpoints[side].poll_timeout() {
            return Err(format!("side {side} waits for {at:?} with nothing left"));
        }
    }
    Ok(())
}

/// All ends of a side, those whose owners have left included.
fn ends(world: &World, side: usize) -> impl Iterator<Item = &App> {
    ends_of(world, side).map(|(app, _)| app)
}

fn ends_of(world: &World, side: usize) -> impl Iterator<Item = (&App, bool)> {
    let live = world.pair.apps[side].values().map(|app| (app, false));
    live.chain(world.left[side].iter().map(|app| (app, true)))
}

fn writer_of<'a>(world: &'a World, side: usize, reader: &App) -> Option<&'a App> {
    ends(world, 1 - side).find(|end| end.writes_pattern == reader.reads_pattern)
}

fn left(world: &World, app: &App) -> bool {
    world.left.iter().flatten().any(|end| end.writes_pattern == app.writes_pattern)
}
