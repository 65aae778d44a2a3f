//! Resolution of a plan: its backends, what each needs to measure a point, and the images of its servers.

use std::sync::Arc;

use crate::{
    backend::{self, Backend, RepetitionContext},
    engine::RunError,
    hub,
    plan::{Plan, Point, external::ExternalServer},
    server::{HubKind, LaunchSpec, ServerImage},
};

pub fn required_backends(plan: &Plan) -> Result<Vec<Arc<dyn Backend>>, RunError> {
    let mut found: Vec<Arc<dyn Backend>> = Vec::new();
    for point in &plan.points {
        let name = &point.backend.name;
        if found.iter().all(|backend| backend.info().name != name) {
            let backend =
                backend::find(name).ok_or_else(|| RunError::UnknownBackend(name.clone()))?;
            found.push(backend);
        }
    }
    Ok(found)
}

/// Returns the context with which a backend measures `point`.
///
/// # Errors
/// The password of an external server cannot be read.
pub fn repetition_context(plan: &Plan, point: &Point) -> Result<RepetitionContext, RunError> {
    let context = context_without_password(plan, point);
    let password = match plan.hub.kind {
        HubKind::Docker | HubKind::Local => random_password(),
        HubKind::External => {
            let named = ExternalServer::from_table(&context.settings).ok();
            let named = named.and_then(|server| server.password);
            hub::external::read_password(&point.backend.name, named.as_ref())?
        }
    };
    Ok(RepetitionContext { password, ..context })
}

/// Returns the context of `point` for checks of its settings, which need no password.
pub fn context_without_password(plan: &Plan, point: &Point) -> RepetitionContext {
    RepetitionContext {
        point: point.clone(),
        settings: plan.settings.get(&point.backend.name).cloned().unwrap_or_default(),
        hub: plan.hub.kind,
        limits: plan.hub.limits,
        password: String::new(),
    }
}

/// Generates a random password for a server that runs for one repetition.
fn random_password() -> String {
    use rand::{RngExt, distr::Alphanumeric};
    rand::rng().sample_iter(Alphanumeric).take(24).map(char::from).collect()
}

/// Returns the images that the servers of a plan and its limits need.
///
/// # Errors
/// A backend refuses the settings of the plan.
pub fn required_images(plan: &Plan) -> Result<Vec<ServerImage>, RunError> {
    let backends = required_backends(plan)?;
    let mut images: Vec<ServerImage> = Vec::new();
    for point in &plan.points {
        let Some(backend) = backends.iter().find(|b| b.info().name == point.backend.name) else {
            continue;
        };
        for spec in backend.servers(&repetition_context(plan, point)?)? {
            if let LaunchSpec::Container(container) = spec.launch
                && !images.contains(&container.image)
            {
                images.push(container.image);
            }
        }
    }
    images.extend(hub::tool_image_for(&plan.hub));
    Ok(images)
}
