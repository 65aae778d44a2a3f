//! Parsing of tree values into quantities, choices and lists; every problem names the value found.

use std::{fmt, str::FromStr, time::Duration};

use super::{
    keys::bounds::{MAX_RUN_DURATION, MIN_DISK_WRITE},
    problem::ValueProblem,
    tree::{Node, NodeTable, Value},
};
use crate::units::{self, ByteRate, UnitError};

/// A parsed value, or all its problems.
pub(super) type ParseResult<T> = Result<T, Vec<ValueProblem>>;

/// `a, b or c`.
pub(super) fn join_with_or(names: &[&str]) -> String {
    match names {
        [] => "nothing".into(),
        [only] => (*only).into(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Describes a value for a message: `the number 3`, `a list`.
fn describe_value(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("the text {text:?}"),
        Value::Integer(number) => format!("the number {number}"),
        Value::Float(number) => format!("the number {number}"),
        Value::Boolean(truth) => truth.to_string(),
        Value::Date => "a date".into(),
        Value::List(_) => "a list".into(),
        Value::Table(_) => "a table".into(),
    }
}

pub(super) fn wrong_type<T>(node: &Node, wanted: &str) -> ParseResult<T> {
    let found = describe_value(&node.value);
    Err(ValueProblem::new(node.origin, format!("expected {wanted}, found {found}")).into())
}

pub(super) fn parse_text(node: &Node) -> ParseResult<&str> {
    match &node.value {
        Value::Text(text) => Ok(text),
        _ => wrong_type(node, "text in quotes"),
    }
}

/// Parses text without line breaks or other control characters.
pub(super) fn parse_line(node: &Node) -> ParseResult<String> {
    let text = parse_text(node)?;
    if text.chars().any(char::is_control) {
        return Err(
            ValueProblem::new(node.origin, "it holds a line break or a control character").into()
        );
    }
    Ok(text.to_owned())
}

/// Parses a whole number between two bounds, both included; TOML numbers end at 2^63.
pub(super) fn parse_integer(node: &Node, low: u64, high: u64) -> ParseResult<u64> {
    let high = high.min(i64::MAX.unsigned_abs());
    let number = match &node.value {
        Value::Integer(number) => *number,
        Value::Text(text) if units::separated_digits(text).is_some() => {
            return Err(not_whole(node, text));
        }
        _ => return wrong_type(node, "a whole number"),
    };
    match u64::try_from(number) {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => {
            let side = if number < i128::from(low) { "small" } else { "large" };
            // The tree clamps numbers longer than 128 bits: the clamped number is not the one
            // given.
            let shown = match number {
                i128::MIN | i128::MAX => "the number".into(),
                number => number.to_string(),
            };
            Err(ValueProblem::new(node.origin, format!("{shown} is too {side}")).into())
        }
    }
}

/// Describes a text that is not a whole number; of one with a comma, how to write what was meant.
fn not_whole(node: &Node, text: &str) -> Vec<ValueProblem> {
    let text = text.trim();
    let mut message = format!("{text:?} is not a whole number");
    if units::has_grouped_thousands(text) {
        let (one, list) = (text.replace(',', ""), text.replace(',', ", "));
        message.extend([": write ", &one, " for one number, or \"", &list, "\" for a list"]);
    } else if let Some(reading) = units::separated_digits(text) {
        message.extend([": ", &reading]);
    }
    ValueProblem::new(node.origin, message).into()
}

/// Parses `true` or `false`, also as text from a form or `--set`.
pub(super) fn parse_bool(node: &Node) -> ParseResult<bool> {
    match &node.value {
        Value::Boolean(truth) => Ok(*truth),
        Value::Text(text) if text == "true" => Ok(true),
        Value::Text(text) if text == "false" => Ok(false),
        _ => wrong_type(node, "true or false"),
    }
}

/// Parses a quantity with its unit.
pub(super) fn parse_quantity<T: FromStr<Err = UnitError>>(node: &Node) -> ParseResult<T> {
    unit_text(node, str::parse)
}

pub(super) fn parse_duration(node: &Node) -> ParseResult<Duration> {
    unit_text(node, units::parse_duration)
}

/// Parses a duration that a run can reach: at most [`MAX_RUN_DURATION`].
pub(super) fn parse_run_duration(node: &Node) -> ParseResult<Duration> {
    let time = parse_duration(node)?;
    if time > MAX_RUN_DURATION {
        return Err(ValueProblem::new(node.origin, "it is longer than a run can be").into());
    }
    Ok(time)
}

/// Parses a quantity that is not below `least`.
pub(super) fn parse_at_least<T>(node: &Node, least: &T) -> ParseResult<T>
where
    T: FromStr<Err = UnitError> + PartialOrd + fmt::Display,
{
    let value: T = parse_quantity(node)?;
    if value < *least {
        return Err(ValueProblem::new(node.origin, format!("{value} is too small")).into());
    }
    Ok(value)
}

/// Parses a rate of writes in whole bytes: the kernel accepts no fractions.
pub(super) fn parse_disk_write_rate(node: &Node) -> ParseResult<ByteRate> {
    let rate = parse_at_least(node, &MIN_DISK_WRITE)?;
    if rate.0.fract() != 0.0 {
        return Err(ValueProblem::new(node.origin, "it is not a whole number of bytes").into());
    }
    Ok(rate)
}

fn unit_text<T>(node: &Node, parse: impl FnOnce(&str) -> Result<T, UnitError>) -> ParseResult<T> {
    match &node.value {
        Value::Text(text) => {
            parse(text).map_err(|error| ValueProblem::new(node.origin, error.to_string()).into())
        }
        _ => wrong_type(node, "text with a number and its unit"),
    }
}

/// Parses one of several names of values.
pub(super) fn parse_choice<T: Copy>(node: &Node, names: &[(&str, T)]) -> ParseResult<T> {
    let text = parse_text(node)?;
    names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        let message = format!("{text:?} is not {}", join_with_or(&known));
        ValueProblem::new(node.origin, message).with_nearest(text, known).into()
    })
}

