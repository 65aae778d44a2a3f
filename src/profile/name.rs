//! Names of profiles.

/// Description of valid names, which [`is_valid_name`] checks.
pub(super) const VALID_NAMES: &str =
    "1 to 64 letters, digits, '-', '_' or '.', not beginning with '.'";

/// Whether a name is valid for a profile: it is also a file name and part of the names of records.
pub(super) fn is_valid_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}
