//! Constraints on arguments as people write them: the argument, and one rule.

use toml::de::DeValue;

use super::{
    Section, Setting,
    text::{quoted, url_prefix, url_prefix_text},
    value::got,
};
use crate::{
    capability::{Cidr, Constraint, IntRange, IntSet, PathName, Rule, Text, UrlPrefix},
    payload::Ascending,
};

/// The keys that state a rule.
const RULES: [&str; 6] = ["equals", "one_of", "range", "path_prefix", "cidr", "url"];
const ONE_RULE: &str = "exactly one of equals, one_of, range, path_prefix, cidr and url";

/// Reads one constraint: an empty one would say nothing, two rules would say too much.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Constraint> {
    let argument = section.required("argument");
    let mut stated = RULES.into_iter().filter(|key| section.has(key));
    let (Some(key), None) = (stated.next(), stated.next()) else {
        section.problem("", "it has no rule, or more than one", ONE_RULE);
        // They are known, even though there are too many of them.
        RULES.iter().for_each(|key| drop(section.take(key)));
        return None;
    };
    let rule = match key {
        "equals" => section.required(key).and_then(|value| choices(section, key, vec![value])),
        "one_of" => section.list(key).and_then(|values| choices(section, key, values)),
        "range" => section.section(key, range).map(Rule::IntRange),
        "path_prefix" => section.required::<PathName>(key).map(Rule::PathUnder),
        "cidr" => section.required::<Cidr>(key).map(Rule::IpIn),
        _ => section.required::<UrlPrefix>(key).map(Rule::UrlUnder),
    };
    Some(Constraint { argument: argument?, rule: rule? })
}

/// Writes one constraint as an inline table.
pub(super) fn text(constraint: &Constraint) -> String {
    let rule = match &constraint.rule {
        Rule::TextIn(values) => among(values.iter().map(|value| quoted(value.as_str()))),
        Rule::IntIn(values) => among(values.as_slice().iter().map(i64::to_string)),
        Rule::IntRange(IntRange { min, max }) => format!("range = {{ min = {min}, max = {max} }}"),
        Rule::PathUnder(prefix) => format!("path_prefix = {}", quoted(prefix.as_str())),
        Rule::IpIn(block) => format!("cidr = \"{block}\""),
        Rule::UrlUnder(prefix) => format!("url = {}", quoted(&url_prefix_text(prefix))),
    };
    format!("{{ argument = \"{}\", {rule} }}", constraint.argument)
}

fn among(values: impl Iterator<Item = String>) -> String {
    let values: Vec<_> = values.collect();
    match values.as_slice() {
        [only] => format!("equals = {only}"),
        several => format!("one_of = [{}]", several.join(", ")),
    }
}

/// A value that an argument may equal.
enum Choice {
    Text(Text),
    Int(i64),
}

impl Setting for Choice {
    const EXPECTED: &'static str = "text or a whole number";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match value {
            DeValue::String(_) => Text::read(value).map(Self::Text),
            DeValue::Integer(_) => i64::read(value).map(Self::Int),
            other => Err(got(other)),
        }
    }
}

fn choices(section: &Section<'_, '_>, key: &str, values: Vec<Choice>) -> Option<Rule> {
    let (mut texts, mut ints) = (Vec::new(), Vec::new());
    for value in values {
        match value {
            Choice::Text(text) => texts.push(text),
            Choice::Int(number) => ints.push(number),
        }
    }
    let rule = match (texts.is_empty(), ints.is_empty()) {
        (false, true) => Ascending::new(texts).ok().map(Rule::TextIn),
        (true, false) => IntSet::new(ints).ok().map(Rule::IntIn),
        _ => None,
    };
    if rule.is_none() {
        let wrong = "there are none, too many, one twice, or text beside numbers";
        section.problem(key, wrong, "1 to 64 different values of one type");
    }
    rule
}

fn range(section: &mut Section<'_, '_>) -> Option<IntRange> {
    let (min, max): (Option<i64>, Option<i64>) = (section.required("min"), section.required("max"));
    let (min, max) = (min?, max?);
    if min > max {
        section.problem("", format!("it goes from {min} to {max}"), "a min that is not above its max");
        return None;
    }
    Some(IntRange { min, max })
}

impl Setting for UrlPrefix {
    const EXPECTED: &'static str =
        "a URL to begin with, such as \"https://api.example.com/v1\" or \"https://*.example.com/\"";

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        let text = String::read(value)?;
        url_prefix(&text).ok_or_else(|| got(value))
    }
}