/// Splits the values of a sweep in one text at their commas.
///
/// A comma between two digits separates only plain whole numbers, and only where it cannot separate
/// thousands: `10,20` are two values; `1,500` and `1,5 kB` are left whole, and refused as numbers.
fn split_sweep(text: &str) -> Vec<&str> {
    let plain = |item: &str| item.chars().all(|c| c == ',' || c.is_ascii_digit());
    let items = units::split_list(text).into_iter();
    items
        .flat_map(|item| {
            let whole = !plain(item) || units::has_grouped_thousands(item);
            if whole { vec![item] } else { item.split(',').collect() }
        })
        .collect()
}

/// Parses a sweep: one value, a list of values, or comma-separated values in one text.
///
/// An item may expand to several values (a range). An empty sweep and a duplicate are problems.
pub(super) fn parse_sweep<T: PartialEq>(
    node: &Node,
    item: impl Fn(&Node) -> ParseResult<Vec<T>>,
) -> ParseResult<Vec<T>> {
    let split: Vec<Node>;
    let items = match &node.value {
        Value::List(items) => items,
        Value::Text(text) => {
            split = split_sweep(text)
                .into_iter()
                .map(|part| Node::new(Value::Text(part.to_owned()), node.origin))
                .collect();
            &split
        }
        _ => std::slice::from_ref(node),
    };
    if items.is_empty() {
        return Err(ValueProblem::new(node.origin, "the list is empty").into());
    }
    let (mut values, mut problems) = (Vec::new(), Vec::new());
    for node in items {
        match item(node) {
            Ok(found) => {
                for value in found {
                    if values.contains(&value) {
                        let what = describe_value(&node.value);
                        let message = format!("{what} repeats a value of the list");
                        problems.push(ValueProblem::new(node.origin, message));
                    } else {
                        values.push(value);
                    }
                }
            }
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(problems) }
}

/// Largest number of values of one range.
const MAX_RANGE_VALUES: u64 = 1_000;

/// Parses a whole number or a range of whole numbers.
///
/// A range is `100..1000 step 100`, both ends included, or `100..1000 step 5%`, where each number
/// exceeds the previous one by that share (and by at least one) and the last is always included.
pub(super) fn parse_integer_or_range(node: &Node, low: u64, high: u64) -> ParseResult<Vec<u64>> {
    let Value::Text(text) = &node.value else {
        return parse_integer(node, low, high).map(|number| vec![number]);
    };
    let number = |text: &str| {
        let Ok(number) = text.trim().parse::<i128>() else {
            return Err(not_whole(node, text));
        };
        parse_integer(&Node::new(Value::Integer(number), node.origin), low, high)
    };
    let Some((first, rest)) = text.split_once("..") else {
        return number(text).map(|number| vec![number]);
    };
    if let Some((last, share)) = rest.split_once("step")
        && let Some(share) = share.trim().strip_suffix('%')
    {
        let (first, last) = (number(first)?, number(last)?);
        return parse_geometric_range(node, first, last, share.trim());
    }
    let (last, step) = match rest.split_once("step") {
        Some((last, step)) => (last, number(step)?),
        None => (rest, 1),
    };
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(ValueProblem::new(
            node.origin,
            format!("the range {text:?} ends before it begins"),
        )
        .into());
    }
    // A step is parsed with the bounds of the values, so it may be 0.
    let step = step.max(1);
    if (last - first) / step >= MAX_RANGE_VALUES {
        let message = format!(
            "the range {text:?} has more than {MAX_RANGE_VALUES} values: give a larger step"
        );
        return Err(ValueProblem::new(node.origin, message).into());
    }
    Ok((first..=last).step_by(usize::try_from(step).unwrap_or(usize::MAX)).collect())
}

