//! `rust-utp-peer`: the crate `utp` of 2017, rust-utp, behind the shim protocol.
//!
//! It blocks, and has one connection for each UDP socket. An acceptor learns of its connection by
//! the first data, so that it cannot speak first. Its listener answers from another port than the
//! one that was asked, which no other stack takes for an answer, and is not used. What comes in
//! while it sends is lost, and so is the rest when the peer's FIN overtakes it.

use std::io;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use utp::UtpSocket;
use utp_shim::driver::unsupported;
use utp_shim::{
    App, Command, EXIT_FAILED, EXIT_UNIMPLEMENTED, Emitter, ErrorKind, Event, Input, Mode, Role,
    Stats, cpu_seconds, memory_kib, read_input,
};

fn main() -> ExitCode {
    let mode = utp_peers::mode();
    let result = run(&mode);
    report_stats(0);
    ExitCode::from(result.unwrap_or_else(|error| {
        eprintln!("rust-utp-peer: {error}");
        match error.kind() {
            io::ErrorKind::Unsupported => EXIT_UNIMPLEMENTED,
            _ => 3,
        }
    }))
}

fn run(mode: &Mode) -> io::Result<u8> {
    utp_peers::no_stream_buffers(mode.stream().buffers)?;
    let (sender, commands) = channel();
    let quit_on_eof = mode.stream().quit_on_eof;
    // This thread answers what must not wait until the stack stops to block.
    read_input(move |line| match line {
        Input::Command(Command::Quit) => leave(),
        Input::Command(Command::Stats) => report_stats(1),
        Input::Command(command) => sender.send(command).is_ok(),
        Input::End if quit_on_eof => leave(),
        Input::End => false,
        Input::Mistake(mistake) => emit(&error(0, ErrorKind::Other, mistake)),
    });
    let went_well = match *mode {
        Mode::Connect { local: Some(_), .. } => return Err(unsupported("it chooses its port")),
        Mode::Connect { count: 2.., .. } => return Err(unsupported("one connection at a time")),
        Mode::Listen { ref stream, .. }
            if matches!(stream.role, Role::Source { .. }) && !stream.greet =>
        {
            return Err(unsupported("an acceptor cannot speak first"));
        }
        Mode::Connect { address, .. } => match UtpSocket::connect(address) {
            Ok(socket) => {
                emit(&Event::Connected { conn: 1 });
                serve(mode.app(1), 1, socket, &[], &commands)?
            }
            Err(failed) => fail(1, &failed),
        },
        Mode::Listen { address, once, .. } => {
            let mut socket = UtpSocket::bind(address)?;
            let address = socket.local_addr()?;
            emit(&Event::Listening { port: address.port() });
            let mut conn = 1;
            loop {
                let went_well = accept(mode.app(conn), conn, socket, &commands)?;
                if once {
                    break went_well;
                }
                conn += 1;
                socket = UtpSocket::bind(address)?;
            }
        }
    };
    Ok(if went_well { 0 } else { EXIT_FAILED })
}

/// Waits for a connection, which is there with its first byte, and serves it.
fn accept(
    app: App,
    conn: u32,
    mut socket: UtpSocket,
    commands: &Receiver<Command>,
) -> io::Result<bool> {
    let mut first = [0];
    match socket.recv_from(&mut first) {
        Ok((len, _)) => {
            emit(&Event::Accepted { conn });
            serve(app, conn, socket, &first[..len], commands)
        }
        Err(failed) => Ok(fail(conn, &failed)),
    }
}

/// Does one thing after the other, as this stack does. False when the connection fails.
fn serve(
    mut app: App,
    conn: u32,
    mut socket: UtpSocket,
    mut first: &[u8],
    commands: &Receiver<Command>,
) -> io::Result<bool> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        while let Some(event) = app.poll_event() {
            emit(&event);
        }
        while let Ok(command) = commands.try_recv() {
            take(&mut app, command)?;
        }
        let intent = app.intent();
        let capacity = app.read_capacity().min(buffer.len());
        let pending = app.pending();
        let done = if !pending.is_empty() {
            let len = pending.len().min(buffer.len());
            socket.send_to(&pending[..len]).map(|sent| app.sent(sent))
        } else if intent.shutdown || intent.close {
            match socket.close() {
                Ok(()) => break,
                Err(failed) => Err(failed),
            }
        } else if capacity > 0 && !first.is_empty() {
            app.receive(Instant::now(), first);
            first = &[];
            Ok(())
        } else if capacity > 0 {
            socket.recv_from(&mut buffer[..capacity]).map(|(len, _)| match len {
                0 => app.finish(),
                len => app.receive(Instant::now(), &buffer[..len]),
            })
        } else if let Ok(command) = commands.recv() {
            take(&mut app, command)?;
            Ok(())
        } else {
            break;
        };
        if let Err(failed) = done {
            app.fail(kind_of(&failed), failed.to_string());
            while let Some(event) = app.poll_event() {
                emit(&event);
            }
            emit(&Event::Closed { conn });
            return Ok(false);
        }
    }
    emit(&Event::Closed { conn });
    Ok(true)
}

fn take(app: &mut App, command: Command) -> io::Result<()> {
    match command {
        Command::Abort => Err(unsupported("it cannot drop a connection")),
        Command::Shutdown => Err(unsupported("it cannot end one direction alone")),
        command => {
            app.command(command);
            Ok(())
        }
    }
}

fn fail(conn: u32, failed: &io::Error) -> bool {
    emit(&error(conn, kind_of(failed), failed.to_string()));
    emit(&Event::Closed { conn });
    false
}

const fn error(conn: u32, kind: ErrorKind, detail: String) -> Event {
    Event::Error { conn, kind, detail }
}

fn kind_of(error: &io::Error) -> ErrorKind {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ErrorKind::Refused,
        io::ErrorKind::ConnectionReset => ErrorKind::Reset,
        io::ErrorKind::TimedOut => ErrorKind::Timeout,
        _ => ErrorKind::Other,
    }
}

fn report_stats(conns: u32) -> bool {
    let memory = memory_kib();
    emit(&Event::Stats(Stats {
        rss_kib: memory.map_or(0, |(now, _)| now),
        conns,
        peak_rss_kib: memory.map(|(_, peak)| peak),
        cpu_s: cpu_seconds(),
        ..Stats::default()
    }))
}

/// A reader that has gone is a reason to leave, which the end of standard input tells as well.
fn emit(event: &Event) -> bool {
    Emitter::default().emit(event).is_ok()
}

fn leave() -> ! {
    report_stats(0);
    std::process::exit(0)
}
