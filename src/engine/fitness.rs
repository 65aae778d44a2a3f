//! Whether the hub was fit to be measured: from counters to a line for each second, and from those
//! to reasons for doubt. Pure.

use crate::{
    clock::Micros,
    hub::vitals::Pulse,
    measure::{Reason, Vitals},
    server::HubFacts,
    units::{Bytes, Celsius},
};

/// Where the kernel names no limit: at 80 °C a Raspberry Pi begins to lower its clock
/// (raspberrypi.com, documentation of `config.txt`, overclocking: `temp_limit` 85 °C, throttling
/// from 80 °C on).
const HOT: Celsius = Celsius(80_000);
/// The same on x86, whose processors are made for up to 100 °C.
const HOT_X86: Celsius = Celsius(95_000);
/// Share of the cores that others may use.
const OTHERS: f64 = 0.15;
/// Seconds over which the load of others is averaged: the counters of servers and of the hub are
/// read up to a second apart.
const WINDOW: usize = 5;
/// Share of a second in which tasks may wait for memory.
const STALLED: f64 = 0.1;
/// Share of the memory that must be left.
const MEMORY_LEFT: f64 = 0.05;
/// Bytes a second from and to swap: more than a stray page.
const SWAPPED: f64 = 256.0 * 1024.0;
/// Share of the space that must be left; above [`DISK_ENOUGH`] none is wanted.
const DISK_LEFT: f64 = 0.05;
/// Space that is enough whatever its share.
const DISK_ENOUGH: Bytes = Bytes(2_000_000_000);
/// Share of the highest clock below which a processor that must run at it is held back.
const CLOCK_LEFT: f64 = 0.9;

/// What the hub is, as far as its fitness depends on it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Build {
    /// Cores.
    pub cores: Option<f64>,
    /// Memory.
    pub memory: Option<Bytes>,
    /// Temperature above which its clock is lowered.
    pub hot: Option<Celsius>,
    /// The highest clock, where the governor keeps it there.
    pub clock_mhz: Option<f64>,
    /// Size of the file system under the servers' data.
    pub disk: Option<Bytes>,
}

impl Build {
    /// Of a hub with these facts; `disk` is in no fact.
    pub fn of(facts: &HubFacts, disk: Option<Bytes>) -> Self {
        let x86 = facts.architecture.as_deref().is_some_and(|name| name.starts_with("x86"));
        let performance = facts.governor.as_deref() == Some("performance");
        Self {
            cores: facts.cores.map(f64::from),
            memory: facts.memory,
            hot: facts.temperature_limit.or(Some(if x86 { HOT_X86 } else { HOT })),
            clock_mhz: facts.clock_max_mhz.filter(|_| performance),
            disk,
        }
    }
}

/// A counter of processor time, at moments that rise.
pub type Track = Vec<(Micros, std::time::Duration)>;

/// A line for each second between two of `beats`. `servers` are the counters of all servers; the
/// load of others is missing where one of them is. Seconds count from `origin`.
pub fn vitals(beats: &[(Micros, Pulse)], servers: &[Track], origin: Micros) -> Vec<Vitals> {
    beats.windows(2).map(|pair| between(&pair[0], &pair[1], servers, origin)).collect()
}

fn between(
    (from, then): &(Micros, Pulse),
    (to, now): &(Micros, Pulse),
    servers: &[Track],
    origin: Micros,
) -> Vitals {
    let seconds = to.since(*from) as f64 / 1e6;
    let rate = |then: Option<f64>, now: Option<f64>| {
        // A counter that went back belongs to a hub that was started anew.
        then.zip(now)
            .map(|(then, now)| (now - then) / seconds)
            .filter(|r| *r >= 0.0 && r.is_finite())
    };
    let time = |time: Option<std::time::Duration>| time.map(|time| time.as_secs_f64());
    let busy = rate(time(then.busy), time(now.busy));
    let servers = servers
        .iter()
        .map(|track| {
            let used = (used(track, *to)? - used(track, *from)?) / seconds;
            // A counter that went back belongs to a server that was started anew.
            Some(used).filter(|used| *used >= 0.0)
        })
        .sum::<Option<f64>>();
    // Nothing of ours runs on another machine.
    let own = if now.own.is_some() { rate(time(then.own), time(now.own)) } else { Some(0.0) };
    let ours = servers.zip(own).map(|(servers, own)| servers + own);
    Vitals {
        seconds: to.since(origin) as f64 / 1e6,
        temperature: now.temperature,
        clock_mhz: now.clock_mhz,
        throttle_bits: now.throttle_bits,
        under_voltage: now.starved(),
        busy_cores: busy,
        // Two estimates of different clocks: a difference below zero is none.
        other_cores: busy.zip(ours).map(|(busy, ours)| (busy - ours).max(0.0)),
        memory_available: now.memory_available,
        memory_stalled: rate(time(then.stalled), time(now.stalled)),
        swapped: rate(then.swapped.map(|b| b.0 as f64), now.swapped.map(|b| b.0 as f64)),
        disk_free: now.disk.map(|(free, _)| free),
    }
}

