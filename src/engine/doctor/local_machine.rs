//! Checks of this machine: its resources for the load, and its folders for the results.

use std::path::Path;

use procfs::Current;

use super::check::Check;
use crate::{
    backend::{self, ClientNeeds},
    engine::preflight::{self, ThreadLimit},
    format::count_noun,
    plan::Plan,
    server::HubKind,
    units::{Bytes, group_thousands},
};

/// Memory of the program without any user, a generous estimate.
const BASE_MEMORY: Bytes = Bytes(60_000_000);

/// Resources of this machine for the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalMachine {
    /// File descriptors that this process may open.
    pub descriptors: u64,
    /// Threads that this process may start.
    pub threads: ThreadLimit,
    /// Connections from one address of this machine to one port of a server.
    pub ports: Option<u64>,
    /// Available memory.
    pub memory: Option<Bytes>,
}

impl LocalMachine {
    /// Reads the resources; raises the limit of file descriptors as far as allowed, as a run does.
    pub fn read() -> Self {
        let memory = procfs::Meminfo::current().ok().and_then(|memory| memory.mem_available);
        Self {
            descriptors: preflight::raise_descriptor_limit(),
            threads: preflight::thread_limit(),
            ports: preflight::local_ports(),
            memory: memory.map(Bytes),
        }
    }
}

/// Largest need of a plan for one resource, with the point that has it.
struct LargestNeed {
    amount: u64,
    needed_by: String,
}

/// Compares the resources of this machine with the needs of the plan.
pub(super) fn checks(machine: &LocalMachine, plan: Option<&Plan>) -> Vec<Check> {
    let most = |part: fn(ClientNeeds) -> u64, own: u64| {
        let needs = plan?.points.iter().filter_map(|point| {
            let users = point.workload.users();
            let settings = plan?.settings.get(&point.backend.name).cloned().unwrap_or_default();
            let need = backend::find(&point.backend.name)?.client_needs(&settings, users);
            let needed_by = format!("{} of {}", count_noun(users.into(), "user"), point.backend);
            Some(LargestNeed { amount: part(need) + own, needed_by })
        });
        needs.max_by_key(|need| need.amount)
    };
    let count = |number: u64| group_thousands(number);
    let size = |number: u64| Bytes(number).to_string();
    vec![
        check_amount(
            "file descriptors here",
            Some(machine.descriptors),
            most(|need| need.descriptors, preflight::RESERVED_DESCRIPTORS),
            count,
            "raise the limit (ulimit -n, or LimitNOFILE= of a service), or ask for fewer users",
        ),
        check_amount(
            "threads here",
            Some(machine.threads.threads),
            most(|need| need.threads, preflight::RESERVED_THREADS),
            count,
            &format!("raise the limit ({}), or ask for fewer users", machine.threads.set_by),
        ),
        check_amount(
            "local ports here",
            machine.ports,
            most_ports(plan),
            count,
            "widen the range (sysctl net.ipv4.ip_local_port_range), or ask for fewer users",
        ),
        check_amount(
            "memory here",
            machine.memory.map(|memory| memory.0),
            most(|need| need.memory.0, BASE_MEMORY.0),
            size,
            "close other programs, or ask for fewer users",
        ),
    ]
}

/// Most connections of a plan to one address; on the loopback they come from several.
fn most_ports(plan: Option<&Plan>) -> Option<LargestNeed> {
    let plan = plan.filter(|plan| plan.hub.kind != HubKind::Local)?;
    let users = plan.points.iter().map(|point| (point.workload.users(), &point.backend));
    users.max_by_key(|(users, _)| *users).map(|(users, backend)| LargestNeed {
        amount: users.into(),
        needed_by: format!("{} of {backend}", count_noun(users.into(), "user")),
    })
}

fn check_amount(
    subject: &str,
    available: Option<u64>,
    need: Option<LargestNeed>,
    shown: fn(u64) -> String,
    advice: &str,
) -> Check {
    let Some(available) = available else {
        return Check::warn(subject, "not known", "this system does not report it");
    };
    let seen = shown(available);
    match need {
        None => Check::ok(subject, seen),
        Some(LargestNeed { amount, needed_by }) if amount > available => {
            Check::fail(subject, format!("{seen}, and {needed_by} need {}", shown(amount)), advice)
        }
        Some(LargestNeed { amount, .. }) => {
            Check::ok(subject, format!("{seen}, {} needed", shown(amount)))
        }
    }
}

/// Checks that files can be created in `folder`, or in its nearest existing parent.
pub(super) fn check_folder(what: &str, folder: &Path) -> Check {
    let subject = format!("{what} folder");
    let shown = folder.display();
    let place = folder.ancestors().find(|place| place.exists());
    let Some(place) = place.filter(|place| place.is_dir()) else {
        return Check::fail(
            &subject,
            format!("{shown} cannot be created: a file with this name exists"),
            "move the file, or choose another folder",
        );
    };
    match tempfile::Builder::new().prefix(".hubmark-").tempfile_in(place) {
        Err(error) => Check::fail(
            &subject,
            format!("{shown} is not writable: {error}"),
            "make it writable for this user, or choose another folder",
        ),
        Ok(_) => Check::ok(&subject, shown.to_string()),
    }
}
