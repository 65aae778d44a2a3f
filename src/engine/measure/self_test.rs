//! Self-test: measures before a run how punctual this machine's timer is, and how long a round trip
//! over its loopback takes, without any load. hubmark cannot be more punctual than that.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use super::generator::StolenMeter;
use crate::{
    clock::Clock,
    measure::SelfTest,
    plan::{Plan, Workload},
    stats::distribution::Distribution,
    units::Bytes,
};

/// Longest self-test.
const MAX_LENGTH: Duration = Duration::from_secs(2);
/// Shortest self-test.
const MIN_LENGTH: Duration = Duration::from_millis(100);
/// Part of the length of all loads that the self-test takes at most.
const LOAD_DIVISOR: u32 = 10;
/// Rate at which the volume of a throughput workload is expected to flow, for its length.
const EXPECTED_RATE: Bytes = Bytes(100_000_000);
/// Share of the self-test for the timer; the loopback has the rest.
const TIMER_SHARE: f64 = 0.6;
/// Number of sleeps: more than a 99th percentile needs.
const SLEEPS: u32 = 1_200;
/// Shortest time between the ends of two sleeps: in a shorter one a core would hardly sleep.
const MIN_SLEEP_INTERVAL: Duration = Duration::from_micros(250);
/// Round trips after which the loopback's percentiles are known: a hundred lie beyond the 99th. More would only
/// keep two cores busy.
const MAX_ROUND_TRIPS: u64 = 10_000;
/// Repetitions of a search at least: as many prove an end.
const MIN_SEARCH_REPETITIONS: u32 = 7;
/// Bytes of a message in a round trip.
const MESSAGE_BYTES: usize = 64;
/// Longest wait for one round trip.
const ROUND_TRIP_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the length of the self-test before a run of `plan`, at most: two seconds, or a tenth of the run's
/// loads if they are short. A search, whose loads are not known before, counts with the fewest that it may have.
pub fn length_for(plan: &Plan) -> Duration {
    let longest = MAX_LENGTH * LOAD_DIVISOR;
    let load = |point: usize| {
        let seconds = match plan.points.get(point).map(|point| &point.workload) {
            Some(Workload::Latency(w)) => w.arrival.mean().as_secs_f64() * f64::from(w.messages),
            Some(Workload::Throughput(w)) => w.volume.0 as f64 / EXPECTED_RATE.0 as f64,
            None => 0.0,
        };
        Duration::try_from_secs_f64(seconds).unwrap_or(longest)
    };
    let mut loads = Duration::ZERO;
    if plan.schedule.is_empty() {
        loads = load(0).saturating_mul(MIN_SEARCH_REPETITIONS);
    }
    for step in &plan.schedule {
        loads = loads.saturating_add(load(step.point));
        if loads >= longest {
            break;
        }
    }
    (loads / LOAD_DIVISOR).clamp(MIN_LENGTH, MAX_LENGTH)
}

/// Measures timer and loopback for `length`; blocks.
///
/// # Errors
/// The loopback does not work.
pub fn measure(length: Duration) -> io::Result<SelfTest> {
    let stolen = StolenMeter::start();
    let timer_length = length.mul_f64(TIMER_SHARE);
    let timer = measure_timer(timer_length);
    let loopback = measure_loopback(length.saturating_sub(timer_length))?;
    Ok(SelfTest {
        sleeps: timer.count(),
        timer_p50: timer.percentile(0.5),
        timer_p99: timer.percentile(0.99),
        timer_max: timer.max(),
        round_trips: loopback.count(),
        loopback_p50: loopback.percentile(0.5),
        loopback_p99: loopback.percentile(0.99),
        stolen: stolen.share(),
    })
}

/// Sleeps until absolute times, as the sending thread does, and measures how late each sleep ends.
fn measure_timer(length: Duration) -> Distribution {
    // The kernel's default timer slack would be most of the lateness; the sending thread has none.
    let sleeping = thread::Builder::new().name("self-test".into()).spawn(move || {
        if let Err(error) = nix::sys::prctl::set_timerslack(1) {
            tracing::warn!(%error, "timer slack not set");
        }
        let interval = MIN_SLEEP_INTERVAL.max(length / SLEEPS);
        let clock = Clock::start();
        let end = clock.now().after(length);
        let mut lateness = Distribution::default();
        let mut due = clock.now().after(interval);
        while due < end {
            clock.sleep_until(due);
            let now = clock.now();
            lateness.record(now.since(due));
            // A late end does not make the next sleep late.
            due = due.after(interval).max(now);
        }
        lateness
    });
    sleeping.ok().and_then(|thread| thread.join().ok()).unwrap_or_default()
}

/// Measures consecutive round trips between two threads of this machine.
fn measure_loopback(length: Duration) -> io::Result<Distribution> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut stream = TcpStream::connect(listener.local_addr()?)?;
    let (mut other, _) = listener.accept()?;
    for end in [&stream, &other] {
        end.set_nodelay(true)?;
        end.set_read_timeout(Some(ROUND_TRIP_TIMEOUT))?;
    }
    let echo = thread::Builder::new().name("self-test-echo".into()).spawn(move || {
        let mut message = [0; MESSAGE_BYTES];
        while other.read_exact(&mut message).and_then(|()| other.write_all(&message)).is_ok() {}
    })?;
    let clock = Clock::start();
    let mut times = Distribution::default();
    let mut message = [0; MESSAGE_BYTES];
    let mut measured = Ok(());
    let end = clock.now().after(length);
    while clock.now() < end && times.count() < MAX_ROUND_TRIPS {
        let sent = clock.now();
        measured = stream.write_all(&message).and_then(|()| stream.read_exact(&mut message));
        if measured.is_err() {
            break;
        }
        times.record(clock.now().since(sent));
    }
    let _ = stream.shutdown(Shutdown::Both);
    let _ = echo.join();
    measured.map(|()| times)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        backend,
        profile::{Profile, builtin_profiles},
    };

    #[test]
    fn a_short_run_has_a_short_test_and_so_has_a_search() {
        let length = |name: &str, seconds: f64| {
            let text = builtin_profiles().iter().find(|one| one.name == name).unwrap().text;
            let mut plan = Profile::parse(text, &backend::catalogue()).unwrap().plan();
            for point in &mut plan.points {
                let Workload::Latency(load) = &mut point.workload else { panic!("{name}") };
                load.messages = (seconds / load.arrival.mean().as_secs_f64()).round() as u32;
            }
            length_for(&plan)
        };
        assert_eq!(length("capacity-quick", 6.0), MAX_LENGTH);
        assert_eq!(length("capacity-quick", 1.0), Duration::from_millis(700));
        assert_eq!(length("first-look", 10.0), Duration::from_secs(1));
        assert_eq!(length("first-look", 0.2), MIN_LENGTH);
    }

    #[test]
    fn the_loopback_is_tested_no_longer_than_its_percentiles_need() {
        let found = measure_loopback(Duration::from_mins(1)).unwrap();
        assert_eq!(found.count(), MAX_ROUND_TRIPS);
    }

    #[test]
    fn timer_and_loopback_of_this_machine_are_measured() {
        let found = measure(Duration::from_millis(100)).unwrap();
        assert!(found.sleeps >= 1 && found.round_trips >= 1, "{found:?}");
        assert!(found.timer_max >= Some(0.0) && found.timer_p50 <= found.timer_max, "{found:?}");
    }
}
