//! Numbered sentences: `**NEG-014** - Broker - If …, the broker MUST …`.
//!
//! A sentence starts a line and goes on until a blank line, a heading, a table, a quotation, a code
//! block or the next sentence.

use std::collections::BTreeSet;

use super::{ATTACKS, Problem, Text};
use crate::codegen::Registry;

const AREAS: [&str; 16] = [
    "CONV", "IDN", "TOK", "CTR", "CHN", "NEG", "LOG", "API", "TIM", "ERR", "LIM", "VER", "SEC", "GRA", "SES",
    "STR",
];

const ROLES: [&str; 6] = ["Broker", "Client", "Issuer", "Verifier", "Log", "Party"];

/// `MUST NOT` and `SHOULD NOT` count by their first word.
const KEYWORDS: [&str; 3] = ["MUST", "SHOULD", "MAY"];

/// BCP 14 has more words for the same things; one word for each is enough.
const FOREIGN: [&str; 4] = ["SHALL", "REQUIRED", "RECOMMENDED", "OPTIONAL"];

/// A sentence that is still being read.
struct Open {
    line: usize,
    text: String,
}

/// The line and id of each well-formed requirement.
pub(super) fn read(
    text: &Text,
    reasons: &Registry,
    problems: &mut BTreeSet<Problem>,
) -> Vec<(usize, String)> {
    let mut ids = Vec::new();
    let mut open: Option<Open> = None;
    let mut in_code = false;
    // A last blank line closes a sentence that ends with the file.
    for (line, content) in text.lines().chain([(0, "")]) {
        let content = content.trim();
        let fence = content.starts_with("```");
        let starts = label(content).is_some();
        let apart = in_code || fence || content.is_empty() || content.starts_with(['#', '|', '>']);
        if (starts || apart)
            && let Some(sentence) = open.take()
        {
            ids.extend(close(text, &sentence, reasons, problems));
        }
        in_code ^= fence;
        if let Some(sentence) = &mut open {
            sentence.text.push(' ');
            sentence.text.push_str(content);
        } else if starts && !apart {
            open = Some(Open { line, text: content.into() });
        } else if !(in_code || fence || content.starts_with('>') || is_row_of_attacks(text, content))
            && let Some(word) = keywords(content).chain(words(content, &FOREIGN)).next()
        {
            problems.insert(text.problem(line, format!("{word} outside a numbered requirement")));
        }
    }
    ids
}

fn is_row_of_attacks(text: &Text, content: &str) -> bool {
    text.path == ATTACKS && content.starts_with('|')
}

/// The bold text that a line starts with, if it could be meant as an id.
fn label(content: &str) -> Option<&str> {
    let (label, _) = content.strip_prefix("**")?.split_once("**")?;
    let (area, number) = label.split_once('-')?;
    let like_an_id = !area.is_empty()
        && area.chars().all(|letter| letter.is_ascii_alphanumeric())
        && number.starts_with(|digit: char| digit.is_ascii_digit());
    like_an_id.then_some(label)
}

/// Whether text is `AREA-NNN` with an area of the list.
pub(super) fn is_id(text: &str) -> bool {
    text.split_once('-').is_some_and(|(area, number)| {
        AREAS.contains(&area) && number.len() == 3 && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// Checks a whole sentence; its id, if it has one.
fn close(
    text: &Text,
    sentence: &Open,
    reasons: &Registry,
    problems: &mut BTreeSet<Problem>,
) -> Option<(usize, String)> {
    let mut problem = |what: String| {
        problems.insert(text.problem(sentence.line, what));
    };
    let id = label(&sentence.text)?;
    if !is_id(id) {
        problem(format!("{id} is not of the form AREA-NNN with an area of the list"));
        return None;
    }
    let mut parts = sentence.text.splitn(3, " - ");
    let (head, role) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let rule = parts.next().unwrap_or_default();
    if head != format!("**{id}**") || rule.is_empty() {
        problem(format!("{id} is not of the form `**{id}** - Role - sentence`"));
    } else if !ROLES.contains(&role) {
        problem(format!("{id}: {role:?} is not one of {}", ROLES.join(", ")));
    }
    let found = keywords(&sentence.text).count();
    if found != 1 {
        problem(format!("{id} has {found} keywords; a requirement has exactly one"));
    }
    for word in words(&sentence.text, &FOREIGN) {
        problem(format!("{id}: {word} is not one of MUST, MUST NOT, SHOULD, SHOULD NOT, MAY"));
    }
    for reason in sentence.text.split("reason `").skip(1).filter_map(|rest| rest.split('`').next()) {
        if !reasons.contains(reason) {
            problem(format!("{id}: {reason} is not a reason of spec/errors.toml"));
        }
    }
    Some((sentence.line, id.to_owned()))
}

fn keywords(content: &str) -> impl Iterator<Item = &str> {
    words(content, &KEYWORDS)
}

/// The words of `wanted` that stand in a text, outside `code spans`.
fn words<'a>(content: &'a str, wanted: &'static [&str]) -> impl Iterator<Item = &'a str> {
    content
        .split('`')
        .step_by(2)
        .flat_map(|prose| prose.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')))
        .filter(|word| wanted.contains(word))
}
