//! Checks of servers that run already: whether they answer by protocol, let this program in and let
//! it make and remove what a run makes.

use super::{Check, NO_RUN};
use crate::{
    backend::{Backend, ServerFacts},
    engine::{
        EngineError,
        external::{meet, misfits},
        run::backends,
    },
    hub,
    plan::{Plan, external::ExternalServer},
};

/// Meets every server that `plan` names.
pub(super) async fn checks(plan: &Plan) -> Vec<Check> {
    let found = async {
        let hub = hub::open(plan, NO_RUN).await?;
        Ok::<_, EngineError>((hub, backends(plan)?))
    };
    let (hub, backends) = match found.await {
        Ok(found) => found,
        Err(error) => return vec![Check::error("external hub", &error)],
    };
    let mut checks = Vec::new();
    for backend in backends {
        let name = backend.info().name;
        let server = plan.settings.get(name).map(ExternalServer::of);
        let server = server.and_then(Result::ok).unwrap_or_default();
        let subject = format!("server {name}");
        match meet(plan, backend.as_ref(), &hub, None).await {
            Ok(facts) => {
                checks.push(answers(&subject, &server, &facts));
                checks.extend(fit(plan, backend.as_ref(), &facts, &subject));
            }
            Err(error) => checks.push(Check::error(&subject, &error)),
        }
        checks.push(resources(name, &server));
    }
    checks
}

fn answers(subject: &str, server: &ExternalServer, facts: &ServerFacts) -> Check {
    let who = match &server.user {
        Some(user) => format!("{user} may make and remove what a run makes"),
        None => "without an account hubmark may make and remove what a run makes".to_owned(),
    };
    Check::ok(subject, format!("answers at {}, version {}; {who}", server.address, facts.version))
}

fn fit(plan: &Plan, backend: &dyn Backend, facts: &ServerFacts, subject: &str) -> Vec<Check> {
    let advice = "change the profile, or the server";
    match misfits(plan, backend, facts) {
        Ok(problems) => {
            problems.iter().map(|one| Check::fail(subject, one.to_string(), advice)).collect()
        }
        Err(error) => vec![Check::error(subject, &error)],
    }
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
            "missing: neither its container nor its process is named",
            format!("name it: {name}.container on hub.engine, or {name}.process on this machine"),
        ),
    }
}
