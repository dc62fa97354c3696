//! What makes a set of vectors worth trusting, checked on the files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    cast,
    diff::only_difference,
    folder,
    vector::{Vector, Verdict, files, write},
    view,
};

/// Bytes of one file: a token of the largest size and one payload of the largest fit.
const FILE_MAX_BYTES: usize = 96 * 1024;

fn by_id() -> BTreeMap<String, Vector> {
    let vectors = folder::vectors();
    let count = vectors.len();
    let by_id: BTreeMap<String, Vector> =
        vectors.into_iter().map(|vector| (vector.id.clone(), vector)).collect();
    assert_eq!(by_id.len(), count, "an id stands twice");
    by_id
}

#[test]
fn the_manifest_names_every_file_and_its_hash() {
    let manifest: Value = serde_json::from_str(&folder::text("MANIFEST.json")).unwrap();
    let mut listed = BTreeSet::from(["MANIFEST.json".to_owned(), "keys.json".to_owned()]);
    for entry in manifest["vectors"].as_array().unwrap() {
        let file = entry["file"].as_str().unwrap();
        let text = folder::text(file);
        assert_eq!(entry["sha256"], hex::encode(cast::sha256(text.as_bytes())), "{file}");
        let vector: Vector = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&entry["id"], &entry["requirement"]),
            (&vector.id.into(), &vector.requirement.into()),
            "{file}"
        );
        assert_eq!(entry["twin"].as_str(), vector.twin.as_deref(), "{file}");
        listed.insert(file.to_owned());
    }
    let found: BTreeSet<String> = folder::read_made().into_keys().collect();
    assert_eq!(found, listed);
}

#[test]
fn every_file_is_written_in_the_one_form_and_of_a_bounded_size() {
    let vectors: Vec<Vector> = by_id().into_values().collect();
    let mut again = files(&vectors, BTreeMap::new());
    let keys: Value = serde_json::from_str(&folder::text("keys.json")).unwrap();
    again.insert("keys.json".to_owned(), write(&keys));
    for (name, text) in folder::read_made() {
        assert_eq!(again.get(&name), Some(&text), "{name}");
        assert!(text.len() <= FILE_MAX_BYTES || name == "MANIFEST.json", "{name} has {} bytes", text.len());
    }
}

#[test]
fn every_twin_is_accepted_and_every_rejection_has_one() {
    let vectors = by_id();
    for vector in vectors.values() {
        let rejected = vector.expect.verdict == Verdict::Reject;
        assert_eq!(vector.twin.is_some(), rejected, "{}", vector.id);
        assert_eq!(vector.mutation.is_some(), rejected, "{}", vector.id);
        assert_eq!(vector.expect.reason.is_some(), rejected, "{}", vector.id);
        assert!(!rejected || vector.expect.output.is_none(), "{}", vector.id);
        let Some(twin) = vector.twin.as_ref().map(|twin| &vectors[twin]) else { continue };
        assert_eq!(twin.expect.verdict, Verdict::Accept, "{} of {}", twin.id, vector.id);
        assert_eq!((&twin.op, twin.kind()), (&vector.op, vector.kind()), "{} of {}", twin.id, vector.id);
    }
}

#[test]
fn what_is_explained_is_what_the_bytes_say() {
    for vector in by_id().values() {
        let explained = view::explain(&vector.op, &vector.context, &vector.input);
        assert_eq!(vector.explain, explained, "{}", vector.id);
    }
}

#[test]
fn a_rejected_vector_differs_from_its_twin_in_what_it_declares_and_nothing_else() {
    let vectors = by_id();
    for vector in vectors.values() {
        let (Some(twin), Some(mutation)) = (&vector.twin, &vector.mutation) else { continue };
        let found = only_difference(&mutation.path, &vectors[twin].explain, &vector.explain);
        let found = found.unwrap_or_else(|found| panic!("{}: {found:#?}", vector.id));
        assert_eq!((&mutation.from, &mutation.to), (&found.from, &found.to), "{}", vector.id);
        assert_ne!(mutation.from, mutation.to, "{}", vector.id);
    }
}

/// A vector without a departure from the grammar must not be refused for its form, and the other way
/// round: an accepted one has none.
#[test]
fn accepted_bytes_depart_from_nothing() {
    for vector in by_id().values() {
        let form = vector.explain.get("form").and_then(Value::as_array).map_or(0, Vec::len);
        let most = usize::from(vector.expect.verdict == Verdict::Reject);
        assert!(form <= most, "{}: {:?}", vector.id, vector.explain["form"]);
    }
}