/// The counter at a moment, on the straight line between the readings around it; `None` outside
/// of them.
fn used(track: &Track, at: Micros) -> Option<f64> {
    let after = track.iter().position(|(time, _)| *time >= at)?;
    let (end, high) = track[after];
    if end == at {
        return Some(high.as_secs_f64());
    }
    let (start, low) = track[after.checked_sub(1)?];
    let share = at.since(start) as f64 / end.since(start) as f64;
    Some(low.as_secs_f64() + share * (high.as_secs_f64() - low.as_secs_f64()))
}

/// Every limit that was crossed, with the seconds at which it was.
pub fn doubts(vitals: &[Vitals], build: &Build) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut doubt = |code: &str, what: String, held: Vec<f64>| {
        if !held.is_empty() {
            reasons.push(Reason { code: code.into(), text: format!("{what} {}", spans(&held)) });
        }
    };
    let at = |held: &dyn Fn(&Vitals) -> bool| {
        vitals.iter().filter(|one| held(one)).map(|one| one.seconds).collect::<Vec<f64>>()
    };
    if let Some(hot) = build.hot {
        let held = at(&|one| one.temperature.is_some_and(|now| now >= hot));
        let most = vitals.iter().filter_map(|one| one.temperature).max().unwrap_or_default();
        doubt("hub-hot", format!("the hub was as hot as {most}, its limit is {hot},"), held);
    }
    let held = at(&|one| one.held_back() == Some(true));
    doubt("hub-throttled", "the hub's firmware lowered its clock".into(), held);
    let held = at(&|one| one.under_voltage == Some(true));
    doubt("hub-under-voltage", "the hub's supply voltage was too low".into(), held);
    if let Some(text) = between_readings(vitals) {
        doubt("hub-throttled", text, vitals.last().map(|last| last.seconds).into_iter().collect());
    }
    if let Some(full) = build.clock_mhz {
        let held = at(&|one| one.clock_mhz.is_some_and(|clock| clock < CLOCK_LEFT * full));
        let text = format!("the hub's clock was below its {full:.0} MHz");
        doubt("hub-throttled", text, held);
    }
    others(vitals, build, &mut doubt);
    let held = at(&|one| one.memory_stalled.is_some_and(|share| share > STALLED));
    doubt("hub-memory", "tasks on the hub waited for memory".into(), held);
    if let Some(memory) = build.memory {
        let least = MEMORY_LEFT * memory.0 as f64;
        let held = at(&|one| one.memory_available.is_some_and(|left| (left.0 as f64) < least));
        doubt(
            "hub-memory",
            format!("less than 5 % of the hub's {memory} of memory was left"),
            held,
        );
    }
    let held = at(&|one| one.swapped.is_some_and(|rate| rate > SWAPPED));
    doubt("hub-swapping", "the hub moved memory from and to swap".into(), held);
    if let Some(size) = build.disk {
        let least = Bytes(((DISK_LEFT * size.0 as f64) as u64).min(DISK_ENOUGH.0));
        let held = at(&|one| one.disk_free.is_some_and(|free| free < least));
        doubt("hub-disk-full", format!("less than {least} was free on the hub's disk"), held);
    }
    reasons
}

