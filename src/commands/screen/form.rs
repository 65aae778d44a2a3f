//! Profiles and backends as the form shows and changes them.

use crate::{
    backend, engine,
    hub::docker,
    plan::BackendChoice,
    profile::{self, Library, Override, Profile},
    tui::{BackendOption, FormProblem, PlanPreview, Planner, ProfileEntry},
};

/// All profiles: the built-in ones first, then the operator's own; and why the latter are missing, if they
/// cannot be read.
pub fn profile_entries() -> (Vec<ProfileEntry>, Option<String>) {
    let mut entries: Vec<_> = profile::builtin_profiles()
        .iter()
        .map(|builtin| ProfileEntry {
            name: builtin.name.to_owned(),
            description: builtin.description.clone(),
            text: builtin.text.to_owned(),
            own: false,
        })
        .collect();
    let (saved, problem) = match Library::open().and_then(|library| library.saved()) {
        Ok(saved) => (saved, None),
        Err(error) => (Vec::new(), Some(format!("saved profiles are missing: {error}"))),
    };
    entries.extend(saved.into_iter().map(|source| ProfileEntry {
        name: source.name,
        description: source.description,
        text: source.text,
        own: true,
    }));
    (entries, problem)
}

/// Backends that the form offers, one entry for each version.
pub fn backend_options() -> Vec<BackendOption> {
    let mut options = Vec::new();
    for backend in backend::registry() {
        let info = backend.info();
        let mut add = |version: Option<&str>| {
            let choice =
                BackendChoice { name: info.name.to_owned(), version: version.map(str::to_owned) };
            let title = [info.title, version.unwrap_or_default()].join(" ").trim_end().to_owned();
            let caution = info.caution.map(str::to_owned);
            let table = (info.name, info.settings);
            options.push(BackendOption { choice, title, caution, hubs: info.hubs.to_vec(), table });
        };
        info.versions.iter().for_each(|version| add(Some(version)));
        if info.versions.is_empty() {
            add(None);
        }
    }
    options
}

/// Plans the profile as edited in the form.
pub struct FormPlanner;

impl Planner for FormPlanner {
    fn plan(
        &self,
        toml_text: &str,
        overrides: &[(String, String)],
    ) -> Result<PlanPreview, Vec<FormProblem>> {
        let profile = parse_profile(toml_text, overrides)?;
        let plan = profile.plan();
        let seconds = plan.estimated_duration().as_secs_f64();
        let mut lines = vec![plan.conditions_summary()];
        let caution = docker::connection_caution(&plan.hub);
        lines.extend(caution.map(|caution| format!("! {caution}")));
        // The same check as at a run's start: required against available resources.
        if let Err(error) = engine::check(&plan) {
            lines.insert(0, format!("! {}", error.to_string().replace('\n', " ")));
        }
        Ok(PlanPreview::new(&profile, plan, lines, seconds))
    }
}

/// Parses the form's changes as overrides of the profile.
pub fn parse_overrides(
    overrides: &[(String, String)],
) -> Result<Vec<Override>, profile::ProfileProblem> {
    overrides.iter().map(|(key, value)| Override::new(key, &to_toml_list(value))).collect()
}

/// Parses a profile with the form's changes.
pub fn parse_profile(
    text: &str,
    overrides: &[(String, String)],
) -> Result<Profile, Vec<FormProblem>> {
    let overrides =
        parse_overrides(overrides).map_err(|problem| vec![FormProblem::from(&problem)])?;
    Profile::parse_with(text, &overrides, &backend::catalogue())
        .map_err(|problems| problems.list.iter().map(FormProblem::from).collect())
}

/// Converts a list as people write it (`100, 400`) to a TOML list.
fn to_toml_list(value: &str) -> String {
    if !value.contains(',') || value.trim_start().starts_with(['[', '{', '"']) {
        return value.to_owned();
    }
    let items: Vec<_> = value
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| match item.parse::<u64>() {
            Ok(number) => number.to_string(),
            Err(_) => format!("{item:?}"),
        })
        .collect();
    format!("[{}]", items.join(", "))
}

#[cfg(test)]
mod tests {
    use super::to_toml_list;

    #[test]
    fn lists_are_read_as_people_write_them() {
        assert_eq!(to_toml_list("100, 400"), "[100, 400]");
        assert_eq!(to_toml_list("1 B, 10 kB"), "[\"1 B\", \"10 kB\"]");
        assert_eq!(to_toml_list("100..1000 step 100"), "100..1000 step 100");
        assert_eq!(to_toml_list("[1, 2]"), "[1, 2]");
    }
}
