//! A network for one run of a case: a namespace of Linux with a loopback device and nothing else.
//!
//! It belongs to the thread that enters it, and to the sockets, threads and processes that this
//! thread makes from then on; with the last of them it is gone. Inside, datagrams may be limited in
//! size and ICMP messages made, which a user may not do, and what the kernel then believes of the
//! path to this host harms nobody outside. It takes root.

use std::io;
use std::process::Command;

/// Moves the calling thread into a network of its own, whose loopback device carries what Ethernet
/// does.
///
/// # Errors
///
/// When this is not Linux, or not allowed, or the program `ip` is missing.
pub(crate) fn enter() -> io::Result<()> {
    make()?;
    set_loopback_mtu(ETHERNET)
}

/// Sets the size of the largest packet, headers of IP included, that the loopback device carries.
///
/// # Errors
///
/// When `ip` fails.
pub(crate) fn set_loopback_mtu(bytes: u16) -> io::Result<()> {
    let bytes = bytes.to_string();
    let output = Command::new("ip").args(["link", "set", "lo", "up", "mtu", &bytes]).output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim_end())),
    }
}

#[cfg(target_os = "linux")]
fn make() -> io::Result<()> {
    Ok(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?)
}

#[cfg(not(target_os = "linux"))]
fn make() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// What Ethernet carries.
pub(crate) const ETHERNET: u16 = 1500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_a_loopback_device_of_its_own_where_that_is_allowed() {
        let shown = || {
            let output = Command::new("ip").args(["-o", "link"]).output()?;
            Ok::<_, io::Error>(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let inside = std::thread::spawn(move || {
            enter()?;
            set_loopback_mtu(1280)?;
            shown()
        });
        match inside.join().expect("it does not panic") {
            Ok(links) => {
                assert_eq!(links.lines().count(), 1, "{links}");
                assert!(links.contains("mtu 1280"), "{links}");
                assert!(!shown().expect("ip runs").contains("lo: <LOOPBACK,UP,LOWER_UP> mtu 1280"));
            }
            Err(error) => println!("skipped, not allowed here: {error}"),
        }
    }
}
