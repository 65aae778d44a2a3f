//! Preflight: can this machine carry the plan? Asked before anything is started.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::{backend::ClientNeeds, plan::Plan};

/// Descriptors for everything but the users: files, engine connections, samplers, terminal.
pub(super) const OWN_DESCRIPTORS: u64 = 64;
/// Threads for everything but the users.
pub(super) const OWN_THREADS: u64 = 32;

/// Why this machine cannot carry a plan.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PreflightError {
    /// Too few file descriptors, and the limit cannot be raised by this process.
    #[error(
        "{users} users of {backend} need {needed} file descriptors, and this process may open {available}\n  raise the limit (ulimit -n {needed}, or LimitNOFILE= of a service) or ask for at most {possible} users"
    )]
    Descriptors {
        /// The backend.
        backend: String,
        /// Users asked for.
        users: u32,
        /// Descriptors that they need.
        needed: u64,
        /// Descriptors that there are.
        available: u64,
        /// Users that there are descriptors for.
        possible: u32,
    },
    /// Too few threads.
    #[error(
        "{users} users of {backend} need {needed} threads, and this machine allows {available}\n  raise the limit (ulimit -u, or sysctl kernel.threads-max) or ask for at most {possible} users"
    )]
    Threads {
        /// The backend.
        backend: String,
        /// Users asked for.
        users: u32,
        /// Threads that they need.
        needed: u64,
        /// Threads that there are.
        available: u64,
        /// Users that there are threads for.
        possible: u32,
    },
}

/// Raises the limit of file descriptors as far as allowed, then checks every point of `plan`
/// against what its backend `needs` for so many users.
///
/// # Errors
/// The first point that does not fit, with the number needed and the number there is.
pub fn check(
    plan: &Plan,
    needs: impl Fn(&str, u32) -> Option<ClientNeeds>,
) -> Result<(), PreflightError> {
    let descriptors = raise_descriptors();
    let threads = thread_limit();
    for point in &plan.points {
        let users = point.workload.users();
        let ask = |users| needs(&point.backend.name, users);
        let Some(need) = ask(users) else { continue };
        let backend = point.backend.to_string();
        let needed = need.descriptors + OWN_DESCRIPTORS;
        if needed > descriptors {
            let fits = |need: ClientNeeds| need.descriptors + OWN_DESCRIPTORS <= descriptors;
            let possible = most(users, |users| ask(users).is_some_and(fits));
            return Err(PreflightError::Descriptors {
                backend,
                users,
                needed,
                available: descriptors,
                possible,
            });
        }
        let needed = need.threads + OWN_THREADS;
        if needed > threads {
            let fits = |need: ClientNeeds| need.threads + OWN_THREADS <= threads;
            let possible = most(users, |users| ask(users).is_some_and(fits));
            return Err(PreflightError::Threads {
                backend,
                users,
                needed,
                available: threads,
                possible,
            });
        }
    }
    Ok(())
}

/// The largest number of users that fits, when `too_many` does not and fewer need less.
fn most(too_many: u32, fits: impl Fn(u32) -> bool) -> u32 {
    let (mut most, mut too_many) = (0, too_many);
    while too_many - most > 1 {
        let middle = u32::midpoint(most, too_many);
        if fits(middle) { most = middle } else { too_many = middle }
    }
    most
}

/// Raises the soft limit of open files to the hard one; returns what is in force.
pub fn raise_descriptors() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        return hard;
    }
    soft
}

/// Threads that this machine and this user's limit allow.
pub(super) fn thread_limit() -> u64 {
    let user = getrlimit(Resource::RLIMIT_NPROC).map_or(u64::MAX, |(soft, _)| soft);
    let machine = std::fs::read_to_string("/proc/sys/kernel/threads-max")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(u64::MAX);
    user.min(machine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{backend::ClientNeeds, units::Bytes};

    fn plan(users: u32) -> Plan {
        let point = serde_json::json!({
            "backend": {"name": "x", "version": null}, "durability": "default",
            "workload": {"kind": "latency", "users": users, "payload": 1, "payload_source": "seeded",
                "messages": 1, "arrival": {"distribution": "constant", "mean": 1.0}, "warmup": 0.0, "drain": 0.0},
        });
        serde_json::from_value(serde_json::json!({
            "profile": "t", "seed": 1, "order": "blocked", "repetitions": 1, "baseline": 0.0, "server_warmup": 0.0,
            "hub": {"kind": "local", "engine": null, "limits": {"cpus": null, "memory": null, "disk_write": null}},
            "points": [point], "schedule": [{"point": 0, "repetition": 0}], "settings": {}, "thresholds": [],
        }))
        .unwrap()
    }

    #[test]
    fn a_plan_that_does_not_fit_is_refused_with_both_numbers() {
        let needs = |_: &str, users: u32| {
            let descriptors = u64::from(users) * 5 + 64;
            Some(ClientNeeds { descriptors, threads: u64::from(users), memory: Bytes(0) })
        };
        assert_eq!(check(&plan(10), needs), Ok(()));
        let error = check(&plan(100_000_000), needs).unwrap_err();
        let PreflightError::Descriptors { needed, available, possible, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(*needed, 500_000_064 + OWN_DESCRIPTORS);
        assert!(error.to_string().contains(&available.to_string()));
        assert_eq!(check(&plan(*possible), needs), Ok(()), "the number given is true");
        assert!(check(&plan(*possible + 1), needs).is_err(), "and the largest");
    }
}
