//! Checks of a plan's settings without a server: by the backends, and by their client libraries.

use super::check::Check;
use crate::{
    engine::{
        RunError,
        run::settings::{cautions, check},
    },
    plan::Plan,
};

const SUBJECT: &str = "settings";
const ADVICE: &str = "change the profile";

/// Checks the settings of `plan`, and warns of what they add to its loads.
pub(super) fn checks(plan: &Plan) -> Vec<Check> {
    let mut checks = match check(plan) {
        Ok(()) => vec![Check::ok(SUBJECT, "accepted by the backends and their client libraries")],
        Err(RunError::Settings(problems)) => {
            let fail = |problem| Check::fail(SUBJECT, format!("{problem}"), ADVICE);
            return problems.into_iter().map(fail).collect();
        }
        Err(error) => return vec![Check::error(SUBJECT, &error)],
    };
    for (backend, caution) in cautions(plan).unwrap_or_default() {
        checks.push(Check::warn(SUBJECT, format!("{backend}: {caution}"), ADVICE));
    }
    checks
}
