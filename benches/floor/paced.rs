//! What this machine's timer and loopback can do at all: no client can be more punctual.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use hubmark::{
    clock::{Clock, Micros},
    stats::distribution::Distribution,
};

/// Interval of sleeps and of round trips.
const INTERVAL: Duration = Duration::from_millis(1);
/// Number of each.
const COUNT: usize = 5_000;
/// Bytes of a message.
const MESSAGE: usize = 100;

/// Lateness of the timer and times of round trips, in microseconds.
pub struct Floor {
    pub timer: Distribution,
    pub loopback: Distribution,
}

impl Floor {
    /// Measures for ten seconds, on threads without timer slack.
    pub fn measure() -> Self {
        let timer = thread::spawn(|| paced(|_| {})).join().unwrap().0;
        let loopback = thread::spawn(measure_loopback).join().unwrap();
        Self { timer, loopback }
    }

    /// Prints both, beside the figures of the same minutes.
    pub fn print(&self) {
        let line = |what: &str, times: &Distribution| {
            let percentile = |rank| times.percentile(rank).unwrap_or(f64::NAN);
            println!("{what}: p50 {:.0} µs, p99 {:.0} µs", percentile(0.5), percentile(0.99));
        };
        line("floor: clock_nanosleep each ms, overshoot", &self.timer);
        line("floor: loopback round trip of 100 B each ms", &self.loopback);
    }
}

/// Does something each interval; returns how late each began, and how long each took.
fn paced(mut step: impl FnMut(Clock)) -> (Distribution, Distribution) {
    nix::sys::prctl::set_timerslack(1).unwrap();
    let clock = Clock::start();
    let (mut late, mut took) = (Distribution::default(), Distribution::default());
    let mut due = clock.now().after(INTERVAL);
    for _ in 0..COUNT {
        clock.sleep_until(due);
        let now = clock.now();
        late.record(now.since(due));
        step(clock);
        took.record(clock.now().since(now));
        due = Micros(due.0.max(clock.now().0)).after(INTERVAL);
    }
    (late, took)
}

fn measure_loopback() -> Distribution {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut other, _) = listener.accept().unwrap();
    stream.set_nodelay(true).unwrap();
    other.set_nodelay(true).unwrap();
    let echo = thread::spawn(move || {
        let mut message = [0; MESSAGE];
        while other.read_exact(&mut message).and_then(|()| other.write_all(&message)).is_ok() {}
    });
    let mut message = [0; MESSAGE];
    let (_, times) = paced(|_| {
        stream.write_all(&message).unwrap();
        stream.read_exact(&mut message).unwrap();
    });
    drop(stream);
    echo.join().unwrap();
    times
}
