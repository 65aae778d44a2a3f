//! Values of settings as they are given, and as a server reports them.

/// Whether a server reports the value that was given: in another unit, or as ON instead of 1.
pub(super) fn means_the_same(given: &str, reported: &str) -> bool {
    let number = |text: &str| {
        let text = match text.to_uppercase().as_str() {
            "ON" | "TRUE" | "YES" => "1".to_owned(),
            "OFF" | "FALSE" | "NO" => "0".to_owned(),
            other => other.to_owned(),
        };
        let (digits, factor) = match text.char_indices().next_back() {
            Some((end, 'K')) => (&text[..end], 1_024.0),
            Some((end, 'M')) => (&text[..end], 1_048_576.0),
            Some((end, 'G')) => (&text[..end], 1_073_741_824.0),
            _ => (text.as_str(), 1.0),
        };
        digits.parse::<f64>().ok().map(|number| number * factor)
    };
    match (number(given), number(reported)) {
        (Some(given), Some(reported)) => (given - reported).abs() < 1e-6,
        // Names of files, lists and enumerations have many forms.
        (None, None) => true,
        // A file's name switches something on.
        (None, Some(_)) => reported.eq_ignore_ascii_case("ON"),
        // An enumeration may be given by its number.
        _ => given.parse::<u32>().is_ok() && reported.parse::<f64>().is_err(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_forms_of_a_value_are_the_same_value() {
        for (given, reported) in [
            ("1", "ON"),
            ("true", "1"),
            ("1M", "1048576"),
            ("16k", "16384"),
            ("4", "4.000"),
            ("/tmp/a", "/tmp/b/../a"),
            ("2", "MIXED"),
            ("binary-log", "ON"),
        ] {
            assert!(means_the_same(given, reported), "{given} {reported}");
        }
        for (given, reported) in [("1", "OFF"), ("200", "100"), ("1G", "1048576"), ("x", "3")] {
            assert!(!means_the_same(given, reported), "{given} {reported}");
        }
    }
}
