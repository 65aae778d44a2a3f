//! `--hub` beside a profile and `--set`: what it means, and what it replaces.

use std::fmt::Write as _;

use crate::{
    cli::{hub_changes, is_hub_kind},
    profile::ProfileSource,
};

/// Keys of a profile that `--hub` decides.
const KIND: &str = "hub.kind";
const ENGINE: &str = "hub.engine";
/// Key that belongs to the profile's engine.
const ADDRESS: &str = "hub.address";

/// Changes of a profile that `--hub` and `--set` make together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HubChoice {
    /// The changes, each `KEY=VALUE`.
    pub changes: Vec<String>,
    /// What `--hub` replaces of the profile, for the operator; `None` if it replaces nothing.
    pub note: Option<String>,
}

/// Resolves `--hub` for a profile; a later change of the same key overrides an earlier one.
///
/// # Errors
/// `--hub` and `--set` both choose the hub: the message names the two.
pub fn resolve(
    hub: Option<&str>,
    set: &[String],
    source: &ProfileSource,
) -> Result<HubChoice, String> {
    let Some(hub) = hub else { return Ok(HubChoice { changes: set.to_vec(), note: None }) };
    let key = |change: &str| change.split('=').next().unwrap_or_default().trim().to_owned();
    let decided: &[&str] = if is_hub_kind(hub) { &[KIND] } else { &[KIND, ENGINE] };
    if let Some(other) = set.iter().find(|change| decided.contains(&key(change).as_str())) {
        return Err(format!(
            "--hub {hub} and --set {other} both choose the hub: give only one of the two"
        ));
    }
    let mut changes = hub_changes(hub);
    let text = |path: &str| value_of(&source.text, path);
    let mut note = None;
    if let Some(engine) = text(ENGINE) {
        if is_hub_kind(hub) {
            note = (hub == "docker" && !set.iter().any(|change| key(change) == ENGINE))
                .then(|| format!("--hub docker: on {ENGINE} of the profile, {engine}"));
        } else if engine != hub {
            let mut replaced = format!("--hub {hub} replaces {ENGINE} of the profile, {engine}");
            if let Some(address) = text(ADDRESS)
                && !set.iter().any(|change| key(change) == ADDRESS)
            {
                changes.push(format!("{ADDRESS}="));
                let _ = write!(
                    replaced,
                    ", and leaves out {ADDRESS} {address}, which belongs to that engine"
                );
            }
            note = Some(replaced);
        }
    }
    changes.extend(set.iter().cloned());
    Ok(HubChoice { changes, note })
}

/// Text at a dotted path of a profile; `None` if it has none, or is not TOML.
fn value_of(profile: &str, path: &str) -> Option<String> {
    let mut table: &toml::Table = &toml::from_str(profile).ok()?;
    let (last, folders) = path.rsplit_once('.').map_or((path, ""), |(rest, last)| (last, rest));
    for folder in folders.split('.').filter(|folder| !folder.is_empty()) {
        table = table.get(folder)?.as_table()?;
    }
    table.get(last)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const PROFILE: &str = "name = \"x\"\n[hub]\nengine = \"ssh://pi\"\naddress = \"10.0.0.7\"\n";

    fn choose(hub: &str, set: &[&str], text: &str) -> Result<HubChoice, String> {
        let set: Vec<String> = set.iter().map(|change| (*change).to_owned()).collect();
        let source = ProfileSource {
            name: "x".into(),
            text: text.into(),
            description: String::new(),
            path: None,
        };
        resolve(Some(hub), &set, &source)
    }

    #[test]
    fn another_engine_takes_the_address_of_the_old_one_with_it() {
        let other = choose("ssh://box", &[], PROFILE).unwrap();
        assert_eq!(other.changes, ["hub.kind=docker", "hub.engine=ssh://box", "hub.address="]);
        let note = other.note.unwrap();
        for part in ["--hub ssh://box replaces", "ssh://pi", "hub.address 10.0.0.7"] {
            assert!(note.contains(part), "{note}");
        }
        let named = choose("ssh://box", &["hub.address=10.0.0.9"], PROFILE).unwrap();
        assert_eq!(named.changes.last().unwrap(), "hub.address=10.0.0.9");
        assert!(!named.note.unwrap().contains("10.0.0.7"));
        let same = choose("ssh://pi", &[], PROFILE).unwrap();
        assert_eq!((same.changes.len(), same.note), (2, None));
        assert_eq!(choose("ssh://box", &[], "name = \"x\"\n").unwrap().note, None);
    }

    #[test]
    fn the_kind_docker_keeps_the_engine_and_says_which() {
        let kind = choose("docker", &[], PROFILE).unwrap();
        assert_eq!(kind.changes, ["hub.kind=docker"]);
        assert!(kind.note.unwrap().contains("ssh://pi"));
        assert_eq!(choose("local", &[], PROFILE).unwrap().note, None);
    }

    #[test]
    fn two_choices_of_the_hub_are_refused_by_name() {
        for (hub, set) in [
            ("ssh://box", "hub.engine=ssh://pi"),
            ("ssh://box", "hub.kind=local"),
            ("local", "hub.kind = docker"),
        ] {
            let problem = choose(hub, &[set], PROFILE).unwrap_err();
            assert!(problem.contains(hub) && problem.contains(set), "{problem}");
        }
        let engine = choose("docker", &["hub.engine=ssh://box"], PROFILE).unwrap();
        assert_eq!((engine.changes.len(), engine.note), (2, None));
    }
}
