//! Checks of an engine's host, which is read on the machine itself: disk, heat, clock, memory pressure.

use super::check::{Check, unknown};
use crate::{
    engine::judge::host_spec::HostSpec,
    hub::docker::{Examination, ExaminationStep, HostReading},
    units::{Bytes, human_duration},
};

/// Space for building the largest image, with its intermediate layers.
const RECOMMENDED_FREE_DISK: Bytes = Bytes(2_000_000_000);
/// Space below which not even the data of a short run fits.
const MIN_FREE_DISK: Bytes = Bytes(300_000_000);

/// Checks what was read on the host in one step of its examination. `hub` are the options by which a command
/// reaches it.
pub(super) fn checks(step: ExaminationStep, found: &Examination, hub: &str) -> Vec<Check> {
    match step {
        ExaminationStep::HostFacts => {
            vec![storage(found, hub), governor(found, hub), memory_pressure(found, hub)]
        }
        ExaminationStep::HostReading => vec![disk(found, hub), heat_and_supply(found, hub)],
        _ => Vec::new(),
    }
}

/// Returns the check of a subject that was not read on the host; `None` if the host was read.
fn not_read(subject: &str, found: &Examination, hub: &str) -> Option<Check> {
    match &found.host {
        HostReading::Read => None,
        HostReading::NotTried => Some(unknown(subject)),
        HostReading::NeedsImage => Some(Check::warn(
            subject,
            "not read yet: needs one of hubmark's images on the hub",
            format!("hubmark images build PROFILE{hub}, then run doctor again"),
        )),
        HostReading::Failed(reason) => {
            let (seen, advice) = reason.split_once('\n').unwrap_or((reason, ""));
            let advice = match advice.trim() {
                "" => "repair it and run doctor again",
                advice => advice,
            };
            Some(Check::warn(subject, format!("not read: {seen}"), advice))
        }
    }
}

/// Checks the governor of the processor's clock.
fn governor(found: &Examination, hub: &str) -> Check {
    const SUBJECT: &str = "governor";
    if let Some(check) = not_read(SUBJECT, found, hub) {
        return check;
    }
    match found.facts.governor.as_deref() {
        None => Check::ok(SUBJECT, "none: the clock is fixed"),
        Some("performance") => Check::ok(SUBJECT, "performance"),
        Some(name) => Check::warn(
            SUBJECT,
            format!(
                "{name}: the clock follows the load, which makes small loads slower than large ones"
            ),
            "for stable figures, on the hub: echo performance | sudo tee \
             /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor",
        ),
    }
}

/// Checks whether the kernel counts the time for which tasks wait for memory.
fn memory_pressure(found: &Examination, hub: &str) -> Check {
    const SUBJECT: &str = "memory pressure";
    if let Some(check) = not_read(SUBJECT, found, hub) {
        return check;
    }
    match found.facts.memory_pressure {
        None => unknown(SUBJECT),
        Some(true) => Check::ok(SUBJECT, "counted"),
        Some(false) => Check::warn(
            SUBJECT,
            "not counted (psi=0): waits for memory stay unseen, and every repetition is suspect",
            "add  psi=1  to the one line of /boot/firmware/cmdline.txt on the hub (older systems: \
             /boot/cmdline.txt) and reboot",
        ),
    }
}

fn disk(found: &Examination, hub: &str) -> Check {
    const SUBJECT: &str = "free disk";
    if found.disk.is_none()
        && let Some(check) = not_read(SUBJECT, found, hub)
    {
        return check;
    }
    let Some((free, size)) = found.disk else { return unknown(SUBJECT) };
    let seen = format!("{free} of {size}");
    let advice =
        format!("free disk space on the hub: docker system prune, or hubmark images remove{hub}");
    if free < MIN_FREE_DISK {
        Check::fail(SUBJECT, seen, advice)
    } else if free < RECOMMENDED_FREE_DISK {
        Check::warn(
            SUBJECT,
            format!("{seen}; building an image needs {RECOMMENDED_FREE_DISK}"),
            advice,
        )
    } else {
        Check::ok(SUBJECT, seen)
    }
}

/// Reports the storage: the time of a synchronous write depends on the disk, and is a large part of
/// any latency with `durability = "disk"`.
fn storage(found: &Examination, hub: &str) -> Check {
    if let Some(check) = not_read("storage", found, hub) {
        return check;
    }
    let facts = &found.facts;
    let file_system = facts.file_system.as_deref().unwrap_or("an unknown file system");
    let device = facts.storage_device.as_deref().unwrap_or("an unknown disk");
    let fsync = facts.fsync.map_or_else(
        || "not measured".to_owned(),
        |time| format!("{} for 4 KiB", human_duration(time)),
    );
    Check::ok("storage", format!("{file_system} on {device}, synchronous write {fsync}"))
}

