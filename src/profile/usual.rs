//! What keys come to where nobody gives them.

use super::{
    Override, Profile,
    keys::{BACKEND, KIND, NAME},
};

impl Profile {
    /// Every key with what it comes to in a profile of this kind of workload on these backends that
    /// says nothing else. Nothing where the backends ask for more.
    pub fn usual(&self) -> Vec<(String, String)> {
        let asked = [BACKEND.path, KIND.path];
        let given: Vec<_> =
            asked.into_iter().filter_map(|key| Override::new(key, &self.text(key)?).ok()).collect();
        let Ok(bare) = Self::parse_with("name = \"bare\"", &given, &self.catalogue) else {
            return Vec::new();
        };
        let answers = |key: &str| key != NAME.path && !asked.contains(&key);
        bare.texts().into_iter().filter(|(key, _)| answers(key)).collect()
    }
}
