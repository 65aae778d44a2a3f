//! Checks of this machine: can it play the load, and keep what was measured?

use std::path::Path;

use procfs::Current;

use super::Check;
use crate::{
    backend,
    backend::ClientNeeds,
    engine::preflight,
    plan::Plan,
    units::{Bytes, grouped},
};

/// Memory that the program takes without any user, generously.
const OWN_MEMORY: Bytes = Bytes(60_000_000);

/// What this machine has to offer to the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Here {
    /// File descriptors that this process may open.
    pub descriptors: u64,
    /// Threads that this process may start.
    pub threads: u64,
    /// Memory to be had.
    pub memory: Option<Bytes>,
}

impl Here {
    /// Reads it; raises the limit of file descriptors as far as allowed, as a run does.
    pub fn read() -> Self {
        let memory = procfs::Meminfo::current().ok().and_then(|memory| memory.mem_available);
        Self {
            descriptors: preflight::raise_descriptors(),
            threads: preflight::thread_limit(),
            memory: memory.map(Bytes),
        }
    }
}

/// What a plan needs here, and the point that needs most of it.
struct Need {
    amount: u64,
    of: String,
}

/// Holds what the machine has against what the plan needs.
pub(super) fn checks(here: &Here, plan: Option<&Plan>) -> Vec<Check> {
    let most = |part: fn(ClientNeeds) -> u64, own: u64| {
        let needs = plan?.points.iter().filter_map(|point| {
            let users = point.workload.users();
            let need = backend::find(&point.backend.name)?.needs(users);
            let of = format!("{} users of {}", grouped(users.into()), point.backend);
            Some(Need { amount: part(need) + own, of })
        });
        needs.max_by_key(|need| need.amount)
    };
    let count = |number: u64| grouped(number);
    let size = |number: u64| Bytes(number).to_string();
    vec![
        enough(
            "file descriptors here",
            Some(here.descriptors),
            most(|need| need.descriptors, preflight::OWN_DESCRIPTORS),
            count,
            "raise the limit (ulimit -n, or LimitNOFILE= of a service), or ask for fewer users",
        ),
        enough(
            "threads here",
            Some(here.threads),
            most(|need| need.threads, preflight::OWN_THREADS),
            count,
            "raise the limit (ulimit -u, or sysctl kernel.threads-max), or ask for fewer users",
        ),
        enough(
            "memory here",
            here.memory.map(|memory| memory.0),
            most(|need| need.memory.0, OWN_MEMORY.0),
            size,
            "close other programs, or ask for fewer users",
        ),
    ]
}

fn enough(
    subject: &str,
    there: Option<u64>,
    need: Option<Need>,
    shown: fn(u64) -> String,
    advice: &str,
) -> Check {
    let Some(there) = there else {
        return Check::warn(subject, "not known", "this system does not say");
    };
    let seen = shown(there);
    match need {
        None => Check::ok(subject, seen),
        Some(Need { amount, of }) if amount > there => {
            Check::fail(subject, format!("{seen}, and {of} need {}", shown(amount)), advice)
        }
        Some(Need { amount, .. }) => {
            Check::ok(subject, format!("{seen}, {} needed", shown(amount)))
        }
    }
}

/// Whether files can be made in `folder`, or in the one in which it will be made.
pub(super) fn folder(what: &str, folder: &Path) -> Check {
    let subject = format!("{what} folder");
    let shown = folder.display();
    let place = folder.ancestors().find(|place| place.exists());
    let Some(place) = place.filter(|place| place.is_dir()) else {
        return Check::fail(
            &subject,
            format!("{shown} cannot be made: a file stands in its place"),
            "move the file, or name another folder",
        );
    };
    match tempfile::Builder::new().prefix(".hubmark-").tempfile_in(place) {
        Err(error) => Check::fail(
            &subject,
            format!("{shown} takes no files: {error}"),
            "make it writable for this user, or name another folder",
        ),
        Ok(_) => Check::ok(&subject, shown.to_string()),
    }
}
