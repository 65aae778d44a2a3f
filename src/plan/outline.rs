//! Description of a plan as text, shown before anything starts.

use std::fmt;

use super::{
    ArrivalDistribution, Durability, LatencyWorkload, PayloadSource, Plan, Point, RepetitionOrder,
    Scenario, ThroughputWorkload, Workload, external,
};
use crate::{
    format::count_noun,
    server::HubKind,
    units::{group_thousands, human_duration},
};

impl Plan {
    /// Warm-up of the servers: `cold server, as the study` or `server warm-up 30 s`.
    pub fn warmup_summary(&self) -> String {
        if self.server_warmup.is_zero() {
            "cold server, as the study".into()
        } else {
            format!("server warm-up {}", human_duration(self.server_warmup))
        }
    }

    /// Size of the run in one line: points, repetitions, messages, bytes, duration.
    pub fn size_summary(&self) -> String {
        if self.capacity.is_some() {
            return format!(
                "{} · about {} · about {}",
                count_noun(self.searches().len() as u64, "search for a capacity"),
                count_noun(self.expected_repetitions() as u64, "repetition"),
                human_duration(self.estimated_duration()),
            );
        }
        format!(
            "{} × {} = {} · {} · {} of payload · about {}",
            count_noun(self.points.len() as u64, "point"),
            self.repetitions,
            count_noun(self.schedule.len() as u64, "repetition"),
            count_noun(self.messages(), "message"),
            self.payload_bytes(),
            human_duration(self.estimated_duration()),
        )
    }

    /// Conditions of the run in one line: durability, warm-up, baseline, order, cool-down.
    pub fn conditions_summary(&self) -> String {
        let order = match self.order {
            RepetitionOrder::Interleaved => format!("interleaved by seed {}", self.seed),
            RepetitionOrder::Blocked => format!("blocked, seed {}", self.seed),
        };
        let cooldown = self.cooldown.map_or_else(String::new, |cooldown| {
            let limit = human_duration(cooldown.limit);
            format!(" · cooled below {} within {limit}", cooldown.below)
        });
        let steering = if self.steering { " · can be steered" } else { "" };
        format!(
            "durability {} · {} · idle baseline {} · {order}{cooldown}{steering}",
            self.durabilities().join(" and "),
            self.warmup_summary(),
            human_duration(self.baseline),
        )
    }

    /// Hub and limits in one line.
    pub fn hub_summary(&self) -> String {
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

    /// External servers by backend and address.
    fn external_servers(&self) -> String {
        let named = self.settings.iter().map(|(backend, table)| {
            let address = table.get(external::ADDRESS).and_then(|address| address.as_str());
            format!("{backend} at {}, running already", address.unwrap_or("no address"))
        });
        named.collect::<Vec<_>>().join("; ")
    }

    /// The plan as lines: the most important first, then one for each point.
    pub fn outline(&self) -> Vec<String> {
        let mut lines = vec![
            format!("profile     {}", self.profile),
            format!("hub         {}", self.hub_summary()),
            format!("run         {}", self.size_summary()),
            format!("conditions  {}", self.conditions_summary()),
        ];
        lines.extend(self.thresholds.iter().map(|threshold| format!("threshold   {threshold}")));
        lines.extend(self.faults.iter().map(|fault| format!("fault       {fault}")));
        let several = self.durabilities().len() > 1;
        if self.capacity.is_some() {
            lines.extend(self.search_lines(several));
            return lines;
        }
        lines.extend(self.points.iter().map(|point| {
            let durability = if several { point.durability.name() } else { "" };
            format!(
                "point       {point}{}{durability}",
                if several { " · durability " } else { "" }
            )
        }));
        lines
    }

    /// Lines of the capacity searches: objectives, candidates, load.
    fn search_lines(&self, several: bool) -> Vec<String> {
        let objectives = self.capacity.iter().flat_map(|goal| &goal.objectives);
        let mut lines: Vec<String> =
            objectives.map(|objective| format!("objective   {objective}")).collect();
        for search in self.searches() {
            let point = &self.points[search[0]];
            let users = |at: Option<&usize>| {
                at.map_or(0, |&at| u64::from(self.points[at].workload.users()))
            };
            let durability = if several { point.durability.name() } else { "" };
            let line = format!(
                "search      {} · {} to {}, {} · {}{}{durability}",
                point.backend,
                group_thousands(users(search.first())),
                count_noun(users(search.last()), "user"),
                count_noun(search.len() as u64, "candidate"),
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
            let each = count_noun(load.messages.into(), "message");
            format!("load        {each} each, {}", load.arrival)
        }));
        lines
    }

    fn durabilities(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for name in self.points.iter().map(|point| point.durability.name()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
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
            count_noun(self.users.into(), "user"),
            self.payload,
            urandom_suffix(self.payload_source),
            count_noun(self.messages.into(), "message"),
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
            self.scenario.name(),
            self.volume,
            self.payload,
            urandom_suffix(self.payload_source),
            count_noun(self.users.into(), "user"),
        )
    }
}

impl fmt::Display for ArrivalDistribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mean = human_duration(self.mean());
        match self {
            Self::Normal { deviation, .. } => {
                write!(f, "{} {mean} ± {}", self.name(), human_duration(*deviation))
            }
            Self::Constant { .. } | Self::Poisson { .. } => write!(f, "{} {mean}", self.name()),
        }
    }
}

impl ArrivalDistribution {
    /// Name in profiles.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Normal { .. } => "normal",
            Self::Constant { .. } => "constant",
            Self::Poisson { .. } => "poisson",
        }
    }
}

impl PayloadSource {
    /// Name in profiles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seeded => "seeded",
            Self::Urandom => "urandom",
        }
    }
}

impl RepetitionOrder {
    /// Name in profiles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interleaved => "interleaved",
            Self::Blocked => "blocked",
        }
    }
}

impl Durability {
    /// Name in profiles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Memory => "memory",
            Self::Disk => "disk",
        }
    }
}

impl Scenario {
    /// Name in profiles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Consumer => "consumer",
            Self::Both => "both",
        }
    }
}

fn urandom_suffix(source: PayloadSource) -> &'static str {
    match source {
        PayloadSource::Seeded => "",
        PayloadSource::Urandom => " of urandom",
    }
}
