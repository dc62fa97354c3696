//! The conformance vectors as a source of seeds.

use std::{fs, path::PathBuf, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

/// One vector, as far as it matters here.
pub(crate) struct Vector {
    pub(crate) id: String,
    pub(crate) op: String,
    pub(crate) input: Value,
}

/// All of them, in order of their files.
pub(crate) static VECTORS: LazyLock<Vec<Vector>> = LazyLock::new(|| {
    let mut paths: Vec<PathBuf> = Vec::new();
    for kind in fs::read_dir(folder()).expect("the vectors") {
        let kind = kind.unwrap().path();
        if kind.is_dir() {
            paths.extend(fs::read_dir(kind).unwrap().map(|file| file.unwrap().path()));
        }
    }
    paths.sort();
    let read = |path: &PathBuf| {
        let mut vector: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let text = |key: &str| vector[key].as_str().unwrap().to_owned();
        Vector { id: text("id"), op: text("op"), input: vector["input"].take() }
    };
    paths.iter().filter(|path| path.extension().is_some_and(|kind| kind == "json")).map(read).collect()
});

/// The public test keys: name and seed of each.
pub(crate) fn seeds_of_keys() -> Vec<[u8; 32]> {
    let text = fs::read_to_string(folder().join("keys.json")).expect("the vectors' keys");
    let keys: Value = serde_json::from_str(&text).unwrap();
    let seed = |key: &Value| hex::decode(key["seed"].as_str().unwrap()).unwrap().try_into().unwrap();
    keys["keys"].as_array().unwrap().iter().map(seed).collect()
}

/// The bytes of one input field of every vector of that operation.
pub(crate) fn inputs(op: &str, field: &str) -> Vec<(String, Vec<u8>)> {
    let of_op = VECTORS.iter().filter(|vector| vector.op == op);
    of_op.map(|vector| (vector.id.clone(), bytes(&vector.input, field))).collect()
}

/// A field in base64.
pub(crate) fn bytes(input: &Value, field: &str) -> Vec<u8> {
    STANDARD.decode(input[field].as_str().unwrap()).unwrap()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../conformance/vectors")
}