/// Parses the share of a geometric range and returns its numbers from `first` to `last`.
fn parse_geometric_range(node: &Node, first: u64, last: u64, share: &str) -> ParseResult<Vec<u64>> {
    let problem = |message: String| Err(ValueProblem::new(node.origin, message).into());
    let share = match units::parse_number(share) {
        Ok(number) if (0.1..=1_000.0).contains(&number) => number,
        Ok(_) => return problem(format!("{share:?} is not a share from 0.1 % to 1000 %")),
        Err(reason) => {
            return problem(format!("{share:?} is not a share from 0.1 % to 1000 %: {reason}"));
        }
    };
    if first > last {
        return problem(format!("the range from {first} to {last} ends before it begins"));
    }
    geometric_range(first, last, share).map_or_else(
        || {
            problem(format!(
                "the range has more than {MAX_RANGE_VALUES} values: give a larger step"
            ))
        },
        Ok,
    )
}

/// Numbers from `first` to `last`, each larger than the previous one by `share` percent; `None` for
/// more than [`MAX_RANGE_VALUES`].
pub(super) fn geometric_range(first: u64, last: u64, share: f64) -> Option<Vec<u64>> {
    let mut numbers = vec![first];
    let mut number = first;
    while number < last {
        let grown = (number as f64 * (1.0 + share / 100.0)).round() as u64;
        number = grown.max(number + 1).min(last);
        numbers.push(number);
        if numbers.len() as u64 > MAX_RANGE_VALUES {
            return None;
        }
    }
    Some(numbers)
}

/// Smallest number of values written as a range; fewer are shorter as a list.
const MIN_RANGE_VALUES: usize = 4;

/// Formats numbers as a range where they form one, or else as a list; [`parse_integer_or_range`]
/// parses both.
pub(super) fn format_numbers(numbers: &[u64]) -> String {
    let one_by_one = || numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let [first, second, .., last] = *numbers else { return one_by_one() };
    if numbers.len() < MIN_RANGE_VALUES || second <= first {
        return one_by_one();
    }
    let step = second - first;
    if numbers.windows(2).all(|pair| pair[1].checked_sub(pair[0]) == Some(step)) {
        return if step == 1 {
            format!("{first}..{last}")
        } else {
            format!("{first}..{last} step {step}")
        };
    }
    (1..=100_u32)
        .find(|&share| {
            geometric_range(first, last, share.into()).is_some_and(|grown| grown == numbers)
        })
        .map_or_else(one_by_one, |share| format!("{first}..{last} step {share}%"))
}

/// Leaves of nested tables by dotted key; of two leaves with one key an override wins, and two in
/// the text are a problem.
pub(super) fn flatten_table<'a>(
    table: &'a NodeTable,
    problems: &mut Vec<ValueProblem>,
) -> Vec<(String, &'a Node)> {
    let mut leaves: Vec<(String, &Node)> = Vec::new();
    let mut open: Vec<(String, &Node)> =
        table.iter().rev().map(|(key, (_, node))| (key.clone(), node)).collect();
    while let Some((key, node)) = open.pop() {
        if let Some(inner) = node.table() {
            let below = inner.iter().rev();
            open.extend(below.map(|(name, (_, node))| (format!("{key}.{name}"), node)));
            continue;
        }
        match leaves.iter_mut().find(|(known, _)| *known == key) {
            None => leaves.push((key, node)),
            Some((_, other)) if other.origin.is_override() != node.origin.is_override() => {
                *other = if node.origin.is_override() { node } else { *other };
            }
            Some(_) => {
                problems.push(ValueProblem::new(node.origin, format!("{key:?} is given twice")));
            }
        }
    }
    leaves
}
