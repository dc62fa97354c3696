//! Every `limits.rs`: which test meets each bound from both sides.
//!
//! `/// Edges: `gate::one_instance_has_so_many_calls`.` or `/// Edges: none. Why.` for what paces and
//! bounds nothing.

use std::collections::BTreeSet;

use super::{Problem, Text};

/// Each constant says where its edges are tested, and the tests exist.
pub(super) fn check(text: &Text, functions: &BTreeSet<&str>, problems: &mut BTreeSet<Problem>) {
    let mut edges = None;
    for (line, content) in text.lines() {
        if let Some(comment) = content.trim().strip_prefix("///") {
            edges = comment.trim().strip_prefix("Edges:").or(edges);
        } else {
            if let Some(name) = constant(content)
                && let Some(what) = fault(edges, functions)
            {
                problems.insert(text.problem(line, format!("{name} {what}")));
            }
            edges = None;
        }
    }
}

fn constant(line: &str) -> Option<&str> {
    let after = line.strip_prefix("pub const ").or_else(|| line.strip_prefix("pub(crate) const "))?;
    after.split(':').next()
}

fn fault(edges: Option<&str>, functions: &BTreeSet<&str>) -> Option<String> {
    let Some(edges) = edges.map(str::trim) else {
        return Some("does not say where its `Edges:` are tested".into());
    };
    if let Some(why) = edges.strip_prefix("none.") {
        return why.trim().is_empty().then(|| "has no edges, but does not say why".into());
    }
    let mut tests = edges.split('`').skip(1).step_by(2).peekable();
    if tests.peek().is_none() {
        return Some("names no test after `Edges:`".into());
    }
    let missing = tests.find(|path| !functions.contains(path.rsplit("::").next().unwrap_or_default()));
    missing.map(|path| format!("names `{path}`, and there is no such test"))
}
