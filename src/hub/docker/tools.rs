//! The image of the tools that set limits and measure whether they hold.

use std::collections::BTreeMap;

use crate::server::{Image, Recipe};

macro_rules! file {
    ($name:literal) => {
        (
            $name,
            include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/images/tools/", $name))
                .as_slice(),
        )
    };
}

static RECIPE: Recipe = Recipe {
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

/// The image, built from this program's own recipe.
pub fn tools() -> Image {
    Image::Recipe { recipe: &RECIPE, arguments: BTreeMap::new(), tag: "hubmark/tools:1".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_recipe_is_embedded() {
        RECIPE.assert_whole();
    }
}
