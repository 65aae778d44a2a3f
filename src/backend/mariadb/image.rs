//! The server's image: a recipe that is embedded in this program and built on the hub.

use std::collections::BTreeMap;

use crate::server::{Image, Recipe};

/// The files of `assets/images/mariadb`.
pub static RECIPE: Recipe = Recipe {
    name: "mariadb",
    files: &[
        ("Dockerfile", include_bytes!("../../../assets/images/mariadb/Dockerfile")),
        ("entry.sh", include_bytes!("../../../assets/images/mariadb/entry.sh")),
        ("hubmark.cnf", include_bytes!("../../../assets/images/mariadb/hubmark.cnf")),
    ],
};

/// The image of a version that the recipe builds.
pub fn recipe(version: &str) -> Image {
    Image::Recipe {
        recipe: &RECIPE,
        arguments: BTreeMap::new(),
        tag: format!("hubmark/mariadb:{version}"),
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
