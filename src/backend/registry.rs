//! All backends of this program, by name.

use std::sync::Arc;

use super::{interface::Backend, kafka, mariadb::MariaDb};
use crate::{profile::catalogue::Catalogue, server::ServerImage};

/// All backends of this program.
pub fn registry() -> Vec<Arc<dyn Backend>> {
    let mut backends: Vec<Arc<dyn Backend>> = kafka::backends().into();
    backends.push(Arc::new(MariaDb));
    backends
}

/// The profile settings of the backends of [`registry`].
pub fn catalogue() -> Catalogue {
    Catalogue::new(registry().iter().map(|backend| backend.info()))
}

/// The backend with that name.
pub fn find(name: &str) -> Option<Arc<dyn Backend>> {
    registry().into_iter().find(|backend| backend.info().name == name)
}

/// The image that this program would build under the name `reference`, for example
/// `hubmark/kafka:2.8.0`, if any.
pub fn own_image(reference: &str) -> Option<ServerImage> {
    let (name, version) = reference.strip_prefix(OWN_IMAGE_PREFIX)?.split_once(':')?;
    find(name)?.recipe(version).filter(|image| image.reference() == reference)
}

/// Name prefix of every image built from a recipe of this program.
const OWN_IMAGE_PREFIX: &str = "hubmark/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_images_are_known_by_name() {
        for version in ["2.8.0", "3.9.1", "4.4.0"] {
            let name = format!("hubmark/kafka:{version}");
            assert_eq!(own_image(&name).unwrap().reference(), name);
        }
        assert_eq!(
            own_image("hubmark/mariadb:10.11").unwrap().reference(),
            "hubmark/mariadb:10.11"
        );
        for other in ["hubmark/mariadb:9", "hubmark/nothing:1", "kafka:2.8.0", "hubmark/kafka"] {
            assert_eq!(own_image(other), None, "{other}");
        }
    }
}
