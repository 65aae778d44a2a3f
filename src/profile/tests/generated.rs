//! Properties over generated profiles.

use proptest::{collection::btree_set, option, prelude::*};

use super::*;

/// A duration in one of several notations.
fn duration(range: std::ops::Range<u64>) -> impl Strategy<Value = String> {
    (range, 0..3).prop_map(|(ms, style)| match style {
        0 => format!("{ms} ms"),
        1 => format!("{} s", ms as f64 / 1000.0),
        _ => format!("{} s {} ms", ms / 1000, ms % 1000),
    })
}

fn list(values: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", values.into_iter().collect::<Vec<_>>().join(", "))
}

fn some_of(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    btree_set(proptest::sample::select(words), 1..=words.len())
        .prop_map(|words| list(words.into_iter().map(|word| format!("{word:?}"))))
}

fn latency() -> impl Strategy<Value = String> {
    let length = prop_oneof![
        (60..500_u32).prop_map(|messages| format!("messages = {messages}")),
        duration(60_000..600_000).prop_map(|time| format!("duration = \"{time}\"")),
    ];
    let arrival = prop_oneof![
        (duration(1_000..9_000), duration(0..1_000)).prop_map(|(mean, deviation)| format!(
            "distribution = \"normal\", mean = \"{mean}\", deviation = \"{deviation}\""
        )),
        duration(1_000..9_000)
            .prop_map(|mean| format!("distribution = \"poisson\", mean = \"{mean}\"")),
        duration(1_000..9_000)
            .prop_map(|mean| format!("distribution = \"constant\", mean = \"{mean}\"")),
    ];
    (length, arrival, duration(0..5_000)).prop_map(|(length, arrival, warmup)| {
        format!("kind = \"latency\"\n{length}\narrival = {{ {arrival} }}\nwarmup = \"{warmup}\"")
    })
}

fn throughput() -> impl Strategy<Value = String> {
    (1..1_u64 << 34, some_of(&["producer", "consumer", "both"])).prop_map(|(volume, scenario)| {
        format!("kind = \"throughput\"\nvolume = \"{volume} B\"\nscenario = {scenario}")
    })
}

fn workload() -> impl Strategy<Value = String> {
    let users =
        btree_set(1..1_048_575_u32, 1..4).prop_map(|set| list(set.iter().map(ToString::to_string)));
    let payload = btree_set(1..1_u64 << 24, 1..4)
        .prop_map(|set| list(set.iter().map(|bytes| format!("\"{bytes} B\""))));
    let source = proptest::sample::select(vec!["seeded", "urandom"]);
    (prop_oneof![latency(), throughput()], users, payload, source, duration(0..99_999)).prop_map(
        |(kind, users, payload, source, drain)| {
            format!("[workload]\n{kind}\nusers = {users}\npayload = {payload}\npayload_source = \"{source}\"\ndrain = \"{drain}\"\n")
        },
    )
}

fn hub() -> impl Strategy<Value = String> {
    let cpus = option::of((0.01..64.0_f64).prop_map(|cpus| format!("cpus = \"{cpus} cpus\"")));
    let memory = option::of((6..1_u64 << 30).prop_map(|mib| format!("memory = \"{mib} MiB\"")));
    let write =
        option::of((1..1_u64 << 40).prop_map(|rate| format!("disk_write = \"{rate} B/s\"")));
    (cpus, memory, write).prop_map(|(cpus, memory, write)| {
        let limits: Vec<String> = [cpus, memory, write].into_iter().flatten().collect();
        format!("[hub]\nkind = \"docker\"\nlimits = {{ {} }}\n", limits.join(", "))
    })
}

fn run() -> impl Strategy<Value = String> {
    let order = proptest::sample::select(vec!["interleaved", "blocked"]);
    (1..20_u32, order, 0..i64::MAX, some_of(&["default", "memory", "disk"]), duration(0..9_999)).prop_map(
        |(repetitions, order, seed, durability, time)| {
            format!("[run]\nrepetitions = {repetitions}\norder = \"{order}\"\nseed = {seed}\ndurability = {durability}\nbaseline = \"{time}\"\nserver_warmup = \"{time}\"\n")
        },
    )
}

