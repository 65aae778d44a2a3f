//! The built-in profiles, the library of saved ones, and the commands about them.

use std::{fs, path::Path, time::Duration};

use hubmark::{
    backend::catalogue,
    commands::profiles::{self as commands, ProfilesError},
    plan::{ArrivalDistribution, RepetitionOrder, Scenario, Workload},
    profile::{Library, LibraryError, Override, Profile, builtin_profiles},
    server::HubKind,
    units::Bytes,
};
use proptest::prelude::*;

fn load(name: &str) -> Profile {
    Profile::parse(load_text(name), &catalogue()).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn every_built_in_profile_is_valid_and_has_a_description() {
    for found in builtin_profiles() {
        let profile = load(found.name);
        assert_eq!((profile.name.as_str(), &profile.description), (found.name, &found.description));
        assert!(!found.description.is_empty(), "{}", found.name);
        let saved = Profile::parse(&profile.to_toml(), &catalogue()).unwrap();
        assert_eq!(saved.plan(), profile.plan(), "{}", found.name);
    }
}

#[test]
fn every_file_of_the_folder_is_built_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    let mut files: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().replace(".toml", ""))
        .collect();
    let mut names: Vec<&str> = builtin_profiles().iter().map(|profile| profile.name).collect();
    files.sort_unstable();
    names.sort_unstable();
    assert_eq!(files, names);
}

#[test]
fn first_look_takes_at_most_twenty_seconds_on_the_local_hub() {
    let plan = load("first-look").plan();
    assert_eq!(plan.hub.kind, HubKind::Local);
    let longest = plan.estimated_duration() + plan.points[0].workload.drain();
    assert!(longest <= Duration::from_secs(20), "{longest:?}");
}

