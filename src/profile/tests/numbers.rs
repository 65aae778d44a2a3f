//! The grammar of numbers in every kind of value: a comma is refused with the text of each reading.

use super::*;

#[test]
fn a_comma_in_a_number_is_refused_in_every_kind_of_value() {
    let (thousand, one) = ("\"1000 ms\" if it separates thousands", "\"1.000 ms\" if it is");
    for (text, expected) in [
        ("[thresholds]\n\"delivery.p99\" = \"1,000 ms\"", thousand),
        ("[thresholds]\n\"delivery.p99\" = \"1,000 ms\"", one),
        ("[thresholds]\nlost = \"1,000\"", "write 1000 for one number"),
        ("[workload]\nduration = \"1,000 ms\"", thousand),
        ("[workload]\nduration = \"1 h, 30 min\"", "a number and a unit"),
        ("[workload]\narrival = { mean = \"1,5 s\" }", "write \"1.5 s\""),
        ("[workload]\nwarmup = \"1,000 ms\"", thousand),
        ("[workload]\npayload = \"1,000 B\"", "\"1000 B\""),
        ("[workload]\npayload = \"1,5 kB, 2 kB\"", "write \"1.5 kB\""),
        ("[workload]\nusers = \"1,500\"", "write 1500 for one number, or \"1, 500\" for a list"),
        ("[workload]\nusers = \"10..1,000 step 10\"", "write 1000 for one number"),
        ("[workload]\nusers = \"10..1000 step 2,5%\"", "write \"2.5\""),
        ("[workload]\nmessages = \"1,000\"", "write 1000 for one number"),
        ("[hub]\nlimits = { cpus = \"0,5 cpus\" }", "write \"0.5 cpus\""),
        ("[hub]\nlimits = { disk_write = \"1,000 kB/s\" }", "\"1000 kB\""),
        ("[hub]\nlimits = { delay = \"1,000 ms\" }", thousand),
        ("[stream]\nheap = \"1,024 MiB\"", "\"1024 MiB\""),
        ("[run]\ncooldown = { below = \"52,5 C\" }", "write \"52.5 C\""),
    ] {
        assert_problem(text, expected);
    }
    let fault = "[workload]\nduration = \"20 min\"\n[[fault]]\nkind = \"pause\"\n";
    assert_problem(&format!("{fault}at = \"1,000 ms\"\nfor = \"1 s\""), thousand);
    assert_problem(&format!("{fault}at = \"1 s\"\nfor = \"1,000 ms\""), thousand);
}

#[test]
fn a_list_of_whole_numbers_may_be_written_without_spaces() {
    let users = |text: &str| -> Vec<u32> {
        let profile = parse(&format!("{MINIMAL_PROFILE}[workload]\nusers = \"{text}\"")).unwrap();
        profile.plan().points.iter().map(|point| point.workload.users()).collect()
    };
    assert_eq!(users("1,2,30"), [1, 2, 30]);
    assert_eq!(users("100, 200"), [100, 200]);
    assert_eq!(users("1000,2000"), [1_000, 2_000]);
}