/// The firmware remembers what happened between two readings, too.
fn between_readings(vitals: &[Vitals]) -> Option<String> {
    const REMEMBERED: u32 = 0b1111 << 16;
    let first = vitals.first()?.throttle_bits? & REMEMBERED;
    let last = vitals.last()?.throttle_bits? & REMEMBERED;
    let seen = vitals.iter().any(|one| one.throttle_bits.is_some_and(|bits| bits & 0b1111 != 0));
    let new = last & !first;
    (new != 0 && !seen).then(|| {
        let what = if new & (1 << 16) != 0 { "under-voltage" } else { "a lowered clock" };
        format!("the hub's firmware remembers {what} between two readings, last read")
    })
}

/// The mean over a window, so that counters read at different moments do not look like load.
fn others(vitals: &[Vitals], build: &Build, doubt: &mut dyn FnMut(&str, String, Vec<f64>)) {
    let Some(cores) = build.cores else { return };
    let mut held = vec![false; vitals.len()];
    let mut most = 0.0_f64;
    for (start, window) in vitals.windows(WINDOW).enumerate() {
        let sum: Option<f64> = window.iter().map(|one| one.other_cores).sum();
        let Some(mean) = sum.map(|sum| sum / WINDOW as f64) else { continue };
        if mean > OTHERS * cores {
            most = most.max(mean);
            held[start..start + WINDOW].fill(true);
        }
    }
    let seconds = vitals.iter().zip(&held).filter(|(_, held)| **held).map(|(one, _)| one.seconds);
    let text = format!("others used up to {most:.2} of the hub's {cores:.0} cores");
    doubt("hub-busy", text, seconds.collect());
}

/// Longest distance of two readings that belong to one span, in seconds.
const ONE_SPAN: f64 = 2.5;
/// Spans that are named; more are counted.
const SPANS: usize = 4;

