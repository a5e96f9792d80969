//! The command `utp-interop libtorrent`: one file fetched from a session, and seeded to another.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use utp_tokio::UtpSocket;

use super::metainfo::Metainfo;
use super::peer::{fetch, serve};
use super::session::{NoSession, Session};
use crate::harness::{Family, Provenance, write_files};
use crate::shim::{EXIT_UNIMPLEMENTED, Pattern, parse_size};

/// A BitTorrent client on this stack fetches a file from libtorrent, and seeds it to another.
#[derive(Debug, Clone, clap::Args)]
pub struct Libtorrent {
    /// Only this version of IP; may be repeated.
    #[arg(long = "family", value_enum)]
    families: Vec<Family>,
    /// How long the file is [default: 100000000].
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    size: Option<u64>,
    /// A Python that has the package libtorrent.
    #[arg(long, value_name = "PROGRAM", default_value = "python3")]
    python: PathBuf,
    /// Print the summary as JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Write the results here. A full run goes to results/interop by itself.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What our client did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// It connected to a session that seeds, and fetched from it.
    Fetch,
    /// A session connected to it and fetched from it.
    Seed,
}

/// One transfer of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    /// Over which version of IP.
    pub family: Family,
    /// What our client did.
    pub part: Part,
    /// Pieces that arrived and whose SHA-1 was checked by the side that fetched.
    pub pieces: usize,
    /// From the first block to the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Megabits (10^6) of the file a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mbps: Option<f64>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What came of all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Where it comes from.
    #[serde(flatten)]
    pub provenance: Provenance,
    /// The version of libtorrent.
    pub libtorrent: String,
    /// How long the file is.
    pub bytes: u64,
    /// How many pieces it has.
    pub pieces: usize,
    /// Whether everything arrived.
    pub pass: bool,
    /// Every transfer.
    pub legs: Vec<Leg>,
}

impl Libtorrent {
    /// Does it, and returns the exit status with what goes to standard output.
    ///
    /// # Errors
    ///
    /// When a file cannot be written, or the package fails.
    pub async fn run(&self) -> anyhow::Result<(u8, String)> {
        let provenance = Provenance::now();
        let work = Work::new()?;
        let bytes = self.size.unwrap_or(FILE_BYTES);
        let file = work.make_file(bytes)?;
        let mut report = Report {
            provenance,
            libtorrent: String::new(),
            bytes,
            pieces: 0,
            pass: true,
            legs: Vec::new(),
        };
        for family in self.families() {
            match self.both_legs(&work, family, &file, &mut report).await {
                Ok(()) => {}
                Err(NoSession::Missing(words)) => {
                    let hint = "skipped, it needs Python 3 with `pip install libtorrent`";
                    eprintln!("utp-interop: libtorrent is {hint}: {words}");
                    return Ok((EXIT_UNIMPLEMENTED, String::new()));
                }
                Err(NoSession::Failed(words)) => anyhow::bail!("libtorrent: {words}"),
            }
        }
        report.pass = report.legs.iter().all(|leg| leg.error.is_none());
        self.publish(&report)?;
        let text = if self.json { json(&report)? } else { report.table() };
        Ok((u8::from(!report.pass), text))
    }

    fn families(&self) -> Vec<Family> {
        let asked = match self.families.as_slice() {
            [] => &[Family::V4, Family::V6][..],
            families => families,
        };
        let (there, missing): (Vec<Family>, Vec<Family>) =
            asked.iter().partition(|family| family.is_available());
        for family in missing {
            eprintln!("utp-interop: IP{family} is left out: this machine lacks it");
        }
        there
    }

    async fn both_legs(
        &self,
        work: &Work,
        family: Family,
        file: &[u8],
        report: &mut Report,
    ) -> Result<(), NoSession> {
        let host = family.loopback().ip().to_string();
        let (path, torrent) = (work.file(), work.torrent());
        let [option, host, mode] = ["--host", &host, "seed"].map(OsStr::new);
        let arguments = [option, host, mode, path.as_os_str(), torrent.as_os_str()];
        let seed = Session::start(&self.python, &work.script(), &arguments).await?;
        report.libtorrent.clone_from(&seed.listening.version);
        report.pieces = seed.listening.pieces;
        let metainfo = fs::read(&torrent).map_err(failed)?;
        let metainfo = Metainfo::parse(&metainfo).map_err(failed)?;
        let mut address = family.loopback();
        address.set_port(seed.listening.port);
        let fetching = timeout(LIMIT, fetch_leg(address, &metainfo, file));
        report.legs.push(leg(family, Part::Fetch, file.len(), fetching.await));
        drop(seed);

        let socket = UtpSocket::bind(family.loopback()).await.map_err(failed)?;
        let (to, folder) = (socket.local_addr().to_string(), work.fetched(family));
        let [mode, peer, to] = ["fetch", "--peer", &to].map(OsStr::new);
        let arguments = [option, host, mode, peer, to, torrent.as_os_str(), folder.as_os_str()];
        let fetching = Session::start(&self.python, &work.script(), &arguments).await?;
        let seeding = timeout(LIMIT, seed_leg(socket, fetching, &metainfo, file, &folder));
        report.legs.push(leg(family, Part::Seed, file.len(), seeding.await));
        Ok(())
    }

