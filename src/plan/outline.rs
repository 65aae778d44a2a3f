//! A plan in words, for a terminal: what will happen, before anything starts.

use std::fmt;

use super::{
    Arrival, Durability, LatencyWorkload, Order, PayloadSource, Plan, Point, Scenario,
    ThroughputWorkload, Workload, external,
};
use crate::{
    server::HubKind,
    units::{grouped, human_duration},
};

impl Plan {
    /// How warm the servers are when they are measured: `cold server, as the study` or
    /// `server warm-up 30 s`.
    pub fn warmth(&self) -> String {
        if self.server_warmup.is_zero() {
            "cold server, as the study".into()
        } else {
            format!("server warm-up {}", human_duration(self.server_warmup))
        }
    }

    /// The size of the run in one line: points, repetitions, messages, bytes, duration.
    pub fn size(&self) -> String {
        if self.capacity.is_some() {
            return format!(
                "{} · about {} · about {}",
                counted(self.searches().len() as u64, "search for a capacity"),
                counted(self.expected_repetitions() as u64, "repetition"),
                human_duration(self.estimate()),
            );
        }
        format!(
            "{} × {} = {} · {} messages · {} of payload · about {}",
            counted(self.points.len() as u64, "point"),
            self.repetitions,
            counted(self.schedule.len() as u64, "repetition"),
            grouped(self.messages()),
            self.payload_bytes(),
            human_duration(self.estimate()),
        )
    }

    /// What the servers promise and how they are treated, in one line.
    pub fn conditions(&self) -> String {
        let order = match self.order {
            Order::Interleaved => format!("interleaved by seed {}", self.seed),
            Order::Blocked => format!("blocked, seed {}", self.seed),
        };
        let cooldown = self.cooldown.map_or_else(String::new, |asked| {
            let limit = human_duration(asked.limit);
            format!(" · cooled below {} within {limit}", asked.below)
        });
        format!(
            "durability {} · {} · idle baseline {} · {order}{cooldown}",
            self.durabilities().join(" and "),
            self.warmth(),
            human_duration(self.baseline),
        )
    }

    /// Where the servers run and what they may use, in one line.
    pub fn place(&self) -> String {
        let mut parts = vec![match (self.hub.kind, &self.hub.engine) {
            (HubKind::Docker, Some(engine)) => format!("docker at {engine}"),
            (HubKind::Docker, None) => "docker".into(),
            (HubKind::Local, _) => "local: child processes on this machine".into(),
            (HubKind::External, _) => format!("external: {}", self.external_servers()),
        }];
        parts.extend(self.hub.like.as_ref().map(|like| format!("roughly like {like}")));
        let limits = &self.hub.limits;
        parts.extend(limits.cpus.map(|cpus| format!("at most {cpus}")));
        parts.extend(limits.memory.map(|memory| format!("{} of memory", memory.exact())));
        parts.extend(limits.disk_write.map(|rate| format!("{rate} of disk writes")));
        parts.extend(limits.link.map(|rate| format!("link {rate} each way")));
        parts.extend(limits.delay.map(|time| format!("{} longer each way", human_duration(time))));
        parts.join(" · ")
    }

    /// Servers that run already, by their backends and addresses.
    fn external_servers(&self) -> String {
        let named = self.settings.iter().map(|(backend, table)| {
            let address = table.get(external::ADDRESS).and_then(|address| address.as_str());
            format!("{backend} at {}, running already", address.unwrap_or("no address"))
        });
        named.collect::<Vec<_>>().join("; ")
    }

    /// The plan in lines, the most important first, then one for each point.
    pub fn outline(&self) -> Vec<String> {
        let mut lines = vec![
            format!("profile     {}", self.profile),
            format!("hub         {}", self.place()),
            format!("run         {}", self.size()),
            format!("conditions  {}", self.conditions()),
        ];
        lines.extend(self.thresholds.iter().map(|threshold| format!("threshold   {threshold}")));
        lines.extend(self.faults.iter().map(|fault| format!("fault       {fault}")));
        let several = self.durabilities().len() > 1;
        if self.capacity.is_some() {
            lines.extend(self.search_lines(several));
            return lines;
        }
        lines.extend(self.points.iter().map(|point| {
            let durability = if several { point.durability.word() } else { "" };
            format!(
                "point       {point}{}{durability}",
                if several { " · durability " } else { "" }
            )
        }));
        lines
    }

    /// What is searched for, and among which numbers of users.
    fn search_lines(&self, several: bool) -> Vec<String> {
        let objectives = self.capacity.iter().flat_map(|asked| &asked.objectives);
        let mut lines: Vec<String> =
            objectives.map(|objective| format!("objective   {objective}")).collect();
        for search in self.searches() {
            let point = &self.points[search[0]];
            let users = |at: Option<&usize>| {
                grouped(at.map_or(0, |&at| self.points[at].workload.users().into()))
            };
            let durability = if several { point.durability.word() } else { "" };
            let line = format!(
                "search      {} · {} to {} users, {} candidates · {}{}{durability}",
                point.backend,
                users(search.first()),
                users(search.last()),
                grouped(search.len() as u64),
                point.workload.payload(),
                if several { " · durability " } else { "" },
            );
            lines.push(line);
        }
        let load = self.points.iter().find_map(|point| match &point.workload {
            Workload::Latency(workload) => Some(workload),
            Workload::Throughput(_) => None,
        });
        lines.extend(load.map(|load| {
            let each = counted(load.messages.into(), "message");
            format!("load        {each} each, {}", load.arrival)
        }));
        lines
    }

    fn durabilities(&self) -> Vec<&'static str> {
        let mut words = Vec::new();
        for word in self.points.iter().map(|point| point.durability.word()) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.outline().join("\n"))
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} · {}", self.backend, self.workload)
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency(workload) => workload.fmt(f),
            Self::Throughput(workload) => workload.fmt(f),
        }
    }
}

impl fmt::Display for LatencyWorkload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "latency · {} · {}{} · {} each, {}",
            counted(self.users.into(), "user"),
            self.payload,
            of_urandom(self.payload_source),
            counted(self.messages.into(), "message"),
            self.arrival,
        )?;
        if !self.warmup.is_zero() {
            write!(f, " · first {} not measured", human_duration(self.warmup))?;
        }
        Ok(())
    }
}

impl fmt::Display for ThroughputWorkload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "throughput, {} · {} in messages of {}{} · {}",
            self.scenario.word(),
            self.volume,
            self.payload,
            of_urandom(self.payload_source),
            counted(self.users.into(), "user"),
        )
    }
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mean = human_duration(self.mean());
        match self {
            Self::Normal { deviation, .. } => {
                write!(f, "normal {mean} ± {}", human_duration(*deviation))
            }
            Self::Constant { .. } => write!(f, "constant {mean}"),
            Self::Poisson { .. } => write!(f, "poisson {mean}"),
        }
    }
}

impl Durability {
    /// Its word in profiles.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Memory => "memory",
            Self::Disk => "disk",
        }
    }
}

impl Scenario {
    /// Its word in profiles.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
            Self::Both => "both",
        }
    }
}

fn of_urandom(source: PayloadSource) -> &'static str {
    match source {
        PayloadSource::Seeded => "",
        PayloadSource::Urandom => " of urandom",
    }
}

fn counted(count: u64, noun: &str) -> String {
    let (first, rest) = noun
        .split_once(' ')
        .map_or((noun, String::new()), |(first, rest)| (first, format!(" {rest}")));
    let plural = match (count, first.ends_with("ch")) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{} {first}{plural}{rest}", grouped(count))
}
