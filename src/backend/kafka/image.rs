//! The recipe from which a hub builds Kafka's image, embedded in hubmark.

use std::collections::BTreeMap;

use crate::server::{ImageRecipe, ServerImage};

macro_rules! file {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/images/kafka/", $name))
                .as_slice(),
        )
    };
}

/// The recipe of one image for the broker and for ZooKeeper: its first argument selects which of
/// the two runs.
static RECIPE: ImageRecipe = ImageRecipe {
    name: "kafka",
    files: &[
        file!("Dockerfile"),
        file!("Warm.java"),
        file!("common.properties"),
        file!("entry.sh"),
        file!("kraft.properties"),
        file!("log4j.properties"),
        file!("log4j2.properties"),
        file!("pom.xml"),
        file!("warm.sh"),
        file!("zookeeper-server.properties"),
        file!("zookeeper.properties"),
    ],
};

/// Returns the image of Kafka `version`, built from hubmark's recipe.
pub(super) fn recipe_image(version: &str) -> ServerImage {
    ServerImage::Recipe {
        recipe: &RECIPE,
        arguments: BTreeMap::from([("KAFKA_VERSION".to_owned(), version.to_owned())]),
        tag: format!("hubmark/kafka:{version}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_recipe_is_embedded() {
        RECIPE.assert_complete();
    }
}
