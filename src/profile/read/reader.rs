//! Access to the keys of a profile's tree, and collection of the problems found.

use std::time::Duration;

use crate::profile::{
    Override,
    catalogue::Catalogue,
    keys::ProfileKey,
    problem::{ProblemLocation, ProfileProblem, ValueProblem, line_and_column},
    tree::{Node, ValueOrigin},
    values::{self, ParseResult},
};

/// Last segment of keys that would hold a password, which is never part of a profile.
pub(super) const PASSWORD_KEY: &str = "password";

/// Whether a key would hold a password.
fn is_password_key(key: &str) -> bool {
    key.rsplit('.').next().is_some_and(|name| name.trim_matches('"') == PASSWORD_KEY)
}

/// Whether a value is a URL with a password: `scheme://user:password@host`.
fn has_password(value: &str) -> bool {
    let Some((_, rest)) = value.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(account, _)| account.contains(':'))
}

/// A problem and the key that it belongs to.
#[derive(Debug, PartialEq)]
pub(super) struct KeyProblem {
    pub key: String,
    pub allowed: Option<String>,
    pub problem: ValueProblem,
}

impl KeyProblem {
    pub fn into_profile_problem(self, text: &str, overrides: &[Override]) -> ProfileProblem {
        let location = match self.problem.origin {
            ValueOrigin::Text(offset) => {
                let (line, column) = line_and_column(text, offset);
                ProblemLocation::Text { line, column }
            }
            ValueOrigin::Override(number) => {
                let text = overrides.get(number).map_or("", Override::text);
                // A password is never repeated, not even a refused one.
                let secret = text
                    .split_once('=')
                    .filter(|(_, value)| is_password_key(&self.key) || has_password(value));
                ProblemLocation::Override(
                    secret.map_or(text.to_owned(), |(key, _)| format!("{key}=…")),
                )
            }
        };
        ProfileProblem {
            location,
            key: self.key,
            message: self.problem.message,
            allowed: self.allowed,
            nearest: self.problem.nearest,
        }
    }
}

/// Parser of a profile's tree that collects the problems; its functions return `None` after
/// reporting one.
pub(super) struct ProfileReader<'a> {
    pub root: &'a Node,
    pub catalogue: &'a Catalogue,
    pub problems: Vec<KeyProblem>,
}

impl<'a> ProfileReader<'a> {
    pub(super) fn node(&self, key: &ProfileKey) -> Option<&'a Node> {
        self.root.at(key.path).map(|(_, node)| node)
    }

    /// Origin of a key's value, or the start of the text if the key is missing.
    pub(super) fn origin_of(&self, key: &ProfileKey) -> ValueOrigin {
        self.node(key).map_or(ValueOrigin::START, |node| node.origin)
    }

    /// Parses the value of `key`; returns `default` if the key is missing.
    pub(super) fn read_or<T>(
        &mut self,
        key: &ProfileKey,
        default: T,
        parse: impl FnOnce(&'a Node) -> ParseResult<T>,
    ) -> Option<T> {
        match self.node(key) {
            Some(node) => self.value_or_report(key, parse(node)),
            None => Some(default),
        }
    }

    pub(super) fn read_required<T>(
        &mut self,
        key: &ProfileKey,
        parse: impl FnOnce(&'a Node) -> ParseResult<T>,
    ) -> Option<T> {
        if let Some(node) = self.node(key) {
            return self.value_or_report(key, parse(node));
        }
        self.report(key, ValueProblem::new(ValueOrigin::START, "this key is missing"));
        None
    }

    /// Value of `key` as parsed; `None` after reporting the problems.
    pub(super) fn value_or_report<T>(
        &mut self,
        key: &ProfileKey,
        read: ParseResult<T>,
    ) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(problems) => {
                for problem in problems {
                    self.report(key, problem);
                }
                None
            }
        }
    }

    pub(super) fn report(&mut self, key: &ProfileKey, problem: ValueProblem) {
        self.push_problem(key.path, Some(key.allowed.to_string()), problem);
    }

    pub(super) fn push_problem(
        &mut self,
        key: &str,
        allowed: Option<String>,
        problem: ValueProblem,
    ) {
        self.problems.push(KeyProblem { key: key.to_owned(), allowed, problem });
    }

    /// Parses a duration that a run can reach; `default` is in seconds.
    pub(super) fn read_duration(&mut self, key: &ProfileKey, default: u64) -> Option<Duration> {
        self.read_or(key, Duration::from_secs(default), values::parse_run_duration)
    }

    /// Reports a problem of a key's value that depends on other keys.
    pub(super) fn report_conflict(&mut self, key: &ProfileKey, message: impl Into<String>) {
        self.report(key, ValueProblem::new(self.origin_of(key), message));
    }
}