fn settings() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        (-1e9..1e9_f64).prop_map(|number| format!("{number:?}")),
        "\\PC*".prop_map(|text| toml::Value::String(text).to_string()),
    ];
    let key = "[a-z][a-z.]{0,12}[a-z]";
    let table = proptest::collection::btree_map(key, value, 0..4).prop_map(|table| {
        let entries: Vec<String> =
            table.iter().map(|(key, value)| format!("{key:?} = {value}")).collect();
        format!("producer = {{ {} }}", entries.join(", "))
    });
    (0..1_u64 << 50, 1..1000, table, duration(0..99_999), 1..1_000_000_u64).prop_map(
        |(heap, partitions, table, poll, limit)| {
            format!("[thresholds]\n\"delivery.p99\" = \"{limit} us\"\nlost = {limit}\n[stream]\nheap = \"{heap} B\"\npartitions = {partitions}\n{table}\n[rows]\npoll = \"{poll}\"\n")
        },
    )
}

/// Faults in sequence, so that none begins while another is active.
fn faults() -> impl Strategy<Value = String> {
    let kind = prop_oneof![
        Just("kind = \"pause\"".to_owned()),
        Just("kind = \"kill\"".to_owned()),
        Just("kind = \"restart\"\nserver = \"zookeeper\"".to_owned()),
        Just("kind = \"cut\"\nserver = \"kafka\"".to_owned()),
        (1..1_u64 << 40)
            .prop_map(|rate| format!("kind = \"slow-disk\"\ndisk_write = \"{rate} B/s\"")),
        (0.01..64.0_f64).prop_map(|cpus| format!("kind = \"limit\"\ncpus = \"{cpus} cpus\"")),
        (6..1_u64 << 30).prop_map(|mib| format!("kind = \"limit\"\nmemory = \"{mib} MiB\"")),
    ];
    proptest::collection::vec((kind, duration(1..4_000)), 0..5).prop_map(|faults| {
        let each = faults.iter().enumerate().map(|(number, (kind, lasts))| {
            format!("[[fault]]\nat = \"{} s\"\nfor = \"{lasts}\"\n{kind}\n", number * 5)
        });
        each.collect::<Vec<_>>().concat()
    })
}

fn profile_text() -> impl Strategy<Value = String> {
    let backends = some_of(&["stream", "stream:2.8.0", "rows"]);
    let description = "[^\\p{Cc}]*".prop_map(|text| toml::Value::String(text).to_string());
    ("[a-z][a-z0-9._-]{0,30}", description, backends, hub(), workload(), run(), settings(), faults()).prop_map(
        |(name, description, backends, hub, workload, run, settings, faults)| {
            format!("name = \"{name}\"\ndescription = {description}\nbackend = {backends}\n{hub}{workload}{run}{settings}{faults}")
        },
    )
}

proptest! {
    #[test]
    fn a_saved_profile_makes_the_same_plan(text in profile_text()) {
        let profile = match parse(&text) {
            Ok(profile) => profile,
            Err(problems) => return Err(TestCaseError::fail(format!("{problems}\n{text}"))),
        };
        let saved = profile.to_toml();
        let read = parse(&saved);
        prop_assert_eq!(read.as_ref(), Ok(&profile), "{}", saved);
        prop_assert_eq!(read.unwrap().plan(), profile.plan());
        let json = serde_json::to_string(&profile.plan()).unwrap();
        prop_assert_eq!(serde_json::from_str::<crate::plan::Plan>(&json).unwrap(), profile.plan());
    }

    #[test]
    fn no_text_makes_it_panic(text: String, change: String) {
        let _ = parse(&text);
        if let Ok(change) = Override::parse(&change) {
            let _ = Profile::parse_with(&text, &[change], &catalogue());
        }
    }

    #[test]
    fn no_mutation_makes_it_panic(
        text in profile_text(),
        cut in any::<prop::sample::Index>(),
        length in 0..40_usize,
        insert in "[\\[\\]{}=\"'.,\n0-9a-z \\PC]{0,8}",
    ) {
        let start = text.floor_char_boundary(cut.index(text.len()));
        let end = text.ceil_char_boundary((start + length).min(text.len()));
        let mutated = format!("{}{insert}{}", &text[..start], &text[end..]);
        if let Err(problems) = parse(&mutated) {
            prop_assert!(!problems.list.is_empty());
            let lines = mutated.split('\n').count();
            for problem in &problems.list {
                if let ProblemLocation::Text { line, column } = problem.location {
                    prop_assert!((1..=lines).contains(&line) && column >= 1, "{problems}");
                }
            }
        }
    }
}
