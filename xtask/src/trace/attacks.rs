//! `spec/security.md`: what keeps each known attack out.
//!
//! `| 12 | TOK-004, TOK-005 | tests: `token::a_stranger_cannot_append`, … |` or `later: why`.

use std::collections::BTreeSet;

use super::{Problem, Text, requirements::is_id};

/// The known attacks are numbered from one to this.
pub(super) const COUNT: u32 = 36;

/// Every attack has a row; every row names requirements that exist and tests that exist.
pub(super) fn check(
    text: &Text,
    requirements: &BTreeSet<&str>,
    functions: &BTreeSet<&str>,
    problems: &mut BTreeSet<Problem>,
) {
    let mut answered = BTreeSet::new();
    for (line, content) in text.lines() {
        let Some(row) = content.trim().strip_prefix('|').and_then(|rest| rest.strip_suffix('|')) else {
            continue;
        };
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [number, middle @ .., answer] = cells.as_slice() else { continue };
        let Ok(number) = number.parse::<u32>() else { continue };
        answered.insert(number);
        let ids = middle.iter().flat_map(|cell| cell.split([',', ' ', '`'])).filter(|word| is_id(word));
        for id in ids.filter(|id| !requirements.contains(id)) {
            problems.insert(text.problem(line, format!("attack {number}: {id} is no requirement of spec/")));
        }
        for what in faults(answer, functions) {
            problems.insert(text.problem(line, format!("attack {number}: {what}")));
        }
    }
    for number in (1..=COUNT).filter(|number| !answered.contains(number)) {
        problems.insert(text.problem(1, format!("attack {number} has no row")));
    }
}

/// What is wrong with `tests: …`, with `later: why`, or with the one followed by the other.
fn faults(answer: &str, functions: &BTreeSet<&str>) -> Vec<String> {
    let (tests, later) = match answer.split_once("later:") {
        Some((tests, why)) => (tests.trim(), Some(why.trim())),
        None => (answer, None),
    };
    if later == Some("") {
        return vec!["says `later:` but not why".into()];
    }
    let Some(tests) = tests.strip_prefix("tests:") else {
        let postponed = later.is_some() && tests.is_empty();
        return if postponed { Vec::new() } else { vec!["names no `tests:` and no `later: why`".into()] };
    };
    let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
    if named.is_empty() {
        return vec!["names no test after `tests:`".into()];
    }
    named
        .into_iter()
        .filter(|path| !functions.contains(path.rsplit("::").next().unwrap_or_default()))
        .map(|path| format!("there is no test `{path}`"))
        .collect()
}
