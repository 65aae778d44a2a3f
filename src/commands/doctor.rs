//! `hubmark doctor`: what is ready, what is missing, what to do about it.

use std::fmt::Write as _;

use color_eyre::eyre::Result;

use super::{Exit, complain, print, run::parse};
use crate::{
    cli::{Doctor, DoctorFormat, hub_changes, is_hub_kind},
    engine::doctor::{self, Check, Finding, Question},
    paths,
    plan::HubRequest,
    profile,
};

/// Executes `hubmark doctor`. The exit status is 1 when something would make a run fail.
pub async fn execute(args: Doctor) -> Result<Exit> {
    let mut plan = None;
    let kind = args.hub.as_deref().filter(|hub| is_hub_kind(hub));
    if kind.is_some() && args.profile.is_none() {
        complain("--hub with a kind of hub needs a profile that says where its servers are");
        return Ok(Exit::Usage);
    }
    if let Some(name) = &args.profile {
        let source = match profile::find(name) {
            Ok(source) => source,
            Err(error) => {
                complain(error);
                return Ok(Exit::Usage);
            }
        };
        let changes = kind.into_iter().flat_map(hub_changes).chain(args.set).collect::<Vec<_>>();
        match parse(&source, &changes) {
            Ok(profile) => plan = Some(profile.plan()),
            Err(problems) => {
                complain(problems);
                return Ok(Exit::Usage);
            }
        }
    }
    let mut hub: HubRequest =
        plan.as_ref().map_or_else(|| HubRequest::docker(None), |plan| plan.hub.clone());
    if kind.is_none() && args.hub.is_some() {
        hub.engine = args.hub;
    }
    let folders = vec![
        ("records".to_owned(), paths::records()?),
        ("profiles".to_owned(), profile::Library::open()?.folder().to_owned()),
    ];
    let checks = doctor::examine(&Question { hub, plan, folders }).await;
    match args.format {
        DoctorFormat::Text => print(&text(&checks))?,
        DoctorFormat::Json => print(&format!("{}\n", serde_json::to_string_pretty(&checks)?))?,
    }
    Ok(if doctor::worst(&checks) == Finding::Fail { Exit::Failed } else { Exit::Well })
}

/// One line for each check, and below it what to do.
fn text(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.subject.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for Check { subject, finding, seen, advice } in checks {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<4}  {subject:<width$}  {seen}", finding.word());
        if let Some(advice) = advice {
            let _ = writeln!(text, "      {:<width$}  → {advice}", "");
        }
    }
    text
}
