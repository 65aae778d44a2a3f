//! The one grammar of numbers that an operator writes: digits, then perhaps a point and digits.
//!
//! Digits are never separated. A comma groups thousands in some countries (and in what this program
//! prints), and is the decimal sign in others: it is refused, with the text to write for each reading.

/// Signs, other than a space, that separate digits somewhere in the world: comma, underscore,
/// apostrophes, no-break spaces.
const SEPARATORS: [char; 6] = [',', '_', '\'', '’', '\u{a0}', '\u{202f}'];

/// Largest group of digits between two separators of thousands.
const GROUP_DIGITS: usize = 3;

/// Splits `"1.5 MB"` into `1.5` and `MB`; the number has digits and at most one point, with digits on
/// both sides of it.
///
/// # Errors
/// When the text does not start with such a number, or its digits are separated: the message has the
/// text to write instead, once for each reading.
pub(super) fn split_number(text: &str) -> Result<(&str, &str), String> {
    let text = text.trim();
    if text.starts_with('-') {
        return Err("it cannot be negative".into());
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    if !number.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("it must start with a number such as 100 or 1.5".into());
    }
    if let Some(problem) = separated_digits(text) {
        return Err(problem);
    }
    if number.ends_with('.') {
        return Err("it must start with a number such as 100 or 1.5".into());
    }
    if number.matches('.').count() > 1 {
        return Err(format!("{number:?} is not a number"));
    }
    Ok((number, rest.trim_start()))
}

/// Parses a number without a unit, which is not negative.
///
/// # Errors
/// When the text is not such a number; the message says what to write.
pub fn parse_number(text: &str) -> Result<f64, String> {
    match split_number(text)? {
        (number, "") => parse_float(number),
        _ => Err(format!("{:?} is not a number", text.trim())),
    }
}

/// Converts digits, as split from a text, to a finite number.
pub(super) fn parse_float(number: &str) -> Result<f64, String> {
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("{number:?} is not a number")),
    }
}

/// Returns `number` × `factor` without rounding, in whole parts named `part`.
///
/// # Errors
/// When the product is not a whole number, or larger than 64 bits.
pub(super) fn whole_product(number: &str, factor: u64, part: &str) -> Result<u64, String> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    let too_large = || format!("it is larger than {} {part}", group_thousands(u64::MAX));
    let places = u32::try_from(fraction.len()).map_err(|_| too_large())?;
    let digits: u128 = format!("{whole}{fraction}").parse().map_err(|_| too_large())?;
    let product = digits.checked_mul(factor.into()).ok_or_else(too_large)?;
    let not_whole = || format!("it is not a whole number of {part}");
    let divisor = 10_u128.checked_pow(places).ok_or_else(not_whole)?;
    if product % divisor != 0 {
        return Err(not_whole());
    }
    u64::try_from(product / divisor).map_err(|_| too_large())
}

/// Describes digits at the beginning of `text` that are separated, by a comma or another sign: what to
/// write for each way to read them, with the rest of the text. `None` if none are.
pub fn separated_digits(text: &str) -> Option<String> {
    let text = text.trim();
    let end = end_of_digits(text);
    let (written, rest) = text.split_at(end);
    let is_separator = |c: char| SEPARATORS.contains(&c) || c.is_whitespace();
    if !written.starts_with(|c: char| c.is_ascii_digit()) || !written.contains(is_separator) {
        return None;
    }
    let space = if rest.trim_start().is_empty() { "" } else { " " };
    let quoted = |number: String| format!("\"{number}{space}{}\"", rest.trim());
    let thousands = is_grouped(written, is_separator)
        .then(|| quoted(written.chars().filter(|c| !is_separator(*c)).collect()));
    let decimal = match written.rsplit_once(',') {
        Some((whole, fraction)) if !whole.contains(is_separator) && !fraction.contains(['.']) => {
            Some(quoted(format!("{}.{fraction}", whole.replace('.', ""))))
        }
        _ => None,
    };
    Some(match (thousands, decimal) {
        (Some(thousands), Some(decimal)) => format!(
            "a comma can be read in two ways: write {thousands} if it separates thousands, or \
             {decimal} if it is the decimal sign"
        ),
        (Some(thousands), None) => format!("digits are not separated: write {thousands}"),
        (None, Some(decimal)) => format!("the decimal sign is a point: write {decimal}"),
        (None, None) => {
            format!("digits are not separated, and {written:?} is not a number with separators")
        }
    })
}

/// Whether a text of digits and commas is a number whose thousands are separated (`1,500`), and not
/// only a list (`10,20`).
pub fn has_grouped_thousands(text: &str) -> bool {
    let text = text.trim();
    text.contains(',')
        && text.chars().all(|c| c == ',' || c.is_ascii_digit())
        && is_grouped(text, |c| c == ',')
}

