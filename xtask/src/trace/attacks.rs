//! `spec/security.md`: what keeps each known attack out.
//!
//! `| 12 | TOK-004, TOK-005 | tests: `token::a_stranger_cannot_append`, `token.trailing-byte`, … |` or
//! `later: why`. A row is a whole attack, or one of its forms: 12a, 12b, ….

use std::collections::{BTreeMap, BTreeSet};

use super::{Problem, Text, requirements::is_id};

/// The known attacks are numbered from one to this.
pub(super) const COUNT: u32 = 36;

/// What a row may name.
pub(super) struct Known<'a> {
    pub(super) requirements: BTreeSet<&'a str>,
    /// `file::test`, and how many there are of that name.
    pub(super) tests: BTreeMap<String, usize>,
    /// `folder.name`.
    pub(super) vectors: &'a BTreeSet<String>,
}

/// Every attack has a row, or one for each of its forms; every row names requirements, tests and
/// vectors that exist.
pub(super) fn check(text: &Text, known: &Known<'_>, problems: &mut BTreeSet<Problem>) {
    let mut forms: BTreeMap<u32, String> = BTreeMap::new();
    for (line, content) in text.lines() {
        let Some(row) = content.trim().strip_prefix('|').and_then(|rest| rest.strip_suffix('|')) else {
            continue;
        };
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [attack, middle @ .., answer] = cells.as_slice() else { continue };
        let Some((number, form)) = numbered(attack) else { continue };
        forms.entry(number).or_default().push_str(form);
        let ids = middle.iter().flat_map(|cell| cell.split([',', ' ', '`'])).filter(|word| is_id(word));
        for id in ids.filter(|id| !known.requirements.contains(id)) {
            problems.insert(text.problem(line, format!("attack {attack}: {id} is no requirement of spec/")));
        }
        for what in faults(answer, known) {
            problems.insert(text.problem(line, format!("attack {attack}: {what}")));
        }
    }
    for number in 1..=COUNT {
        let Some(found) = forms.get(&number) else {
            problems.insert(text.problem(1, format!("attack {number} has no row")));
            continue;
        };
        if !found.chars().eq(('a'..='z').take(found.len())) {
            problems
                .insert(text.problem(1, format!("attack {number} has the forms {found:?}, not a, b, c, …")));
        }
    }
}

/// The number of an attack and the letter of a form, which may be absent.
fn numbered(attack: &str) -> Option<(u32, &str)> {
    let (number, form) =
        attack.split_at(attack.trim_end_matches(|form: char| form.is_ascii_lowercase()).len());
    Some((number.parse().ok()?, form))
}

/// What is wrong with `tests: …`, with `later: why`, or with the one followed by the other.
fn faults(answer: &str, known: &Known<'_>) -> Vec<String> {
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
    named.into_iter().filter_map(|name| unknown(name, known)).collect()
}

fn unknown(name: &str, known: &Known<'_>) -> Option<String> {
    if !name.contains("::") {
        return (!known.vectors.contains(name)).then(|| format!("there is no vector `{name}`"));
    }
    match known.tests.get(name) {
        Some(1) => None,
        Some(count) => Some(format!("there are {count} tests `{name}`")),
        None => Some(format!("there is no test `{name}`")),
    }
}