#[test]
fn the_study_profiles_have_the_parameters_of_the_study() {
    let plan = load("study-latency-users").plan();
    let users: Vec<u32> = plan.points[..10].iter().map(|point| point.workload.users()).collect();
    assert_eq!(users, [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
    assert_eq!((plan.points.len(), plan.repetitions), (20, 10));
    let Workload::Latency(workload) = &plan.points[0].workload else { panic!("not latency") };
    assert_eq!((workload.payload, workload.messages), (Bytes(100), 60));
    assert!(
        matches!(workload.arrival, ArrivalDistribution::Normal { mean, .. } if mean == Duration::from_secs(1))
    );
    assert!(plan.server_warmup.is_zero(), "cold, as in the study");

    let plan = load("study-latency-payload").plan();
    let payloads: Vec<u64> =
        plan.points[..5].iter().map(|point| point.workload.payload().0).collect();
    assert_eq!(payloads, [1, 10, 100, 1_000, 10_000]);
    assert!(plan.points.iter().all(|point| point.workload.users() == 100));

    let plan = load("study-throughput").plan();
    let of = |point: &hubmark::plan::Point| match &point.workload {
        Workload::Throughput(workload) => (workload.scenario, workload.volume, workload.payload),
        Workload::Latency(_) => panic!("not throughput"),
    };
    let scenarios: Vec<_> = plan.points[..3].iter().map(of).collect();
    let expected = |scenario| (scenario, Bytes(100_000_000), Bytes(1_000));
    assert_eq!(scenarios, [Scenario::Producer, Scenario::Consumer, Scenario::Both].map(expected));
    for point in &plan.points {
        let backend = point.backend.to_string();
        assert!(backend == "kafka 2.8.0" || backend == "mariadb 10.11", "{backend}");
    }
}

#[test]
fn a_quick_variant_has_the_same_shape_and_takes_minutes() {
    let is_study = |name: &str| name.starts_with("study-") && name.ends_with("-quick");
    for quick in builtin_profiles().iter().filter(|profile| is_study(profile.name)) {
        let full = load(quick.name.trim_end_matches("-quick"));
        let quick = load(quick.name);
        let (quick_plan, full_plan) = (quick.plan(), full.plan());
        assert!(quick_plan.estimated_duration() <= Duration::from_mins(15), "{}", quick.name);
        assert!(quick_plan.estimated_duration() < full_plan.estimated_duration() / 2);
        assert_eq!(quick.backends, full.backends);
        assert_eq!(quick.settings, full.settings);
        assert_eq!(quick_plan.order, RepetitionOrder::Interleaved);
        assert!(quick.workload.users.iter().all(|users| full.workload.users.contains(users)));
        assert!(quick.workload.payload.iter().all(|size| full.workload.payload.contains(size)));
    }
}

#[test]
fn the_defaults_of_every_backend_have_the_declared_kind() {
    for info in catalogue().backends() {
        for key in info.settings.iter().filter(|key| !key.default.is_empty()) {
            assert!(key.default_value().is_some(), "{}.{} = {}", info.name, key.name, key.default);
        }
    }
}

#[test]
fn profiles_are_saved_found_and_never_overwritten_by_accident() {
    let folder = tempfile::tempdir().unwrap();
    let library = Library::new(folder.path().join("profiles"));
    assert!(library.saved().unwrap().is_empty(), "the folder need not exist");

    let profile = load("first-look").set("workload.users", "7").unwrap();
    assert!(matches!(library.save(&profile), Err(LibraryError::BuiltIn(_))));
    assert!(matches!(library.save_as("../up", &profile), Err(LibraryError::InvalidName(_))));
    let path = library.save_as("mine", &profile).unwrap();
    assert!(matches!(library.save_as("mine", &profile), Err(LibraryError::Exists(_))));

    let found = library.find("mine").unwrap();
    assert_eq!(found.path.as_deref(), Some(path.as_path()));
    let mine = Profile::parse(&found.text, &catalogue()).unwrap();
    assert_eq!((mine.name.as_str(), &mine.workload), ("mine", &profile.workload));
    assert_eq!(library.find(path.to_str().unwrap()).unwrap().text, found.text);

    library.save(&mine.set("workload.users", "8").unwrap()).unwrap();
    assert!(library.find("mine").unwrap().text.contains("users = 8"));
    let saved: Vec<String> = library.saved().unwrap().into_iter().map(|found| found.name).collect();
    assert_eq!(saved, ["mine"]);

    // A name that could not be given here does not hide a file.
    fs::write(library.folder().join("my pi.toml"), &found.text).unwrap();
    fs::write(library.folder().join(".hidden.toml"), &found.text).unwrap();
    let saved: Vec<String> = library.saved().unwrap().into_iter().map(|found| found.name).collect();
    assert_eq!(saved, ["mine", "my pi"]);
    assert_eq!(library.find("my pi").unwrap().text, found.text);
    library.remove("my pi").unwrap();
    assert!(library.remove("../up").is_err() && library.find("my pi").is_err());
}

#[test]
fn an_unknown_profile_name_gives_a_suggestion() {
    let folder = tempfile::tempdir().unwrap();
    let library = Library::new(folder.path());
    let message = library.find("first-lok").unwrap_err().to_string();
    assert!(message.contains("did you mean first-look?"), "{message}");
    assert!(
        message.contains("study-throughput") && message.contains(folder.path().to_str().unwrap())
    );
    let message = library.find("./nowhere.toml").unwrap_err().to_string();
    assert!(message.contains("./nowhere.toml could not be read"), "{message}");
}

#[test]
fn the_profile_commands_print_their_results() {
    let folder = tempfile::tempdir().unwrap();
    let library = Library::new(folder.path().join("profiles"));
    let mut out = Vec::new();

    let copy = folder.path().join("copy.toml");
    commands::copy(&library, "first-look", &copy, &mut out).unwrap();
    assert_eq!(fs::read_to_string(&copy).unwrap(), load_text("first-look"));
    assert!(commands::copy(&library, "first-look", &copy, &mut out).is_err(), "no overwriting");

    out.clear();
    commands::show(&library, "first-look", &mut out).unwrap();
    assert_eq!(String::from_utf8_lossy(&out), load_text("first-look"));

    out.clear();
    library.save_as("mine", &load("first-look")).unwrap();
    fs::write(library.folder().join("broken.toml"), "description = \"odd\"\nbackend = 3").unwrap();
    fs::write(library.folder().join("bytes.toml"), [0xff, 0xfe]).unwrap();
    commands::list(&library, &catalogue(), &mut out).unwrap();
    let listed = String::from_utf8_lossy(&out);
    assert!(
        listed.contains("study-latency-payload-quick") && listed.contains("  mine "),
        "{listed}"
    );
    assert!(listed.contains("odd (problems: 2)"), "{listed}");
    assert!(listed.contains("bytes.toml could not be read"), "{listed}");

    out.clear();
    commands::check(&library, copy.to_str().unwrap(), &catalogue(), &mut out).unwrap();
    let plan = String::from_utf8_lossy(&out);
    assert!(
        plan.contains("1 repetition · 1,000 messages · 100 kB of payload · about 13 s"),
        "{plan}"
    );
    assert!(plan.contains("cold server, as the study"), "{plan}");

    fs::write(&copy, "name = \"x\"\nbackend = \"kafak\"\n").unwrap();
    let error = commands::check(&library, copy.to_str().unwrap(), &catalogue(), &mut out);
    let Err(error @ ProfilesError::Problems(_)) = error else { panic!("no problem found") };
    let expected = format!(
        "{}:2:11: backend: there is no backend \"kafak\", did you mean kafka?",
        copy.display()
    );
    assert!(error.to_string().starts_with(&expected), "{error}");
}

fn load_text(name: &str) -> &'static str {
    builtin_profiles()
        .iter()
        .find(|profile| profile.name == name)
        .map_or("", |profile| profile.text)
}

proptest! {
    #[test]
    fn no_mutation_of_a_built_in_profile_makes_it_panic(
        which in 0..7_usize,
        cut in any::<prop::sample::Index>(),
        length in 0..60_usize,
        insert in "[\\[\\]{}=\"'.,#\n0-9a-z \\PC]{0,12}",
    ) {
        let text = builtin_profiles()[which].text;
        let start = text.floor_char_boundary(cut.index(text.len()));
        let end = text.ceil_char_boundary((start + length).min(text.len()));
        let mutated = format!("{}{insert}{}", &text[..start], &text[end..]);
        match Profile::parse(&mutated, &catalogue()) {
            Ok(profile) => {
                let saved = profile.to_toml();
                let read = Profile::parse(&saved, &catalogue());
                prop_assert_eq!(read.map(|read| read.plan()), Ok(profile.plan()), "{}", saved);
            }
            Err(problems) => prop_assert!(!problems.to_string().is_empty()),
        }
        if let Ok(change) = Override::new("workload.users", &insert) {
            let _ = Profile::parse_with(text, &[change], &catalogue());
        }
    }
}
