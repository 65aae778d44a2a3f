//! Image with the tools that set limits and verify them.

use std::collections::BTreeMap;

use crate::server::{ImageRecipe, ServerImage};

macro_rules! file {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/images/tools/", $name))
                .as_slice(),
        )
    };
}

static RECIPE: ImageRecipe = ImageRecipe {
    name: "tools",
    files: &[
        file!("Dockerfile"),
        file!("fill.pl"),
        file!("link.sh"),
        file!("serve.pl"),
        file!("spin.pl"),
        file!("write.pl"),
    ],
};

/// Returns the image, built from this program's recipe.
pub fn tools_image() -> ServerImage {
    ServerImage::Recipe {
        recipe: &RECIPE,
        arguments: BTreeMap::new(),
        tag: "hubmark/tools:1".to_owned(),
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
