//! Parsing and validation of a [`Profile`]: single values, their combinations, unknown keys.
//!
//! Parsing continues after a problem, so that all problems are found at once.

use super::{
    Override, Profile,
    catalogue::Catalogue,
    keys::{self, bounds::MAX_RUN_DURATION},
    name::is_valid_name,
    problem::{ProfileProblems, ValueProblem, line_and_column},
    tree::{self, Node, ValueOrigin},
    values::{self, ParseResult},
};
use crate::{
    format::count_noun,
    units::{group_thousands, human_duration},
};

mod backends;
mod external;
mod faults;
mod reader;
mod tables;
mod unknown_keys;
mod workload;

use reader::{KeyProblem, ProfileReader};
pub use workload::default_load;

/// Largest number of points; keeps a typing error from filling the memory.
const MAX_POINTS: usize = 10_000;
/// Largest number of repetitions of all points together.
const MAX_TOTAL_REPETITIONS: usize = 100_000;

impl Profile {
    /// Parses a profile.
    pub fn parse(text: &str, catalogue: &Catalogue) -> Result<Self, ProfileProblems> {
        Self::parse_with(text, &[], catalogue)
    }

    /// Parses a profile with some of its values overridden.
    pub fn parse_with(
        text: &str,
        overrides: &[Override],
        catalogue: &Catalogue,
    ) -> Result<Self, ProfileProblems> {
        read_profile(text, overrides, catalogue)
    }

    /// Returns this profile with one value changed: `profile.set("workload.users", "100, 200")`.
    ///
    /// The value is TOML, or else plain text.
    ///
    /// A change of `workload.kind` drops the keys that only the previous kind has.
    pub fn set(&self, key: &str, value: &str) -> Result<Self, ProfileProblems> {
        let change = Override::new(key, value).map_err(|problem| ProfileProblems {
            source: self.name.clone(),
            list: vec![problem],
        })?;
        Self::parse_with(&self.to_toml(), &[change], &self.catalogue)
            .map_err(|problems| problems.with_source(&self.name))
    }
}

fn read_profile(
    text: &str,
    overrides: &[Override],
    catalogue: &Catalogue,
) -> Result<Profile, ProfileProblems> {
    let (mut root, syntax) = tree::parse(text);
    for (number, change) in overrides.iter().enumerate() {
        change.apply(&mut root, number);
    }
    let mut reader = ProfileReader { root: &root, catalogue, problems: Vec::new() };
    let profile = reader.read_profile();

    let mut problems = reader.problems;
    if !syntax.is_empty() {
        let mut syntax_problems = Vec::new();
        // A missing key may be on a line that is not TOML, and further problems of such a line are
        // noise: both are dropped.
        let mut broken: Vec<usize> = Vec::new();
        for error in syntax {
            let line = line_number(text, error.origin);
            if broken.contains(&line) {
                continue;
            }
            broken.push(line);
            problems.retain(|entry| {
                let origin = entry.problem.origin;
                origin != ValueOrigin::START && line_number(text, origin) != line
            });
            syntax_problems.push(KeyProblem {
                key: String::new(),
                allowed: None,
                problem: ValueProblem::new(error.origin, format!("not TOML: {}", error.message)),
            });
        }
        problems.append(&mut syntax_problems);
    }
    match profile {
        Some(profile) if problems.is_empty() => Ok(profile),
        _ => {
            problems.sort_by_key(|entry| entry.problem.origin);
            problems.dedup();
            let list = problems
                .into_iter()
                .map(|entry| entry.into_profile_problem(text, overrides))
                .collect();
            Err(ProfileProblems { source: "profile".into(), list })
        }
    }
}

fn line_number(text: &str, origin: ValueOrigin) -> usize {
    match origin {
        ValueOrigin::Text(offset) => line_and_column(text, offset).0,
        ValueOrigin::Override(_) => 0,
    }
}

impl ProfileReader<'_> {
    fn read_profile(&mut self) -> Option<Profile> {
        self.check_unknown_keys();
        let name = self.read_required(&keys::NAME, parse_profile_name);
        let description = self.read_or(&keys::DESCRIPTION, String::new(), values::parse_line);
        let settings = self.read_settings();
        let hub = self.read_hub();
        let backends = self.read_backends(hub.as_ref().map(|hub| hub.kind));
        let workload = self.read_workload();
        let run = self.read_run();
        let thresholds = self.read_thresholds();
        let faults = self.read_faults(hub.as_ref().map(|hub| hub.kind), workload.as_ref());
        let profile = Profile {
            name: name?,
            description: description?,
            backends: backends?,
            hub: hub?,
            workload: workload?,
            run: run?,
            thresholds,
            faults,
            settings,
            catalogue: self.catalogue.clone(),
        };
        self.check_duplicate_backends(&profile);
        self.check_external(&profile);
        self.check_size(&profile);
        Some(profile)
    }

    /// Refuses a sweep that would fill the memory, and a run that is longer than stamps can count.
    fn check_size(&mut self, profile: &Profile) {
        let points = profile.point_count();
        let steps = points.saturating_mul(profile.run.repetitions as usize);
        if points > MAX_POINTS || steps > MAX_TOTAL_REPETITIONS {
            let message = format!(
                "{} make {}; at most {} points and {} repetitions are possible",
                count_noun(points as u64, "point"),
                count_noun(steps as u64, "repetition"),
                group_thousands(MAX_POINTS as u64),
                group_thousands(MAX_TOTAL_REPETITIONS as u64),
            );
            self.report_conflict(&keys::REPETITIONS, message);
            return;
        }
        let estimate = profile.plan().estimated_duration();
        if estimate > MAX_RUN_DURATION {
            let message = format!(
                "the run would take {}, longer than message stamps can count ({})",
                human_duration(estimate),
                human_duration(MAX_RUN_DURATION),
            );
            self.report_conflict(&keys::REPETITIONS, message);
        }
    }
}

/// Parses the profile's name, which is also a file name.
fn parse_profile_name(node: &Node) -> ParseResult<String> {
    let name = values::parse_text(node)?;
    if is_valid_name(name) {
        return Ok(name.to_owned());
    }
    Err(ValueProblem::new(node.origin, format!("{name:?} cannot be a file's name")).into())
}
