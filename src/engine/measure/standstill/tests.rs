//! Tests of what is found in loads with known standstills.

use super::*;

const START: Micros = Micros(7_000_000);

/// Plays a load of a message each `gap` microseconds for `seconds`, acknowledged after 1 ms and delivered
/// after 2 ms. `stops` say for which stream (sends, acks, arrivals) a time has no events: they come at its
/// end.
fn played(gap: i64, seconds: i64, stops: &[(&str, i64, i64)]) -> StandstillMonitor {
    let mut monitor = StandstillMonitor::default();
    monitor.restart(START, Waiting::Schedule);
    let held = |stream: &str, at: i64| {
        let stop =
            stops.iter().find(|(name, from, to)| *name == stream && (*from..*to).contains(&at));
        Micros(START.0 + stop.map_or(at, |(.., to)| *to))
    };
    let mut events = Vec::new();
    for due in (0..seconds * 1_000_000).step_by(gap as usize) {
        let sent = held("sends", due);
        events.push((sent, 0, due));
        let after = |micros: i64| sent.0 - START.0 + micros;
        events.push((held("acks", after(1_000)), 1, due));
        events.push((held("arrivals", after(2_000)), 2, due));
    }
    events.sort();
    for (at, stream, due) in events {
        match stream {
            0 => {
                monitor.record_sending(at);
                monitor.record_sent(Micros(START.0 + due), at, false);
            }
            1 => monitor.record_ack(at),
            _ => monitor.record_arrival(at),
        }
    }
    monitor
}

fn texts(monitor: &mut StandstillMonitor, seconds: i64) -> Vec<String> {
    let end = Micros(START.0 + seconds * 1_000_000);
    let missing = MissingAnswers { acks: true, arrivals: true };
    monitor.find_new(START, end, true, missing).iter().map(Standstill::describe).collect()
}

#[test]
fn a_server_without_answers_is_found_with_its_times() {
    let stops = [("acks", 10_100_000, 10_700_000), ("arrivals", 10_100_000, 10_700_000)];
    let mut monitor = played(20_000, 20, &stops);
    assert_eq!(texts(&mut monitor, 20), ["nothing acknowledged or delivered from 10.1 to 10.7 s"]);
    assert_eq!(texts(&mut monitor, 20), [""; 0], "and reported once");
}

#[test]
fn a_pause_of_the_load_is_no_standstill_and_hides_none_after_it() {
    let mut monitor = StandstillMonitor::default();
    monitor.restart(START, Waiting::Schedule);
    let play = |monitor: &mut StandstillMonitor, from: i64, to: i64| {
        for at in (from..to).step_by(5_000).map(|at| Micros(START.0 + at)) {
            monitor.record_sending(at);
            monitor.record_sent(at, at, false);
            monitor.record_ack(Micros(at.0 + 1_000));
            monitor.record_arrival(Micros(at.0 + 2_000));
        }
    };
    play(&mut monitor, 0, 2_000_000);
    monitor.resume(Micros(START.0 + 32_000_000));
    play(&mut monitor, 32_000_000, 34_000_000);
    assert_eq!(texts(&mut monitor, 34), [""; 0]);
    // A gap of the same kind in which a message was due.
    let late = Micros(START.0 + 35_000_000);
    monitor.record_sending(late);
    monitor.record_sent(Micros(START.0 + 34_000_000), late, false);
    let found = texts(&mut monitor, 35);
    assert!(found.iter().any(|text| text.starts_with("nothing sent")), "{found:?}");
}

#[test]
fn each_silent_stream_is_named() {
    let of = |stops: &[(&str, i64, i64)]| texts(&mut played(5_000, 10, stops), 10);
    let (from, to) = (3_000_000, 4_000_000);
    assert_eq!(of(&[("arrivals", from, to)]), ["nothing delivered from 3.0 to 4.0 s"]);
    assert_eq!(of(&[("acks", from, to)]), ["nothing acknowledged from 3.0 to 4.0 s"]);
    let sends = of(&[("sends", from, to)]);
    assert!(
        sends.len() == 1 && sends[0].starts_with("nothing sent from 3.0 to 4.0 s, although"),
        "{sends:?}"
    );
    let all =
        of(&[("sends", from, to), ("acks", from - 5_000, to), ("arrivals", from - 5_000, to)]);
    assert!(
        all.iter().any(|text| text.starts_with("nothing sent, acknowledged or delivered from 3.0")),
        "{all:?}"
    );
    assert!(!all.iter().any(|text| text.starts_with("nothing acknowledged or")), "{all:?}");
}

