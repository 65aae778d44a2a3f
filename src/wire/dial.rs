//! Opening sockets: at what pace, after which pauses, from which addresses.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use crate::clock::Micros;

/// Pause before the second attempt after a loss; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Connections from one address of this machine to one port of a server: fewer than the ports of Linux's default
/// range, 32768 to 60999.
const CONNECTIONS_PER_SOURCE: usize = 25_000;

/// How connections are opened.
#[derive(Debug, Clone, Copy)]
pub struct DialSettings {
    /// Connections that are being opened and prepared at the same time.
    pub in_progress: usize,
    /// Connections opened in a second at most; `None`: as many as the server takes.
    pub per_second: Option<u32>,
    /// Longest time for one connection to be open and prepared.
    pub timeout: Duration,
}

impl Default for DialSettings {
    /// As many at once as a server's queue of new connections holds in any case, less some for the connections of
    /// others: a connection beyond it is dropped, and tried again by the kernel after a second. The queue of a server
    /// in Java has 50 places unless the server says otherwise, and Kafka's `socket.listen.backlog.size` is 50, too.
    fn default() -> Self {
        Self { in_progress: 40, per_second: None, timeout: Duration::from_secs(30) }
    }
}

/// Which of the loops of one client a loop is: they divide what a server takes, and the ports of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopShare {
    /// Number of the loop, from 0.
    pub index: usize,
    /// Number of loops.
    pub loops: usize,
}

impl LoopShare {
    /// The share of the only loop.
    pub const ALONE: Self = Self { index: 0, loops: 1 };

    /// Number of a loop's connection among those of all loops.
    pub const fn number(self, connection: usize) -> usize {
        connection * self.loops + self.index
    }

    /// This loop's part of `total`; at least 1.
    fn of(self, total: usize) -> usize {
        (total / self.loops + usize::from(self.index < total % self.loops)).max(1)
    }
}

impl DialSettings {
    /// The settings of one of several loops, which together open connections as these settings say.
    pub(super) fn share(self, share: LoopShare) -> Self {
        let rate = |rate: u32| u32::try_from(share.of(rate as usize)).unwrap_or(u32::MAX);
        Self {
            in_progress: share.of(self.in_progress),
            per_second: self.per_second.map(rate),
            ..self
        }
    }
}

/// Pause before attempt number `attempt` after a connection was lost, from 0.
pub(super) fn pause(attempt: u32) -> Duration {
    match attempt {
        0 => Duration::ZERO,
        later => LONGEST_PAUSE.min(FIRST_PAUSE * 2_u32.saturating_pow(later - 1)),
    }
}

/// Connections that are to be opened, by the time from which they may be.
#[derive(Debug)]
pub(super) struct DialQueue {
    settings: DialSettings,
    waiting: BinaryHeap<Reverse<(Micros, usize)>>,
    in_progress: usize,
    next: Micros,
}

impl DialQueue {
    pub fn new(settings: DialSettings) -> Self {
        Self { settings, waiting: BinaryHeap::new(), in_progress: 0, next: Micros(i64::MIN) }
    }

    pub const fn timeout(&self) -> Duration {
        self.settings.timeout
    }

    pub fn push(&mut self, from: Micros, connection: usize) {
        self.waiting.push(Reverse((from, connection)));
    }

    /// Takes the next connection to open at `now`.
    pub fn take(&mut self, now: Micros) -> Option<usize> {
        if self.next_time()? > now {
            return None;
        }
        let Reverse((_, connection)) = self.waiting.pop()?;
        self.in_progress += 1;
        if let Some(rate) = self.settings.per_second {
            self.next = now.after(Duration::from_secs(1) / rate.max(1));
        }
        Some(connection)
    }

    /// Time from which the next connection may be opened; `None` while too many are being opened, or none waits.
    pub fn next_time(&self) -> Option<Micros> {
        if self.in_progress >= self.settings.in_progress {
            return None;
        }
        self.waiting.peek().map(|Reverse((from, _))| (*from).max(self.next))
    }

    /// A connection that was taken is prepared or closed.
    pub fn done(&mut self) {
        self.in_progress = self.in_progress.saturating_sub(1);
    }
}

/// Begins to connect connection number `number` to `address`, without waiting. Nagle's algorithm is off.
///
/// On the loopback, where a server is reached from any of 127.0.0.0/8, more connections than one address has
/// ports come from several of them.
pub(super) fn connect(address: SocketAddr, number: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source_address(address.ip(), number) {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(nix::errno::Errno::EINPROGRESS as i32) => {
            Err(error)
        }
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

fn source_address(server: IpAddr, number: usize) -> Option<IpAddr> {
    let group = u8::try_from(number / CONNECTIONS_PER_SOURCE).unwrap_or(u8::MAX);
    let is_beyond = matches!(server, IpAddr::V4(address) if address.is_loopback()) && group > 0;
    is_beyond.then(|| Ipv4Addr::new(127, 0, 1, group).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second() {
        let millis: Vec<_> = [0, 1, 2, 3, 5, 6, 40].map(|n| pause(n).as_millis()).into();
        assert_eq!(millis, [0, 50, 100, 200, 800, 1000, 1000]);
    }

    #[test]
    fn no_more_connections_are_opened_at_once_and_in_a_second_than_set() {
        let settings =
            DialSettings { in_progress: 2, per_second: Some(10), ..DialSettings::default() };
        let mut queue = DialQueue::new(settings);
        (0..4).for_each(|number| queue.push(Micros(0), number));
        assert_eq!((queue.take(Micros(0)), queue.take(Micros(99_999))), (Some(0), None));
        assert_eq!(queue.take(Micros(100_000)), Some(1));
        assert_eq!((queue.next_time(), queue.take(Micros(900_000))), (None, None));
        queue.done();
        assert_eq!(queue.take(Micros(900_000)), Some(2));
    }

    #[test]
    fn loops_share_what_a_server_takes() {
        let all = DialSettings { in_progress: 40, per_second: Some(10), ..DialSettings::default() };
        let shares = || (0..3).map(|index| all.share(LoopShare { index, loops: 3 }));
        assert_eq!(shares().map(|share| share.in_progress).sum::<usize>(), 40);
        assert_eq!(shares().filter_map(|share| share.per_second).sum::<u32>(), 10);
        let mut numbers: Vec<_> = (0..3)
            .flat_map(|index| (0..5).map(move |n| LoopShare { index, loops: 3 }.number(n)))
            .collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..15), "each port is counted once");
    }

    #[test]
    fn beyond_the_ports_of_one_address_connections_come_from_another() {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(source_address(loopback, 24_999), None);
        assert_eq!(source_address(loopback, 25_000), Some([127, 0, 1, 1].into()));
        assert_eq!(
            source_address([192, 168, 0, 9].into(), 60_000),
            None,
            "only its operator knows"
        );
    }
}
