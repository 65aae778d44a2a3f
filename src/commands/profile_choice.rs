//! The profile that an argument names: a profile, a file, or a backend.

use crate::{
    backend,
    profile::{self, LibraryError, Override, Profile, ProfileSource},
    server::HubKind,
};

/// Built-in profile that is run, checked or built for when an argument names a backend.
const BACKEND_PROFILE: &str = "first-look";

/// Finds the profile that `name` names. A backend, with or without its version, means a first look at
/// it: the profile of that name with this backend, on a Docker engine where the backend can run on one.
///
/// # Errors
/// What is wrong with the name, and which names there are.
pub fn find(name: &str) -> Result<ProfileSource, String> {
    let error = match profile::find(name) {
        Ok(source) => return Ok(source),
        Err(error) => error,
    };
    let is_unknown = matches!(error, LibraryError::Unknown { .. });
    match backend_profile(name).filter(|_| is_unknown) {
        Some(profile) => profile,
        None => Err(error.to_string()),
    }
}

/// Returns the profile for a first look at a backend; `None` if `name` does not begin with the name of one.
fn backend_profile(name: &str) -> Option<Result<ProfileSource, String>> {
    let info = backend::find(name.split(':').next()?)?.info();
    let on_docker = info.hubs.contains(&HubKind::Docker);
    let kind = if on_docker { HubKind::Docker } else { HubKind::Local };
    let profile_name = format!("{BACKEND_PROFILE}-{}", info.name);
    Some(change_profile(&profile_name, name, kind))
}

fn change_profile(name: &str, backend: &str, kind: HubKind) -> Result<ProfileSource, String> {
    let source = profile::find(BACKEND_PROFILE).map_err(|error| error.to_string())?;
    let description = format!("a first look at {backend}");
    let changes = [
        ("name", name),
        ("description", description.as_str()),
        ("backend", backend),
        ("hub.kind", kind.name()),
    ];
    let changes: Vec<Override> = changes
        .into_iter()
        .map(|(key, value)| Override::new(key, value).map_err(|problem| problem.to_string()))
        .collect::<Result<_, _>>()?;
    let profile = Profile::parse_with(&source.text, &changes, &backend::catalogue())
        .map_err(|problems| problems.to_string())?;
    Ok(ProfileSource { name: name.to_owned(), text: profile.to_toml(), description, path: None })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_backend_means_a_first_look_at_it() {
        for backend in backend::registry() {
            let info = backend.info();
            let versions = info.versions.iter().map(|version| format!("{}:{version}", info.name));
            for name in versions.chain([info.name.to_owned()]) {
                let source = find(&name).unwrap();
                let profile = Profile::parse(&source.text, &backend::catalogue()).unwrap();
                let plan = profile.plan();
                let choice = &plan.points[0].backend;
                assert_eq!(choice.name, info.name);
                assert!(!name.contains(':') || choice.profile_value() == name, "{name}: {choice}");
                assert!(info.hubs.contains(&plan.hub.kind), "{name}");
                assert_eq!(plan.profile, format!("first-look-{}", info.name));
            }
        }
    }

    #[test]
    fn a_profile_precedes_a_backend_and_an_unknown_name_lists_the_profiles() {
        assert_eq!(find("first-look").unwrap().name, "first-look");
        let problem = find("no-such-thing").unwrap_err();
        assert!(
            problem.contains("there is no profile") && problem.contains("first-look"),
            "{problem}"
        );
        let registry = backend::registry();
        let versioned =
            registry.iter().find(|backend| !backend.info().versions.is_empty()).unwrap();
        let problem = find(&format!("{}:0.1", versioned.info().name)).unwrap_err();
        assert!(problem.contains("0.1"), "{problem}");
    }
}
