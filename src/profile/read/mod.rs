//! From text to a checked [`Profile`]: values first, then what they mean together, then names that
//! nobody knows. Reading goes on after a problem, so that all of them are found at once.

use std::time::Duration;

use super::{
    Override, Profile,
    catalogue::Catalogue,
    keys::{self, Key},
    problem::{Fault, Origin, Problem, Problems, line_and_column},
    tree::{self, Node, Place},
    values::{self, Read},
};
use crate::{
    stamp::MAX_TICK,
    units::{grouped, human_duration},
};

mod backends;
mod external;
mod faults;
mod names;
mod tables;
mod workload;

pub use workload::usual_load;

/// More than anybody will wait for; keeps a slip of the hand from filling the memory.
const MOST_POINTS: usize = 10_000;
const MOST_STEPS: usize = 100_000;
/// The last part of keys that would hold a password, where there is none.
const PASSWORD: &str = "password";
/// What a stamp can count: 203 days.
const LONGEST_RUN: Duration = Duration::from_micros(MAX_TICK);

/// Reads a profile; see [`Profile::parse_with`].
pub(super) fn profile(
    text: &str,
    overrides: &[Override],
    catalogue: &Catalogue,
) -> Result<Profile, Problems> {
    let (mut root, syntax) = tree::parse(text);
    for (number, change) in overrides.iter().enumerate() {
        change.apply(&mut root, number);
    }
    let mut reader = Reader { root: &root, catalogue, found: Vec::new() };
    let profile = reader.profile();

    let mut found = reader.found;
    if !syntax.is_empty() {
        let mut syntax_found = Vec::new();
        // What could not be read may be what is missing, a line that is not TOML has no value, and
        // what follows on that line is noise.
        let mut broken: Vec<usize> = Vec::new();
        for error in syntax {
            let line = line_of(text, error.place);
            if broken.contains(&line) {
                continue;
            }
            broken.push(line);
            found.retain(|finding| {
                let place = finding.fault.place;
                place != Place::START && line_of(text, place) != line
            });
            syntax_found.push(Finding {
                key: String::new(),
                allowed: None,
                fault: Fault::new(error.place, format!("not TOML: {}", error.message)),
            });
        }
        found.append(&mut syntax_found);
    }
    match profile {
        Some(profile) if found.is_empty() => Ok(profile),
        _ => {
            found.sort_by_key(|finding| finding.fault.place);
            found.dedup();
            let list = found.into_iter().map(|finding| finding.problem(text, overrides)).collect();
            Err(Problems { source: "profile".into(), list })
        }
    }
}

fn line_of(text: &str, place: Place) -> usize {
    match place {
        Place::Text(offset) => line_and_column(text, offset).0,
        Place::Set(_) => 0,
    }
}

/// Whether a key is asked for that would hold a password.
fn is_password(key: &str) -> bool {
    key.rsplit('.').next().is_some_and(|name| name.trim_matches('"') == PASSWORD)
}

/// A fault, and the key to which it belongs.
#[derive(Debug, PartialEq)]
struct Finding {
    key: String,
    allowed: Option<String>,
    fault: Fault,
}

impl Finding {
    fn problem(self, text: &str, overrides: &[Override]) -> Problem {
        let origin = match self.fault.place {
            Place::Text(offset) => {
                let (line, column) = line_and_column(text, offset);
                Origin::Text { line, column }
            }
            Place::Set(number) => {
                let text = overrides.get(number).map_or("", Override::text);
                // Nothing of a password is repeated, not even of one that is refused.
                let secret = text.split_once('=').filter(|_| is_password(&self.key));
                Origin::Set(secret.map_or(text.to_owned(), |(key, _)| format!("{key}=…")))
            }
        };
        Problem {
            origin,
            key: self.key,
            message: self.fault.message,
            allowed: self.allowed,
            nearest: self.fault.nearest,
        }
    }
}

/// Reads the tree and collects what is wrong with it. A reading function returns `None` when it
/// has reported a problem.
struct Reader<'a> {
    root: &'a Node,
    catalogue: &'a Catalogue,
    found: Vec<Finding>,
}

