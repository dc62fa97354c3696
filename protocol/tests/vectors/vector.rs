//! A vector, and the one way in which it is written down.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One question with its answer. Unknown keys in a file are refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    pub(crate) id: String,
    /// The version of the specification from which on the answer holds.
    pub(crate) since: String,
    /// The sentence that decides it.
    pub(crate) requirement: String,
    pub(crate) op: String,
    pub(crate) summary: String,
    /// The accepted vector from which a rejected one differs in one fault.
    pub(crate) twin: Option<String>,
    pub(crate) mutation: Option<Mutation>,
    pub(crate) context: Value,
    pub(crate) input: Value,
    /// Context and input decoded, and what is derived in them named as such.
    pub(crate) explain: Value,
    pub(crate) expect: Expect,
    pub(crate) flags: Vec<String>,
}

/// The one difference from the twin, as `explain` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutation {
    /// A JSON pointer into `explain`.
    pub(crate) path: String,
    pub(crate) from: Value,
    pub(crate) to: Value,
    /// Whether what was changed was signed again, by the key whose signature stands there.
    pub(crate) resigned: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    pub(crate) verdict: Verdict,
    /// Of `spec/errors.toml`; only with a rejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Which of the faults that share a reason; only where the reason says too little.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<String>,
    /// What is computed; only with an acceptance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Accept,
    Reject,
}

impl Vector {
    /// The folder is the kind: what stands before the first dot of the id.
    pub(crate) fn kind(&self) -> &str {
        self.id.split('.').next().unwrap()
    }

    pub(crate) fn file(&self) -> String {
        format!("{}/{}.json", self.kind(), self.id.split_once('.').unwrap().1)
    }

    pub(crate) fn to_text(&self) -> String {
        write(&json!(self))
    }
}

/// The files of a set of vectors, by path, with the manifest that lists them.
pub(crate) fn files(vectors: &[Vector], others: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut entries = Vec::new();
    let mut files = others;
    for vector in vectors {
        let text = vector.to_text();
        entries.push(json!({
            "id": vector.id,
            "file": vector.file(),
            "sha256": hex::encode(super::cast::sha256(text.as_bytes())),
            "requirement": vector.requirement,
            "twin": vector.twin,
        }));
        assert!(files.insert(vector.file(), text).is_none(), "{} stands twice", vector.id);
    }
    files.insert("MANIFEST.json".to_owned(), write(&json!({ "format": 1, "vectors": entries })));
    files
}

/// The order of the keys that have one; all others follow by the alphabet.
const ORDER: [&str; 25] = [
    "format",
    "id",
    "file",
    "sha256",
    "since",
    "requirement",
    "op",
    "summary",
    "twin",
    "mutation",
    "path",
    "from",
    "to",
    "resigned",
    "context",
    "input",
    "explain",
    "expect",
    "verdict",
    "reason",
    "fault",
    "output",
    "flags",
    "name",
    "seed",
];

const WIDTH: usize = 110;

/// Two spaces for each level, a line for each key, and on one line whatever fits one.
pub(crate) fn write(value: &Value) -> String {
    let mut text = String::new();
    put(value, 0, &mut text);
    text.push('\n');
    text
}

fn put(value: &Value, level: usize, text: &mut String) {
    let short = compact(value);
    // The outermost object always has a line for each key.
    if level > 0 && short.len() + 2 * level <= WIDTH {
        return text.push_str(&short);
    }
    let indent = "  ".repeat(level + 1);
    let (open, close, count) = match value {
        Value::Array(list) => ('[', ']', list.len()),
        Value::Object(map) => ('{', '}', map.len()),
        _ => return text.push_str(&short),
    };
    text.push(open);
    let mut item = |position: usize, key: Option<&str>, value: &Value| {
        text.push_str(if position == 0 { "\n" } else { ",\n" });
        text.push_str(&indent);
        if let Some(key) = key {
            text.push_str(&format!("{}: ", Value::from(key)));
        }
        put(value, level + 1, text);
    };
    match value {
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(position, value)| item(position, None, value))
        }
        Value::Object(map) => {
            let sorted = sorted(map);
            let numbered = sorted.into_iter().enumerate();
            numbered.for_each(|(position, (key, value))| item(position, Some(key), value));
        }
        _ => (),
    }
    if count > 0 {
        text.push_str(&format!("\n{}", "  ".repeat(level)));
    }
    text.push(close);
}

fn compact(value: &Value) -> String {
    match value {
        Value::Array(list) => format!("[{}]", list.iter().map(compact).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let pairs = sorted(map).into_iter();
            let pairs: Vec<_> =
                pairs.map(|(key, value)| format!("{}: {}", Value::from(key), compact(value))).collect();
            if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
        }
        scalar => scalar.to_string(),
    }
}

fn sorted(map: &Map<String, Value>) -> Vec<(&str, &Value)> {
    let place = |key: &str| ORDER.iter().position(|known| *known == key).unwrap_or(ORDER.len());
    let mut pairs: Vec<(&str, &Value)> = map.iter().map(|(key, value)| (key.as_str(), value)).collect();
    pairs.sort_by_key(|(key, _)| (place(key), *key));
    pairs
}
