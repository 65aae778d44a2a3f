//! `hubmark doctor`: checks of a run's requirements.

use std::fmt::Write as _;

use color_eyre::eyre::Result;
use tokio_util::sync::CancellationToken;

use super::{
    hub_choice,
    output::{Exit, print, print_error},
    profile_choice,
    profiles::parse_with_changes,
    signals::Signals,
};
use crate::{
    cli::{DoctorArgs, DoctorFormat, is_hub_kind},
    engine::doctor::{self, Check, CheckStatus, DoctorRequest},
    paths,
    plan::{HubRequest, quote_argument},
    profile,
};

/// Executes `hubmark doctor`. The exit status is 1 when something would make a run fail.
pub async fn execute(args: DoctorArgs) -> Result<Exit> {
    let mut plan = None;
    let kind = args.hub.as_deref().filter(|hub| is_hub_kind(hub));
    if kind.is_some() && args.profile.is_none() {
        print_error("--hub with a kind of hub needs a profile that says where its servers are");
        return Ok(Exit::Usage);
    }
    if let Some(name) = &args.profile {
        let source = match profile_choice::find(name) {
            Ok(source) => source,
            Err(error) => {
                print_error(error);
                return Ok(Exit::Usage);
            }
        };
        let choice = match hub_choice::resolve(args.hub.as_deref(), &args.set, &source) {
            Ok(choice) => choice,
            Err(problem) => {
                print_error(problem);
                return Ok(Exit::Usage);
            }
        };
        if let Some(note) = choice.note {
            print_error(note);
        }
        // An engine's address is examined beside the plan, which keeps its kind of hub.
        let changes = if kind.is_some() { choice.changes } else { args.set.clone() };
        match parse_with_changes(&source, &changes) {
            Ok(profile) => plan = Some(profile.plan()),
            Err(problems) => {
                print_error(problems);
                return Ok(Exit::Usage);
            }
        }
    }
    let mut hub: HubRequest =
        plan.as_ref().map_or_else(|| HubRequest::docker(None), |plan| plan.hub.clone());
    if kind.is_none() && args.hub.is_some() && args.hub != hub.engine {
        hub.engine = args.hub;
        // It is where the other engine publishes its ports.
        hub.address = None;
    }
    if let Some(timeout) = args.hub_timeout {
        hub.timeout = timeout;
    }
    hub.certificates = args.hub_certificates.or(hub.certificates);
    let folders = vec![
        ("records".to_owned(), paths::records_dir()?),
        ("profiles".to_owned(), profile::Library::open()?.folder().to_owned()),
    ];
    let images_build = images_build(args.profile.as_deref(), &args.set, &hub);
    let request = DoctorRequest { hub, plan, images_build, folders };
    let Some(checks) = examine(&request, args.format).await? else {
        print_error("stopped; what was started on the hub is removed");
        return Ok(Exit::Interrupted);
    };
    if args.format == DoctorFormat::Json {
        print(&format!("{}\n", serde_json::to_string_pretty(&checks)?))?;
    }
    Ok(if doctor::worst_status(&checks) == CheckStatus::Fail {
        Exit::Failed
    } else {
        Exit::Success
    })
}

/// The command that builds the images of the same plan on the same hub. The profile is named as the operator named it:
/// the name in a file is not that of the file, and a backend has no profile of its own.
fn images_build(profile: Option<&str>, set: &[String], hub: &HubRequest) -> String {
    let set = set.iter().map(|change| format!(" --set {}", quote_argument(change)));
    let profile = profile.map_or_else(|| "PROFILE".to_owned(), quote_argument);
    format!("hubmark images build {profile}{}{}", set.collect::<String>(), hub.command_options())
}

/// Makes the checks, and prints each as text as soon as it is known; `None` if a signal stopped them.
async fn examine(request: &DoctorRequest, format: DoctorFormat) -> Result<Option<Vec<Check>>> {
    let cancel = CancellationToken::new();
    let (mut checks, mut printed) = (Vec::new(), Ok(()));
    let mut report = |check: Check| {
        if format == DoctorFormat::Text && printed.is_ok() {
            printed = print(&text(&check));
        }
        checks.push(check);
    };
    let mut signals = Signals::install();
    let stop = async {
        signals.next().await;
        cancel.cancel();
        // The second signal ends the command without waiting for an engine that hangs.
        signals.next().await;
    };
    tokio::select! {
        () = doctor::examine(request, &cancel, &mut report) => {}
        () = stop => {}
    }
    printed?;
    Ok((!cancel.is_cancelled()).then_some(checks))
}

/// Width of the subjects; a longer one shifts its line.
const SUBJECT_WIDTH: usize = 22;

/// Formats a check as one line, with its advice below.
fn text(check: &Check) -> String {
    let Check { subject, finding, seen, advice } = check;
    let mut text = format!("{:<4}  {subject:<SUBJECT_WIDTH$}  {seen}\n", finding.name());
    if let Some(advice) = advice {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "      {:<SUBJECT_WIDTH$}  → {advice}", "");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_builds_the_images_of_the_same_plan_on_the_same_hub() {
        let hub = HubRequest::docker(Some("ssh://pi".into()));
        let build = |profile, set: &[&str]| {
            let set: Vec<String> = set.iter().map(|&change| change.to_owned()).collect();
            images_build(Some(profile), &set, &hub)
        };
        assert_eq!(build("mariadb", &[]), "hubmark images build mariadb --hub ssh://pi");
        assert_eq!(
            build("my profiles/a.toml", &["backend=kafka:4.4.0,mariadb", "run.note=two words"]),
            "hubmark images build 'my profiles/a.toml' --set backend=kafka:4.4.0,mariadb \
             --set 'run.note=two words' --hub ssh://pi"
        );
    }
}