impl<'a> Reader<'a> {
    fn profile(&mut self) -> Option<Profile> {
        self.check_names(self.root, "");
        let name = self.required(&keys::NAME, profile_name);
        let description = self.read(&keys::DESCRIPTION, String::new(), values::line);
        let settings = self.settings();
        let hub = self.hub();
        let backends = self.backends(hub.as_ref().map(|hub| hub.kind));
        let workload = self.workload();
        let run = self.run();
        let thresholds = self.thresholds();
        let faults = self.faults(hub.as_ref().map(|hub| hub.kind), workload.as_ref());
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
        self.check_backends_differ(&profile);
        self.check_external(&profile);
        self.check_size(&profile);
        Some(profile)
    }

    // Reading single keys.

    fn node(&self, key: &Key) -> Option<&'a Node> {
        self.root.at(key.path).map(|(_, node)| node)
    }

    /// The place of a key's value, or the beginning of the text when it is not given.
    fn place(&self, key: &Key) -> Place {
        self.node(key).map_or(Place::START, |node| node.place)
    }

    /// The value of `key`, or `default` when it is not given.
    fn read<T>(
        &mut self,
        key: &Key,
        default: T,
        parse: impl FnOnce(&'a Node) -> Read<T>,
    ) -> Option<T> {
        match self.node(key) {
            Some(node) => self.accept(key, parse(node)),
            None => Some(default),
        }
    }

    fn required<T>(&mut self, key: &Key, parse: impl FnOnce(&'a Node) -> Read<T>) -> Option<T> {
        if let Some(node) = self.node(key) {
            return self.accept(key, parse(node));
        }
        self.report(key, Fault::new(Place::START, "this key is missing"));
        None
    }

    fn accept<T>(&mut self, key: &Key, read: Read<T>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(faults) => {
                for fault in faults {
                    self.report(key, fault);
                }
                None
            }
        }
    }

    fn report(&mut self, key: &Key, fault: Fault) {
        self.note(key.path, Some(key.allowed.to_owned()), fault);
    }

    fn note(&mut self, key: &str, allowed: Option<String>, fault: Fault) {
        self.found.push(Finding { key: key.to_owned(), allowed, fault });
    }

    /// A duration that a run can have; `usual` is in seconds.
    fn time(&mut self, key: &Key, usual: u64) -> Option<Duration> {
        self.read(key, Duration::from_secs(usual), |node| {
            let time = values::duration(node)?;
            if time > LONGEST_RUN {
                return Err(Fault::new(node.place, "it is longer than a run can be").into());
            }
            Ok(time)
        })
    }

    /// Reports what is wrong with the value of a key in the light of others.
    fn object(&mut self, key: &Key, message: impl Into<String>) {
        self.report(key, Fault::new(self.place(key), message));
    }

    /// Refuses a sweep that would fill the memory, and a run that is longer than stamps can count.
    fn check_size(&mut self, profile: &Profile) {
        let points = profile.point_count();
        let steps = points.saturating_mul(profile.run.repetitions as usize);
        if points > MOST_POINTS || steps > MOST_STEPS {
            let message = format!(
                "{} points make {} repetitions; at most {} points and {} repetitions are possible",
                grouped(points as u64),
                grouped(steps as u64),
                grouped(MOST_POINTS as u64),
                grouped(MOST_STEPS as u64),
            );
            self.object(&keys::REPETITIONS, message);
            return;
        }
        let estimate = profile.plan().estimate();
        if estimate > LONGEST_RUN {
            let message = format!(
                "the run would take {}, longer than message stamps can count ({})",
                human_duration(estimate),
                human_duration(LONGEST_RUN),
            );
            self.object(&keys::REPETITIONS, message);
        }
    }
}

/// The name is also a file's.
fn profile_name(node: &Node) -> Read<String> {
    let name = values::text(node)?;
    if super::library::is_name(name) {
        return Ok(name.to_owned());
    }
    Err(Fault::new(node.place, format!("{name:?} cannot be a file's name")).into())
}
