//! Each limit of `spec/limits.md` at both edges: a thing of the size that is accepted, and the same thing
//! of the size that is refused.
#![expect(clippy::unwrap_used, reason = "a test that cannot build its input must stop")]
#![expect(clippy::panic, reason = "a test that cannot build its input must stop")]

mod decisions;
mod forms;

use std::{collections::BTreeSet, fs};

/// Rows whose edges are met where they can be: in a shell, in an engine, at the end of a thousand
/// invocations, or in both ends of one span. Each with its file and the test in it.
const SHOWN_ELSEWHERE: [(&str, &str, &str); 18] = [
    (
        "negotiations_per_instance",
        "protocol/tests/domain/negotiation.rs",
        "whoever_asks_and_takes_back_for_ever_is_refused",
    ),
    (
        "open_invocations_per_instance",
        "protocol/tests/domain/limits.rs",
        "endless_open_invocations_are_refused",
    ),
    ("sessions_per_instance", "protocol/tests/domain/session.rs", "an_instance_has_only_so_many_sessions"),
    (
        "session_sign_every_max",
        "protocol/tests/domain/session.rs",
        "an_opening_states_how_often_heads_are_signed",
    ),
    (
        "session_sign_within_min_ms",
        "protocol/tests/domain/session.rs",
        "an_opening_states_how_often_heads_are_signed",
    ),
    (
        "session_sign_within_max_ms",
        "protocol/tests/domain/session.rs",
        "an_opening_states_how_often_heads_are_signed",
    ),
    (
        "session_head_grace_ms",
        "protocol/tests/domain/session.rs",
        "a_tail_without_a_signature_is_bounded_in_time",
    ),
    ("session_deadline_max_ms", "protocol/tests/domain/session.rs", "a_request_waits_no_longer_than_it_may"),
    ("streams_per_instance", "broker/src/mediation/stream/list.rs", "one_caller_has_only_so_many_streams"),
    ("stream_chunk_max_bytes", "protocol/src/stream/tests.rs", "a_chunk_has_its_size"),
    ("stream_window", "protocol/src/stream/tests.rs", "a_side_sends_no_more_than_the_other_takes"),
    ("stream_chunks_max", "protocol/src/stream/tests.rs", "a_side_has_so_many_chunks_and_bytes"),
    ("stream_max_bytes", "protocol/src/stream/tests.rs", "a_side_has_so_many_chunks_and_bytes"),
    (
        "stream_max_ms",
        "broker/src/mediation/stream/begin.rs",
        "a_stream_takes_as_long_as_its_caller_waits_and_no_longer_than_it_may",
    ),
    ("body_max_bytes", "broker/src/mediation/tests/attacks.rs", "a_body_has_its_limit"),
    ("batch_max_entries", "broker/store/src/tests/suite.rs", "nothing_beyond_a_limit_is_written"),
    (
        "svid_min_ms",
        "protocol/tests/domain/identity.rs",
        "a_certificate_lives_ten_seconds_at_least_and_an_hour_at_most",
    ),
    (
        "svid_max_ms",
        "protocol/tests/domain/identity.rs",
        "a_certificate_lives_ten_seconds_at_least_and_an_hour_at_most",
    ),
];

/// One row of a table: what is limited, both edges, and the reason beyond.
#[derive(Debug)]
struct Row {
    name: String,
    what: String,
    accepted_to: String,
    refused_from: String,
    reason: String,
}

impl Row {
    /// Both edges, which are neighbours.
    fn edges(&self) -> (usize, usize) {
        let number = |text: &str| {
            let digits = text.replace(',', "");
            digits.parse().unwrap_or_else(|_| panic!("{}: {text} is no number", self.name))
        };
        let (accepted_to, refused_from) = (number(&self.accepted_to), number(&self.refused_from));
        assert_eq!(refused_from, accepted_to + 1, "{}: nothing is left open", self.name);
        (accepted_to, refused_from)
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn rows(section: &str) -> Vec<Row> {
    let text = read("spec/limits.md");
    let (_, after) = text.split_once(&format!("## {section}\n")).unwrap();
    let (table, _) = after.split_once("\n## ").unwrap();
    let rows: Vec<_> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [name, what, accepted_to, refused_from, reason, ..] = cells[..] else { panic!("{line}") };
            let [name, reason] = [name, reason].map(|cell| cell.trim_matches('`').into());
            let [what, accepted_to, refused_from] = [what, accepted_to, refused_from].map(Into::into);
            Row { name, what, accepted_to, refused_from, reason }
        })
        .collect();
    let names: BTreeSet<_> = rows.iter().map(|row| (&row.name, &row.what)).collect();
    assert_eq!(names.len(), rows.len(), "each stands once");
    rows
}

#[test]
fn each_form_is_bounded_where_the_specification_says() {
    let rows = rows("Formats");
    assert!(rows.len() > 20, "the table was read");
    for row in &rows {
        let Row { name, what, .. } = row;
        let fits = forms::probe(name, what).unwrap_or_else(|| panic!("nothing shows {name}, {what}"));
        let (accepted_to, refused_from) = row.edges();
        assert!(fits(accepted_to), "{name}, {what}: {accepted_to} must be accepted");
        assert!(!fits(refused_from), "{name}, {what}: {refused_from} must be refused");
    }
}

#[test]
fn each_decision_is_bounded_where_the_specification_says() {
    let rows: Vec<_> = ["Decisions", "Times"].into_iter().flat_map(rows).collect();
    let mut elsewhere = BTreeSet::new();
    for row in &rows {
        let Row { name, what, reason, .. } = row;
        let Some(decides) = decisions::probe(name, what) else {
            elsewhere.insert(name.as_str());
            continue;
        };
        let (accepted_to, refused_from) = row.edges();
        assert_eq!(decides(accepted_to), Ok(()), "{name}, {what}: {accepted_to} must be accepted");
        let refused = decides(refused_from).map_err(|reason| reason.name());
        assert_eq!(refused, Err(reason.as_str()), "{name}, {what}: {refused_from} must be refused");
    }
    let named: BTreeSet<_> = SHOWN_ELSEWHERE.iter().map(|(name, ..)| *name).collect();
    assert_eq!(elsewhere, named, "whatever nothing shows here is shown elsewhere");
    for (name, file, test) in SHOWN_ELSEWHERE {
        assert!(read(file).contains(&format!("fn {test}(")), "{name}: {file} has no test {test}");
    }
}
