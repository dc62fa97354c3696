//! The vectors, made anew: fixed keys, fixed times, no randomness.

mod activation;
mod checkpoint;
mod contract;
mod ledger_proof;
mod name;
mod narrowing;
mod payload;
mod proof;
mod signature;
mod token;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    cast,
    diff::only_difference,
    vector::{Expect, Mutation, Vector, Verdict, write},
    view,
};

/// Every vector, in order of ids.
pub(crate) fn vectors() -> Vec<Vector> {
    let mut shelf = Shelf::default();
    payload::fill(&mut shelf);
    signature::fill(&mut shelf);
    name::fill(&mut shelf);
    narrowing::fill(&mut shelf);
    token::fill(&mut shelf);
    activation::fill(&mut shelf);
    proof::fill(&mut shelf);
    contract::fill(&mut shelf);
    ledger_proof::fill(&mut shelf);
    checkpoint::fill(&mut shelf);
    shelf.finish()
}

/// The files beside the vectors that are made as well.
pub(crate) fn other_files() -> BTreeMap<String, String> {
    let keys: Vec<Value> = cast::KEYS
        .iter()
        .map(|name| {
            let (seed, public) = (hex::encode(cast::seed(name)), cast::public(name).to_string());
            json!({ "name": name, "seed": seed, "public": public })
        })
        .collect();
    BTreeMap::from([("keys.json".to_owned(), write(&json!({ "keys": keys })))])
}

#[derive(Default)]
pub(crate) struct Shelf {
    vectors: Vec<Vector>,
}

impl Shelf {
    /// A vector that must be accepted.
    pub(crate) fn accept(&mut self, op: &'static str, id: &str) -> Draft<'_> {
        self.draft(op, id, None)
    }

    /// A vector that must be refused, and the accepted one that it differs from.
    pub(crate) fn reject(&mut self, op: &'static str, id: &str, twin: &str) -> Draft<'_> {
        self.draft(op, id, Some(twin.to_owned()))
    }

    fn draft(&mut self, op: &'static str, id: &str, twin: Option<String>) -> Draft<'_> {
        let verdict = if twin.is_some() { Verdict::Reject } else { Verdict::Accept };
        let mutation = twin.is_some().then(|| Mutation {
            path: String::new(),
            from: Value::Null,
            to: Value::Null,
            resigned: false,
        });
        let vector = Vector {
            id: id.to_owned(),
            since: "0.1".to_owned(),
            requirement: String::new(),
            op: op.to_owned(),
            summary: String::new(),
            twin,
            mutation,
            context: json!({}),
            input: Value::Null,
            explain: Value::Null,
            expect: Expect { verdict, reason: None, fault: None, output: None },
            flags: Vec::new(),
        };
        Draft { shelf: self, vector }
    }

    /// Decodes every vector, and looks for the difference that each rejected one declares.
    fn finish(mut self) -> Vec<Vector> {
        self.vectors.sort_by(|a, b| a.id.cmp(&b.id));
        for vector in &mut self.vectors {
            vector.explain = view::explain(&vector.op, &vector.context, &vector.input);
        }
        let twins: BTreeMap<String, Value> =
            self.vectors.iter().map(|vector| (vector.id.clone(), vector.explain.clone())).collect();
        let mut problems = Vec::new();
        for vector in &mut self.vectors {
            let (Some(twin), Some(mutation)) = (&vector.twin, &mut vector.mutation) else { continue };
            let twin = twins.get(twin).unwrap_or_else(|| panic!("{} has no twin {twin}", vector.id));
            match only_difference(&mutation.path, twin, &vector.explain) {
                Ok(difference) => (mutation.from, mutation.to) = (difference.from, difference.to),
                Err(found) => {
                    let found: Vec<_> = found.iter().map(|difference| &difference.path).collect();
                    problems
                        .push(format!("{} differs at {found:?}, not only at {}", vector.id, mutation.path));
                }
            }
        }
        assert!(problems.is_empty(), "{}", problems.join("\n"));
        self.vectors
    }
}

/// A vector that is being written.
pub(crate) struct Draft<'a> {
    shelf: &'a mut Shelf,
    vector: Vector,
}

impl Draft<'_> {
    /// The sentence that decides.
    pub(crate) fn rule(mut self, rule: &str) -> Self {
        self.vector.requirement = rule.to_owned();
        self
    }

    pub(crate) fn because(mut self, summary: &str) -> Self {
        self.vector.summary = summary.to_owned();
        self
    }

    /// Where the decoded input differs from the twin's.
    pub(crate) fn at(mut self, path: &str) -> Self {
        self.vector.mutation.as_mut().unwrap().path = path.to_owned();
        self
    }

    /// What was changed was signed again by whoever signs it.
    pub(crate) fn resigned(mut self) -> Self {
        self.vector.mutation.as_mut().unwrap().resigned = true;
        self
    }

    pub(crate) fn reason(mut self, reason: &str) -> Self {
        self.vector.expect.reason = Some(reason.to_owned());
        self
    }

    pub(crate) fn fault(mut self, fault: &str) -> Self {
        self.vector.expect.fault = Some(fault.to_owned());
        self
    }

    pub(crate) fn output(mut self, output: Value) -> Self {
        self.vector.expect.output = Some(output);
        self
    }

    /// What an attacker would gain.
    pub(crate) fn flag(mut self, flag: &str) -> Self {
        self.vector.flags.push(flag.to_owned());
        self
    }

    pub(crate) fn given(mut self, context: Value, input: Value) {
        (self.vector.context, self.vector.input) = (context, input);
        self.shelf.vectors.push(self.vector);
    }
}