/// Checks temperature, supply voltage and clock of the processor.
fn heat_and_supply(found: &Examination, hub: &str) -> Check {
    const SUBJECT: &str = "heat and supply";
    if found.facts.temperature.is_none()
        && found.facts.throttle_bits.is_none()
        && let Some(check) = not_read(SUBJECT, found, hub)
    {
        return check;
    }
    let limit = HostSpec::from_facts(&found.facts, None).throttle_temperature;
    let facts = &found.facts;
    let bits = facts.throttle_bits.unwrap_or(0);
    let mut seen =
        vec![facts.temperature.map_or_else(|| "no thermometer".to_owned(), |now| now.to_string())];
    seen.extend(facts.throttle_bits.map(|bits| format!("throttle bits {bits:#x}")));
    let seen = seen.join(", ");
    let supply =
        "use the power supply made for the board and a short cable: under-voltage slows the hub";
    let heat = "add a fan or let the hub cool down: heat slows the hub";
    if found.under_voltage == Some(true) {
        Check::warn(SUBJECT, format!("under-voltage now: {seen}"), supply)
    } else if bits & 0b1110 != 0 {
        Check::warn(SUBJECT, format!("the clock is lowered now: {seen}"), heat)
    } else if let (Some(now), Some(limit)) = (facts.temperature, limit)
        && now >= limit
    {
        let text = format!("at its limit of {limit}, where the clock is lowered: {seen}");
        Check::warn(SUBJECT, text, heat)
    } else if bits & (1 << 16) != 0 {
        Check::warn(SUBJECT, format!("under-voltage since its start: {seen}"), supply)
    } else if bits >> 16 != 0 {
        Check::warn(SUBJECT, format!("the clock was lowered since its start: {seen}"), heat)
    } else {
        Check::ok(SUBJECT, seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::doctor::CheckStatus, server::HubFacts, units::Celsius};

    /// An examination of a Raspberry Pi whose host was read.
    fn pi(change: impl FnOnce(&mut Examination)) -> Examination {
        let facts = HubFacts {
            model: Some("Raspberry Pi 4 Model B Rev 1.4".into()),
            temperature: Some(Celsius(50_000)),
            throttle_bits: Some(0),
            governor: Some("performance".into()),
            memory_pressure: Some(true),
            ..HubFacts::default()
        };
        let mut found = Examination { facts, host: HostReading::Read, ..Examination::default() };
        change(&mut found);
        found
    }

    /// The checks of both steps.
    fn checks(found: &Examination, hub: &str) -> Vec<Check> {
        let steps = [ExaminationStep::HostFacts, ExaminationStep::HostReading];
        steps.into_iter().flat_map(|step| super::checks(step, found, hub)).collect()
    }

    fn host_check(found: &Examination, subject: &str) -> Check {
        let checks = checks(found, " --hub ssh://pi");
        checks.into_iter().find(|check| check.subject == subject).unwrap()
    }

    #[test]
    fn heat_governor_and_memory_pressure_are_judged() {
        let hot = pi(|found| found.facts.temperature = Some(Celsius(82_000)));
        let check = host_check(&hot, "heat and supply");
        assert_eq!(check.finding, CheckStatus::Warn);
        assert!(check.seen.contains("at its limit of 80"), "{check:?}");
        let lazy = pi(|found| found.facts.governor = Some("ondemand".into()));
        assert_eq!(host_check(&lazy, "governor").finding, CheckStatus::Warn);
        let unseen = pi(|found| found.facts.memory_pressure = Some(false));
        let check = host_check(&unseen, "memory pressure");
        assert!(check.finding == CheckStatus::Warn && check.advice.unwrap().contains("psi=1"));
        let fine = pi(|_| {});
        for subject in ["heat and supply", "governor", "memory pressure"] {
            assert_eq!(host_check(&fine, subject).finding, CheckStatus::Ok, "{subject}");
        }
    }

    #[test]
    fn what_was_never_looked_at_is_not_ok() {
        let unread = Examination { host: HostReading::NeedsImage, ..Examination::default() };
        for check in checks(&unread, " --hub ssh://pi") {
            assert_eq!(check.finding, CheckStatus::Warn, "{check:?}");
            assert!(
                check.seen.starts_with("not read yet: needs one of hubmark's images"),
                "{check:?}"
            );
            let advice = check.advice.unwrap();
            assert!(advice.contains("images build PROFILE --hub ssh://pi"), "{advice}");
        }
    }

    #[test]
    fn a_full_disk_is_reported_before_a_build_fills_it() {
        let check = |free| {
            let disk = Some((Bytes(free), Bytes(32_000_000_000)));
            let checks = checks(&Examination { disk, ..Examination::default() }, "");
            checks.into_iter().find(|check| check.subject == "free disk").unwrap()
        };
        assert_eq!(check(100_000_000).finding, CheckStatus::Fail);
        assert_eq!(check(1_000_000_000).finding, CheckStatus::Warn);
        assert_eq!(check(9_000_000_000).finding, CheckStatus::Ok);
    }

    #[test]
    fn under_voltage_and_throttling_are_reported() {
        let check = |bits, under_voltage| {
            let facts = HubFacts { throttle_bits: Some(bits), ..HubFacts::default() };
            let found = Examination { facts, under_voltage, ..Examination::default() };
            let checks = checks(&found, "");
            checks.into_iter().find(|check| check.subject == "heat and supply").unwrap()
        };
        assert_eq!(check(0, Some(false)).finding, CheckStatus::Ok);
        assert!(check(0x1, Some(true)).seen.starts_with("under-voltage now"));
        assert!(check(0x4, None).seen.starts_with("the clock is lowered now"));
        assert!(check(0x5_0000, None).seen.starts_with("under-voltage since its start"));
        assert!(check(0x8_0000, None).seen.starts_with("the clock was lowered"));
    }
}
