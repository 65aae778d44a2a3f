//! From a value of the tree to a quantity, a word, a list. Every error says what was found.

use std::{str::FromStr, time::Duration};

use serde_json::{Map, Number, Value as Json};

use super::{
    catalogue::SettingKind,
    problem::{Fault, nearest},
    tree::{Node, Table, Value},
};
use crate::units::{self, Bytes, UnitError, grouped};

/// A value, or all that is wrong with it.
pub(super) type Read<T> = Result<T, Vec<Fault>>;

/// `a whole number from 1 to 1,000`.
pub(super) fn whole_between(low: u64, high: u64) -> String {
    format!("a whole number from {} to {}", grouped(low), grouped(high))
}

/// `a, b or c`.
pub(super) fn one_of(words: &[&str]) -> String {
    match words {
        [] => "nothing".into(),
        [only] => (*only).into(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// What kind of value it is, for people.
fn described(value: &Value) -> String {
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

fn wrong_type<T>(node: &Node, wanted: &str) -> Read<T> {
    let found = described(&node.value);
    Err(Fault::new(node.place, format!("{found} where {wanted} is wanted")).into())
}

pub(super) fn text(node: &Node) -> Read<&str> {
    match &node.value {
        Value::Text(text) => Ok(text),
        _ => wrong_type(node, "text in quotes"),
    }
}

/// Text without line breaks or other control characters.
pub(super) fn line(node: &Node) -> Read<String> {
    let text = text(node)?;
    if text.chars().any(char::is_control) {
        return Err(Fault::new(node.place, "it holds a line break or a control character").into());
    }
    Ok(text.to_owned())
}

/// A whole number between two bounds, both included. TOML's own numbers end at 2^63.
pub(super) fn integer(node: &Node, low: u64, high: u64) -> Read<u64> {
    let high = high.min(i64::MAX.unsigned_abs());
    let Value::Integer(number) = node.value else {
        return wrong_type(node, "a whole number");
    };
    match u64::try_from(number) {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => {
            let side = if number < i128::from(low) { "small" } else { "large" };
            // The tree cuts off what is longer than 128 bits: that number would not be the one given.
            let shown = match number {
                i128::MIN | i128::MAX => "the number".into(),
                number => number.to_string(),
            };
            Err(Fault::new(node.place, format!("{shown} is too {side}")).into())
        }
    }
}

/// `true` or `false`; a form and `--set` may give the word.
pub(super) fn truth(node: &Node) -> Read<bool> {
    match &node.value {
        Value::Boolean(truth) => Ok(*truth),
        Value::Text(text) if text == "true" => Ok(true),
        Value::Text(text) if text == "false" => Ok(false),
        _ => wrong_type(node, "true or false"),
    }
}

/// A quantity with its unit.
pub(super) fn quantity<T: FromStr<Err = UnitError>>(node: &Node) -> Read<T> {
    unit_text(node, str::parse)
}

pub(super) fn duration(node: &Node) -> Read<Duration> {
    unit_text(node, units::parse_duration)
}

fn unit_text<T>(node: &Node, parse: impl FnOnce(&str) -> Result<T, UnitError>) -> Read<T> {
    match &node.value {
        Value::Text(text) => {
            parse(text).map_err(|error| Fault::new(node.place, error.to_string()).into())
        }
        _ => wrong_type(node, "text with a number and its unit"),
    }
}

/// One of several words that stand for values.
pub(super) fn choice<T: Copy>(node: &Node, words: &[(&str, T)]) -> Read<T> {
    let text = text(node)?;
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        vec![Fault {
            nearest: nearest(text, known.iter().copied()).map(str::to_owned),
            ..Fault::new(node.place, format!("{text:?} is not {}", one_of(&known)))
        }]
    })
}

/// One value, a list of values, or values in one text with commas between them. An item may stand
/// for several values (a range). Not empty, and without duplicates.
pub(super) fn sweep<T: PartialEq>(
    node: &Node,
    item: impl Fn(&Node) -> Read<Vec<T>>,
) -> Read<Vec<T>> {
    let split: Vec<Node>;
    let items = match &node.value {
        Value::List(items) => items,
        Value::Text(text) => {
            split = text
                .split(',')
                .map(|part| Node::new(Value::Text(part.trim().to_owned()), node.place))
                .collect();
            &split
        }
        _ => std::slice::from_ref(node),
    };
    if items.is_empty() {
        return Err(Fault::new(node.place, "the list is empty").into());
    }
    let (mut values, mut faults) = (Vec::new(), Vec::new());
    for node in items {
        match item(node) {
            Ok(found) => {
                for value in found {
                    if values.contains(&value) {
                        let what = described(&node.value);
                        let message = format!("{what} stands for a value that is already there");
                        faults.push(Fault::new(node.place, message));
                    } else {
                        values.push(value);
                    }
                }
            }
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(faults) }
}

/// Most values that one range may stand for.
const LONGEST_RANGE: u64 = 1_000;

/// A whole number, or a range of them: `100..1000 step 100`, both ends included, or
/// `100..1000 step 5%`, where each is the larger than the one before by that share (and by one at
/// least), and the last is always there.
pub(super) fn integer_or_range(node: &Node, low: u64, high: u64) -> Read<Vec<u64>> {
    let Value::Text(text) = &node.value else {
        return integer(node, low, high).map(|number| vec![number]);
    };
    let number = |text: &str| {
        let Ok(number) = text.trim().parse::<i128>() else {
            let message = format!("{:?} is not a whole number", text.trim());
            return Err(Fault::new(node.place, message).into());
        };
        integer(&Node::new(Value::Integer(number), node.place), low, high)
    };
    let Some((first, rest)) = text.split_once("..") else {
        return number(text).map(|number| vec![number]);
    };
    if let Some((last, share)) = rest.split_once("step")
        && let Some(share) = share.trim().strip_suffix('%')
    {
        let (first, last) = (number(first)?, number(last)?);
        return growing(node, first, last, share.trim());
    }
    let (last, step) = match rest.split_once("step") {
        Some((last, step)) => (last, number(step)?),
        None => (rest, 1),
    };
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(
            Fault::new(node.place, format!("the range {text:?} ends before it begins")).into()
        );
    }
    // A step has the bounds of the values, whose lowest may be 0.
    let step = step.max(1);
    if (last - first) / step >= LONGEST_RANGE {
        let message =
            format!("the range {text:?} has more than {LONGEST_RANGE} values: give a larger step");
        return Err(Fault::new(node.place, message).into());
    }
    Ok((first..=last).step_by(usize::try_from(step).unwrap_or(usize::MAX)).collect())
}

/// The numbers from `first` to `last`, each larger than the one before by `share` percent.
fn growing(node: &Node, first: u64, last: u64, share: &str) -> Read<Vec<u64>> {
    let fault = |message: String| Err(Fault::new(node.place, message).into());
    let Some(share) = share.parse::<f64>().ok().filter(|share| (0.1..=1_000.0).contains(share))
    else {
        return fault(format!("{share:?} is not a share from 0.1 % to 1000 %"));
    };
    if first > last {
        return fault(format!("the range from {first} to {last} ends before it begins"));
    }
    grown(first, last, share).map_or_else(
        || fault(format!("the range has more than {LONGEST_RANGE} values: give a larger step")),
        Ok,
    )
}

/// The same of numbers that were checked; `None` when they are more than a range may have.
pub(super) fn grown(first: u64, last: u64, share: f64) -> Option<Vec<u64>> {
    let mut numbers = vec![first];
    let mut number = first;
    while number < last {
        let grown = (number as f64 * (1.0 + share / 100.0)).round() as u64;
        number = grown.max(number + 1).min(last);
        numbers.push(number);
        if numbers.len() as u64 > LONGEST_RANGE {
            return None;
        }
    }
    Some(numbers)
}

/// Fewer numbers than this are shorter as a list.
const SHORTEST_RANGE: usize = 4;

/// Numbers as a person would write them: as a range where they are one, or else one by one.
/// [`integer_or_range`] reads either back.
pub(super) fn rolled_up(numbers: &[u64]) -> String {
    let one_by_one = || numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let [first, second, .., last] = *numbers else { return one_by_one() };
    if numbers.len() < SHORTEST_RANGE || second <= first {
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
        .find(|&share| grown(first, last, share.into()).is_some_and(|grown| grown == numbers))
        .map_or_else(one_by_one, |share| format!("{first}..{last} step {share}%"))
}

/// The value of a backend's setting as a plan holds it: bytes and durations as numbers.
pub(super) fn setting(node: &Node, kind: SettingKind) -> Read<Json> {
    match kind {
        SettingKind::Integer(low, high) => integer(node, low, high).map(Json::from),
        SettingKind::Bytes => quantity::<Bytes>(node).map(|bytes| Json::from(bytes.0)),
        SettingKind::Duration => duration(node).map(|time| Json::from(time.as_secs_f64())),
        SettingKind::Text => line(node).map(Json::from),
        SettingKind::Choice(words) => {
            let words: Vec<(&str, &str)> = words.iter().map(|word| (*word, *word)).collect();
            choice(node, &words).map(Json::from)
        }
        SettingKind::Table => match node.table() {
            Some(table) => free_table(table).map(Json::Object),
            None => wrong_type(node, "a table of keys and values"),
        },
    }
}

/// A table whose keys only a server or a client library knows. An unquoted `linger.ms = 0` is TOML
/// for a table in a table: both ways of writing mean the same key.
fn free_table(table: &Table) -> Read<Map<String, Json>> {
    let (mut values, mut faults) = (Map::new(), Vec::new());
    for (key, node) in flattened(table, &mut faults) {
        match scalar(node) {
            Ok(value) => {
                values.insert(key, value);
            }
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(faults) }
}

/// The leaves of nested tables by their dotted keys. Of two leaves with one key, an override wins;
/// two in the text are a fault.
pub(super) fn flattened<'a>(table: &'a Table, faults: &mut Vec<Fault>) -> Vec<(String, &'a Node)> {
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
            Some((_, other)) if other.place.is_set() != node.place.is_set() => {
                *other = if node.place.is_set() { node } else { *other };
            }
            Some(_) => faults.push(Fault::new(node.place, format!("{key:?} is given twice"))),
        }
    }
    leaves
}

fn scalar(node: &Node) -> Read<Json> {
    let wrong = |wanted: &str| wrong_type(node, wanted);
    match &node.value {
        Value::Text(text) => Ok(Json::from(text.as_str())),
        Value::Boolean(truth) => Ok(Json::from(*truth)),
        Value::Integer(number) => {
            i64::try_from(*number).map(Json::from).or_else(|_| wrong("a number of at most 64 bits"))
        }
        Value::Float(number) => {
            Number::from_f64(*number).map(Json::Number).map_or_else(|| wrong("a finite number"), Ok)
        }
        Value::Date | Value::List(_) | Value::Table(_) => wrong("text, a number, true or false"),
    }
}
