//! The tables `[[fault]]`: each by itself, then what they mean together.

use std::time::Duration;

use super::{
    LONGEST_RUN, Reader,
    tables::{LEAST_CPUS, LEAST_MEMORY, at_least, disk_write},
};
use crate::{
    plan::{Fault, FaultKind},
    profile::{
        WorkloadKind, WorkloadRequest,
        keys::{self, FAULT_KEYS},
        problem::{self, nearest},
        tree::{Node, Place, Table, Value},
        values::{self, Read},
    },
    server::HubKind,
    units::human_duration,
};

/// More than anybody will look at afterwards.
const MOST_FAULTS: usize = 100;

/// The word of a kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Pause,
    Kill,
    Restart,
    Cut,
    SlowDisk,
    Limit,
}

const WORDS: [(&str, Word); 6] = [
    ("pause", Word::Pause),
    ("kill", Word::Kill),
    ("restart", Word::Restart),
    ("cut", Word::Cut),
    ("slow-disk", Word::SlowDisk),
    ("limit", Word::Limit),
];

impl Reader<'_> {
    /// The faults in the order of their time.
    pub(super) fn faults(
        &mut self,
        hub: Option<HubKind>,
        workload: Option<&WorkloadRequest>,
    ) -> Vec<Fault> {
        let Some(node) = self.node(&keys::FAULT) else { return Vec::new() };
        let Value::List(items) = &node.value else {
            let fault = problem::Fault::new(node.place, "tables [[fault]] are wanted here");
            self.report(&keys::FAULT, fault);
            return Vec::new();
        };
        if items.len() > MOST_FAULTS {
            let message = format!("{} faults are too many; at most {MOST_FAULTS}", items.len());
            self.report(&keys::FAULT, problem::Fault::new(node.place, message));
        }
        let mut found: Vec<(Fault, Place)> = Vec::new();
        for item in items {
            let Some(table) = item.table() else {
                let fault =
                    problem::Fault::new(item.place, "a table of at, kind, … is wanted here");
                self.report(&keys::FAULT, fault);
                continue;
            };
            found.extend(self.fault(table, item.place, hub));
        }
        found.sort_by_key(|(fault, _)| fault.at);
        self.check_times(&found, workload);
        found.into_iter().map(|(fault, _)| fault).collect()
    }

    fn fault(
        &mut self,
        table: &Table,
        place: Place,
        hub: Option<HubKind>,
    ) -> Option<(Fault, Place)> {
        self.check_fault_names(table);
        let at = self.of_fault(table, "at", fault_time);
        let word = self.of_fault(table, "kind", |node| values::choice(node, &WORDS));
        for (key, read) in [("at", at.is_some()), ("kind", word.is_some())] {
            if !read && !table.contains_key(key) {
                self.about(key, problem::Fault::new(place, "this key is missing"));
            }
        }
        let lasts = self.of_fault(table, "for", |node| {
            let lasts = fault_time(node)?;
            if lasts.is_zero() {
                return Err(problem::Fault::new(node.place, "it must be longer than 0 s").into());
            }
            Ok(lasts)
        });
        let server = self.of_fault(table, "server", values::line);
        let write = self.of_fault(table, "disk_write", disk_write).flatten();
        let cpus = self.of_fault(table, "cpus", |node| at_least(node, &LEAST_CPUS)).flatten();
        let memory = self.of_fault(table, "memory", |node| at_least(node, &LEAST_MEMORY)).flatten();
        let word = word?;
        self.check_company(table, word, place);
        let kind = match word {
            Word::Pause => FaultKind::Pause,
            Word::Kill => FaultKind::Kill,
            Word::Restart => FaultKind::Restart,
            Word::Cut => FaultKind::Cut,
            Word::SlowDisk => FaultKind::SlowDisk { disk_write: write? },
            Word::Limit => FaultKind::Limit { cpus, memory },
        };
        if hub == Some(HubKind::Local) && kind != FaultKind::Pause {
            let place = table.get("kind").map_or(place, |(_, node)| node.place);
            let message = format!(
                "{} works on the docker hub only, and the hub is local: child processes can be paused",
                kind.word()
            );
            self.about("kind", problem::Fault::new(place, message));
        }
        Some((Fault { at: at?, lasts, server, kind }, place))
    }

    /// The value of one key of a fault's table; `None` when it is not given or wrong.
    fn of_fault<T>(
        &mut self,
        table: &Table,
        key: &str,
        parse: impl FnOnce(&Node) -> Read<T>,
    ) -> Option<T> {
        let (_, node) = table.get(key)?;
        match parse(node) {
            Ok(value) => Some(value),
            Err(faults) => {
                for fault in faults {
                    self.about(key, fault);
                }
                None
            }
        }
    }

    fn about(&mut self, key: &str, fault: problem::Fault) {
        let allowed = FAULT_KEYS.iter().find(|(name, ..)| *name == key);
        let allowed = allowed.map(|(_, allowed, _)| (*allowed).to_owned());
        self.note(&format!("{}.{key}", keys::FAULT.path), allowed, fault);
    }

    fn check_fault_names(&mut self, table: &Table) {
        let known: Vec<&str> = FAULT_KEYS.iter().map(|(name, ..)| *name).collect();
        for (name, (place, _)) in table {
            if !known.contains(&name.as_str()) {
                let mut fault = problem::Fault::new(*place, "this key is not known");
                fault.nearest = nearest(name, known.iter().copied()).map(str::to_owned);
                let allowed = Some(values::one_of(&known));
                self.note(&format!("{}.{name}", keys::FAULT.path), allowed, fault);
            }
        }
    }

    /// Whether the keys that only one kind has stand with that kind.
    fn check_company(&mut self, table: &Table, word: Word, place: Place) {
        for (key, owner) in
            [("disk_write", Word::SlowDisk), ("cpus", Word::Limit), ("memory", Word::Limit)]
        {
            if let Some((at, _)) = table.get(key)
                && owner != word
            {
                let owner = WORDS.iter().find(|(_, of)| *of == owner).map_or("", |(text, _)| text);
                let message = format!("only a fault of kind {owner} has it");
                self.about(key, problem::Fault::new(*at, message));
            }
        }
        if word == Word::SlowDisk && !table.contains_key("disk_write") {
            self.about("disk_write", problem::Fault::new(place, "a slow disk needs its rate"));
        }
        if word == Word::Limit && !table.contains_key("cpus") && !table.contains_key("memory") {
            let fault = problem::Fault::new(place, "a limit needs cpus, memory or both");
            self.about("cpus", fault);
        }
    }

    /// Faults lie within the load, and one server has one at a time.
    fn check_times(&mut self, found: &[(Fault, Place)], workload: Option<&WorkloadRequest>) {
        let end = workload.and_then(length);
        for (number, (fault, place)) in found.iter().enumerate() {
            if let Some(end) = end
                && fault.at >= end
            {
                let message = format!(
                    "it begins at {}, when load and drain are over ({})",
                    human_duration(fault.at),
                    human_duration(end)
                );
                self.about("at", problem::Fault::new(*place, message));
            }
            let before = found[..number].iter().map(|(fault, _)| fault);
            let overlaps = before
                .filter(|other| other.server == fault.server)
                .any(|other| other.end().is_none_or(|end| end > fault.at));
            if overlaps {
                let message = "another fault of the same server is still in force then";
                self.about("at", problem::Fault::new(*place, message));
            }
        }
    }
}

/// How long load and drain can take by plan; a throughput workload takes as long as it takes.
fn length(workload: &WorkloadRequest) -> Option<Duration> {
    let (WorkloadKind::Latency { length, arrival, .. }
    | WorkloadKind::Capacity { length, arrival, .. }) = &workload.kind
    else {
        return None;
    };
    let messages = length.messages(arrival.mean())?;
    Some(arrival.mean().saturating_mul(messages).saturating_add(workload.drain))
}

fn fault_time(node: &Node) -> Read<Duration> {
    let time = values::duration(node)?;
    if time > LONGEST_RUN {
        return Err(problem::Fault::new(node.place, "it is longer than a run can be").into());
    }
    Ok(time)
}
