//! Default values of profile keys.

use super::{
    Override, Profile,
    keys::{BACKEND, KIND, NAME},
};

impl Profile {
    /// Default value of every key, given this profile's kind of workload and backends; empty if the
    /// backends require further keys.
    pub fn defaults(&self) -> Vec<(String, String)> {
        let given_keys = [BACKEND.path, KIND.path];
        let given: Vec<_> = given_keys
            .into_iter()
            .filter_map(|key| Override::new(key, &self.value_text(key)?).ok())
            .collect();
        let Ok(bare) = Self::parse_with("name = \"bare\"", &given, &self.catalogue) else {
            return Vec::new();
        };
        let has_default = |key: &str| key != NAME.path && !given_keys.contains(&key);
        bare.value_texts().into_iter().filter(|(key, _)| has_default(key)).collect()
    }
}