#[test]
fn every_flag_says_what_an_attacker_gains_and_is_used() {
    let known = folder::text("flags.toml");
    let known: BTreeSet<&str> =
        known.lines().filter_map(|line| line.split_once(" = \"")).map(|(flag, _)| flag).collect();
    let vectors = by_id();
    let used: BTreeSet<&str> =
        vectors.values().flat_map(|vector| &vector.flags).map(String::as_str).collect();
    assert_eq!(used, known);
}

#[test]
fn every_operation_is_seen_from_both_sides_and_every_summary_is_a_sentence() {
    let mut seen: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for vector in by_id().into_values() {
        assert!(vector.summary.ends_with(['.', '?']) && !vector.summary.is_empty(), "{}", vector.id);
        seen.entry(vector.op).or_default().insert(vector.expect.verdict == Verdict::Accept);
    }
    assert!(seen.values().all(|sides| sides.len() == 2), "{seen:?}");
}

/// A requirement is a sentence of the specification, and a reason is one of its registry.
#[test]
fn requirements_and_reasons_are_those_of_the_specification() {
    let spec = folder::path().join("../../spec");
    let read = |name: &str| std::fs::read_to_string(spec.join(name)).unwrap();
    let files = ["conventions", "identity", "token", "chain", "contract", "negotiation", "ledger"];
    let sentences: String = files.iter().map(|name| read(&format!("{name}.md"))).collect();
    let reasons = read("errors.toml");
    for vector in by_id().values() {
        let sentence = format!("**{}** - ", vector.requirement);
        assert!(sentences.contains(&sentence), "{} of {}", vector.requirement, vector.id);
        let Some(reason) = &vector.expect.reason else { continue };
        assert!(reasons.contains(&format!("\n[{reason}]\n")), "{reason} of {}", vector.id);
    }
}

/// The guards that a verifier of bytes can run into; the others need a broker's state or its clock.
const GUARDED: [&str; 9] = [
    "token/verify.rs",
    "token/permit.rs",
    "token/table/mod.rs",
    "token/proof.rs",
    "token/seal.rs",
    "extension.rs",
    "domain/decide/offer.rs",
    "domain/decide/accept.rs",
    "contract/body.rs",
];

#[test]
fn every_guard_of_tokens_and_contracts_has_a_rejected_vector() {
    let source = |file: &str| {
        let path = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src").join(file);
        std::fs::read_to_string(path).unwrap()
    };
    let sources: Vec<String> = GUARDED.iter().map(|file| source(file)).collect();
    let guards: BTreeSet<&str> = sources
        .iter()
        .flat_map(|source| source.split('"').skip(1).step_by(2))
        .filter(|text| is_requirement(text))
        .collect();
    let vectors = by_id();
    let rejected = vectors.values().filter(|vector| vector.expect.verdict == Verdict::Reject);
    let covered: BTreeSet<&str> = rejected.map(|vector| vector.requirement.as_str()).collect();
    let missing: BTreeSet<&str> = guards.difference(&covered).copied().collect();
    assert_eq!(missing, BTreeSet::new());
}

fn is_requirement(text: &str) -> bool {
    text.split_once('-').is_some_and(|(area, number)| {
        area.bytes().all(|b| b.is_ascii_uppercase()) && number.len() == 3 && number.parse::<u16>().is_ok()
    })
}

/// Attack line 25: nothing that is signed or logged has room for prose. The texts that there are, are
/// values of arguments, compared byte by byte and never shown to a model by a broker.
#[test]
fn the_only_text_in_a_statement_is_an_arguments_value() {
    let (mut message, mut texts) = ("", Vec::new());
    for line in include_str!("../../../conformance/vectors/payloads.txt").lines() {
        match line.strip_prefix("  ") {
            None if !line.starts_with('#') => message = line,
            Some(field) if !field.starts_with("if ") => {
                let mut words = field.split(' ').skip(1);
                let (name, kind) = (words.next().unwrap(), words.next().unwrap());
                if kind.starts_with("text") {
                    texts.push(format!("{message}.{name}"));
                }
            }
            _ => (),
        }
    }
    assert_eq!(texts, ["Constraint.text_in", "Argument.text"]);
}