#[test]
fn a_loads_own_rhythm_is_no_standstill() {
    assert_eq!(texts(&mut played(1_000_000, 60, &[]), 60), [""; 0], "one message a second");
    assert_eq!(texts(&mut played(1_000, 5, &[]), 5), [""; 0]);
    // A server that answers every 250 ms.
    let bursts: Vec<_> = (0..80)
        .flat_map(|k| ["acks", "arrivals"].map(|of| (of, k * 250_000, (k + 1) * 250_000)))
        .collect();
    assert_eq!(texts(&mut played(2_000, 20, &bursts), 20), [""; 0]);
    // Random arrivals, 100 a second.
    let mut monitor = StandstillMonitor::default();
    monitor.restart(START, Waiting::Schedule);
    let (mut at, mut state) = (START.0, 1_u64);
    for _ in 0..100_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let share = (state >> 11) as f64 / (1_u64 << 53) as f64;
        at += (-(1.0 - share).ln() * 10_000.0) as i64;
        monitor.record_sending(Micros(at));
        monitor.record_ack(Micros(at + 900));
        monitor.record_arrival(Micros(at + 1_500));
    }
    assert_eq!(texts(&mut monitor, (at - START.0) / 1_000_000 + 1), [""; 0]);
}

#[test]
fn a_quiet_schedule_is_no_standstill() {
    let mut monitor = played(1_000, 5, &[]);
    // One more message after three seconds in which nothing was due, answered at once.
    let at = Micros(START.0 + 8_000_000);
    monitor.record_sending(at);
    monitor.record_sent(at, at, false);
    monitor.record_ack(Micros(at.0 + 1_000));
    monitor.record_arrival(Micros(at.0 + 2_000));
    assert_eq!(texts(&mut monitor, 9), [""; 0]);
    // A message without an answer until the end.
    monitor.record_sending(Micros(START.0 + 8_500_000));
    assert_eq!(texts(&mut monitor, 10), ["nothing acknowledged or delivered from 8.5 to 10.0 s"]);
}

#[test]
fn a_volume_has_no_quiet_times() {
    let mut monitor = StandstillMonitor::default();
    monitor.restart(START, Waiting::Volume { acks: true, arrivals: false });
    for batch in (0..4_000_000).step_by(10_000).filter(|at| !(1_000_000..1_900_000).contains(at)) {
        monitor.record_ack(Micros(START.0 + batch));
    }
    assert_eq!(texts(&mut monitor, 4), ["nothing acknowledged from 1.0 to 1.9 s"]);
}

#[test]
fn a_load_of_many_standstills_is_looked_through_at_once() {
    // A second of work, a second of nothing, for an hour: as many parts as standstills, not two to their power.
    let stops: Vec<_> = (0..1_800)
        .flat_map(|k| {
            let (from, to) = ((2 * k + 1) * 1_000_000, (2 * k + 2) * 1_000_000);
            [("sends", from, to), ("acks", from - 5_000, to), ("arrivals", from - 5_000, to)]
        })
        .collect();
    let mut monitor = StandstillMonitor::default();
    monitor.restart(START, Waiting::Schedule);
    let of = |name: &str| {
        let gaps = stops.iter().filter(|(stream, ..)| *stream == name);
        gaps.map(|(_, from, to)| (START.0 + from, START.0 + to)).collect()
    };
    monitor.sends.set_candidates(of("sends"));
    monitor.acks.set_candidates(of("acks"));
    monitor.arrivals.set_candidates(of("arrivals"));
    let end = Micros(START.0 + 3_601_000_000);
    let found = monitor.find_new(START, end, true, MissingAnswers { acks: false, arrivals: false });
    assert_eq!(found.len(), MAX_STANDSTILLS);
    assert!(found.iter().all(|one| one.what == StandstillKind::Everything), "{found:?}");
}
