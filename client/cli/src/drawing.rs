//! The delegation graph as a drawing that other programs make: Graphviz and Mermaid.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::{terminal::printable, view::EdgeView};

/// Who stands in it, and what leads from one to another.
#[derive(Debug)]
pub(crate) struct Drawing {
    /// In order of names; the place of each is its number.
    nodes: Vec<String>,
    arrows: Vec<Arrow>,
}

#[derive(Debug)]
struct Arrow {
    from: usize,
    to: usize,
    label: String,
    ended: bool,
}

impl Drawing {
    /// An arrow for each edge: from the originator to the first holder, and from each holder to the next.
    pub(crate) fn of(edges: Vec<&EdgeView>) -> Self {
        // A path is shown for each of its ends, with the same edges at its beginning.
        let once: BTreeMap<&str, &EdgeView> = edges.into_iter().map(|edge| (&*edge.chain_id, edge)).collect();
        let source = |edge: &EdgeView| match edge.parent {
            None => edge.originator.clone(),
            Some(_) => edge.grantor.clone(),
        };
        let ends = once.values().flat_map(|edge| [source(edge), edge.holder.clone()]);
        let mut numbers: BTreeMap<String, usize> = ends.map(|name| (name, 0)).collect();
        numbers.values_mut().enumerate().for_each(|(number, place)| *place = number);
        let number = |name: &str| numbers.get(name).copied().unwrap_or_default();
        let arrow = |edge: &&EdgeView| Arrow {
            from: number(&source(edge)),
            to: number(&edge.holder),
            label: edge.rights.summary(),
            ended: edge.ended_leaf.is_some(),
        };
        let mut arrows: Vec<_> = once.values().map(arrow).collect();
        arrows.sort_by_key(|arrow| (arrow.from, arrow.to));
        Self { nodes: numbers.into_keys().collect(), arrows }
    }

    /// For Graphviz.
    pub(crate) fn dot(&self) -> String {
        let mut text = String::from("digraph delegations {\n  rankdir=LR;\n  node [shape=box];\n");
        for (number, name) in self.nodes.iter().enumerate() {
            let _ = writeln!(text, "  n{number} [label={}];", dot_text(name));
        }
        for Arrow { from, to, label, ended } in &self.arrows {
            let style = if *ended { ", style=dashed" } else { "" };
            let _ = writeln!(text, "  n{from} -> n{to} [label={}{style}];", dot_text(label));
        }
        text + "}\n"
    }

    /// For Mermaid.
    pub(crate) fn mermaid(&self) -> String {
        let mut text = String::from("flowchart LR\n");
        for (number, name) in self.nodes.iter().enumerate() {
            let _ = writeln!(text, "  n{number}[\"{}\"]", mermaid_text(name));
        }
        for Arrow { from, to, label, ended } in &self.arrows {
            let arrow = if *ended { "-.->" } else { "-->" };
            let _ = writeln!(text, "  n{from} {arrow}|\"{}\"| n{to}", mermaid_text(label));
        }
        text
    }
}

/// Quoted, so that no name can end its own label.
fn dot_text(text: &str) -> String {
    format!("\"{}\"", printable(text).replace('\\', "\\\\").replace('"', "\\\""))
}

/// Mermaid knows no escape but entities.
fn mermaid_text(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || " :/.-_,()".contains(c);
    printable(text)
        .chars()
        .map(|c| if plain(c) { c.to_string() } else { format!("#{};", u32::from(c)) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::edge::tests::{edge, views};

    fn drawing() -> Drawing {
        let edges =
            views(&[edge(1, None, "planner"), edge(2, Some(1), "researcher"), edge(1, None, "planner")]);
        Drawing::of(edges.iter().collect())
    }

    #[test]
    fn each_delegation_is_one_arrow_from_giver_to_holder() {
        let dot = drawing().dot();
        let planner = "spiffe://acme.example/agent/planner/i/01939f3e-0000-7000-8000-000000000001";
        assert!(dot.contains(&format!("  n0 [label=\"{planner}\"];\n")), "{dot}");
        assert!(dot.contains("  n2 -> n0 [label=\"read on file:/data/**\"];\n"), "{dot}");
        assert!(dot.contains("  n0 -> n1 [label=\"read on file:/data/**\"];\n"), "{dot}");
        assert_eq!(dot.matches("->").count(), 2, "each once");
        let mermaid = drawing().mermaid();
        assert!(mermaid.starts_with("flowchart LR\n"), "{mermaid}");
        assert!(mermaid.contains("  n2 -->|\"read on file:/data/#42;#42;\"| n0\n"), "{mermaid}");
    }

    #[test]
    fn no_text_ends_its_own_label() {
        assert_eq!(dot_text("a\"];x\\"), "\"a\\\"];x\\\\\"");
        assert_eq!(mermaid_text("a\"]|<b>\n"), "a#34;#93;#124;#60;b#62;#65533;");
    }
}
