//! Clients by servers: a table for each impairment, family and direction.

use super::Cell;
use crate::harness::table::Table;
use crate::harness::{Direction, Family, Impairment};

/// A table of the matrix.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    pub(super) title: String,
    pub(super) table: Table,
}

impl Grid {
    /// The tables of all cells that there are.
    pub(super) fn all(cells: &[Cell]) -> Vec<Self> {
        groups(cells).into_iter().map(|group| Self::of(&group)).collect()
    }

    fn of(cells: &[&Cell]) -> Self {
        let servers = servers(cells);
        let mut headings = vec!["client"];
        headings.extend(&servers);
        let mut table = Table::new(1, &headings);
        for client in clients(cells) {
            let mut row = vec![client.clone()];
            for server in &servers {
                let cell = find(cells, &client, server);
                row.push(cell.map_or_else(|| "-".into(), text));
            }
            table.push(row);
        }
        Self { title: title(cells[0]), table }
    }
}

/// Cells that differ in client and server only, in the order of the tables.
pub(super) fn groups(cells: &[Cell]) -> Vec<Vec<&Cell>> {
    let mut groups = Vec::new();
    for impairment in Impairment::ALL {
        for family in [Family::V4, Family::V6] {
            for direction in [Direction::ClientSends, Direction::ServerSends] {
                let belongs = |cell: &&Cell| {
                    (cell.impairment, cell.family, cell.direction)
                        == (impairment, family, direction)
                };
                let group: Vec<&Cell> = cells.iter().filter(belongs).collect();
                if !group.is_empty() {
                    groups.push(group);
                }
            }
        }
    }
    groups
}

/// The clients of a group, in the order of their cells.
pub(super) fn clients(cells: &[&Cell]) -> Vec<String> {
    let mut clients = Vec::new();
    for cell in cells {
        let name = cell.client_name();
        if !clients.contains(&name) {
            clients.push(name);
        }
    }
    clients
}

/// The servers of a group, in the order of their cells.
pub(super) fn servers<'a>(cells: &[&'a Cell]) -> Vec<&'a str> {
    let mut servers = Vec::new();
    for cell in cells {
        if !servers.contains(&cell.server.as_str()) {
            servers.push(&cell.server);
        }
    }
    servers
}

/// The cell of a client and a server.
pub(super) fn find<'a>(cells: &[&'a Cell], client: &str, server: &str) -> Option<&'a Cell> {
    let mut found = cells.iter().filter(|cell| cell.server == server);
    found.find(|cell| cell.client_name() == client).copied()
}

/// What a group has in common.
pub(super) fn title(cell: &Cell) -> String {
    let Cell { impairment, family, direction, bytes, .. } = cell;
    let sends = match direction {
        Direction::ClientSends => "the client sends",
        Direction::ServerSends => "the server sends",
    };
    let what = impairment.title();
    format!("{impairment}, IP{family}, {sends} {bytes} bytes: {what}")
}

/// What a cell says.
pub(super) fn text(cell: &Cell) -> String {
    let Cell { rounds, passed, attempts, .. } = cell;
    if passed < rounds {
        return format!("FAILED {}/{rounds}", rounds - passed);
    }
    let (mbps, least) = (cell.mbps.unwrap_or(0.0), cell.mbps_min.unwrap_or(0.0));
    let mut text = format!("{mbps:.1}");
    if *rounds > 1 {
        text += &format!(" ({least:.1})");
    }
    let waits = cell.queue_delay_ms.filter(|_| cell.impairment == Impairment::SlowLink);
    if let Some(wait) = waits {
        text += &format!(" {:.0}/{:.0} ms", wait.p50, wait.p95);
    }
    if *attempts > 1 {
        text += &format!(" {attempts} connects");
    }
    text
}