    fn publish(&self, report: &Report) -> anyhow::Result<()> {
        let full = self.size.is_none() && self.families.is_empty() && !cfg!(debug_assertions);
        let folder = match &self.out {
            Some(folder) => folder,
            None if full => Path::new("results/interop"),
            None => return Ok(()),
        };
        let files = [("libtorrent.json", json(report)?), ("libtorrent.md", report.markdown())];
        write_files(folder, &files).with_context(|| format!("writing {}", folder.display()))
    }
}

/// Pieces and seconds, or why not.
type Went = anyhow::Result<(usize, f64)>;

/// Our client fetches.
async fn fetch_leg(seed: SocketAddr, metainfo: &Metainfo, file: &[u8]) -> Went {
    let mut local = seed;
    local.set_port(0);
    let socket = UtpSocket::bind(local).await?;
    let stream = socket.connect(seed).await.context("connecting")?;
    let fetched = fetch(stream, metainfo).await?;
    anyhow::ensure!(fetched.file == file, "the file is another");
    Ok((fetched.pieces, fetched.seconds))
}

/// A session fetches from our client.
async fn seed_leg(
    socket: UtpSocket,
    mut session: Session,
    metainfo: &Metainfo,
    file: &[u8],
    folder: &Path,
) -> Went {
    let serving = async {
        let stream = socket.accept().await?;
        serve(stream, metainfo, file).await
    };
    // Whoever is done first, the session has the last word, unless serving failed.
    let mut serving = std::pin::pin!(serving);
    let mut served = None;
    let fetched = loop {
        tokio::select! {
            fetched = session.fetched() => break fetched.map_err(anyhow::Error::msg)?,
            result = &mut serving, if served.is_none() => served = Some(result.context("serving")?),
        }
    };
    anyhow::ensure!(fetched.utp, "it was not over uTP");
    let arrived = fs::read(folder.join(FILE_NAME))?;
    anyhow::ensure!(arrived == file, "the file that arrived is another");
    Ok((fetched.pieces, fetched.seconds))
}

fn leg(
    family: Family,
    part: Part,
    bytes: usize,
    went: Result<Went, tokio::time::error::Elapsed>,
) -> Leg {
    let went =
        went.unwrap_or_else(|_| Err(anyhow::anyhow!("not done within {} s", LIMIT.as_secs())));
    match went {
        Ok((pieces, seconds)) => {
            let mbps = (seconds > 0.0).then(|| bytes as f64 * 8.0 / 1e6 / seconds);
            Leg { family, part, pieces, seconds: Some(seconds), mbps, error: None }
        }
        Err(error) => {
            let error = Some(format!("{error:#}"));
            Leg { family, part, pieces: 0, seconds: None, mbps: None, error }
        }
    }
}

impl Report {
    fn table(&self) -> String {
        let mut text = String::new();
        for Leg { family, part, pieces, seconds, mbps, error } in &self.legs {
            let what = match part {
                Part::Fetch => "fetched from libtorrent",
                Part::Seed => "seeded to libtorrent",
            };
            let went = match error {
                Some(error) => format!("FAILED: {error}"),
                None => format!(
                    "{pieces} of {} pieces, {:.3} s, {:.1} Mbit/s",
                    self.pieces,
                    seconds.unwrap_or(0.0),
                    mbps.unwrap_or(0.0)
                ),
            };
            writeln!(text, "IP{family}, {what}: {went}").expect("a string takes it");
        }
        text
    }

    fn markdown(&self) -> String {
        let Provenance { commit, machine, date, command, .. } = &self.provenance;
        let lines = self.table().lines().map(|line| format!("* {line}\n")).collect::<String>();
        format!(
            "# With libtorrent {}\n\nCommit {commit}, {date}, on {} with {} cores ({}), by \
             `{command}`.\n\nA file of {} bytes in {} pieces over loopback, by the BitTorrent \
             client of `interop/src/bittorrent` and sessions that have uTP alone. The side that \
             fetches checks the SHA-1 of each piece and takes the time.\n\n{lines}",
            self.libtorrent, machine.cpu, machine.cores, machine.os, self.bytes, self.pieces
        )
    }
}

/// A folder for files, which goes with it.
struct Work(PathBuf);

impl Work {
    fn new() -> anyhow::Result<Self> {
        let name = format!("utp-interop-libtorrent-{}", std::process::id());
        let work = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&work.0)?;
        fs::write(work.script(), SCRIPT)?;
        Ok(work)
    }

    fn make_file(&self, bytes: u64) -> anyhow::Result<Vec<u8>> {
        let mut file = vec![0; usize::try_from(bytes)?];
        Pattern::new(1).fill(&mut file);
        fs::write(self.file(), &file)?;
        Ok(file)
    }

    fn script(&self) -> PathBuf {
        self.0.join("peer.py")
    }

    fn file(&self) -> PathBuf {
        self.0.join(FILE_NAME)
    }

    fn torrent(&self) -> PathBuf {
        self.0.join("file.torrent")
    }

    fn fetched(&self, family: Family) -> PathBuf {
        self.0.join(format!("fetched-{family}"))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn failed(error: impl Into<anyhow::Error>) -> NoSession {
    NoSession::Failed(format!("{:#}", error.into()))
}

fn json(report: &Report) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

/// The script of the session, so that this program is all there is to install.
const SCRIPT: &str = include_str!("../../peers/libtorrent/peer.py");

const FILE_NAME: &str = "file.bin";

/// 100 MB: long enough for the window to open, and to fit into memory twice.
const FILE_BYTES: u64 = 100_000_000;

/// How long a transfer may take.
const LIMIT: Duration = Duration::from_secs(120);
