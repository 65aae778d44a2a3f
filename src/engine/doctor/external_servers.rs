//! Checks of external servers: whether they answer by protocol, accept the login, and let this program
//! create and remove the objects of a run.

use super::check::Check;
use crate::{
    backend::{Backend, ServerFacts},
    engine::{
        RunError,
        run::{
            external_probe::{cautions, incompatibilities, probe_server},
            resolve::required_backends,
        },
    },
    hub,
    plan::{Plan, external::ExternalServer},
};

/// Contacts and checks every server of `plan`; passes each check to `report` when it is known.
pub(super) async fn check(plan: &Plan, report: &mut dyn FnMut(Check)) {
    let found = async {
        let hub = hub::open(plan, None).await?;
        Ok::<_, RunError>((hub, required_backends(plan)?))
    };
    let (hub, backends) = match found.await {
        Ok(found) => found,
        Err(error) => return report(Check::error("external hub", &error)),
    };
    for backend in backends {
        let name = backend.info().name;
        let server = plan.settings.get(name).map(ExternalServer::from_table);
        let server = server.and_then(Result::ok).unwrap_or_default();
        let subject = format!("server {name}");
        match probe_server(plan, backend.as_ref(), &hub, None).await {
            Ok(facts) => {
                report(reachability(&subject, &server, &facts));
                let found = compatibility(plan, backend.as_ref(), &facts, &subject);
                found.into_iter().for_each(&mut *report);
            }
            Err(error) => report(Check::error(&subject, &error)),
        }
        report(resources(name, &server));
    }
}

fn reachability(subject: &str, server: &ExternalServer, facts: &ServerFacts) -> Check {
    let who = match &server.user {
        Some(user) => format!("{user} may create and remove the objects of a run"),
        None => "without an account hubmark may create and remove the objects of a run".to_owned(),
    };
    Check::ok(subject, format!("answers at {}, version {}; {who}", server.address, facts.version))
}

fn compatibility(
    plan: &Plan,
    backend: &dyn Backend,
    facts: &ServerFacts,
    subject: &str,
) -> Vec<Check> {
    let advice = "change the profile, or the server";
    let problems = incompatibilities(plan, backend, facts);
    let mut checks: Vec<Check> =
        problems.iter().map(|one| Check::fail(subject, one.to_string(), advice)).collect();
    let cautions = cautions(plan, backend, facts);
    checks.extend(cautions.into_iter().map(|text| Check::warn(subject, text, advice)));
    checks
}

fn resources(name: &str, server: &ExternalServer) -> Check {
    let subject = format!("resources of {name}");
    match (&server.container, server.process) {
        (Some(container), _) => Check::ok(&subject, format!("read from the container {container}")),
        (None, Some(pid)) => {
            Check::ok(&subject, format!("read from process {pid}; its network is not counted"))
        }
        (None, None) => Check::warn(
            &subject,
            "not measured: neither its container nor its process is configured",
            format!("set {name}.container on hub.engine, or {name}.process on this machine"),
        ),
    }
}
