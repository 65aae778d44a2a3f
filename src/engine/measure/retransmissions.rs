//! Connections of this process that send segments again because nothing confirms them: a network that is
//! interrupted or loses packets shows in them, a server that does not answer does not, since its kernel confirms.

use std::{
    collections::BTreeSet,
    fs::{self, read_dir, read_link},
    time::Duration,
};

use crate::clock::Micros;

/// The kernel's tables of connections.
const TABLES: [&str; 2] = ["/proc/net/tcp", "/proc/net/tcp6"];
/// The sockets of this process are links in this folder.
const DESCRIPTORS: &str = "/proc/self/fd";
/// Columns of a connection: its state, segments sent again and not confirmed, and the inode of its socket.
const STATE_COLUMN: usize = 3;
const RETRANSMITS_COLUMN: usize = 6;
const INODE_COLUMN: usize = 9;
/// State of a connection that is being opened. It repeats its first segment also where a server has ended and its
/// address with it: that is no sign of the network.
const SYN_SENT: &str = "02";
/// Time between two readings at most.
const READING_INTERVAL: Duration = Duration::from_millis(500);

/// Readings of this process's connections over a load, taken while nothing is acknowledged or delivered: at other
/// times their cost would be part of the load.
#[derive(Debug, Default)]
pub struct Retransmissions {
    /// Acknowledged and delivered messages at the last look.
    progress: u64,
    /// Times at which a connection sent segments again, with the number of such connections.
    found: Vec<(Micros, usize)>,
}

impl Retransmissions {
    /// Begins anew.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    /// Looks at the connections at `now`, unless more messages were acknowledged or delivered since the last call:
    /// `progress` is their number.
    pub fn look(&mut self, now: Micros, progress: u64) {
        if std::mem::replace(&mut self.progress, progress) != progress {
            return;
        }
        let own = own_sockets();
        let tables = TABLES.iter().filter_map(|table| fs::read_to_string(table).ok());
        let count = tables.map(|table| count_retransmitting(&table, &own)).sum();
        if count > 0 {
            self.found.push((now, count));
        }
    }

    /// Returns the largest number of connections that sent segments again at a time between `from` and `to`.
    pub fn between(&self, from: Micros, to: Micros) -> usize {
        let end = to.after(READING_INTERVAL);
        let within = self.found.iter().filter(|(at, _)| *at >= from && *at <= end);
        within.map(|(_, count)| *count).max().unwrap_or(0)
    }
}

/// Inodes of this process's sockets.
fn own_sockets() -> BTreeSet<u64> {
    let links = read_dir(DESCRIPTORS).into_iter().flatten();
    let inode = |link: std::io::Result<fs::DirEntry>| {
        let target = read_link(link.ok()?.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    links.filter_map(inode).collect()
}

/// Counts the connections of `own` sockets in a kernel's table that send segments again.
fn count_retransmitting(table: &str, own: &BTreeSet<u64>) -> usize {
    let is_retransmitting = |line: &&str| {
        let mut columns = line.split_whitespace();
        let state = columns.nth(STATE_COLUMN);
        let retransmits = columns.nth(RETRANSMITS_COLUMN - STATE_COLUMN - 1);
        let inode = columns.nth(INODE_COLUMN - RETRANSMITS_COLUMN - 1);
        let sent_again = retransmits.and_then(|text| u64::from_str_radix(text, 16).ok());
        state.is_some_and(|state| state != SYN_SENT)
            && sent_again.is_some_and(|count| count > 0)
            && inode.and_then(|text| text.parse().ok()).is_some_and(|inode| own.contains(&inode))
    };
    // The first line names the columns.
    table.lines().skip(1).filter(is_retransmitting).count()
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, os::fd::AsRawFd};

    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1 0
   1: 0100007F:A1B2 0200A8C0:0CEA 01 00000040:00000000 01:00000041 00000003     0        0 102 2 0
   2: 0100007F:A1B3 0200A8C0:0CEA 01 00000040:00000000 01:00000041 00000002     0        0 999 2 0
";

    #[test]
    fn connections_of_this_process_that_send_again_are_counted() {
        assert_eq!(count_retransmitting(TABLE, &[101, 102].into()), 1);
        assert_eq!(count_retransmitting(TABLE, &[101].into()), 0);
        assert_eq!(count_retransmitting(TABLE, &[].into()), 0, "of another process");
    }

    #[test]
    fn a_connection_that_is_being_opened_is_no_sign_of_the_network() {
        let opening = TABLE.replace(" 01 00000040:", " 02 00000040:");
        assert_eq!(count_retransmitting(&opening, &[101, 102].into()), 0);
    }

    #[test]
    fn the_sockets_of_this_process_are_known_and_do_not_send_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = read_link(format!("{DESCRIPTORS}/{}", listener.as_raw_fd())).unwrap();
        let inode = link.to_str().unwrap().trim_start_matches("socket:[").trim_end_matches(']');
        let own = own_sockets();
        assert!(own.contains(&inode.parse().unwrap()), "{inode}: {own:?}");
        let table = fs::read_to_string(TABLES[0]).unwrap();
        assert!(table.lines().any(|line| line.split_whitespace().nth(INODE_COLUMN) == Some(inode)));
    }

    #[test]
    fn only_a_time_without_progress_is_looked_at() {
        let second = |seconds: f64| Micros((seconds * 1e6) as i64);
        let mut seen = Retransmissions { progress: 5, ..Retransmissions::default() };
        seen.look(second(1.0), 6);
        assert_eq!(seen.progress, 6);
        seen.found = vec![(second(2.25), 1), (second(2.5), 20)];
        assert_eq!(seen.between(second(2.1), second(2.4)), 20, "read a little later");
        assert_eq!(seen.between(second(3.0), second(9.0)), 0);
        seen.restart();
        assert_eq!(seen.between(second(0.0), second(9.0)), 0);
    }
}
