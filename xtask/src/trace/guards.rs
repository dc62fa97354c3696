//! What Rust sources say of the specification: the ids that their guards cite, and the names of
//! their functions.

use std::collections::BTreeSet;

use super::Text;

/// What refuses under the id that follows.
const GUARDS: [&str; 3] = ["require!(", "require_some!(", "Refusal::new("];

/// The line and id of every guard. Where the first argument is no literal (inside the macros
/// themselves), there is none.
pub(super) fn read(text: &Text) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for guard in GUARDS {
        for (place, _) in text.content.match_indices(guard) {
            if in_comment(&text.content, place) {
                continue;
            }
            let after = text.content.get(place + guard.len()..).unwrap_or_default();
            // rustfmt may put the id on a line of its own.
            if let Some(literal) = after.trim_start().strip_prefix('"')
                && let Some((id, _)) = literal.split_once('"')
            {
                let before = text.content.len() - literal.len();
                found.push((line_at(&text.content, before), id));
            }
        }
    }
    found
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
