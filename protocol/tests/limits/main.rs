//! Each form's limit, from `spec/limits.md`: a thing of the size that is accepted, and the same thing of
//! the size that is refused.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::panic, reason = "a test that cannot build its input must stop")]

mod forms;

use std::{collections::BTreeSet, fs};

use forms::probe;

/// One row of a table: what is limited, and both edges.
#[derive(Debug)]
struct Row {
    name: String,
    what: String,
    accepted_to: usize,
    refused_from: usize,
}

fn rows(section: &str) -> Vec<Row> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../spec/limits.md")).unwrap();
    let (_, after) = text.split_once(&format!("## {section}\n")).unwrap();
    let (table, _) = after.split_once("\n## ").unwrap();
    let number = |text: &str| text.replace(',', "").parse().unwrap_or_else(|_| panic!("{text} is no number"));
    table
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [name, what, accepted_to, refused_from, ..] = cells[..] else { panic!("{line}") };
            Row {
                name: name.trim_end_matches('`').into(),
                what: what.into(),
                accepted_to: number(accepted_to),
                refused_from: number(refused_from),
            }
        })
        .collect()
}

#[test]
fn each_form_is_bounded_where_the_specification_says() {
    let rows = rows("Formats");
    assert!(rows.len() > 20, "the table was read");
    for Row { name, what, accepted_to, refused_from } in &rows {
        let fits = probe(name, what).unwrap_or_else(|| panic!("nothing shows {name}, {what}"));
        assert_eq!(*refused_from, accepted_to + 1, "{name}: nothing is left open");
        assert!(fits(*accepted_to), "{name}, {what}: {accepted_to} must be accepted");
        assert!(!fits(*refused_from), "{name}, {what}: {refused_from} must be refused");
    }
    let names: BTreeSet<_> = rows.iter().map(|row| (&row.name, &row.what)).collect();
    assert_eq!(names.len(), rows.len(), "each stands once");
}
