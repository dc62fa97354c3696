//! What differs between two decoded inputs.

use serde_json::Value;

/// One place where two values differ; `Null` where a side has nothing.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// A JSON pointer.
    pub(crate) path: String,
    pub(crate) from: Value,
    pub(crate) to: Value,
}

/// Every difference, as deep down as it can be named. What was inserted into a list in one
/// place, or removed from it, is one difference.
pub(crate) fn differences(from: &Value, to: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", from, to, &mut found);
    found
}

fn compare(path: &str, from: &Value, to: &Value, found: &mut Vec<Difference>) {
    match (from, to) {
        _ if from == to => (),
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let side =
                    |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                compare(&format!("{path}/{key}"), &side(a), &side(b), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.for_each(|(position, (a, b))| compare(&format!("{path}/{position}"), a, b, found));
        }
        (Value::Array(a), Value::Array(b)) => {
            let start = a.iter().zip(b).take_while(|(a, b)| a == b).count();
            let (a_rest, b_rest) = (&a[start..], &b[start..]);
            let end = a_rest.iter().rev().zip(b_rest.iter().rev()).take_while(|(a, b)| a == b).count();
            let (a_middle, b_middle) = (&a_rest[..a_rest.len() - end], &b_rest[..b_rest.len() - end]);
            let place = format!("{path}/{start}");
            match (a_middle, b_middle) {
                ([], to) => push(found, &place, &Value::Null, &one_or_all(to)),
                (from, []) => push(found, &place, &one_or_all(from), &Value::Null),
                _ => push(found, path, from, to),
            }
        }
        _ => push(found, path, from, to),
    }
}

fn one_or_all(elements: &[Value]) -> Value {
    if let [one] = elements { one.clone() } else { Value::Array(elements.to_vec()) }
}

fn push(found: &mut Vec<Difference>, path: &str, from: &Value, to: &Value) {
    found.push(Difference { path: path.to_owned(), from: from.clone(), to: to.clone() });
}

/// The difference at the declared path, if nothing differs outside it.
pub(crate) fn only_difference(path: &str, from: &Value, to: &Value) -> Result<Difference, Vec<Difference>> {
    let found = differences(from, to);
    if let [one] = found.as_slice()
        && one.path == path
    {
        return Ok(one.clone());
    }
    let within = |inner: &Difference| inner.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
    if found.is_empty() || !found.iter().all(within) {
        return Err(found);
    }
    let side = |value: &Value| value.pointer(path).cloned().unwrap_or(Value::Null);
    Ok(Difference { path: path.to_owned(), from: side(from), to: side(to) })
}