/// Formats a count with grouped thousands: `180,000`.
pub fn group_thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Splits a list at its commas, but not at a comma between two digits: that one is in a number, which
/// then is refused as such.
pub fn split_list(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let is_digit =
        |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let (mut items, mut start) = (Vec::new(), 0);
    for (at, _) in text.match_indices(',') {
        if is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)) {
            continue;
        }
        items.push(text[start..at].trim());
        start = at + 1;
    }
    items.push(text[start..].trim());
    items
}

/// End of the digits at the beginning of a text, with points and with separators that digits follow.
fn end_of_digits(text: &str) -> usize {
    let mut end = 0;
    let mut signs = text.char_indices().peekable();
    while let Some((at, sign)) = signs.next() {
        let digit_follows = signs.peek().is_some_and(|(_, next)| next.is_ascii_digit());
        let separates = SEPARATORS.contains(&sign) || sign.is_whitespace();
        if !(sign.is_ascii_digit() || sign == '.' || separates && digit_follows) {
            break;
        }
        end = at + sign.len_utf8();
    }
    end
}

/// Whether separators divide a number into groups of three digits, of which the first may be shorter
/// and the last may have a fraction.
fn is_grouped(written: &str, is_separator: impl Fn(char) -> bool) -> bool {
    let whole = written.split_once('.').map_or(written, |(whole, _)| whole);
    let fraction = &written[whole.len()..];
    let is_fraction = fraction.is_empty()
        || fraction.len() > 1 && fraction[1..].chars().all(|c| c.is_ascii_digit());
    let mut groups = whole.split(&is_separator);
    let first = groups.next().unwrap_or_default();
    is_fraction
        && (1..=GROUP_DIGITS).contains(&first.len())
        && whole.contains(&is_separator)
        && groups.all(|group| group.len() == GROUP_DIGITS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_comma_is_refused_with_the_text_of_each_reading() {
        for (text, wanted) in [
            ("1,000 ms", Some(vec!["\"1000 ms\"", "\"1.000 ms\"", "two ways"])),
            ("1,500", Some(vec!["\"1500\"", "\"1.500\""])),
            ("1,5 s", Some(vec!["point", "\"1.5 s\""])),
            ("1,000,000 B", Some(vec!["\"1000000 B\""])),
            ("1,000.5 s", Some(vec!["\"1000.5 s\""])),
            ("1.000,5 s", Some(vec!["\"1000.5 s\""])),
            ("1_000 B", Some(vec!["\"1000 B\""])),
            ("1 000 B", Some(vec!["\"1000 B\""])),
            ("1\u{202f}000 B", Some(vec!["\"1000 B\""])),
            ("1'000 B", Some(vec!["\"1000 B\""])),
            ("1,2,3", Some(vec!["not a number with separators"])),
            ("1 h 30 min", None),
            ("1.5 MB", None),
            ("1, 2", None),
            ("", None),
        ] {
            let found = separated_digits(text);
            assert_eq!(found.is_some(), wanted.is_some(), "{text}: {found:?}");
            for part in wanted.into_iter().flatten() {
                assert!(found.as_deref().unwrap().contains(part), "{text}: {found:?}");
            }
        }
    }

    #[test]
    fn a_list_is_split_outside_its_numbers() {
        assert_eq!(split_list("1 kB,2 kB, 3 kB"), ["1 kB", "2 kB", "3 kB"]);
        assert_eq!(split_list("ack.p99 1,000 ms, lost 0"), ["ack.p99 1,000 ms", "lost 0"]);
        assert_eq!(split_list(""), [""]);
        assert!(has_grouped_thousands("1,500") && has_grouped_thousands(" 12,000,000 "));
        for list in ["10,20", "1500", "1, 500", "1000,200", "a,100", ",100"] {
            assert!(!has_grouped_thousands(list), "{list}");
        }
    }

    #[test]
    fn a_number_has_digits_and_perhaps_a_point() {
        assert_eq!(parse_number(" 10.50 "), Ok(10.5));
        for wrong in
            ["", "-1", "+1", ".5", "5.", "1e3", "0x10", "NaN", "inf", "1.2.3", "1 s", "1,0"]
        {
            assert!(parse_number(wrong).is_err(), "{wrong}");
        }
        assert!(parse_number(&"9".repeat(400)).is_err());
    }

    proptest! {
        #[test]
        fn what_is_refused_for_its_separators_reads_as_it_was_printed(count in 1_000_u64..) {
            let printed = group_thousands(count);
            let problem = parse_number(&printed).unwrap_err();
            prop_assert!(problem.contains(&format!("\"{count}\"")), "{}", problem);
            prop_assert_eq!(parse_number(&count.to_string()), Ok(count as f64));
        }

        #[test]
        fn no_text_panics(text: String, digits in "[0-9., _'\u{a0}]{0,12}") {
            for text in [text, digits] {
                let _ = (parse_number(&text), separated_digits(&text), split_list(&text));
                let _ = has_grouped_thousands(&text);
            }
        }
    }
}