/// `at second 3, 7–12 and 20 (8 s in all)`.
fn spans(seconds: &[f64]) -> String {
    let mut spans: Vec<(f64, f64)> = Vec::new();
    for &second in seconds {
        match spans.last_mut() {
            Some((_, end)) if second - *end <= ONE_SPAN => *end = second,
            _ => spans.push((second, second)),
        }
    }
    let more = spans.len().saturating_sub(SPANS);
    let named: Vec<String> = spans
        .iter()
        .take(SPANS)
        .map(
            |(start, end)| {
                if end > start { format!("{start:.0}–{end:.0}") } else { format!("{start:.0}") }
            },
        )
        .collect();
    let more = if more > 0 { format!(" and {more} times more") } else { String::new() };
    format!("at second {}{more} ({} s in all)", named.join(", "), seconds.len())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn line(second: u32) -> Vitals {
        Vitals {
            seconds: f64::from(second),
            temperature: Some(Celsius(55_000)),
            clock_mhz: Some(1_800.0),
            throttle_bits: Some(0),
            under_voltage: Some(false),
            busy_cores: Some(1.0),
            other_cores: Some(0.05),
            memory_available: Some(Bytes(2_000_000_000)),
            memory_stalled: Some(0.0),
            swapped: Some(0.0),
            disk_free: Some(Bytes(20_000_000_000)),
        }
    }

    /// A Raspberry Pi 4 with 4 GB and a card of 32 GB.
    fn pi() -> Build {
        let facts = HubFacts {
            cores: Some(4),
            memory: Some(Bytes(4_000_000_000)),
            governor: Some("performance".into()),
            clock_max_mhz: Some(1_800.0),
            architecture: Some("aarch64".into()),
            ..HubFacts::default()
        };
        Build::of(&facts, Some(Bytes(32_000_000_000)))
    }

    /// Twenty seconds, changed from the eighth to the tenth.
    fn changed(change: fn(&mut Vitals)) -> Vec<Vitals> {
        let changed = |second| {
            let mut line = line(second);
            if (8..=10).contains(&second) {
                change(&mut line);
            }
            line
        };
        (1..=20).map(changed).collect()
    }

    #[test]
    fn a_quiet_hub_is_fit() {
        assert_eq!(doubts(&changed(|_| {}), &pi()), []);
        assert_eq!(doubts(&[], &pi()), []);
    }

    #[test]
    fn what_was_not_measured_is_no_doubt() {
        let nothing: Vec<_> =
            (0..20).map(|s| Vitals { seconds: f64::from(s), ..Vitals::default() }).collect();
        assert_eq!(doubts(&nothing, &pi()), []);
    }

    #[test]
    fn each_limit_has_its_reason_and_its_seconds() {
        type Case = (fn(&mut Vitals), &'static str, &'static str);
        let cases: [Case; 9] = [
            (|one| one.temperature = Some(Celsius(81_500)), "hub-hot", "as hot as 81.5 °C"),
            (|one| one.throttle_bits = Some(0x4), "hub-throttled", "firmware lowered"),
            (|one| one.throttle_bits = Some(0x8), "hub-throttled", "firmware lowered"),
            (|one| one.under_voltage = Some(true), "hub-under-voltage", "too low"),
            (|one| one.clock_mhz = Some(1_000.0), "hub-throttled", "below its 1800 MHz"),
            (|one| one.memory_stalled = Some(0.3), "hub-memory", "waited for memory"),
            (|one| one.memory_available = Some(Bytes(99_000_000)), "hub-memory", "less than 5 %"),
            (|one| one.swapped = Some(1e6), "hub-swapping", "swap"),
            (|one| one.disk_free = Some(Bytes(1_500_000_000)), "hub-disk-full", "less than 1.6 GB"),
        ];
        for (change, code, words) in cases {
            let reasons = doubts(&changed(change), &pi());
            let [reason] = &reasons[..] else { panic!("{code}: {reasons:?}") };
            assert_eq!(reason.code, code);
            assert!(reason.text.contains(words), "{}", reason.text);
            assert!(reason.text.ends_with("at second 8–10 (3 s in all)"), "{}", reason.text);
        }
    }

    #[test]
    fn a_peak_of_others_is_no_load_but_five_seconds_are() {
        assert_eq!(doubts(&changed(|one| one.other_cores = Some(0.9)), &pi()), []);
        let long: Vec<_> = (1..=20)
            .map(|second| Vitals { other_cores: Some(f64::from(second > 10)), ..line(second) })
            .collect();
        let reasons = doubts(&long, &pi());
        assert_eq!(reasons[0].code, "hub-busy");
        assert!(reasons[0].text.starts_with("others used up to 1.00 of the hub's 4 cores"));
    }

    #[test]
    fn the_firmware_remembers_what_nobody_saw() {
        let mut lines = changed(|_| {});
        lines[19].throttle_bits = Some(0x1_0000);
        let reasons = doubts(&lines, &pi());
        assert!(reasons.len() == 1 && reasons[0].text.contains("under-voltage"), "{reasons:?}");
        for line in &mut lines {
            line.throttle_bits = Some(0x5_0000);
        }
        assert_eq!(doubts(&lines, &pi()), [], "what happened before is not of this load");
    }

    #[test]
    fn a_pc_may_be_hotter_and_the_kernel_knows_best() {
        let hot = |facts: HubFacts| Build::of(&facts, None).hot;
        assert_eq!(hot(HubFacts::default()), Some(HOT));
        let pc = HubFacts { architecture: Some("x86_64".into()), ..HubFacts::default() };
        assert_eq!(hot(pc.clone()), Some(HOT_X86));
        let known = HubFacts { temperature_limit: Some(Celsius(70_000)), ..pc };
        assert_eq!(hot(known), Some(Celsius(70_000)));
    }

    #[test]
    fn the_load_of_others_is_what_neither_servers_nor_hubmark_used() {
        let micros = |seconds: f64| Micros((seconds * 1e6) as i64);
        let pulse = |busy: f64, own: f64| Pulse {
            busy: Some(Duration::from_secs_f64(busy)),
            own: Some(Duration::from_secs_f64(own)),
            ..Pulse::default()
        };
        let beats = [(micros(1.0), pulse(10.0, 1.0)), (micros(2.0), pulse(11.5, 1.2))];
        // The server used half a core, and was read half a second aside.
        let reading = |second: f64| (micros(second), Duration::from_secs_f64(second / 2.0));
        let server: Track = [0.5, 1.5, 2.5].map(reading).to_vec();
        let lines = vitals(&beats, &[server], micros(1.0));
        assert!((lines[0].busy_cores.unwrap() - 1.5).abs() < 1e-9);
        assert!((lines[0].other_cores.unwrap() - 0.8).abs() < 1e-9, "{lines:?}");
        assert!((lines[0].seconds - 1.0).abs() < 1e-9);
        let short: Track = [0.5, 1.5].map(reading).to_vec();
        assert_eq!(vitals(&beats, &[short], micros(1.0))[0].other_cores, None, "not known yet");
    }
}
