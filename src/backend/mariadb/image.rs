//! The recipe from which a hub builds the server's image, embedded in hubmark.

use std::collections::BTreeMap;

use crate::server::{ImageRecipe, ServerImage};

/// The files of `assets/images/mariadb`.
static RECIPE: ImageRecipe = ImageRecipe {
    name: "mariadb",
    files: &[
        ("Dockerfile", include_bytes!("../../../assets/images/mariadb/Dockerfile")),
        ("entry.sh", include_bytes!("../../../assets/images/mariadb/entry.sh")),
        ("hubmark.cnf", include_bytes!("../../../assets/images/mariadb/hubmark.cnf")),
    ],
};

/// Returns the image of MariaDB `version`, built from hubmark's recipe.
pub fn recipe_image(version: &str) -> ServerImage {
    ServerImage::Recipe {
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
        RECIPE.assert_complete();
    }
}
