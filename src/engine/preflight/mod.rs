//! Checks before a run whether this machine can carry the plan.

mod limits;

use crate::{backend::ClientNeeds, format::count_noun, plan::Plan, server::HubKind};

pub use limits::{ThreadLimit, local_ports, raise_descriptor_limit, thread_limit};

/// Descriptors reserved for everything but the users: files, engine connections, samplers, terminal.
pub(super) const RESERVED_DESCRIPTORS: u64 = 64;
/// Threads reserved for everything but the users.
pub(super) const RESERVED_THREADS: u64 = 32;

/// Why this machine cannot carry a plan.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PreflightError {
    /// Too few file descriptors, and the limit cannot be raised by this process.
    #[error(
        "{} of {backend} need {needed} file descriptors, and this process may open {available}\n  raise the limit (ulimit -n {needed}, or LimitNOFILE= of a service) or ask for at most {}",
        count_noun((*users).into(), "user"), count_noun((*possible).into(), "user")
    )]
    Descriptors {
        /// The backend.
        backend: String,
        /// Users asked for.
        users: u32,
        /// Descriptors needed.
        needed: u64,
        /// Descriptors available.
        available: u64,
        /// Most users for the available descriptors.
        possible: u32,
    },
    /// Too few threads.
    #[error(
        "{} of {backend} need {needed} threads, and this machine allows {available}\n  raise the limit ({set_by}) or ask for at most {}",
        count_noun((*users).into(), "user"), count_noun((*possible).into(), "user")
    )]
    Threads {
        /// The backend.
        backend: String,
        /// Users asked for.
        users: u32,
        /// Threads needed.
        needed: u64,
        /// Threads available.
        available: u64,
        /// What sets the limit.
        set_by: &'static str,
        /// Most users for the available threads.
        possible: u32,
    },
    /// Too few local ports for connections to one address.
    #[error(
        "{} of {backend} need as many local ports to one address, and this machine has {available}\n  widen the range (sysctl net.ipv4.ip_local_port_range) or ask for at most {}",
        count_noun((*users).into(), "user"), count_noun(*available, "user")
    )]
    LocalPorts {
        /// The backend.
        backend: String,
        /// Users asked for.
        users: u32,
        /// Local ports available.
        available: u64,
    },
}

/// Raises the limit of file descriptors as far as allowed, then checks every point of `plan`
/// against what its backend `needs` for so many users.
///
/// # Errors
/// The first point that does not fit, with the number needed and the number available.
pub fn check(
    plan: &Plan,
    needs: impl Fn(&str, u32) -> Option<ClientNeeds>,
) -> Result<(), PreflightError> {
    let descriptors = raise_descriptor_limit();
    let threads = thread_limit();
    for point in &plan.points {
        let users = point.workload.users();
        let ask = |users| needs(&point.backend.name, users);
        let Some(need) = ask(users) else { continue };
        let backend = point.backend.to_string();
        let needed = need.descriptors + RESERVED_DESCRIPTORS;
        if needed > descriptors {
            let fits = |need: ClientNeeds| need.descriptors + RESERVED_DESCRIPTORS <= descriptors;
            let possible = max_users(users, |users| ask(users).is_some_and(fits));
            return Err(PreflightError::Descriptors {
                backend,
                users,
                needed,
                available: descriptors,
                possible,
            });
        }
        let needed = need.threads + RESERVED_THREADS;
        let ThreadLimit { threads, set_by } = threads;
        if needed > threads {
            let fits = |need: ClientNeeds| need.threads + RESERVED_THREADS <= threads;
            let possible = max_users(users, |users| ask(users).is_some_and(fits));
            return Err(PreflightError::Threads {
                backend,
                users,
                needed,
                available: threads,
                set_by,
                possible,
            });
        }
        // On the loopback connections come from several addresses.
        let ports = local_ports().filter(|_| plan.hub.kind != HubKind::Local);
        if let Some(available) = ports.filter(|ports| u64::from(users) > *ports) {
            return Err(PreflightError::LocalPorts { backend, users, available });
        }
    }
    Ok(())
}

/// Searches the largest number of users that fits, when `too_many` does not and fewer need less.
fn max_users(too_many: u32, fits: impl Fn(u32) -> bool) -> u32 {
    let (mut most, mut too_many) = (0, too_many);
    while too_many - most > 1 {
        let middle = u32::midpoint(most, too_many);
        if fits(middle) { most = middle } else { too_many = middle }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{backend::ClientNeeds, units::Bytes};

    #[test]
    fn more_users_than_local_ports_are_refused_but_on_this_machines_own_hub() {
        let needs = |_: &str, _: u32| Some(ClientNeeds::default());
        let available = local_ports().unwrap();
        let many = u32::try_from(available).unwrap() + 1;
        let mut plan = plan(many);
        assert_eq!(check(&plan, needs), Ok(()));
        plan.hub.kind = HubKind::External;
        let error = check(&plan, needs).unwrap_err();
        assert_eq!(
            error,
            PreflightError::LocalPorts { backend: "x".into(), users: many, available }
        );
        assert!(error.to_string().contains(&available.to_string()), "{error}");
    }

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
        assert_eq!(*needed, 500_000_064 + RESERVED_DESCRIPTORS);
        assert!(error.to_string().contains(&available.to_string()));
        assert_eq!(check(&plan(*possible), needs), Ok(()), "the number given is true");
        assert!(check(&plan(*possible + 1), needs).is_err(), "and the largest");
    }
}
