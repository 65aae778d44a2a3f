//! The recipe from which a hub builds Kafka's image, embedded in this program.

use std::collections::BTreeMap;

use crate::server::{Image, Recipe};

macro_rules! file {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/images/kafka/", $name))
                .as_slice(),
        )
    };
}

/// One image for the broker and for ZooKeeper: its first argument says which of the two it runs.
static RECIPE: Recipe = Recipe {
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

/// The image of Kafka `version`, built from this program's own recipe.
pub(super) fn of_version(version: &str) -> Image {
    Image::Recipe {
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
        RECIPE.assert_whole();
    }
}
