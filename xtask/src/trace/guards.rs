//! What Rust sources say of the specification: the ids that their guards cite, and the names of
//! their tests.

use std::collections::{BTreeMap, BTreeSet};

use super::Text;

/// What refuses under the id that follows.
const GUARDS: [(&str, Kind); 3] =
    [("require!(", Kind::Condition), ("require_some!(", Kind::Value), ("Refusal::new(", Kind::Value)];

/// What a guard stands before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Code that would run as well if the guard did not refuse.
    Condition,
    /// Code that needs a value which only the guard can give.
    Value,
}

/// One place that refuses.
#[derive(Debug)]
pub(crate) struct Guard<'a> {
    /// The rule that it cites.
    pub(crate) id: &'a str,
    pub(crate) kind: Kind,
    /// The line on which it begins.
    pub(crate) line: usize,
    /// The line of the id: rustfmt may give it one of its own.
    pub(crate) id_line: usize,
}

/// Every guard. Where the first argument is no literal (inside the macros themselves), there is none.
pub(crate) fn read(text: &Text) -> Vec<Guard<'_>> {
    let content = &text.content;
    let mut found = Vec::new();
    for (guard, kind) in GUARDS {
        for (place, _) in content.match_indices(guard).filter(|(place, _)| !in_comment(content, *place)) {
            let after = content.get(place + guard.len()..).unwrap_or_default();
            if let Some(literal) = after.trim_start().strip_prefix('"')
                && let Some((id, _)) = literal.split_once('"')
            {
                let id_line = line_at(content, content.len() - literal.len());
                found.push(Guard { id, kind, line: line_at(content, place), id_line });
            }
        }
    }
    found
}

/// The tests of all files, as `file::test`, and how many have that name.
pub(super) fn tests(code: &[Text]) -> BTreeMap<String, usize> {
    let mut tests = BTreeMap::new();
    for text in code {
        let module = text.path.strip_suffix("/mod.rs").or(text.path.strip_suffix(".rs"));
        let stem = module.and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        let mut attributes = false;
        for line in text.content.lines().map(str::trim_start) {
            let signature = line.strip_prefix("async fn ").or(line.strip_prefix("fn "));
            if let (true, Some(signature)) = (attributes, signature) {
                let name = signature.split('(').next().unwrap_or_default();
                *tests.entry(format!("{stem}::{name}")).or_default() += 1;
            }
            let test = line.starts_with("#[test") || line.starts_with("#[tokio::test");
            attributes = test || attributes && (line.starts_with("#[") || line.starts_with("//"));
        }
    }
    tests
}

/// The names of all functions.
pub(super) fn functions(code: &[Text]) -> BTreeSet<&str> {
    code.iter()
        .flat_map(|text| {
            text.content.match_indices("fn ").filter(|(place, _)| !in_comment(&text.content, *place)).map(
                |(place, keyword)| {
                    let name = text.content.get(place + keyword.len()..).unwrap_or_default();
                    name.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
                        .next()
                        .unwrap_or_default()
                },
            )
        })
        .collect()
}

/// Whether the line is a comment. One at a line's end does not count: what looks like it may be a
/// URL, and a guard behind it must not go unseen.
fn in_comment(content: &str, place: usize) -> bool {
    let line = content.get(..place).unwrap_or_default().rsplit('\n').next().unwrap_or_default();
    line.trim_start().starts_with("//")
}

fn line_at(content: &str, place: usize) -> usize {
    1 + content.get(..place).unwrap_or_default().matches('\n').count()
}
