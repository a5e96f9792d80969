//! Two hosts and a router in network namespaces of Linux, for what a relay cannot show: it sees
//! payloads, and neither who may take a datagram apart nor how large one was on the way.
//!
//! The links between hosts and router carry 1 500 bytes. What the router forwards may have 1 280.
//! It says so to the sender of a larger packet (RFC 1191, RFC 8201), and takes those of IPv4 apart
//! that allow it.
//!
//! A namespace lives as long as a process in it. That process reads from a pipe and ends with it,
//! so that nothing is left behind however the harness ends.

use std::ffi::OsStr;
use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::Family;

/// A client and a server with a router between them.
#[derive(Debug)]
pub struct Namespaces {
    client: Namespace,
    server: Namespace,
    router: Namespace,
}

/// One of the hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Where the client runs.
    Client,
    /// Where the server runs.
    Server,
}

/// Why there are none.
#[derive(Debug)]
pub struct NamespacesError(String);

impl fmt::Display for NamespacesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NamespacesError {}

impl Namespaces {
    /// Makes the namespaces and joins them.
    ///
    /// # Errors
    ///
    /// When this machine does not allow it, or lacks the programs `unshare`, `nsenter` and `ip`.
    pub fn new() -> Result<Self, NamespacesError> {
        // A user who is not root may be it in a namespace of users.
        let as_root = Namespace::start(command("unshare", ["--net"]), false);
        let router = match as_root {
            Ok(router) => router,
            Err(_) => {
                let arguments = ["--user", "--map-root-user", "--net"];
                Namespace::start(command("unshare", arguments), true)?
            }
        };
        let inside = || {
            let mut command = router.enter();
            command.args(["unshare", "--net"]);
            Namespace::start(command, router.has_users)
        };
        let namespaces = Self { client: inside()?, server: inside()?, router };
        namespaces.join()?;
        Ok(namespaces)
    }

    /// The address of a host.
    pub const fn address(host: Host, family: Family) -> IpAddr {
        let net = match host {
            Host::Client => 1,
            Host::Server => 2,
        };
        match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::new(10, 0, net, 2)),
            Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, net as u16, 0, 0, 0, 2)),
        }
    }

    /// A command that runs `program` on a host.
    pub fn command(&self, host: Host, program: &Path) -> Command {
        let mut command = match host {
            Host::Client => self.client.enter(),
            Host::Server => self.server.enter(),
        };
        command.arg(program);
        command
    }

    /// Links, addresses and routes.
    fn join(&self) -> Result<(), NamespacesError> {
        self.router.run(
            "echo 1 > /proc/sys/net/ipv4/ip_forward
             echo 1 > /proc/sys/net/ipv6/conf/all/forwarding",
        )?;
        for (net, host) in [(1, &self.client), (2, &self.server)] {
            let pid = host.holder.id();
            self.router.run(&format!(
                "ip link add name host{net} type veth peer name path netns {pid}
                 ip address add 10.0.{net}.1/24 dev host{net}
                 ip address add fd00:0:0:{net}::1/64 dev host{net} nodad
                 ip link set host{net} up
                 ip route replace 10.0.{net}.0/24 dev host{net} src 10.0.{net}.1 mtu {PATH_BYTES}
                 ip -6 route add fd00:0:0:{net}::/64 dev host{net} metric 1 mtu {PATH_BYTES}"
            ))?;
            host.run(&format!(
                "ip link set lo up
                 ip address add 10.0.{net}.2/24 dev path
                 ip address add fd00:0:0:{net}::2/64 dev path nodad
                 ip link set path up
                 ip route add default via 10.0.{net}.1
                 ip -6 route add default via fd00:0:0:{net}::1"
            ))?;
        }
        Ok(())
    }
}

/// A namespace, and the process that keeps it.
#[derive(Debug)]
struct Namespace {
    holder: Child,
    /// Whether it lies in a namespace of users.
    has_users: bool,
}

impl Namespace {
    /// A namespace that `command` makes for the program that it then runs.
    fn start(mut command: Command, has_users: bool) -> Result<Self, NamespacesError> {
        let holder = command
            .args(["sh", "-c", "echo ready; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(&command, &error))?;
        let mut namespace = Self { holder, has_users };
        let mut line = String::new();
        let stdout = namespace.holder.stdout.take().expect("piped above");
        let read = BufReader::new(stdout).read_line(&mut line);
        if read.is_ok() && line.starts_with("ready") {
            return Ok(namespace);
        }
        let mut said = String::new();
        let stderr = namespace.holder.stderr.take().expect("piped above");
        drop(BufReader::new(stderr).read_line(&mut said));
        Err(failed(&command, &said.trim_end()))
    }

    /// A command that runs the program whose name is still to be added.
    fn enter(&self) -> Command {
        let pid = self.holder.id().to_string();
        let mut command = command("nsenter", ["--target", &pid, "--net"]);
        if self.has_users {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--");
        command
    }

    /// Runs lines of shell, up to the first that fails.
    fn run(&self, script: &str) -> Result<(), NamespacesError> {
        let mut command = self.enter();
        command.args(["sh", "-ec", script]);
        let output = command.output().map_err(|error| failed(&command, &error))?;
        match output.status.success() {
            true => Ok(()),
            false => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(NamespacesError(format!("setting up namespaces: {}", said.trim_end())))
            }
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // It has only to be waited for: a process that is gone already is as good.
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}

fn command<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn failed(command: &Command, why: &dyn fmt::Display) -> NamespacesError {
    NamespacesError(format!("{}: {why}", command.get_program().display()))
}

/// What the router forwards: the least that IPv6 allows of a link (RFC 8200).
const PATH_BYTES: u32 = 1_280;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_reached_through_the_router_where_namespaces_are_allowed() {
        let namespaces = match Namespaces::new() {
            Ok(namespaces) => namespaces,
            Err(error) => {
                println!("skipped, namespaces are not allowed here: {error}");
                return;
            }
        };
        for (family, options) in [(Family::V4, &["route"][..]), (Family::V6, &["-6", "route"])] {
            let server = Namespaces::address(Host::Server, family).to_string();
            let mut command = namespaces.command(Host::Client, "ip".as_ref());
            let output = command.args(options).args(["get", &server]).output().expect("it starts");
            let text = String::from_utf8_lossy(&output.stdout);
            let router = server.replace(".2.2", ".1.1").replace(":2::2", ":1::1");
            assert!(text.contains(&format!("via {router} dev path")), "{text}");
        }
    }
}
